"""The rules of a whole pipeline: each broken one is told, with what is there instead."""

from typing import Any

import pytest

from zen_core.contract.bindings import ListBinding, OutputBinding, ParameterBinding
from zen_core.diagnostics import Diagnostic
from zen_core.ir.specs import CacheSpec, InputSpec, OutputSpec, ParameterSpec, PipelineSpec, StepSpec
from zen_core.ir.validation import IR_PROBLEMS, validate


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
