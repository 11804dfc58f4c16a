"""Every error that Zen raises. Standard library only: a task reads this module too.

An error carries one or several diagnostics; its text is theirs. `exit_code` is what the command line answers with,
`transient` says whether trying again can help.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from zen_core.diagnostics import Diagnostic, render_all


class ZenError(Exception):
    """The base of all errors of Zen.

    Args:
        message: what went wrong, with the fact in it.
        where: `file:line`, step or setting.
        why: the cause, where it is known.
        hint: what to do.
        code: the diagnostic's code, where it is finer than the class's own.
        context: facts for machines; never a secret.
        diagnostics: several problems at once, instead of `message`.
    """

    code: ClassVar[str] = "ZEN-X000"
    exit_code: ClassVar[int] = 70
    transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        where: str = "",
        why: str = "",
        hint: str = "",
        code: str = "",
        context: Mapping[str, Any] | None = None,
        diagnostics: Iterable[Diagnostic] = (),
    ) -> None:
        self.diagnostics = tuple(diagnostics) or (
            Diagnostic(code or type(self).code, message, where, why, hint, dict(context or {})),
        )
        super().__init__(render_all(self.diagnostics))

    @property
    def message(self) -> str:
        """What the first diagnostic says, without place, reason and hint."""
        return self.diagnostics[0].message

    def __reduce__(self) -> tuple[Any, ...]:
        # Orchestrators move exceptions between processes, and keyword-only facts do not unpickle by themselves.
        return _rebuild, (type(self), self.diagnostics)


def _rebuild(kind: type[ZenError], diagnostics: tuple[Diagnostic, ...]) -> ZenError:
    return kind(diagnostics=diagnostics)


class UsageError(ZenError):
    """The command or its arguments are wrong."""

    code = "ZEN-U100"
    exit_code = 2


class ConfigError(UsageError):
    """A setting in zen.toml, pyproject.toml or the environment is wrong."""

    code = "ZEN-U200"


class DefinitionError(ZenError, ValueError):
    """The pipeline's definition is wrong. Carries all problems found, each with file and line."""

    code = "ZEN-D100"
    exit_code = 1


class LoadError(DefinitionError):
    """The pipeline's file cannot be found or imported."""

    code = "ZEN-D200"


class CompilationError(ZenError):
    """The pipeline cannot be compiled for this target."""

    code = "ZEN-C100"
    exit_code = 1


class UnsupportedFeatureError(CompilationError):
    """The target cannot express what the pipeline uses. Names every use, and the targets that can."""

    code = "ZEN-C101"


class NameCollisionError(CompilationError):
    """Two names of the IR become one identifier in the target."""

    code = "ZEN-C102"


class OutOfDateError(CompilationError):
    """The files on disk are not what the pipeline compiles to (`zen compile --check`)."""

    code = "ZEN-C103"


class BundleError(CompilationError):
    """The code bundle cannot be made, or holds what it must not."""

    code = "ZEN-C104"


class UnfollowedCodeError(CompilationError):
    """Code reaches further than can be read, and the project refuses that. Names every place."""

    code = "ZEN-C105"


class AdapterError(ZenError):
    """An adapter is unknown, cannot be loaded, or its options are wrong."""

    code = "ZEN-A100"
    exit_code = 3


class AdapterNotFoundError(AdapterError):
    """No installed adapter has this name."""

    code = "ZEN-A101"


class AdapterLoadError(AdapterError):
    """The adapter is installed but its import fails."""

    code = "ZEN-A102"


class DeploymentError(AdapterError):
    """A pipeline cannot be handed over to its orchestrator."""

    code = "ZEN-A103"


class ShimError(ZenError):
    """A task cannot run its step: manifest, code, inputs or settings are not what they must be."""

    code = "ZEN-S100"
    exit_code = 1


class ManifestError(ShimError):
    """The manifest is missing, unreadable, or of another version."""

    code = "ZEN-S101"


class CodeError(ShimError):
    """The code bundle is missing, altered, or other code was imported in its place."""

    code = "ZEN-S102"


class ParameterError(ShimError, ValueError):
    """A parameter's value does not fit its declared type."""

    code = "ZEN-S103"
    exit_code = 2


class MissingInputError(ShimError):
    """An input of a step is not there."""

    code = "ZEN-S104"


class OutputError(ShimError):
    """A step did not return what it declares, or its output cannot be stored."""

    code = "ZEN-S105"


class StepTimeoutError(ShimError, TimeoutError):
    """A step ran longer than its `timeout`, and was ended."""

    code = "ZEN-S106"


class SecretError(ShimError):
    """A secret that a step reads is not set in the task's environment."""

    code = "ZEN-S114"


class MapError(ShimError):
    """A map cannot begin: what is mapped is no list, the lists differ in length, or there are too many elements."""

    code = "ZEN-S115"


class GateError(ShimError):
    """A condition cannot be told: an operand is missing, no scalar, or of a type that cannot be compared."""

    code = "ZEN-S116"


class StepEnvironmentError(ShimError):
    """A task's environment is not the one that its step asks for."""

    code = "ZEN-S117"


class StepSkipped(Exception):
    """By the pipeline's own rules a step that was started does not run: its branch, or what it needs, was skipped.

    Raised by the shim where an engine starts such a step; the adapter turns it into the engine's own way of skipping.
    """


class StoreError(ZenError):
    """The lineage store or the artifact store refuses."""

    code = "ZEN-M100"
    exit_code = 4


class StoreUnavailableError(StoreError):
    """A store cannot be reached. Trying again can help."""

    code = "ZEN-M101"
    transient = True


class SchemaVersionError(StoreError):
    """The lineage store's schema is older or newer than this version of Zen."""

    code = "ZEN-M102"


class ArtifactIntegrityError(StoreError):
    """An artifact's bytes are not those that were stored."""

    code = "ZEN-M103"


class ArtifactMissingError(StoreError):
    """An artifact's bytes are gone, or were deleted on purpose."""

    code = "ZEN-M104"


class NotFoundError(StoreError):
    """No run, step or artifact of this name."""

    code = "ZEN-M105"
    exit_code = 2


class SupersededError(StoreError):
    """A newer attempt of this step has taken over; this one's result is recorded as superseded."""

    code = "ZEN-M106"


class ExportError(StoreError):
    """An export of a lineage store is damaged, of another version, or does not fit what is in the store."""

    code = "ZEN-M107"


class TrackingError(ZenError):
    """MLflow, or what receives OpenLineage events, cannot be reached or refuses."""

    code = "ZEN-T100"
    exit_code = 4
    transient = True


class InternalError(ZenError):
    """A bug in Zen."""

    code = "ZEN-X100"
