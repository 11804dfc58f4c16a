"""Conditions: what they mean, and how they read back."""

import dataclasses
import math
from typing import Any

import pytest

from zen_core.contract.conditions import (
    AndTerm,
    CompareTerm,
    Condition,
    ConditionError,
    InputTerm,
    NotTerm,
    Operator,
    OrTerm,
    ValueTerm,
    condition_from_json,
    condition_inputs,
    condition_text,
    evaluate,
)

A, B = InputTerm("a"), InputTerm("b")
HIGH = CompareTerm(">", A, ValueTerm(0.9))
SMALL = CompareTerm("<", B, ValueTerm(10))


def compare(operator: Operator, left: Any, right: Any) -> bool:
    return evaluate(CompareTerm(operator, A, B), {"a": left, "b": right})


@pytest.mark.parametrize(
    ("operator", "left", "right", "expected"),
    [
        ("==", 1, 1.0, True),
        ("!=", "a", "b", True),
        ("<", 1, 2, True),
        ("<=", 2, 2, True),
        (">", "b", "a", True),
        (">=", 1, 2, False),
        ("==", "1", 1, False),
    ],
)
def test_comparisons_are_those_of_python(operator: Operator, left: Any, right: Any, expected: bool) -> None:
    assert compare(operator, left, right) is expected


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_no_comparison_with_nan_holds(operator: Operator) -> None:
    assert compare(operator, math.nan, 1.0) is False
    assert compare(operator, 1.0, math.nan) is False
    assert evaluate(NotTerm(CompareTerm(operator, A, ValueTerm(1))), {"a": math.nan}) is True


def test_a_missing_value_is_an_error_unless_it_is_asked_for() -> None:
    with pytest.raises(ConditionError, match=r"a is missing \(None\) in `a > 0.9`"):
        evaluate(HIGH, {"a": None})
    with pytest.raises(ConditionError, match="a is missing"):
        evaluate(CompareTerm("==", A, ValueTerm(0)), {"a": None})
    assert evaluate(CompareTerm("==", A, ValueTerm(None)), {"a": None}) is True
    assert evaluate(CompareTerm("!=", A, ValueTerm(None)), {"a": 3}) is True


def test_what_cannot_be_compared_is_told_with_both_types() -> None:
    with pytest.raises(ConditionError, match=r"`a > 0\.9` compares a str with a float"):
        evaluate(HIGH, {"a": "high"})


def test_a_value_by_itself_must_be_a_bool() -> None:
    assert evaluate(A, {"a": True}) is True
    with pytest.raises(ConditionError, match="a is an int, and by itself a condition must be a bool"):
        evaluate(A, {"a": 1})


def test_terms_are_joined_and_all_of_them_are_evaluated() -> None:
    both, one = AndTerm((HIGH, SMALL)), OrTerm((HIGH, SMALL))
    assert evaluate(both, {"a": 1, "b": 1}) is True
    assert evaluate(both, {"a": 1, "b": 11}) is False
    assert evaluate(one, {"a": 0, "b": 1}) is True
    assert evaluate(NotTerm(one), {"a": 0, "b": 11}) is True
    with pytest.raises(ConditionError):  # whether a condition can be told does not depend on the order of its terms
        evaluate(one, {"a": 1, "b": None})


CONDITION = AndTerm((HIGH, OrTerm((NotTerm(SMALL), CompareTerm("==", B, ValueTerm("it's"))))))


def test_the_text_reads_as_a_person_would_write_it() -> None:
    assert condition_text(CONDITION) == """(a > 0.9) & ((~(b < 10)) | (b == "it's"))"""
    assert list(condition_inputs(CONDITION)) == ["a", "b", "b"]


@pytest.mark.parametrize("condition", [A, HIGH, CONDITION, CompareTerm("!=", ValueTerm(None), A)])
def test_a_document_reads_back(condition: Condition) -> None:
    assert condition_from_json(dataclasses.asdict(condition)) == condition
