"""The pipeline as a graph."""

import pytest

from zen_core.contract.bindings import ConstantBinding, DictBinding, ListBinding, OutputBinding
from zen_core.ir import graph
from zen_core.ir.specs import CacheSpec, InputSpec, OutputSpec, PipelineSpec, StepSpec


def _step(name: str, *reads: str, after: tuple[str, ...] = ()) -> StepSpec:
    inputs = tuple(
        InputSpec(name=f"port_{number}", type="Any", binding=OutputBinding(read, "result"))
        for number, read in enumerate(reads)
    )
    outputs = (OutputSpec(name="result", type="Any"),)
    cache = CacheSpec(enabled=False)
    return StepSpec(name=name, entry_point=f"steps:{name}", inputs=inputs, outputs=outputs, after=after, cache=cache)


def _diamond() -> PipelineSpec:
    return PipelineSpec(
        name="diamond",
        steps=(_step("a"), _step("b", "a"), _step("c", "a"), _step("d", "b", "c"), _step("alone")),
    )


def test_the_order_keeps_to_the_declaration_where_there_is_a_choice() -> None:
    steps = (_step("late", after=("early",)), _step("other"), _step("early"), _step("reader", "other"))
    ordered = graph.order_steps(steps)
    assert [step.name for step in ordered] == ["other", "early", "late", "reader"]


def test_data_and_ordering_edges_count_alike_and_once() -> None:
    step = _step("c", "a", "b", "a", after=("a", "z"))
    assert graph.read_steps(step) == ("a", "b")
    assert graph.upstream_edges([step]) == {"c": ("a", "b", "z")}


def test_outputs_inside_lists_and_dicts_are_edges() -> None:
    binding = DictBinding(
        {"x": ListBinding((OutputBinding("a", "r"), ConstantBinding(1))), "y": OutputBinding("b", "r")}
    )
    step = _step("c").model_copy(update={"inputs": (InputSpec(name="p", type="Any", binding=binding),)})
    assert graph.read_steps(step) == ("a", "b")


def test_closures_hold_the_steps_themselves() -> None:
    pipeline = _diamond()
    assert graph.upstream_closure(pipeline, ["b"]) == {"a", "b"}
    assert graph.downstream_closure(pipeline, ["b"]) == {"b", "d"}
    assert graph.downstream_closure(pipeline, ["a", "alone"]) == {"a", "b", "c", "d", "alone"}
    assert graph.downstream_edges(pipeline.steps)["a"] == ("b", "c")


def test_a_cycle_is_named_from_the_step_declared_first() -> None:
    steps = (_step("start"), _step("b", "d"), _step("c", "b"), _step("d", "c"), _step("behind", "d"))
    upstream = graph.upstream_edges(steps)
    assert graph.find_cycle(upstream) == ("b", "d", "c")
    assert graph.topological_order(upstream) == ("start",)
    with pytest.raises(ValueError, match="cycle"):
        graph.order_steps(steps)


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    assert graph.find_cycle(graph.upstream_edges([_step("a", after=("a",))])) == ("a",)


def test_a_pipeline_without_a_cycle_has_none() -> None:
    assert graph.find_cycle(graph.upstream_edges(_diamond().steps)) == ()
