"""What was read of the project's modules, kept from process to process: nothing is parsed again that did not change."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cache
from pathlib import Path

import zen_core
from zen_core.compiler.code.index_text import from_text, to_text
from zen_core.compiler.code.modules import Index
from zen_core.compiler.code.read_ahead import ReadAhead, Unread, may_read_ahead
from zen_core.contract.canonical import digest_bytes

MEMO_FILE = "code-index.txt"
"""How its modules are read, and a line for each: its name, its identity, and its top level as JSON, parted by tabs."""
_MOST_MODULES = 5_000
"""Those that are long gone make room for others."""
_WORTHWHILE = 600_000
"""Characters: to read so many takes about twice as long as another process needs to begin."""


class IndexMemo:
    """What was read of the top levels of modules, by name, each valid for one text.

    Args:
        file: where they are kept. One that cannot be read or written is no error: it only saves time.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._used: dict[str, None] = {}
        self._read_here: dict[str, tuple[str, Index]] = {}
        self._is_changed = False
        self._unread: dict[str, Unread] = {}
        self._unread_size = 0
        self._ahead: ReadAhead | None = None

    def find(self, name: str, identity: str) -> Index | None:
        """The top level of a module; None if it is not known.

        Args:
            identity: digest of all that the answer depends on.
        """
        self._used[name] = None
        self._unread.pop(name, None)
        answer = self._ahead.take(name) if self._ahead is not None else None
        if answer is not None:
            self._known[name] = answer
            self._is_changed = True
        known, document = self._known.get(name, ("", ""))
        if known == identity:
            with contextlib.suppress(ValueError, TypeError, KeyError):  # damaged: it is read again
                return from_text(document)
        return None

    def keep(self, name: str, identity: str, index: Index) -> None:
        """Remember what was read of a module."""
        self._read_here[name] = identity, index
        self._is_changed = True

    def offer(self, module: Unread) -> None:
        """Say that a module may be asked for. Where many are unknown, another process begins to read them.

        It ends with `stop_reading_ahead`.
        """
        if module.name in self._known:  # maybe another text of it; of few modules
            return
        if self._ahead is not None:
            self._ahead.add([module])
            return
        self._unread[module.name] = module
        self._unread_size += module.size
        if self._unread_size >= _WORTHWHILE and may_read_ahead():
            with contextlib.suppress(OSError):
                self._ahead = ReadAhead(self._unread.values())
            self._forget_unread()

    def stop_reading_ahead(self) -> None:
        """Whatever is asked for from now on is read by this process."""
        self._forget_unread()
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _forget_unread(self) -> None:
        self._unread.clear()
        self._unread_size = 0

    def save(self) -> None:
        """Keep what was read, where there is a place for it: the modules of this process, then those of others."""
        if not self._is_changed:
            return
        for name, (identity, index) in self._read_here.items():
            self._known[name] = identity, to_text(index)
        self._read_here.clear()
        used = [name for name in self._used if name in self._known]  # not those that cannot be parsed
        others = [name for name in self._known if name not in self._used]
        kept = {name: self._known[name] for name in [*used, *others][:_MOST_MODULES]}
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            lines = ("\t".join((name, *found)) for name, found in kept.items())
            temporary.write_text("\n".join((_format(), *lines)), encoding="utf-8")
            temporary.replace(self._file)
            self._is_changed = False


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
