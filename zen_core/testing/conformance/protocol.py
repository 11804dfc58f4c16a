"""What an adapter gives to the suite: how to read back what it emitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from zen_core.adapter.protocol import EmittedFile, EmittingAdapter
from zen_core.ir.specs import PipelineSpec


@dataclass(frozen=True)
class EmittedStep:
    """One step, as the emitted text says it.

    Attributes:
        upstream: the steps that it waits for, gates and expanders among them; one that another of these waits for
            need not be named.
        branch: the innermost gate that it is under, and for which answer it runs.
        mapped: whether it runs once for each element.
        max_parallel: how many of its tasks may run at the same time.
        retries: further attempts.
        timeout_seconds: the orchestrator's own limit, None where it has none.
    """

    upstream: frozenset[str]
    retries: int = 0
    retry_delay_seconds: float = 0.0
    timeout_seconds: float | None = None
    branch: tuple[str, bool] | None = None
    mapped: bool = False
    max_parallel: int | None = None


@dataclass(frozen=True)
class EmittedPipeline:
    """A pipeline, as the emitted text says it; tasks of Zen's own (a closing task) left out.

    Attributes:
        defaults: the parameters' defaults as they stand in the text.
        required: the parameters that a run must give.
    """

    steps: Mapping[str, EmittedStep]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()


class Conformance(Protocol):
    """The class `Conformance` in an adapter's module `conformance`. Takes no arguments."""

    allowed_imports: frozenset[str]
    """Top-level names that emitted Python may import, beside the standard library and Zen's runtime part."""

    def read(self, files: tuple[EmittedFile, ...]) -> EmittedPipeline:
        """Read the emitted text back, without the orchestrator."""

    def expected_default(self, spec: PipelineSpec, name: str) -> Any:
        """What a parameter's default must look like in the text."""


def find_conformance(adapter: EmittingAdapter) -> Conformance:
    """The adapter's `Conformance`, from the module `conformance` beside the adapter's own."""
    package = type(adapter).__module__.rpartition(".")[0]
    found: Conformance = import_module(f"{package}.conformance").Conformance()
    return found
