"""Conditions, branches, and what is skipped: by the engine where it can, by the shim where the engine did not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from zen_core.contract.bindings import SecretBinding
from zen_core.contract.conditions import CompareTerm, InputTerm, ValueTerm
from zen_core.errors import GateError, MissingInputError, StepSkipped
from zen_core.testing.cases.build import (
    above,
    constant,
    either,
    element,
    make_expander,
    make_gate,
    mapped_by,
    parameter,
    read,
    taken,
    untaken,
)
from zen_metadata.shim.inputs import UpstreamFailedError
from zen_metadata.shim.run_step import run_step


def answer_of(engine) -> Any:
    return engine.refs["when"]["taken"]["value"]


@pytest.fixture
def gate_over(engine, make_code):
    """Runs a gate over a value, and gives its answer; what the gate raised is raised."""

    def ask(value: Any, condition: Any = None) -> bool:
        condition = condition or above("load", 2)
        engine.run(make_code("load", lambda: value), make_gate("when", condition, {"load": read("load")}))
        if "when" in engine.failures:
            raise engine.failures["when"]
        return engine.refs["when"]["taken"]["value"]

    return ask


@pytest.mark.parametrize(
    ("value", "answer"), [(3, True), (2, False), (2.5, True), (math.nan, False), (math.inf, True), (True, False)]
)
def test_a_gate_answers_for_scalars(gate_over, value, answer) -> None:
    assert gate_over(value) is answer


def test_a_gate_answers_for_scalars_of_numpy(gate_over) -> None:
    numpy = pytest.importorskip("numpy")
    assert gate_over(numpy.float64(2.5)) is True
    assert gate_over(numpy.float32("nan")) is False
    assert gate_over(numpy.bool_(True), InputTerm("load")) is True
    assert gate_over(numpy.array(3)) is True


def test_a_long_text_is_a_scalar_too(gate_over) -> None:
    text = "x" * 5000
    assert gate_over(text, CompareTerm("==", InputTerm("load"), ValueTerm(text))) is True


def test_what_is_no_scalar_is_named_with_its_size_and_its_step(gate_over) -> None:
    with pytest.raises(GateError) as caught:
        gate_over([1, 2, 3])
    assert caught.value.message == "the condition reads 'load', which is a list of 7 bytes and no scalar"
    assert "it is output 'result' of step 'load'" in str(caught.value)
    with pytest.raises(GateError, match=r"which is a str of 0.2 MB and no scalar"):
        gate_over("x" * 200_000)


def test_a_missing_value_and_one_that_cannot_be_compared_are_told(gate_over) -> None:
    with pytest.raises(GateError, match=r"`load > 2` cannot be told: load is missing \(None\)") as caught:
        gate_over(None)
    assert "load is output 'result' of step 'load'" in str(caught.value)
    with pytest.raises(GateError, match="compares a str with an int"):
        gate_over("3")


def test_a_condition_over_parameters_and_constants(engine) -> None:
    condition = CompareTerm("<", InputTerm("depth"), InputTerm("limit"))
    gate = make_gate("when", condition, {"depth": parameter("depth"), "limit": constant(10)})
    engine.run(gate, parameters={"depth": 4})
    assert answer_of(engine) is True


def test_a_secret_decides_nothing(engine) -> None:
    gate = make_gate("when", CompareTerm("==", InputTerm("x"), ValueTerm("s3cret")), {"x": SecretBinding("PATH")})
    engine.run(gate)
    assert isinstance(engine.failures["when"], GateError)
    assert engine.failures["when"].message == "the condition reads the secret PATH"


def branches(make_code, *, limit: int) -> tuple[Any, ...]:
    return (
        make_code("load", lambda: 3),
        make_gate("when", above("x", limit), {"x": read("load")}),
        make_code("yes", lambda x: x + 1, x=read("load"), _when=taken("when")),
        make_code("yes_then", lambda x: x + 1, x=read("yes"), _when=taken("when")),
        make_code("no", lambda x: x * 10, x=read("load"), _when=untaken("when")),
        make_code("chosen", lambda x: x, x=either("yes_then", "no")),
        make_code("by_order", lambda: 1, _after=("no",)),
        make_code("end", lambda x: x, x=read("chosen")),
    )


@pytest.mark.parametrize(("limit", "skipped", "chosen"), [(2, {"no", "by_order"}, 5), (9, {"yes", "yes_then"}, 30)])
def test_an_engine_that_starts_everything_is_told_what_is_skipped(engine, make_code, limit, skipped, chosen) -> None:
    run = engine.run(*branches(make_code, limit=limit))
    assert {step for step, error in engine.failures.items() if isinstance(error, StepSkipped)} == skipped
    assert engine.failures.keys() == skipped
    assert run.status == "completed"
    assert {label for label, status in engine.statuses.items() if status == "skipped"} == skipped
    assert run.step("end").output().load() == chosen


def test_a_step_is_told_without_the_gate_s_ref_too(engine, make_code) -> None:
    engine.begin(*branches(make_code, limit=9))
    engine.start("load")
    engine.start("when")
    only = {"load": engine.refs["load"]}
    with pytest.raises(StepSkipped, match="step 'yes' of pipeline 'shapes'"):
        run_step(engine.call("yes", upstream=only), engine.workspace)
    assert run_step(engine.call("no", upstream=only), engine.workspace).status == "completed"
    with pytest.raises(StepSkipped):
        run_step(engine.call("yes_then", upstream={"yes": None}), engine.workspace)


def test_nothing_is_recorded_of_a_skipped_step(engine, make_code) -> None:
    engine.run(*branches(make_code, limit=9), close=False)
    recorded = {state.step_run.step for state in engine.workspace.lineage.get_step_runs(engine.record.run_id)}
    assert recorded == {"load", "when", "no", "chosen", "by_order", "end"}


def test_all_options_skipped_skip_the_reader_and_a_failed_one_blocks_it(engine, make_code) -> None:
    def fail(x: int) -> int:
        raise ValueError("no")

    load, when, yes, *_ = branches(make_code, limit=9)
    other = make_code("other", lambda x: x, x=read("load"), _when=taken("when"))
    chosen = make_code("chosen", lambda x: x, x=either("yes", "other"))
    engine.run(load, when, yes, other, chosen)
    assert isinstance(engine.failures["chosen"], StepSkipped)
    assert engine.statuses["chosen"] == "skipped"

    failing = make_code("no", fail, x=read("load"), _when=untaken("when"))
    chosen = make_code("chosen", lambda x: x, x=either("yes", "no"))
    after = make_code("after", lambda x: x, x=read("chosen"))
    run = engine.run(load, when, yes, failing, chosen, after)
    assert isinstance(engine.failures["chosen"], UpstreamFailedError)
    assert run.status == "failed"
    assert engine.statuses == {
        "load": "completed",
        "when": "completed",
        "yes": "skipped",
        "no": "failed",
        "chosen": "upstream_failed",
        "after": "upstream_failed",
    }


def test_a_failure_wins_over_a_skip(engine, make_code) -> None:
    def fail() -> int:
        raise ValueError("no")

    load, when, yes, *_ = branches(make_code, limit=9)
    broken = make_code("broken", fail)
    both = make_code("both", lambda x, y: x, x=read("yes"), y=read("broken"), _when=taken("when"))
    engine.run(load, broken, when, yes, both)
    assert engine.statuses["yes"] == "skipped"
    assert engine.statuses["both"] == "upstream_failed"


@pytest.mark.parametrize(("outer", "inner", "expected"), [(2, 9, 40), (2, 3, 5), (9, 9, 30)])
def test_a_gate_within_a_branch(engine, make_code, outer, inner, expected) -> None:
    run = engine.run(
        make_code("load", lambda: 3),
        make_gate("when", above("x", outer), {"x": read("load")}),
        make_code("middle", lambda x: x + 1, x=read("load"), _when=taken("when")),
        make_gate("when_2", above("x", inner), {"x": read("middle")}, when=taken("when")),
        make_code("high", lambda x: x + 1, x=read("middle"), _when=taken("when_2")),
        make_code("low", lambda x: x * 10, x=read("middle"), _when=untaken("when_2")),
        make_code("no", lambda x: x * 10, x=read("load"), _when=untaken("when")),
        make_code("chosen", lambda x: x, x=either("high", "low", "no")),
    )
    assert run.step("chosen").output().load() == expected
    assert (engine.statuses["when_2"] == "skipped") is (outer == 9)
    assert run.status == "completed"


@pytest.mark.parametrize(("limit", "expected"), [(2, [1, 2]), (9, [0])])
def test_a_map_in_a_branch(engine, make_code, limit, expected) -> None:
    steps = (
        make_code("load", lambda: 3),
        make_code("numbers", lambda: [1, 2]),
        make_gate("when", above("x", limit), {"x": read("load")}),
        make_expander("expand_fit", {"x": read("numbers")}, when=taken("when")),
        make_code("fit", lambda x: x, x=element("expand_fit", "x"), _map=mapped_by("expand_fit"), _when=taken("when")),
        make_code("no", lambda: [0], _when=untaken("when")),
        make_code("chosen", lambda xs: xs, xs=either("fit", "no")),
        make_code("after", lambda: 1, _after=("fit",)),
    )
    run = engine.run(*steps)
    assert run.status == "completed"
    assert run.step("chosen").output().load() == expected
    assert run.step("after").status == ("completed" if limit == 2 else "skipped")
    if limit == 9:
        assert engine.statuses["fit"] == engine.statuses["expand_fit"] == "skipped"
        with pytest.raises(StepSkipped):
            run_step(engine.call("fit", map_index=0), engine.workspace)


def test_what_no_step_handed_over_is_still_an_error(engine, make_code) -> None:
    engine.begin(*branches(make_code, limit=2))
    with pytest.raises(MissingInputError, match="output 'result' of step 'chosen', which handed over nothing"):
        run_step(engine.call("end"), engine.workspace)
