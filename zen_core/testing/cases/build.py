"""Short spelling for hand-made specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zen_core.contract.bindings import (
    Binding,
    ConstantBinding,
    DictBinding,
    EitherBinding,
    ElementBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
)
from zen_core.contract.conditions import CompareTerm, Condition, InputTerm, Operator, ValueTerm
from zen_core.ir.specs import COUNT, TAKEN, BranchSpec, CacheSpec, InputSpec, MapSpec, OutputSpec, StepSpec

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


def element(step: str, output: str = "result") -> ElementBinding:
    """The element, at the step's own index, of an expander's or an earlier mapped step's output."""
    return ElementBinding(step, output)


def either(*steps: str) -> EitherBinding:
    """The result of the first of these steps that was not skipped."""
    return EitherBinding(tuple(OutputBinding(step, "result") for step in steps))


def above(port: str, limit: float, operator: Operator = ">") -> CompareTerm:
    """The condition that an input is above a number."""
    return CompareTerm(operator, InputTerm(port), ValueTerm(limit))


def taken(gate: str) -> BranchSpec:
    """The branch of the steps that run when the condition holds."""
    return BranchSpec(gate=gate, taken=True)


def untaken(gate: str) -> BranchSpec:
    """The branch of the steps that run when it does not."""
    return BranchSpec(gate=gate, taken=False)


def make_gate(name: str, condition: Condition, inputs: Mapping[str, Binding], **options: Any) -> StepSpec:
    """The step that answers a condition."""
    return StepSpec(
        name=name,
        kind="gate",
        condition=condition,
        inputs=tuple(InputSpec(name=port, type="int", binding=binding) for port, binding in inputs.items()),
        outputs=(OutputSpec(name=TAKEN, type="bool"),),
        cache=CacheSpec(enabled=False),
        **options,
    )


def make_expander(name: str, lists: Mapping[str, Binding], **options: Any) -> StepSpec:
    """The step that begins a map over these lists."""
    return StepSpec(
        name=name,
        kind="expander",
        inputs=tuple(InputSpec(name=port, type="list[int]", binding=binding) for port, binding in lists.items()),
        outputs=(OutputSpec(name=COUNT, type="int"), *(OutputSpec(name=port, type="list[int]") for port in lists)),
        cache=CacheSpec(enabled=False),
        **options,
    )


def mapped_by(expander: str, **options: Any) -> MapSpec:
    """That a step is mapped."""
    return MapSpec(expander=expander, **options)


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
