"""The names that a piece of code refers to."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

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
