"""What was read of a module as text, and back."""

from __future__ import annotations

import json
from typing import Any

from zen_core.compiler.code.modules import Index
from zen_core.compiler.code.names import Names
from zen_core.compiler.code.statements import Decorator, Statement


def to_text(index: Index) -> str:
    """A module's top level as JSON: ASCII, on one line, without tabs."""
    imports = [[name, list(targets)] for name, targets in index.imports.items()]
    return json.dumps([[*map(_statement_to_json, index.statements)], imports, index.stars, index.bare])


def from_text(text: str) -> Index:
    """The top level again. Raises ValueError, TypeError or KeyError for other text."""
    statements, imports, stars, bare = json.loads(text)
    index = Index(
        imports={name: dict.fromkeys(map(tuple, targets)) for name, targets in imports},
        stars=stars,
        bare=bare,
    )
    for item in statements:
        index.add(_statement_from_json(item))
    index.complete()
    return index


def _statement_to_json(item: Statement) -> list[Any]:
    decorators = [[each.path, each.digest, _names_to_json(each.names)] for each in item.decorators]
    runs = None if item.runs is None else _names_to_json(item.runs)
    plain = {
        "names": _names_to_json(item.names),
        "words": sorted(item.words),
        "attributes": sorted(item.attributes),
        "decorators": decorators,
        "runs": runs,
    }
    return [*item._replace(**plain)]  # type: ignore[arg-type]


def _statement_from_json(document: list[Any]) -> Statement:
    read = Statement(*document)
    return read._replace(
        bound=tuple(read.bound),
        global_names=tuple(read.global_names),
        lines=(read.lines[0], read.lines[1]),
        names=_names_from_json(read.names),
        words=frozenset(read.words),
        attributes=frozenset(read.attributes),
        decorators=tuple(Decorator(path, digest, _names_from_json(names)) for path, digest, names in read.decorators),
        bases=tuple(read.bases),
        runs=None if read.runs is None else _names_from_json(read.runs),
        kept_if=tuple(read.kept_if),
    )


def _names_to_json(names: Names) -> list[Any]:
    return [names.uses, sorted(names.imported), names.unfollowed]


def _names_from_json(document: Any) -> Names:
    uses, imported, unfollowed = document
    return Names(uses, {(level, module) for level, module in imported}, [tuple(item) for item in unfollowed])
