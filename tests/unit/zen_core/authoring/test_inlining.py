"""A pipeline that is called in the body of another one."""

# ruff: noqa: B008 - a call as a default is how a pipeline's parameters are written

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from zen_core import Artifact, File, Schedule, ScheduledTime, Secret, broadcast, either, pipeline, step, when
from zen_core.contract.bindings import (
    ConstantBinding,
    ElementBinding,
    ExternalBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
    SecretBinding,
)
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError
from zen_core.ir.specs import PipelineSpec


@step
def load() -> list[int]:
    return [1]


@step
def score(value: int = 1) -> float:
    return 0.5


@step
def grow(value: int, by: int = 1) -> int:
    return value + by


@step
def halves(value: int) -> tuple[Annotated[int, "low"], Annotated[str, "high"]]:
    return value, ""


@step
def total(values: list[int]) -> int:
    return 0


@step
def anything(value: Any = None) -> Any:
    return value


@step
def tell() -> None: ...


@pipeline(schedule=Schedule("0 6 * * *"), tags=["inner"], on_success=tell, max_parallel=3)
def inner(depth: int = 3, values: list[int] = [1]) -> Any:  # noqa: B006
    grown = grow(depth)
    return total([grown, total(values)])


@pipeline
def deciding(value: int = 1, limit: int = 3, flag: bool = True) -> Any:
    with when((score(value) > limit) & flag) as good:
        high = grow(value, by=limit)
    with good.otherwise():
        low = grow(0)
    return either(high, low)


@pipeline
def mapping(values: Any, by: int = 2) -> Any:
    return grow.map(values, by=by)


def _spec(body: Callable[..., Any]) -> PipelineSpec:
    return pipeline(name="p")(body).build().spec


def _problems(body: Callable[..., Any]) -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        pipeline(name="p")(body).build()
    assert all(problem.hint for problem in caught.value.diagnostics)
    return caught.value.diagnostics


def _one(body: Callable[..., Any]) -> Diagnostic:
    (problem,) = _problems(body)
    return problem


def _inputs(spec: PipelineSpec, step: str) -> dict[str, Any]:
    return {item.name: item.binding for item in spec.step_by_name[step].inputs}


def test_a_pipeline_that_is_called_becomes_a_part() -> None:
    def body(depth: int = 5) -> None:
        first = inner(depth, values=load())
        second = inner()
        total([first, second])

    spec = _spec(body)
    assert [item.name for item in spec.steps] == [
        *("load", "inner_grow", "inner_total", "inner_total_2"),
        *("inner_2_grow", "inner_2_total", "inner_2_total_2", "total"),
    ]
    assert _inputs(spec, "inner_grow")["value"] == ParameterBinding("depth")
    assert _inputs(spec, "inner_total")["values"] == OutputBinding("load", "result")
    assert _inputs(spec, "inner_2_grow")["value"] == ConstantBinding(3)
    assert _inputs(spec, "total")["values"] == ListBinding(
        (OutputBinding("inner_total_2", "result"), OutputBinding("inner_2_total_2", "result"))
    )


def test_what_belongs_to_a_run_is_the_outer_pipelines() -> None:
    spec = _spec(lambda: inner())
    assert (spec.schedule, spec.tags, spec.hooks, spec.max_parallel) == (None, (), (), None)
    assert [parameter.name for parameter in spec.parameters] == []


def test_its_body_means_what_it_means_by_itself() -> None:
    by_itself = deciding.build().spec
    spec = _spec(lambda: anything(deciding(limit=7)))
    assert [item.name for item in spec.steps] == [*(f"deciding_{item.name}" for item in by_itself.steps), "anything"]
    assert _inputs(spec, "deciding_when") == {
        "deciding_score": OutputBinding("deciding_score", "result"),
        "limit": ConstantBinding(7),
        "flag": ConstantBinding(True),
    }


def test_a_result_that_it_is_given_is_mapped() -> None:
    def body() -> None:
        first = mapping(load())
        mapping(first, by=7)
        grow.map(first, by=broadcast(grow(1)))

    spec = _spec(body)
    assert [item.name for item in spec.steps if item.kind == "expander"] == ["mapping_expand_grow"]
    assert _inputs(spec, "mapping_2_grow") == {
        "value": ElementBinding("mapping_grow", "result"),
        "by": ConstantBinding(7),
    }


def test_references_and_lists_pass_through() -> None:
    @pipeline
    def passing(value: Any, other: Any = File("a.csv")) -> Any:
        anything([value, other])
        return value

    def body() -> None:
        anything(passing(Secret("KEY"), Artifact("model")))
        anything(passing([grow(1), 2]))

    spec = _spec(body)
    assert _inputs(spec, "passing_anything")["value"] == ListBinding((SecretBinding("KEY"), ExternalBinding("model")))
    assert _inputs(spec, "anything")["value"] == SecretBinding("KEY")
    listed = ListBinding((OutputBinding("grow", "result"), ConstantBinding(2)))
    assert _inputs(spec, "anything_2")["value"] == listed
    assert _inputs(spec, "passing_2_anything")["value"].items[0] == listed


def test_it_lies_in_the_branch_that_it_is_called_in() -> None:
    def body() -> None:
        with when(score() > 0.5):
            deciding()

    spec = _spec(body)
    assert {item.name: item.when and item.when.gate for item in spec.steps} == {
        "score": None,
        "when": None,
        "deciding_score": "when",
        "deciding_when": "when",
        "deciding_grow": "deciding_when",
        "deciding_grow_2": "deciding_when",
    }


def test_pipelines_within_pipelines_within_pipelines() -> None:
    @pipeline
    def middle(depth: int = 2) -> Any:
        inner(depth)
        return inner(depth)

    spec = _spec(lambda: middle())
    assert [item.name for item in spec.steps][:4] == [
        *("middle_inner_grow", "middle_inner_total", "middle_inner_total_2", "middle_inner_2_grow")
    ]
    assert _inputs(spec, "middle_inner_grow")["value"] == ConstantBinding(2)


def test_its_steps_have_names_of_their_own() -> None:
    @pipeline
    def named() -> None:
        grow.with_options(name="first")(1)
        grow.with_options(name="named_first")(1)

    def body() -> None:
        grow.with_options(name="named_first")(1)
        named()

    problem = _one(body)
    assert problem.message == "two steps are named 'named_first'"


def test_names_that_become_too_long() -> None:
    @pipeline(name="p" * 60)
    def long() -> Any:
        with when(score.with_options(name="s")() > 1):
            tell()
        grow.with_options(name="g").map(load.with_options(name="l")())

    problems = _problems(lambda: long())
    assert [problem.message for problem in problems] == [f"the step name '{'p' * 60}_tell' cannot be used"]
    assert problems[0].hint == 'give it another name: tell.with_options(name="…")(…)'


@pytest.mark.parametrize(
    ("call", "code", "message", "hint"),
    [
        (lambda: inner("deep"), "ZEN-D102", "pipeline 'inner' takes 'depth' as int, and is given 'deep'", "that type"),
        (lambda: inner(load()), "ZEN-D102", "pipeline 'inner' takes 'depth' as int, and is given the output", "annot"),
        (lambda: inner(values=[1, score()]), "ZEN-D102", "takes 'values[1]' as int, and is given the output", "annot"),
        (lambda: inner(depht=3), "ZEN-D101", "pipeline 'inner' has no parameter 'depht'", "did you mean 'depth'?"),
        (lambda: mapping(), "ZEN-D101", "pipeline 'mapping' is called without 'values'", "pass 'values'"),
        (lambda: inner(1, [], 2), "ZEN-D101", "pipeline 'inner' is called with 3 positional arguments", "by name"),
        (lambda: mapping(load), "ZEN-D110", "'values' of pipeline 'mapping' is the step 'load' itself", "load(…)"),
        (lambda: mapping(halves(1)), "ZEN-D110", "is the result of step 'halves', which has 2 outputs", ".low, .high"),
        (
            lambda: mapping([object()]),
            "ZEN-D103",
            "the argument 'values[0]' of pipeline 'mapping' is a builtins.object, which has no JSON form",
            "make the value inside a step",
        ),
    ],
)
def test_a_call_of_a_pipeline_is_checked(call: Callable[[], Any], code: str, message: str, hint: str) -> None:
    def body() -> None:
        call()

    problem = _one(body)
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint
    assert problem.where.startswith("tests/unit/zen_core/authoring/test_inlining.py:")


def test_all_that_is_wrong_with_a_call_is_told_at_once() -> None:
    messages = [problem.message for problem in _problems(lambda: (grow(), inner("deep", depht=3)))]
    assert messages == [
        "step 'grow' is called without 'value'",
        "pipeline 'inner' has no parameter 'depht'",
        "pipeline 'inner' takes 'depth' as int, and is given 'deep', which is str",
    ]


def test_a_tick_is_the_outer_pipelines() -> None:
    @pipeline
    def dated(day=ScheduledTime()) -> None:  # type: ignore[no-untyped-def]
        anything(day)

    def body(day: datetime.datetime = ScheduledTime()) -> None:
        dated(day)

    assert _inputs(_spec(body), "dated_anything")["value"] == ParameterBinding("day")
    problem = _one(lambda: dated())
    assert problem.message == "pipeline 'dated' takes 'day' from its schedule, and is called here"
    assert "day: datetime = ScheduledTime()" in problem.hint
    assert "'day' as datetime.datetime, and is given 3" in _one(lambda: dated(3)).message


def test_a_parameter_that_is_known_is_a_handle_all_the_same() -> None:
    @pipeline
    def choosing(depth: int = 3) -> None:
        assert repr(depth) == "<the parameter 'depth' of pipeline 'choosing'>"
        if depth > 2:
            grow(depth)

    assert _one(lambda: choosing()).code == "ZEN-D106"


def test_a_pipeline_does_not_come_to_itself() -> None:
    @pipeline
    def first() -> None:
        second()

    @pipeline
    def second() -> None:
        first()

    with pytest.raises(DefinitionError, match="pipeline 'first' is called within itself"):
        first.build()


def test_one_that_raises_leaves_no_prefix_behind() -> None:
    @pipeline
    def raising() -> None:
        raise KeyError

    def body() -> None:
        try:
            raising()
        except KeyError:
            grow(1)

    assert [item.name for item in _spec(body).steps] == ["grow"]
