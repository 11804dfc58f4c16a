"""Options of an adapter: `[adapters.NAME]` in zen.toml."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from zen_core.diagnostics import Diagnostic
from zen_core.errors import ConfigError

S = TypeVar("S")


class AdapterOptions(BaseModel):
    """What every adapter's options share. Closed: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    waive: tuple[str, ...] = ()
    """Features that only place or size a step, and that this target may leave out: said at compile and in the file."""


def step_options(
    by_pipeline: Mapping[str, Mapping[str, S]], steps: Sequence[str], *, adapter: str, pipeline: str
) -> dict[str, S]:
    """The options of single steps, `[adapters.NAME.steps.PIPELINE.STEP]`, for one pipeline.

    Raises:
        ConfigError: options for steps that the pipeline does not have; all of them.
    """
    found = dict(by_pipeline.get(pipeline, {}))
    problems = []
    for name in found:
        if name not in steps:
            close = difflib.get_close_matches(name, steps, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"its steps: {', '.join(steps[:10])}"
            where = f"[adapters.{adapter}.steps.{pipeline}] {name}"
            message = f"the pipeline {pipeline!r} has no step {name!r}"
            problems.append(Diagnostic("ZEN-U201", message, where, hint=hint))
    if problems:
        raise ConfigError(diagnostics=problems)
    return found
