"""The rules of a whole pipeline: each broken one is told, with what is there instead."""

from typing import Any

import pytest

from zen_core.contract.bindings import ListBinding, OutputBinding, ParameterBinding
from zen_core.diagnostics import Diagnostic
from zen_core.ir.specs import CacheSpec, InputSpec, OutputSpec, ParameterSpec, PipelineSpec, StepSpec
from zen_core.ir.validation import IR_PROBLEMS, validate
from zen_core.testing.cases.build import (
    above,
    either,
    element,
    make_expander,
    make_gate,
    make_step,
    mapped_by,
    read,
    taken,
    untaken,
)


def _step(name: str, *bindings: Any, **fields: Any) -> StepSpec:
    fields.setdefault(
        "inputs",
        tuple(InputSpec(name=f"p{place}", type="Any", binding=binding) for place, binding in enumerate(bindings)),
    )
    fields.setdefault("outputs", (OutputSpec(name="result", type="Any"),))
    return StepSpec(name=name, entry_point="steps:run", cache=CacheSpec(enabled=True), **fields)


def _problems(*steps: StepSpec, parameters: tuple[str, ...] = ()) -> list[Diagnostic]:
    specs = tuple(ParameterSpec(name=name, type="int") for name in parameters)
    return validate(PipelineSpec(name="p", steps=steps, parameters=specs))


def test_a_sound_pipeline_has_no_problem() -> None:
    train = _step("train", ParameterBinding("depth"), ListBinding((OutputBinding("load", "result"),)), after=("load",))
    assert _problems(_step("load"), train, parameters=("depth",)) == []


@pytest.mark.parametrize(
    ("steps", "code", "message", "hint"),
    [
        ([_step("load"), _step("load")], "ZEN-D301", "two steps are named 'load'", ""),
        (
            [_step("load", outputs=(OutputSpec(name="a", type="int"), OutputSpec(name="a", type="int")))],
            "ZEN-D301",
            "two outputs of step 'load' are named 'a'",
            "",
        ),
        (
            [_step("load"), _step("train", OutputBinding("lod", "result"))],
            "ZEN-D302",
            "input 'p0' of step 'train' reads step 'lod', which is not there",
            "did you mean 'load'?",
        ),
        ([_step("a", after=("zzz",))], "ZEN-D302", "step 'a' is after step 'zzz', which is not there", "there are: a"),
        (
            [_step("load"), _step("train", ListBinding((OutputBinding("load", "frame"),)))],
            "ZEN-D303",
            "input 'p0[0]' of step 'train' reads output 'frame' of step 'load', which is not there",
            "there are: result",
        ),
        (
            [_step("load", ParameterBinding("depth"))],
            "ZEN-D304",
            "input 'p0' of step 'load' reads parameter 'depth', which is not there",
            "there is none",
        ),
        (
            [_step("b", OutputBinding("a", "result")), _step("a")],
            "ZEN-D306",
            "step 'b' stands before step 'a', which it waits for",
            "topological order",
        ),
    ],
)
def test_each_broken_rule_is_told(steps: list[StepSpec], code: str, message: str, hint: str) -> None:
    (problem,) = _problems(*steps)
    assert (problem.code, problem.message) == (code, message)
    assert hint in problem.hint


def test_two_parameters_of_one_name() -> None:
    (problem,) = _problems(_step("a"), parameters=("x", "x"))
    assert problem.message == "two parameters of the pipeline are named 'x'"


def test_a_cycle_names_its_steps_and_their_lines() -> None:
    steps = (
        _step("a", OutputBinding("b", "result"), source="p.py:3"),
        _step("b", after=("a",), source="p.py:4"),
    )
    (problem,) = _problems(*steps)
    assert problem.code == "ZEN-D305"
    assert "in a circle: a -> b -> a" in problem.message
    assert problem.where == "p.py:3, p.py:4"
    assert problem.context == {"steps": ["a", "b"]}


def test_all_problems_are_told_at_once() -> None:
    problems = _problems(_step("a", OutputBinding("x", "r"), ParameterBinding("y")), _step("b", after=("z",)))
    assert [problem.code for problem in problems] == ["ZEN-D302", "ZEN-D304", "ZEN-D302"]
    assert {problem.code for problem in problems} <= set(IR_PROBLEMS)
    assert all(problem.where for problem in problems)


LOAD = make_step("load", "load")
NUMBERS = make_step("numbers", "numbers", type="list[int]")
GATE = make_gate("when", above("load", 2), {"load": read("load")})
EXPANDER = make_expander("expand", {"value": read("numbers")})
MAPPED = make_step("grown", "increase", {"value": element("expand", "value")}, map=mapped_by("expand"))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((LOAD.model_copy(update={"entry_point": None}),), "step 'load' has no entry point"),
        ((LOAD, GATE.model_copy(update={"condition": None})), "step 'when' has no condition"),
        ((LOAD, GATE.model_copy(update={"inputs": ()})), "step 'when' asks for other inputs than it has"),
        ((LOAD, GATE.model_copy(update={"outputs": ()})), "step 'when' is a gate, and its outputs are not ['taken']"),
        (
            (LOAD, make_step("yes", "load", when=taken("load"))),
            "step 'yes' lies in a branch of 'load', which is no gate",
        ),
        ((NUMBERS, EXPANDER), "no step is mapped by expander 'expand'"),
        (
            (NUMBERS, EXPANDER.model_copy(update={"outputs": ()}), MAPPED.model_copy(update={"inputs": ()})),
            "step 'expand' is an expander, and its outputs are not 'count' and one for each input",
        ),
        ((NUMBERS, EXPANDER, MAPPED.model_copy(update={"inputs": ()})), "step 'grown' is mapped, and reads no element"),
        (
            (NUMBERS, EXPANDER, MAPPED, make_step("other", "increase", {"value": element("grown")})),
            "step 'other' reads an element of step 'grown', which is not of its map",
        ),
        (
            (LOAD, NUMBERS, GATE, EXPANDER, MAPPED.model_copy(update={"when": taken("when")})),
            "step 'grown' lies in another branch than its expander 'expand'",
        ),
        (
            (
                NUMBERS,
                EXPANDER,
                MAPPED,
                make_step("on", "increase", {"value": element("grown")}, map=mapped_by("expand", chunk=3)),
            ),
            "steps 'grown', 'on' are mapped together with chunks of different sizes",
        ),
        (
            (NUMBERS, EXPANDER, MAPPED, make_gate("when", above("value", 2), {"value": read("grown")})),
            "step 'when' asks step 'grown', which is mapped: a condition reads scalars",
        ),
        ((LOAD.model_copy(update={"on": "failure"}),), "step 'load' says how the run must have ended, and is no hook"),
    ],
)
def test_what_zen_itself_makes_must_be_whole(steps: tuple[StepSpec, ...], message: str) -> None:
    found = _problems(*steps)
    assert [(problem.code, problem.message) for problem in found if problem.message == message] == [
        ("ZEN-D309", message)
    ], [problem.message for problem in found]


def test_a_hook_depends_on_no_step() -> None:
    hook = make_step("tell", "increase", {"value": read("load")}, kind="hook", on="failure")
    (problem,) = validate(PipelineSpec(name="p", steps=(LOAD,), hooks=(hook,)))
    assert problem.message == "hook 'tell' depends on a step: it runs when all of them have ended"


def test_a_hook_shares_no_name_with_a_step() -> None:
    hook = make_step("load", "load", kind="hook", on="failure")
    (problem,) = validate(PipelineSpec(name="p", steps=(LOAD,), hooks=(hook,)))
    assert problem.message == "two steps are named 'load'"


def test_what_a_branch_makes_is_read_outside_through_either_only() -> None:
    yes = make_step("yes", "increase", {"value": read("load")}, when=taken("when"), source="p.py:7")
    inside = make_step("inside", "increase", {"value": read("yes")}, when=taken("when"))
    chosen = make_step("chosen", "increase", {"value": either("yes", "load")})
    assert _problems(LOAD, GATE, yes, inside, chosen) == []
    for when in (None, untaken("when")):
        outside = make_step("outside", "increase", {"value": read("yes")}, when=when, source="p.py:9")
        (problem,) = _problems(LOAD, GATE, yes, outside)
        assert problem.code == "ZEN-D310"
        assert problem.message == "input 'value' of step 'outside' reads step 'yes', whose branch it does not lie in"
        assert problem.where == "p.py:9, step 'outside'"
        assert "p.py:7" in problem.hint
