"""What can stand in a condition, and where its branches can stand."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from zen_core import either, pipeline, step, when
from zen_core.contract.conditions import CompareTerm, InputTerm, ValueTerm
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError
from zen_core.ir.specs import PipelineSpec


class Table:
    """As a data frame is: no scalar."""


class Level(enum.StrEnum):
    HIGH = "high"


class Grade(enum.IntEnum):
    BEST = 1


@step
def score() -> float:
    return 0.5


@step
def count() -> int:
    return 1


@step
def name() -> str:
    return ""


@step
def flag() -> bool:
    return True


@step
def table() -> Table:
    return Table()


@step
def array() -> np.ndarray:
    return np.zeros(1)


@step
def scalar() -> np.float64:
    return np.float64(1)


@step
def perhaps() -> float | None:
    return None


@step
def one_of() -> Literal["a", "b"]:
    return "a"


@step
def anything() -> Any: ...


@step
def use(value: Any = None) -> int:
    return 1


def _spec(body: Callable[..., Any]) -> PipelineSpec:
    return pipeline(name="p")(body).build().spec


def _one(body: Callable[..., Any]) -> Diagnostic:
    with pytest.raises(DefinitionError) as caught:
        pipeline(name="p")(body).build()
    (problem,) = caught.value.diagnostics
    assert problem.where.startswith("tests/unit/zen_core/authoring/test_conditions.py:")
    return problem


def _condition(term: Callable[[], Any]) -> Any:
    def body() -> None:
        with when(term()):
            use()

    spec = _spec(body)
    assert PipelineSpec.from_json(spec.to_json()) == spec
    return spec.step_by_name["when"].condition


@pytest.mark.parametrize(
    ("term", "operator", "value"),
    [
        (lambda: score() >= 1, ">=", 1),
        (lambda: count() == Grade.BEST, "==", 1),
        (lambda: name() == Level.HIGH, "==", "high"),
        (lambda: name() < "b", "<", "b"),
        (lambda: scalar() > np.int64(3), ">", 3),
        (lambda: score() < np.float64(0.5), "<", 0.5),
        (lambda: flag() == True, "==", True),  # noqa: E712 - a result has no truth value
        (lambda: perhaps() != None, "!=", None),  # noqa: E711
        (lambda: one_of() == "a", "==", "a"),
        (lambda: anything() < "x", "<", "x"),
        (lambda: perhaps() < 2, "<", 2),
    ],
)
def test_a_comparison_holds_a_plain_scalar(term: Callable[[], Any], operator: str, value: Any) -> None:
    condition = _condition(term)
    assert isinstance(condition, CompareTerm)
    assert (condition.operator, condition.right) == (operator, ValueTerm(value))
    assert isinstance(condition.right, ValueTerm)
    assert type(condition.right.value) is type(value)


@pytest.mark.parametrize("made", [flag, anything])
def test_a_bool_is_a_condition_by_itself(made: Any) -> None:
    assert _condition(made) == InputTerm(made.base_name)


@pytest.mark.parametrize(
    ("use_it", "message", "hint"),
    [
        (lambda: when(score()).__enter__(), "'score' is a condition by itself, and is float", "result > 0"),
        (lambda: when(flag() & count()).__enter__(), "'count' is a condition by itself, and is int", "result > 0"),
        (lambda: when(~name()).__enter__(), "'name' is a condition by itself, and is str", "result > 0"),
        (lambda: table() == 1, "'table' is used in a condition, and is", "a bool, a number or a text"),
        (lambda: array() > 1, "'array' is used in a condition, and is numpy.ndarray", "a bool, a number or a text"),
        (lambda: score() > table(), "'table' is used in a condition", "a bool, a number or a text"),
        (lambda: score() > "0.9", "'score' is compared by `>` with '0.9'", "a number with a number"),
        (lambda: name() <= score(), "'name' is compared by `<=` with the output 'result'", "a text with a text"),
        (lambda: score() > None, "'score' is compared with None, by `>`", "`== None` or `!= None`"),
        (lambda: score() == math.nan, "'score' is compared with nan, which is no number to compare with", "finite"),
        (lambda: score() < math.inf, "'score' is compared with inf, which is no number to compare with", "finite"),
        (lambda: score() == [1], "'score' is compared with [1], which is no scalar", "a text, a number"),
        (lambda: score() == use, "'score' is compared with <step 'use'>, which is no scalar", "a text, a number"),
        (lambda: score() > 0.9 & count(), "'count' is joined with 0.9", "(score > 0.9) & (depth < 10)"),
        (lambda: flag() ^ flag(), "'flag' is joined with `^`", "(score > 0.9) & (depth < 10)"),
        (lambda: flag() and count(), "'flag' is used as a condition (`if`,", "(score > 0.9) & (depth < 10)"),
        (lambda: 0 < score() < 1, "a condition on results is used with `if`, `and`,", "(score > 0.9) & (depth < 10)"),
    ],
)  # fmt: skip
def test_what_cannot_be_in_a_condition(use_it: Callable[[], Any], message: str, hint: str) -> None:
    def body() -> None:
        use_it()

    problem = _one(body)
    assert problem.code == "ZEN-D106"
    assert message in problem.message
    assert hint in problem.hint


def test_a_condition_can_be_looked_at() -> None:
    def body() -> None:
        assert repr(score() > 1) == "<a condition on results>"
        assert repr(either(score(), count())) == "<the choice between the results of 'score_2', 'count'>"

    _spec(body)


# -- where branches stand -----------------------------------------------------------------------------------------


def test_otherwise_stands_beside_its_when() -> None:
    def body() -> None:
        with when(flag()) as good, when(flag()), good.otherwise():
            use()

    problem = _one(body)
    line = body.__code__.co_firstlineno + 1
    here = f"tests/unit/zen_core/authoring/test_conditions.py:{line}"
    assert problem.code == "ZEN-D119"
    assert problem.where == here
    assert problem.message == (
        f"a branch of the condition at {here} stands in a branch that the condition does not lie in"
    )
    assert "indent `with good.otherwise():`" in problem.hint


def test_a_branch_can_be_gone_on_with() -> None:
    def body() -> None:
        good = when(flag())
        with good:
            use()
        with good.otherwise():
            use()
        with good:
            use()
        with good.otherwise():
            use()

    spec = _spec(body)
    branches = [(item.when.gate, item.when.taken) for item in spec.steps if item.when]
    assert branches == [("when", True), ("when", False), ("when", True), ("when", False)]


def test_when_is_no_value() -> None:
    def body() -> None:
        if when(flag()):
            use()

    problem = _one(body)
    assert (problem.code, problem.message) == ("ZEN-D119", "`when` is used as a value")
    assert "with good.otherwise()" in problem.hint


def test_a_condition_that_decides_nothing_is_left_out() -> None:
    def body() -> None:
        value, number = flag(), score()
        with when(value), when(number > 1):
            pass
        with when(value):
            with when(value) as good:
                pass
            with good.otherwise():
                use()

    spec = _spec(body)
    assert [item.name for item in spec.steps] == ["flag", "score", "when_3", "when_4", "use"]


def test_names_of_conditions() -> None:
    def wrong() -> None:
        with when(flag(), name="Is Good"):
            use()

    problem = _one(wrong)
    assert problem.code == "ZEN-D105"
    assert problem.message == "the condition name 'Is Good' cannot be used"
    assert 'when(…, name="is_good")' in problem.hint

    def twice() -> None:
        for _ in range(2):
            with when(flag(), name="good"):
                use()

    problem = _one(twice)
    assert (problem.code, problem.message) == ("ZEN-D104", "two steps are named 'good'")


def test_an_order_does_not_go_by_a_choice() -> None:
    def body() -> None:
        with when(flag()) as good:
            first = use()
        with good.otherwise():
            second = use()
        use.after(first, second)()
        use.after(either(first, second))()

    problem = _one(body)
    assert problem.code == "ZEN-D111"
    assert problem.message == "step 'use_4' is after the choice between the results of 'use', 'use_2'"
    assert "name the steps themselves" in problem.hint


def test_a_choice_is_between_results_of_one_pipeline() -> None:
    leaked: list[Any] = []
    pipeline(name="p")(lambda: leaked.append(use())).build()
    problem = _one(lambda: use(either(use(), leaked[0])))
    assert problem.code == "ZEN-D119"
    assert problem.message == "`either` is given <the output 'result' of step 'use'>"
