"""The names that a piece of code refers to."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

RUNS_TEXT = frozenset({"exec", "eval", "compile", "__import__", "globals", "vars", "builtins.exec", "builtins.eval"})
LOOKING = frozenset(
    {
        *("all", "any", "bool", "dict", "enumerate", "float", "frozenset", "int", "isinstance", "len", "list", "max"),
        *("min", "print", "range", "repr", "reversed", "set", "sorted", "str", "sum", "tuple", "zip"),
    }
)
"""Functions of Python's that only look at such arguments."""


Use = int
"""How a name is used, as bits: see `Names`."""
READS, HANDS, LOOKS, CALLS, TYPES, ALTERS, FILLS = (1 << bit for bit in range(7))


@dataclass(slots=True)
class Names:
    """What a piece of code refers to outside itself. Names are dotted, as they are written from a module's top level.

    Attributes:
        uses: how each name is used, as bits. A name that begins with `@` stands for an import of the code's own:
            `@LEVEL:MODULE` and, behind another colon, the attributes.

            - `READS`: in any way but by being assigned.
            - `TYPES`: it stands in an annotation.
            - `ALTERS`: it is assigned to, also by `setattr` and the like.
            - `FILLS`: a method is called on it whose name says that it alters: `add`, `update`.
            - `LOOKS`: it is looked at, outside of annotations: `TABLE["a"]`, `x in TABLE`, `TABLE.get("a")`.
            - `CALLS`: it is called.
            - `HANDS`: it is used in any other way: handed on, assigned. A dict may be altered by that.
        imported: modules that the code imports itself, as (level, module).
        unfollowed: what reaches further than can be read, with its line; and the name it looks into, or "".
    """

    uses: dict[str, Use] = field(default_factory=dict)
    imported: set[tuple[int, str]] = field(default_factory=set)
    unfollowed: list[tuple[str, int, str]] = field(default_factory=list)

    def of(self, use: Use) -> list[str]:
        """The names that are used so, or in one of several ways."""
        return [path for path, how in self.uses.items() if how & use]


def merged(found: Iterable[Names]) -> Names:
    """The names of several pieces of code together."""
    first, *others = found
    if not others:
        return first
    together = Names({**first.uses}, {*first.imported}, [*first.unfollowed])
    for names in others:
        for path, how in names.uses.items():
            together.uses[path] = together.uses.get(path, 0) | how
        together.imported |= names.imported
        together.unfollowed += names.unfollowed
    return together


def dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, else ""."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""
