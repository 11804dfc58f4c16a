"""Brackets on one line or several: emitted code looks as `ruff format` would leave it.

A bracket is written on one line where it fits, else with one item a line and a trailing comma, which formatters keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zen_core.codegen.literals import SourceText, py_identifier, py_literal, text_width

LINE_LENGTH = 110
_INDENT = "    "
_TOO_LONG = "  # noqa: E501"


@dataclass(frozen=True)
class Bracket:
    """An opening text such as `Param(`, items, and a closing text such as `)`. Each item has its key in front."""

    opening: SourceText
    items: tuple[tuple[SourceText, Expression], ...]
    closing: SourceText

    @cached_property
    def flat(self) -> str:
        """The whole on one line."""
        return self.opening + ", ".join(key + _flat(item) for key, item in self.items) + self.closing


Expression = SourceText | Bracket


def literal(value: Any) -> Expression:
    """The literal of a value, lists and dicts as brackets."""
    if isinstance(value, list) and value:
        return Bracket(SourceText("["), tuple((SourceText(""), literal(item)) for item in value), SourceText("]"))
    if isinstance(value, Mapping) and value:
        return mapping({key: literal(value[key]) for key in sorted(value)})
    return py_literal(value)


def mapping(item_by_key: Mapping[str, Expression]) -> Bracket:
    """A dict display; the order is kept."""
    items = tuple((SourceText(f"{py_literal(key)}: "), item) for key, item in item_by_key.items())
    return Bracket(SourceText("{"), items, SourceText("}"))


def call(
    function: SourceText, arguments: Iterable[Expression] = (), keywords: Mapping[str, Expression] | None = None
) -> Bracket:
    """A call; keywords whose name is no identifier must not be given."""
    items = [(SourceText(""), argument) for argument in arguments]
    items += [(SourceText(f"{py_identifier(name)}="), item) for name, item in (keywords or {}).items()]
    return Bracket(SourceText(f"{function}("), tuple(items), SourceText(")"))


def sequence(items: Iterable[Expression]) -> Bracket:
    """A list display."""
    return Bracket(SourceText("["), tuple((SourceText(""), item) for item in items), SourceText("]"))


def statement(expression: Expression, *, depth: int, before: str = "", after: str = "") -> SourceText:
    """The lines of a statement at an indentation of `depth` levels, without the last line break.

    `before` and `after` are source text of Zen's own, such as `return ` and ` >> x`.
    """
    return SourceText("\n".join(_lines(expression, _INDENT * depth, before, after)))


def _lines(expression: Expression, indent: str, before: str, after: str) -> list[str]:
    line = f"{indent}{before}{_flat(expression)}{after}"
    if text_width(line) <= LINE_LENGTH or isinstance(expression, SourceText) or not expression.items:
        return [_marked(line)]
    lines = [_marked(f"{indent}{before}{expression.opening}")]
    for key, item in expression.items:
        lines += _lines(item, indent + _INDENT, key, ",")
    return [*lines, f"{indent}{expression.closing}{after}"]


def _marked(line: str) -> str:
    """A line that cannot be broken says so to linters."""
    return line if text_width(line) <= LINE_LENGTH else line + _TOO_LONG


def _flat(expression: Expression) -> str:
    return expression.flat if isinstance(expression, Bracket) else expression
