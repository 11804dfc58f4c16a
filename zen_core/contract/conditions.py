"""Conditions on what a run computes: their form in the IR, and what they mean. Standard library alone.

A condition is evaluated by the shim, in the step that the compiler makes for it: the gate. An operand is a scalar. A
comparison with NaN is false, whichever operator; a value that is missing (None) is an error, except where it is
compared for (in)equality with a constant None.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from zen_core.contract.bindings import CLOSED

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class ConditionError(ValueError):
    """A condition cannot be told from these values; the text says why."""


@dataclass(frozen=True, slots=True)
class InputTerm:
    """The value of an input of the gate. By itself it must be a bool."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    input: str
    kind: Literal["input"] = "input"


@dataclass(frozen=True, slots=True)
class ValueTerm:
    """A scalar written in the pipeline's body: text, number, bool or None."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    value: str | int | float | bool | None = None
    kind: Literal["value"] = "value"


@dataclass(frozen=True, slots=True)
class CompareTerm:
    """Two operands, compared."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    operator: Operator
    left: InputTerm | ValueTerm
    right: InputTerm | ValueTerm
    kind: Literal["compare"] = "compare"


@dataclass(frozen=True, slots=True)
class AndTerm:
    """All of these."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    terms: tuple[Condition, ...]
    kind: Literal["and"] = "and"


@dataclass(frozen=True, slots=True)
class OrTerm:
    """One of these at least."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    terms: tuple[Condition, ...]
    kind: Literal["or"] = "or"


@dataclass(frozen=True, slots=True)
class NotTerm:
    """Not this one."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    term: Condition
    kind: Literal["not"] = "not"


Condition = InputTerm | CompareTerm | AndTerm | OrTerm | NotTerm


def condition_from_json(document: Mapping[str, Any]) -> Condition:
    """Read a condition from the manifest. Raises KeyError or TypeError for what is none."""
    kind = document["kind"]
    if kind == "input":
        return InputTerm(document["input"])
    if kind == "compare":
        return CompareTerm(document["operator"], _operand(document["left"]), _operand(document["right"]))
    if kind == "not":
        return NotTerm(condition_from_json(document["term"]))
    terms = tuple(condition_from_json(term) for term in document["terms"])
    return AndTerm(terms) if kind == "and" else OrTerm(terms)


def condition_inputs(condition: Condition) -> Iterator[str]:
    """The inputs that a condition names, in order; one that is named twice comes twice."""
    if isinstance(condition, InputTerm):
        yield condition.input
    elif isinstance(condition, CompareTerm):
        yield from (term.input for term in (condition.left, condition.right) if isinstance(term, InputTerm))
    elif isinstance(condition, NotTerm):
        yield from condition_inputs(condition.term)
    else:
        for term in condition.terms:
            yield from condition_inputs(term)


def evaluate(condition: Condition, values: Mapping[str, Any]) -> bool:
    """Whether the condition holds for these values of the gate's inputs. All operands are evaluated.

    Raises:
        ConditionError: an operand is missing, of a type that cannot be compared, or no bool where one is needed.
    """
    if isinstance(condition, InputTerm):
        value = values[condition.input]
        if not isinstance(value, bool):
            raise ConditionError(f"{condition.input} is {_describe(value)}, and by itself a condition must be a bool")
        return value
    if isinstance(condition, CompareTerm):
        return _compare(condition, values)
    if isinstance(condition, NotTerm):
        return not evaluate(condition.term, values)
    results = [evaluate(term, values) for term in condition.terms]
    return all(results) if isinstance(condition, AndTerm) else any(results)


def condition_text(condition: Condition) -> str:
    """The condition as a person would write it: `(score > 0.9) & (depth < 10)`."""
    if isinstance(condition, InputTerm):
        return condition.input
    if isinstance(condition, CompareTerm):
        return f"{_operand_text(condition.left)} {condition.operator} {_operand_text(condition.right)}"
    if isinstance(condition, NotTerm):
        return f"~({condition_text(condition.term)})"
    sign = " & " if isinstance(condition, AndTerm) else " | "
    return sign.join(f"({condition_text(term)})" for term in condition.terms)


def _compare(term: CompareTerm, values: Mapping[str, Any]) -> bool:
    left, right = (
        side.value if isinstance(side, ValueTerm) else values[side.input] for side in (term.left, term.right)
    )
    sides = (term.left, left), (term.right, right)
    with_none = term.operator in ("==", "!=") and any(
        isinstance(side, ValueTerm) and value is None for side, value in sides
    )
    missing = [_operand_text(side) for side, value in sides if value is None and isinstance(side, InputTerm)]
    if missing and not with_none:
        raise ConditionError(f"{missing[0]} is missing (None) in `{condition_text(term)}`")
    if any(isinstance(value, float) and math.isnan(value) for value in (left, right)):
        return False
    try:
        return bool(OPERATORS[term.operator](left, right))
    except TypeError:
        raise ConditionError(f"`{condition_text(term)}` compares {_describe(left)} with {_describe(right)}") from None


def _value(term: InputTerm | ValueTerm, values: Mapping[str, Any]) -> Any:
    return term.value if isinstance(term, ValueTerm) else values[term.input]


def _operand(document: Mapping[str, Any]) -> InputTerm | ValueTerm:
    return InputTerm(document["input"]) if document["kind"] == "input" else ValueTerm(document.get("value"))


def _operand_text(term: InputTerm | ValueTerm) -> str:
    return term.input if isinstance(term, InputTerm) else repr(term.value)


def _describe(value: object) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
