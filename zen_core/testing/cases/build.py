"""Short spelling for hand-made specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zen_core.contract.bindings import (
    Binding,
    ConstantBinding,
    DictBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
)
from zen_core.ir.specs import CacheSpec, InputSpec, OutputSpec, StepSpec

STEPS_MODULE = "zen_core.testing.cases.steps"


def read(step: str, output: str = "result") -> OutputBinding:
    """An output of a step."""
    return OutputBinding(step, output)


def parameter(name: str) -> ParameterBinding:
    """A parameter of the pipeline."""
    return ParameterBinding(name)


def constant(value: Any) -> ConstantBinding:
    """A value in JSON form."""
    return ConstantBinding(value)


def collect(*items: Binding) -> ListBinding:
    """A list of bindings."""
    return ListBinding(tuple(items))


def collect_by_name(**items: Binding) -> DictBinding:
    """A dict of bindings."""
    return DictBinding(dict(items))


def make_step(
    name: str,
    function: str,
    /,
    inputs: Mapping[str, Binding] | None = None,
    *,
    outputs: tuple[str, ...] = ("result",),
    type: str = "int",  # noqa: A002 - the IR's own word
    **options: Any,
) -> StepSpec:
    """A step of the cases' module; all its ports have one type."""
    options.setdefault("cache", CacheSpec(enabled=bool(inputs and outputs)))
    return StepSpec(
        name=name,
        entry_point=f"{STEPS_MODULE}:{function}",
        inputs=tuple(InputSpec(name=port, type=type, binding=binding) for port, binding in (inputs or {}).items()),
        outputs=tuple(OutputSpec(name=output, type=type) for output in outputs),
        **options,
    )
