"""What a step may ask while it runs: `current()`, `log_metric`, `log_params`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step run that failed, as a hook is told of it. The message is masked.

    Attributes:
        step: the step's name.
        map_index: the element's index in a fan-out, else None.
        type: the exception's type, with its module unless it is a built-in one; "" where the process just vanished.
        message: the exception's text.
    """

    step: str
    map_index: int | None
    type: str
    message: str


@dataclass(frozen=True)
class StepContext:
    """The running step.

    Attributes:
        run_id: the run's id, the same for all its steps.
        pipeline: the pipeline's name.
        step: the step's name.
        attempt: 1 for the first attempt.
        map_index: the element's index in a fan-out, else None.
        scratch: an empty folder of this attempt's own, removed afterwards.
        failures: in a hook, the step runs that failed; else empty.
    """

    run_id: str
    pipeline: str
    step: str
    attempt: int
    map_index: int | None
    scratch_factory: Callable[[], Path] = field(repr=False)
    failures: tuple[StepFailure, ...] = ()
    metrics: list[tuple[str, float, int | None]] = field(default_factory=list, repr=False)
    params: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def scratch(self) -> Path:
        """An empty folder of this attempt's own, made on first use and removed after the attempt."""
        return self.scratch_factory()


_current: ContextVar[StepContext | None] = ContextVar("zen_step_context", default=None)


def current() -> StepContext:
    """The step that is running in this thread or task. Raises RuntimeError outside a run."""
    context = _current.get()
    if context is None:
        raise RuntimeError(
            "zen_core.current() was called outside a running step; a step that is called as a plain function has no run"
        )
    return context


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """Record a number for the running step; `step` orders several values of one name (an epoch, say).

    Outside a run it does nothing, so that a step stays a plain function.
    """
    context = _current.get()
    if context is not None:
        context.metrics.append((str(name), float(value), step))


def log_params(params: Mapping[str, Any]) -> None:
    """Record facts about the running step that are not its inputs, such as a chosen hyper-parameter.

    Outside a run it does nothing.
    """
    context = _current.get()
    if context is not None:
        context.params.update({str(name): value for name, value in params.items()})
