"""What was read of the project's modules, kept from process to process: nothing is parsed again that did not change."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import zen_core
from zen_core.compiler.code.modules import Index
from zen_core.compiler.code.names import Names
from zen_core.compiler.code.statements import Decorator, Statement
from zen_core.contract.canonical import digest_bytes

MEMO_FILE = "code-index.txt"
"""How its modules are read, and a line for each: its name, its identity, and its top level as JSON, parted by tabs."""
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
        self._changed: dict[str, tuple[str, Index]] = {}

    def find(self, name: str, identity: str) -> Index | None:
        """The top level of a module; None if it is not known.

        Args:
            identity: digest of all that the answer depends on.
        """
        self._used[name] = None
        known, document = self._known.get(name, ("", ""))
        if known == identity:
            with contextlib.suppress(ValueError, TypeError, KeyError):  # damaged: it is read again
                return _from_json(json.loads(document))
        return None

    def keep(self, name: str, identity: str, index: Index) -> None:
        """Remember what was read of a module."""
        self._changed[name] = identity, index

    def save(self) -> None:
        """Keep what was read, where there is a place for it: the modules of this process, then those of others."""
        if not self._changed:
            return
        for name, (identity, index) in self._changed.items():
            self._known[name] = identity, json.dumps(_to_json(index))
        others = [name for name in self._known if name not in self._used]
        kept = {name: self._known[name] for name in [*self._used, *others][:_MOST_MODULES]}
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            lines = ("\t".join((name, *found)) for name, found in kept.items())
            temporary.write_text("\n".join((_format(), *lines)), encoding="utf-8")
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
    digest = digest_bytes(b"".join(path.read_bytes() for path in sources))
    return f"{zen_core.__version__} {digest} {' '.join(sys.version.split())}"


def _read(file: Path) -> dict[str, tuple[str, str]]:
    try:
        format_of_it, *lines = file.read_text(encoding="utf-8").split("\n")
        parts = [line.split("\t") for line in lines] if format_of_it == _format() else []
        return {name: (identity, document) for name, identity, document in parts}
    except (OSError, ValueError):
        return {}


def _to_json(index: Index) -> list[Any]:
    imports = [[name, list(targets)] for name, targets in index.imports.items()]
    return [[*map(_statement_to_json, index.statements)], imports, index.stars, index.bare]


def _from_json(document: list[Any]) -> Index:
    statements, imports, stars, bare = document
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
