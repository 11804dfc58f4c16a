"""Zen's own form of Python code: formatting, comments, places and the Python version do not change it.

A syntax tree is written as a flat list of tokens. Fields that are empty are left out, so that fields which later
Python versions add do not count while they are not used.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import CodeType
from typing import Any

from zen_core.contract.canonical import digest_bytes

_SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})

Token = str | int | float | bool | None | list[Any]


def tokens_of(tree: ast.AST, parts: Mapping[str, Any]) -> list[Token]:
    """The tree in prefix order, with `parts` for these fields of its root.

    An explicit stack: generated code may be nested deeper than Python recurses. It meets each name and each operator of
    a project, so the most frequent kinds come first.
    """
    tokens: list[Token] = []
    waiting: list[Any] = [tree]
    while waiting:
        item = waiting.pop()
        kind: Any = type(item)
        if kind is str:
            tokens.append(item)
        elif kind is ast.Name:
            tokens += ("(Name", ".id", item.id, ")")
        elif kind is ast.Constant:
            tokens.append(["constant", *_constant(item.value)])
        elif kind is list:
            tokens.append("[")
            waiting.append("]")
            waiting.extend(reversed(item))
        elif isinstance(item, ast.AST):
            tokens.append(f"({kind.__name__}")
            waiting.append(")")
            for name, label in _fields_of(kind):
                value = getattr(item, name, None)
                if item is tree:
                    value = parts.get(name, value)
                elif isinstance(item, ast.JoinedStr):
                    value = _merged(item.values)
                if value is not None and value != []:
                    waiting += (value, label)
        elif item is None:  # a gap within a list: a dict display's `**x`, a keyword-only argument without default
            tokens.append(None)
        else:
            tokens.append(item if isinstance(item, (str, int)) else repr(item))
    return tokens


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, str], ...]:
    """The fields that count, the last one first, each with its token."""
    return tuple((name, f".{name}") for name in reversed(kind._fields) if name not in _SKIPPED_FIELDS)


def digest_tokens(tokens: list[Token]) -> str:
    """The digest of tokens. `ascii` writes each value in a way of its own, the same on every version of Python."""
    return digest_bytes(b"tokens:" + ascii(tokens).encode())


def tokens_of_code(code: CodeType) -> Iterator[Token]:
    """A function whose source is not at hand. Differs between Python versions."""
    yield from ("code", code.co_name, code.co_code.hex(), [*code.co_names], [*code.co_varnames])
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from tokens_of_code(constant)
        else:
            yield ["constant", *_constant(constant)]


def _merged(values: Iterable[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts joined; Python versions cut them differently."""
    merged: list[ast.expr] = []
    for value in values:
        last = merged[-1] if merged else None
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(value=str(last.value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            merged.append(value)
    return merged


def _constant(value: object) -> tuple[str, Token]:
    if value is None or isinstance(value, (bool, str, int, float)):
        return type(value).__name__, value
    if isinstance(value, bytes):
        return "bytes", value.hex()
    return type(value).__name__, repr(value)
