"""`when`, `otherwise`, `either` and `broadcast`: what a pipeline's body writes where Python's own `if` cannot stand."""

from __future__ import annotations

import enum
import math
import numbers
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from zen_core.authoring.active import active_trace
from zen_core.authoring.annotations import OpaqueType, accepts_anything, is_union, without_metadata
from zen_core.authoring.code_location import caller_place
from zen_core.authoring.handles import AND_SPELLING, EitherHandle, Handle, OutputHandle
from zen_core.authoring.problems import invalid_condition, outside_a_pipeline
from zen_core.contract.conditions import (
    OPERATORS,
    AndTerm,
    CompareTerm,
    Condition,
    InputTerm,
    NotTerm,
    Operator,
    OrTerm,
    ValueTerm,
)
from zen_core.errors import DefinitionError

if TYPE_CHECKING:
    from zen_core.authoring.calls import Branch, StepCall
    from zen_core.authoring.tracing import Trace

_SCALARS = (bool, int, float, str)
_ONLY_TERMS = f"join comparisons of results: {AND_SPELLING}"


@dataclass(frozen=True, eq=False)
class Term:
    """A condition on results, as it is written: a comparison, or terms joined by `&`, `|`, `~`."""

    trace: Trace
    operator: str
    parts: tuple[Any, ...]

    def __and__(self, other: Any) -> Term:
        return self._joined("and", self, other)

    def __rand__(self, other: Any) -> Term:
        return self._joined("and", other, self)

    def __or__(self, other: Any) -> Term:
        return self._joined("or", self, other)

    def __ror__(self, other: Any) -> Term:
        return self._joined("or", other, self)

    def __invert__(self) -> Term:
        return Term(self.trace, "not", (self,))

    def __bool__(self) -> bool:  # noqa: PLE0304 - it has no truth value
        self._refuse(
            "is used with `if`, `and`, `or`, `not` or a chained comparison",
            f"write `with when(…):` for `if`; {_ONLY_TERMS}",
        )

    def _joined(self, operator: str, left: Any, right: Any) -> Term:
        for part in (left, right):
            if not isinstance(part, (Term, Handle)):
                self._refuse(f"is joined with {part!r:.60}", f"{_ONLY_TERMS}; mind the brackets around each of them")
        return Term(self.trace, operator, (left, right))

    def _refuse(self, use: str, hint: str) -> NoReturn:
        raise self.trace.misuse("a condition on results", use, hint)

    def __repr__(self) -> str:
        return "<a condition on results>"


def comparison(handle: Handle, operator: str, other: Any) -> Term:
    """What comparing a handle gives. Raises DefinitionError for what is no scalar, known by its type."""
    _require_scalar(handle)
    if isinstance(other, Handle):
        _require_scalar(other)
    else:
        other = _constant(handle, operator, other)
    kinds = [_kind_of(side) for side in (handle, other)]
    if operator not in ("==", "!=") and None not in kinds and kinds[0] != kinds[1]:
        handle.refuse(
            f"is compared by `{operator}` with {_shown(other)}", "compare a number with a number, a text with a text"
        )
    return Term(handle.trace, operator, (handle, other))


def _constant(handle: Handle, operator: str, value: Any) -> str | int | float | bool | None:
    """A plain scalar, as the IR holds it."""
    plain = value.item() if _is_numpy_scalar(type(value)) else value.value if isinstance(value, enum.Enum) else value
    what, hint = "which is no scalar", "compare with a text, a number, True, False, None, or another result"
    if isinstance(plain, float) and not math.isfinite(plain):
        what, hint = "which is no number to compare with", "compare with a finite number, or ask in a step"
    elif plain is None:
        if operator in ("==", "!="):
            return None
        what, hint = f"by `{operator}`", "ask whether there is a value with `== None` or `!= None`"
    else:
        for kind in _SCALARS:  # bool comes first: it is an int
            if isinstance(plain, kind):
                return kind(plain)
    raise handle.trace.misuse(handle.subject, f"is compared with {value!r:.60}, {what}", hint)


def _kind_of(side: Any) -> str | None:
    """Whether an operand is a number or a text; None where that is not known."""
    kind = without_metadata(side.port.annotation) if isinstance(side, Handle) else type(side)
    if not isinstance(kind, type) or accepts_anything(kind):
        return None
    return "text" if issubclass(kind, str) else "number" if issubclass(kind, (int, float)) else None


def _shown(side: Any) -> str:
    return f"{side.subject}, which is {side.port.type}" if isinstance(side, Handle) else f"{side!r:.60}"


class Branches:
    """What `with when(…) as good` gives: the branch that is taken, and by `good.otherwise()` the other one."""

    def __init__(self, trace: Trace, condition: Any, name: str | None) -> None:
        self._trace = trace
        self._condition = condition
        self._name = name
        self._gate: StepCall | None = None
        self._outer: list[Branch] = []

    def __enter__(self) -> Branches:
        if self._gate is None:
            self._gate = self._trace.add_gate(self._condition, self._name)
        self._enter(taken=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._trace.branch = self._outer.pop()

    @contextmanager
    def otherwise(self) -> Iterator[None]:
        """The branch that is taken when the condition does not hold."""
        self._enter(taken=False)
        try:
            yield
        finally:
            self._trace.branch = self._outer.pop()

    def _enter(self, *, taken: bool) -> None:
        gate = self._gate
        if gate is None:
            hint = "write `with when(…) as good:` first, then `with good.otherwise():`"
            raise self._trace.error(invalid_condition(self._trace.place(), "`otherwise` comes before its `when`", hint))
        if gate.branch != self._trace.branch:
            what = f"a branch of the condition at {gate.place} stands in a branch that the condition does not lie in"
            hint = "indent `with good.otherwise():` as its `with when(…) as good:`, or ask again with another `when`"
            raise self._trace.error(invalid_condition(self._trace.place(), what, hint))
        self._outer.append(gate.branch)
        self._trace.branch = (*gate.branch, (gate.name, taken))

    def __bool__(self) -> NoReturn:
        what = "`when` is used as a value"
        hint = "write `with when(…) as good:`, and `with good.otherwise():` for else"
        raise self._trace.error(invalid_condition(self._trace.place(), what, hint))


def when(condition: Any, *, name: str | None = None) -> Branches:
    """Run the steps within only when a condition on results or parameters holds.

    `with when((score > 0.9) & (depth < 10)) as good:` … `with good.otherwise():` …

    A condition with no step in its branches is left out.

    Args:
        condition: comparisons of scalar results and parameters, joined by `&`, `|` and `~`; or one that is a bool.
        name: of the gate, as `zen show` and the orchestrator tell it; default: `when`, `when_2`, …

    Raises:
        DefinitionError: outside a pipeline's body, or for what is no condition.
    """
    return Branches(_trace("when"), condition, name)


def either(*results: Any) -> Any:
    """The first of these results whose step was not skipped: what branches made, for a step outside them.

    Raises:
        DefinitionError: outside a pipeline's body, or for what is no result of a step.
    """
    trace = _trace("either")
    options: list[OutputHandle] = []
    for result in results:
        if isinstance(result, EitherHandle):
            options += result.options
        elif isinstance(result, OutputHandle) and result.trace is trace:
            options.append(result)
        else:
            hint = "pass results of steps: either(page, note)"
            raise trace.error(invalid_condition(trace.place(), f"`either` is given {result!r:.60}", hint))
    if not options:
        raise trace.error(invalid_condition(trace.place(), "`either` is given nothing", "pass results of steps"))
    return EitherHandle(trace, tuple(options))


@dataclass(frozen=True, eq=False)
class Broadcast:
    """A result that every element of a map is given whole."""

    value: Any


def broadcast(result: Any) -> Any:
    """In a `.map`, pass a step's result whole to every element, instead of mapping over it."""
    _trace("broadcast")
    return Broadcast(result)


def read_condition(term: Any, trace: Trace) -> tuple[Condition, dict[str, Handle]]:
    """The condition as data, and the handles that it reads by the name of the gate's input.

    Raises:
        DefinitionError: it is no condition on a result or a parameter.
    """
    operands: dict[str, Handle] = {}
    if not isinstance(term, (Term, Handle)):
        hint = "decide with Python's own `if` on what is known while the pipeline is built"
        raise trace.error(invalid_condition(trace.place(), f"the condition is {term!r:.60}, and no result", hint))
    return _read(term, operands), operands


def _read(term: Any, operands: dict[str, Handle]) -> Condition:
    if isinstance(term, Handle):
        _require_bool(term)
        return InputTerm(_port(term, operands))
    if term.operator == "not":
        return NotTerm(_read(term.parts[0], operands))
    if term.operator in OPERATORS:
        left, right = (
            InputTerm(_port(part, operands)) if isinstance(part, Handle) else ValueTerm(part) for part in term.parts
        )
        return CompareTerm(typing.cast("Operator", term.operator), left, right)
    kind = AndTerm if term.operator == "and" else OrTerm
    terms = []
    for part in term.parts:
        read = _read(part, operands)
        terms += list(read.terms) if isinstance(read, kind) else [read]
    return kind(tuple(terms))


def _port(handle: Handle, operands: dict[str, Handle]) -> str:
    for name, known in operands.items():
        if known is handle or known.is_same(handle):
            return name
    name, number = handle.short_name, 1
    while name in operands:
        number += 1
        name = f"{handle.short_name[:60]}_{number}"
    operands[name] = handle
    return name


def _require_bool(handle: Handle) -> None:
    """That a result which is a condition by itself may be a bool."""
    _require_scalar(handle)
    if not _may_be_bool(handle.port.annotation):
        handle.refuse(f"is a condition by itself, and is {handle.port.type}", "compare it: `with when(result > 0):`")


def _may_be_bool(annotation: Any) -> bool:
    annotation = without_metadata(annotation)
    if is_union(annotation):
        return any(map(_may_be_bool, typing.get_args(annotation)))
    if not isinstance(annotation, type) or accepts_anything(annotation) or issubclass(annotation, bool):
        return True
    return not issubclass(annotation, (*_SCALARS, numbers.Number))


def _require_scalar(handle: Handle) -> None:
    annotation = without_metadata(handle.port.annotation)
    if isinstance(handle, OutputHandle) and handle.call.fan_out:
        handle.refuse(
            "is used in a condition, and is a list with a value for each element", "collect it in a step first"
        )
    if not _may_be_scalar(annotation):
        what = f"is used in a condition, and is {handle.port.type}"
        handle.refuse(what, "have a step answer with a bool, a number or a text, and ask that")


def _may_be_scalar(annotation: Any) -> bool:
    if accepts_anything(annotation) or isinstance(annotation, OpaqueType) or annotation in (None, type(None)):
        return True
    if is_union(annotation):
        return any(map(_may_be_scalar, typing.get_args(annotation)))
    if typing.get_origin(annotation) is typing.Literal:
        return True
    kind = typing.get_origin(annotation) or annotation
    if not isinstance(kind, type) or issubclass(kind, (*_SCALARS, numbers.Number)):
        return True
    return _is_numpy_scalar(kind)


def _is_numpy_scalar(kind: type) -> bool:
    return any((base.__module__, base.__name__) == ("numpy", "generic") for base in kind.__mro__)


def _trace(function: str) -> Trace:
    trace = active_trace.get()
    if trace is None:
        raise DefinitionError(diagnostics=[outside_a_pipeline(caller_place(), function)])
    return trace
