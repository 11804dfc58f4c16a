"""The names that a piece of code refers to and binds."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OPENS_SCOPE = (*_FUNCTIONS, ast.ClassDef, ast.Lambda, *_COMPREHENSIONS)
# What binds names by a field of its own, or keeps those within it to itself.
_BINDS = frozenset(
    {*_OPENS_SCOPE, ast.Import, ast.ImportFrom, ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping}
)
_WITHOUT_NAMES = frozenset({"ctx", "op", "ops", "type_comment", "kind"})
RUNS_TEXT = frozenset({"exec", "eval", "compile", "__import__", "globals", "vars", "builtins.exec", "builtins.eval"})
LOOKING = frozenset(
    {
        *("all", "any", "bool", "dict", "enumerate", "float", "frozenset", "int", "isinstance", "len", "list", "max"),
        *("min", "print", "range", "repr", "reversed", "set", "sorted", "str", "sum", "tuple", "zip"),
    }
)
"""Functions of Python's that only look at such arguments."""


@dataclass(slots=True)
class Names:
    """What a piece of code refers to outside itself. Names are dotted, as they are written from a module's top level.

    Attributes:
        reads: every name. One that begins with `@` stands for an import of the code's own:
            `@LEVEL:MODULE` and, behind another colon, the attributes.
        annotations: those of them that stand in annotations.
        alters: what is assigned to, also by `setattr` and the like.
        fills: on what a method is called whose name says that it alters: `add`, `update`.
        looks: what is looked at, outside of annotations: `TABLE["a"]`, `x in TABLE`, `TABLE.get("a")`.
        calls: what is called.
        hands: what is used in any other way: handed on, assigned. A dict may be altered by that.
        imported: modules that the code imports itself, as (level, module).
        unfollowed: what reaches further than can be read, with its line; and the name it looks into, or "".
    """

    reads: set[str] = field(default_factory=set)
    annotations: set[str] = field(default_factory=set)
    alters: set[str] = field(default_factory=set)
    fills: set[str] = field(default_factory=set)
    looks: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    hands: set[str] = field(default_factory=set)
    imported: set[tuple[int, str]] = field(default_factory=set)
    unfollowed: list[tuple[str, int, str]] = field(default_factory=list)


def dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, else ""."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def bound_names(statements: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements bind where they stand, in no function or class within them."""
    waiting = list(statements)
    while waiting:
        node: Any = waiting.pop()
        kind = type(node)
        if kind is ast.Name:
            if type(node.ctx) is not ast.Load:
                yield node.id
        elif kind not in _BINDS:
            waiting += _parts_of(node)
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield node.name
            waiting += node.decorator_list
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler):
            yield from [node.name] if node.name else []
            waiting += node.body
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)):
            yield from [node.name] if node.name else []
            waiting += _parts_of(node)
        elif isinstance(node, ast.MatchMapping):
            yield from [node.rest] if node.rest else []
            waiting += _parts_of(node)
        elif isinstance(node, _COMPREHENSIONS):
            # a walrus in it binds outside of it
            waiting += (inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
        # and a lambda binds nothing


def _parts_of(node: ast.AST) -> list[ast.AST]:
    """What stands within a node and may refer to something: no operators, no contexts."""
    found: list[ast.AST] = []
    kind: Any = type(node)
    for name in _fields_of(kind):
        value = getattr(node, name, None)
        if type(value) is list:
            found += (item for item in value if isinstance(item, ast.AST))
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


@cache
def _fields_of(kind: Any) -> tuple[str, ...]:
    return tuple(name for name in kind._fields if name not in _WITHOUT_NAMES)
