"""Of each kind of node in a syntax tree, the fields that count, and how names in them are used."""

from __future__ import annotations

import ast
from typing import Any

from zen_core.compiler.code.names import Use
from zen_core.compiler.code.scopes import HANDED, LOOKED

_LOOKED_AT: dict[type, tuple[str, ...]] = {
    ast.Subscript: ("value",),
    ast.Compare: ("left", "comparators"),
    ast.BinOp: ("left", "right"),
    ast.UnaryOp: ("operand",),
    ast.For: ("iter",),
    ast.AsyncFor: ("iter",),
    ast.comprehension: ("iter",),
    ast.FormattedValue: ("value",),
    ast.If: ("test",),
    ast.While: ("test",),
    ast.Assert: ("test",),
    ast.IfExp: ("test",),
    ast.Starred: ("value",),
}
"""Where a dict, list or set of plain values stands, it is read there and nothing else."""
_SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


class _Layouts(dict[type, tuple[str, tuple[tuple[str, str, Use], ...]]]):
    """Of each kind of node its token, and its fields that count: each with its token, and how a name in it is used."""

    def __missing__(self, kind: Any) -> tuple[str, tuple[tuple[str, str, Use], ...]]:
        looked_at = _LOOKED_AT.get(kind, ())
        fields = [name for name in kind._fields if name not in _SKIPPED_FIELDS]
        self[kind] = (
            f"({kind.__name__}",
            tuple((name, f".{name}", LOOKED if name in looked_at else HANDED) for name in fields),
        )
        return self[kind]


LAYOUTS = _Layouts()
