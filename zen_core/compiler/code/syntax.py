"""Questions about the nodes of syntax trees."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

_DEEPEST = 50_000


def dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, else ""."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def text_of(node: ast.AST | None) -> str | None:
    """The text that a node is, or None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_own_class(node: ast.AST) -> bool:
    """Whether a method names its class so: `cls`, `type(self)`, `self.__class__`."""
    if isinstance(node, ast.Name):
        return node.id == "cls"
    if isinstance(node, ast.Attribute):
        return node.attr == "__class__"
    return isinstance(node, ast.Call) and dotted(node.func) == "type"


def without_cuts(values: Iterable[ast.expr]) -> Sequence[ast.expr]:
    """The parts of an f-string with neighbouring texts joined; Python versions cut them differently."""
    merged: list[ast.expr] = []
    for value in values:
        last = merged[-1] if merged else None
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(value=str(last.value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            merged.append(value)
    return merged


def what_runs(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.expr]:
    """The defaults and annotations of a function, and the bases of a class, that call something."""
    if isinstance(node, ast.ClassDef):
        parts: list[ast.expr | None] = [*node.bases]
    else:
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        annotations = [item.annotation for item in arguments if item is not None]
        parts = [*given.defaults, *given.kw_defaults, *annotations, node.returns]
    return [part for part in parts if part is not None and any(isinstance(at, ast.Call) for at in ast.walk(part))]


@contextmanager
def deep_recursion() -> Iterator[None]:
    """For syntax trees that are nested deeper than Python recurses."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(_DEEPEST, before))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
