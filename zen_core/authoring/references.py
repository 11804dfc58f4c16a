"""What may stand in a pipeline for a value that Zen finds when a step runs: a secret, an artifact of another run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zen_core.authoring.options import option_problem
from zen_core.errors import DefinitionError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARTIFACT = re.compile(r"[^/\s]+(/[^/\s]+){0,2}")


@dataclass(frozen=True)
class Secret:
    """A secret that a step is given as text: `api_key: str = Secret("OPENAI_API_KEY")`, or as an argument.

    The task's environment holds it; the name of the variable is all that is ever written down, and all that counts in
    the cache key. The value is masked in logs and errors.

    Args:
        name: of the environment variable.
    """

    name: str

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and _VARIABLE.fullmatch(self.name)):
            hint = 'write the name of an environment variable, such as Secret("OPENAI_API_KEY")'
            raise DefinitionError(diagnostics=[option_problem("Secret(name=…)", self.name, hint)])


@dataclass(frozen=True)
class Artifact:
    """An artifact that another run made, as an argument of a step: `Artifact("churn/model")`.

    It is looked up once per run. What counts in the cache key is its content, not its name or version.

    Args:
        name: `model`, `PIPELINE/model` or `PROJECT/PIPELINE/model`.
        version: None: the latest one.
    """

    name: str
    version: int | None = None

    def __post_init__(self) -> None:
        found = []
        if not (isinstance(self.name, str) and _ARTIFACT.fullmatch(self.name)):
            hint = 'write "model", "PIPELINE/model" or "PROJECT/PIPELINE/model"'
            found.append(option_problem("Artifact(name=…)", self.name, hint))
        is_number = isinstance(self.version, int) and not isinstance(self.version, bool)
        if self.version is not None and not (is_number and self.version >= 1):
            found.append(option_problem("Artifact(version=…)", self.version, "write a whole number from 1, or None"))
        if found:
            raise DefinitionError(diagnostics=found)
