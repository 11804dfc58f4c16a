"""What was read of the project's modules, kept from process to process: nothing is parsed again that did not change."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import zen_core
from zen_core.compiler.code.modules import Index
from zen_core.compiler.code.names import Names
from zen_core.compiler.code.statements import Content, Decorator, Statement
from zen_core.contract.canonical import digest_bytes

MEMO_FILE = "code-index.json"
_MOST_MODULES = 5_000
"""Those that are long gone make room for others."""


class IndexMemo:
    """What was read of the top levels of modules, by name, each valid for one text.

    Args:
        file: where they are kept. One that cannot be read or written is no error: it only saves time.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._used: dict[str, None] = {}
        self._changed: dict[str, tuple[str, Index, Mapping[int, Content]]] = {}

    def find(self, name: str, identity: str) -> tuple[Index, dict[int, Content]] | None:
        """The top level of a module and the contents that were read of it, by position; None if it is not known.

        Args:
            identity: digest of all that the answer depends on.
        """
        self._used[name] = None
        known, document = self._known.get(name, ("", ""))
        if known == identity:
            with contextlib.suppress(ValueError, TypeError, KeyError):  # damaged: it is read again
                return _from_json(json.loads(document))
        return None

    def keep(self, name: str, identity: str, index: Index, contents: Mapping[int, Content]) -> None:
        """Remember what was read of a module, and what will be until it is saved."""
        self._changed[name] = identity, index, contents

    def save(self) -> None:
        """Keep what was read, where there is a place for it: the modules of this process, then those of others."""
        if not self._changed:
            return
        for name, (identity, index, contents) in self._changed.items():
            self._known[name] = identity, json.dumps(_to_json(index, contents), separators=(",", ":"))
        others = [name for name in self._known if name not in self._used]
        kept = {name: self._known[name] for name in [*self._used, *others][:_MOST_MODULES]}
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps({"format": _format(), "modules": kept}), encoding="utf-8")
            temporary.replace(self._file)
            self._changed.clear()


@cache
def index_memo_in(folder: Path) -> IndexMemo:
    """The memory that lies in a project's state folder, read once per process."""
    return IndexMemo(folder / MEMO_FILE)


@cache
def _format() -> str:
    """Changes with how modules are read: with Zen, with an edit of Zen, with Python."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return f"{zen_core.__version__} {sys.version} {digest_bytes(b''.join(path.read_bytes() for path in sources))}"


def _read(file: Path) -> dict[str, tuple[str, str]]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        is_of_ours = document["format"] == _format()
        return {name: (content, text) for name, (content, text) in document["modules"].items()} if is_of_ours else {}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def _to_json(index: Index, contents: Mapping[int, Content]) -> list[Any]:
    statements = [_statement_to_json(item) for item in index.statements]
    imports = [[name, list(targets)] for name, targets in index.imports.items()]
    read = [[at, item.code, item.documentation, _names_to_json(item.names)] for at, item in contents.items()]
    return [statements, imports, index.stars, index.bare, read]


def _from_json(document: list[Any]) -> tuple[Index, dict[int, Content]]:
    statements, imports, stars, bare, read = document
    index = Index(
        imports={name: dict.fromkeys(map(tuple, targets)) for name, targets in imports},
        stars=stars,
        bare=bare,
    )
    for item in statements:
        index.add(_statement_from_json(item))
    return index, {at: Content(code, text, _names_from_json(names)) for at, code, text, names in read}


def _statement_to_json(item: Statement) -> list[Any]:
    decorators = [[each.path, each.digest, _names_to_json(each.names)] for each in item.decorators]
    facts = [item.position, item.kind, item.bound, item.does_more, item.lines]
    more = [item.learns_of_subclasses, item.acts, item.holds, item.assigns, item.made_by, item.kept]
    return [facts, decorators, item.bases, item.kept_if, *more]


def _statement_from_json(document: list[Any]) -> Statement:
    (position, kind, bound, does_more, lines), decorators, bases, kept_if, *more = document
    learns_of_subclasses, acts, holds, assigns, made_by, kept = more
    return Statement(
        position,
        kind,
        tuple(bound),
        does_more,
        (lines[0], lines[1]),
        tuple(Decorator(path, digest, _names_from_json(names)) for path, digest, names in decorators),
        tuple(bases),
        learns_of_subclasses,
        acts,
        holds,
        assigns,
        made_by,
        kept,
        tuple(kept_if),
    )


def _names_to_json(names: Names) -> list[Any]:
    kinds = [names.reads, names.annotations, names.alters, names.fills, names.looks, names.calls, names.hands]
    return [[*map(sorted, kinds)], sorted(names.imported), names.unfollowed]


def _names_from_json(document: list[Any]) -> Names:
    (reads, annotations, alters, fills, looks, calls, hands), imported, unfollowed = document
    return Names(
        set(reads),
        set(annotations),
        set(alters),
        set(fills),
        set(looks),
        set(calls),
        set(hands),
        {(level, module) for level, module in imported},
        [(what, line, inside) for what, line, inside in unfollowed],
    )
