"""Maps: over what, element by element, and under which names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import pytest

from zen_core import (
    broadcast,
    either,
    pipeline,
    step,
    when,
)
from zen_core.contract.bindings import (
    ConstantBinding,
    EitherBinding,
    ElementBinding,
    OutputBinding,
    ParameterBinding,
)
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError
from zen_core.ir.specs import MapSpec, PipelineSpec

HERE = "tests/unit/zen_core/authoring/test_maps.py"


@step
def load() -> list[int]:
    return [1]


@step
def others() -> list[int]:
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
def join(texts: list[str]) -> str:
    return ""


@step
def anything(value: Any = None) -> Any:
    return value


@pipeline
def inner(values: list[int]) -> Any:
    return total(values)


leaked: list[Any] = []


def _spec(body: Callable[..., Any]) -> PipelineSpec:
    return pipeline(name="p")(body).build().spec


def _problems(body: Callable[..., Any]) -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        pipeline(name="p")(body).build()
    assert all(problem.hint and problem.where.startswith(f"{HERE}:") for problem in caught.value.diagnostics)
    return caught.value.diagnostics


def _one(body: Callable[..., Any]) -> Diagnostic:
    (problem,) = _problems(body)
    return problem


def _inputs(spec: PipelineSpec, step: str) -> dict[str, Any]:
    return {item.name: item.binding for item in spec.step_by_name[step].inputs}


def test_a_map_is_an_expander_and_a_step_that_reads_elements() -> None:
    def body(by: int = 2) -> None:
        total(grow.map(load(), by=by, chunk=3, max_parallel=2))

    spec = _spec(body)
    assert [(item.name, item.kind) for item in spec.steps] == [
        ("load", "step"),
        ("expand_grow", "expander"),
        ("grow", "step"),
        ("total", "step"),
    ]
    assert _inputs(spec, "expand_grow") == {"value": OutputBinding("load", "result")}
    assert [output.name for output in spec.step_by_name["expand_grow"].outputs] == ["count", "value"]
    assert _inputs(spec, "grow") == {"value": ElementBinding("expand_grow", "value"), "by": ParameterBinding("by")}
    assert spec.step_by_name["grow"].map == MapSpec(expander="expand_grow", chunk=3, max_parallel=2)
    assert [output.type for output in spec.step_by_name["grow"].outputs] == ["int"]
    assert _inputs(spec, "total") == {"values": OutputBinding("grow", "result")}


def test_lists_are_mapped_together_and_the_rest_is_the_same_for_all() -> None:
    def body() -> None:
        value = grow(1)
        grow.with_options(name="both").map(value=load(), by=others())
        grow.with_options(name="more").map(value=load(), by=broadcast(value))
        grow.with_options(name="most").map(load(), 7)

    spec = _spec(body)
    assert list(_inputs(spec, "expand_both")) == ["value", "by"]
    assert _inputs(spec, "more")["by"] == OutputBinding("grow", "result")
    assert _inputs(spec, "most")["by"] == ConstantBinding(7)


def test_a_chain_goes_on_in_the_same_map_element_by_element() -> None:
    def body() -> None:
        first = grow.with_options(name="first").map(load(), chunk=4)
        parts = halves.map(first)
        last = grow.with_options(name="last").map(parts.low, by=first)
        total(last)
        join(parts.high)

    spec = _spec(body)
    assert [item.name for item in spec.steps if item.kind == "expander"] == ["expand_first"]
    assert _inputs(spec, "last") == {"value": ElementBinding("halves", "low"), "by": ElementBinding("first", "result")}
    assert {item.map.chunk for item in spec.steps if item.map} == {4}


def test_beside_another_list_a_mapped_result_is_mapped_anew() -> None:
    def body() -> None:
        first = grow.with_options(name="first").map(load())
        grow.with_options(name="second").map(first, by=others())

    spec = _spec(body)
    assert _inputs(spec, "expand_second") == {
        "value": OutputBinding("first", "result"),
        "by": OutputBinding("others", "result"),
    }
    assert _inputs(spec, "second") == {
        "value": ElementBinding("expand_second", "value"),
        "by": ElementBinding("expand_second", "by"),
    }


def test_in_a_branch_a_mapped_result_from_outside_is_mapped_anew() -> None:
    def body() -> None:
        first = grow.with_options(name="first").map(load())
        with when(score() > 0.5):
            grow.with_options(name="second").map(first)

    spec = _spec(body)
    assert spec.step_by_name["expand_second"].when == spec.step_by_name["second"].when


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (lambda: grow.map(1), "ZEN-D118", "the map of step 'grow' has nothing to map"),
        (lambda: grow.map(broadcast(load())), "ZEN-D118", "the map of step 'grow' has nothing to map"),
        (
            lambda: grow.map(score()),
            "ZEN-D118",
            "the map of step 'grow' goes over the output 'result' of step 'score', which is float, and no list",
        ),
        (
            lambda: grow.map(join.map(anything())),
            "ZEN-D102",
            "step 'grow' takes 'value' as int, an element of what is mapped, and is given the output 'result' of",
        ),
        (
            lambda: grow.map(grow.with_options(name="a").map(load(), chunk=2), chunk=3),
            "ZEN-D118",
            "the map of step 'grow' has chunk=3, and the map that it goes on with has chunk=2",
        ),
        (lambda: grow.map(load(), chunk=0), "ZEN-D112", "map(chunk=…) cannot be 0"),
        (lambda: grow.map(load(), max_parallel="2"), "ZEN-D112", "map(max_parallel=…) cannot be '2'"),
        (lambda: grow.map(load(), depth=3), "ZEN-D101", "step 'grow' has no parameter 'depth'"),
        (lambda: grow(broadcast(load())), "ZEN-D110", "the argument 'value' of step 'grow' is a `broadcast(…)`"),
        (lambda: join(grow.map(load())), "ZEN-D102", "step 'join' takes 'texts' as list[str], and is given"),
        (lambda: grow.with_options(chunk=2)(1), "ZEN-D118", "step 'grow' has chunk=2, and is called without `.map`"),
        (lambda: grow.map(halves(1)), "ZEN-D118", "the map of step 'grow' has nothing to map"),
        (lambda: grow.map(leaked[0]), "ZEN-D110", "the argument 'value' of step 'grow' is the output 'result' of step"),
        (lambda: grow.map(leaked[1]), "ZEN-D110", "the argument 'value' of step 'grow' is the output 'result' of step"),
        (lambda: inner.map(load()), "ZEN-D118", "pipeline 'inner' is mapped, and only a step can be"),
    ],
)
def test_what_cannot_be_mapped_is_told(call: Callable[[], Any], code: str, message: str) -> None:
    def leaking() -> None:
        leaked[:] = [load(), grow.map(load())]

    pipeline(leaking).build()

    def body() -> None:
        call()

    problems = _problems(body)
    assert any(problem.code == code and problem.message.startswith(message) for problem in problems), problems


@step
def cut(text: str, chunk: int = 1, max_parallel: int = 1) -> str:
    return text[:chunk]


def test_where_a_parameter_has_the_name_of_an_option_it_is_an_argument() -> None:
    def body() -> None:
        cut.with_options(chunk=4, max_parallel=2).map(anything(), chunk=load(), max_parallel=7)
        grow.with_options(chunk=4).map(load(), chunk=None)
        grow.with_options(chunk=4, max_parallel=2).map(load(), chunk=3)

    spec = _spec(body)
    assert _inputs(spec, "cut")["chunk"] == ElementBinding("expand_cut", "chunk")
    assert _inputs(spec, "cut")["max_parallel"] == ConstantBinding(7)
    fan_outs = [item.map for item in spec.steps if item.map]
    assert [(item.chunk, item.max_parallel) for item in fan_outs] == [(4, 2), (1, None), (3, 2)]
    with pytest.raises(DefinitionError, match="chunk cannot be 0"):
        cut.with_options(chunk=0)


@step
def a_list() -> list[int]: ...  # type: ignore[empty-body]
@step
def a_tuple() -> tuple[int, ...]: ...  # type: ignore[empty-body]
@step
def a_pair() -> tuple[int, str]: ...  # type: ignore[empty-body]
@step
def a_sequence() -> Sequence[int]: ...  # type: ignore[empty-body]
@step
def a_bare_list() -> list: ...  # type: ignore[empty-body, type-arg]
@step
def perhaps_a_list() -> list[int] | None: ...
@step
def texts() -> list[str]: ...  # type: ignore[empty-body]
@step
def a_dict() -> dict[str, int]: ...  # type: ignore[empty-body]
@step
def a_frame() -> pd.DataFrame: ...  # type: ignore[name-defined]  # noqa: F821
@step
def a_text() -> str: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (a_list, ""), (a_tuple, ""), (a_sequence, ""), (a_bare_list, ""), (anything, ""), (a_frame, ""),
        (a_pair, "ZEN-D102"), (perhaps_a_list, "ZEN-D102"), (texts, "ZEN-D102"), (a_dict, "ZEN-D118"),
        (a_text, "ZEN-D118"),
    ],
)  # fmt: skip
def test_the_elements_type_must_fit(made: Any, code: str) -> None:
    def body() -> None:
        grow.map(made())

    if not code:
        assert _spec(body).step_by_name["grow"].map
    else:
        assert _one(body).code == code


def test_a_choice_of_lists_is_mapped() -> None:
    def body() -> None:
        with when(score() > 0.5) as good:
            first = grow.with_options(name="first").map(load())
        with good.otherwise():
            second = others()
        grow.map(either(first, second))

    options = (OutputBinding("first", "result"), OutputBinding("others", "result"))
    assert _inputs(_spec(body), "expand_grow") == {"value": EitherBinding(options)}


def test_the_names_that_zen_makes_are_free_and_short_enough() -> None:
    def body() -> None:
        grow.with_options(name="expand_grow")(1)
        grow.with_options(name="when")(1)
        first = grow.map(load())
        grow.with_options(name="g" * 63).map(load())
        with when(score() > 0.5):
            total(first)

    names = [item.name for item in _spec(body).steps if item.kind != "step"]
    assert names == ["expand_grow_2", f"expand_{'g' * 50}", "when_2"]


def test_a_map_is_made_in_a_pipeline_only() -> None:
    with pytest.raises(DefinitionError, match=r"`grow\.map` is used outside a pipeline's body"):
        grow.map([1, 2])
