"""Bytecode that Python kept of a text which its file does not hold any more.

Python compares a file's size and the whole second of its time with what it noted in `__pycache__`. An edit of the same
size within the same second as the one before it runs as the text before: what is read is not what is executed. Of two
such files the times to the nanosecond still say which was written last.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import cache_from_source, source_from_cache
from pathlib import Path
from typing import TYPE_CHECKING

from zen_core.codegen.import_roots import is_installed

if TYPE_CHECKING:
    from _typeshed.importlib import PathEntryFinderProtocol

_HEADER = 16
_BY_TIME = b"\0\0\0\0"


def stale_bytecode(source: str) -> Path | None:
    """The file in `__pycache__` that Python executes for a source file although it is older, if there is one."""
    try:
        path = Path(cache_from_source(source))
        with path.open("rb") as file:
            header = file.read(_HEADER)
        written, kept = Path(source).stat(), path.stat()
    except (OSError, NotImplementedError):
        return None
    flags, second, size = header[4:8], header[8:12], header[12:16]
    is_used = flags == _BY_TIME and (second, size) == (_word(written.st_mtime), _word(written.st_size))
    return path if is_used and kept.st_mtime_ns <= written.st_mtime_ns else None


def is_checked(loader: object) -> bool:
    """Whether a module was loaded without stale bytecode for certain."""
    return isinstance(loader, _CheckedLoader)


def check_bytecode_below(folders: Iterable[Path]) -> None:
    """From now on, modules in these folders are not imported from stale bytecode by this process."""
    new = {str(folder) for folder in folders} - _checked
    if not new:
        return
    _checked.update(new)
    if _hook not in sys.path_hooks:
        sys.path_hooks.insert(0, _hook)
    for entry in [*sys.path_importer_cache]:
        if _is_checked_folder(entry):
            sys.path_importer_cache.pop(entry, None)


class _CheckedLoader(SourceFileLoader):
    def get_data(self, path: str) -> bytes:
        if path.endswith(".pyc") and stale_bytecode(source_from_cache(path)):
            with suppress(OSError):
                Path(path).unlink()
            raise OSError(f"{path} is older than its source")  # the source is compiled instead
        return super().get_data(path)


_checked: set[str] = set()
_find = FileFinder.path_hook(
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (_CheckedLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)


def _hook(entry: str) -> PathEntryFinderProtocol:
    if not _is_checked_folder(entry):
        raise ImportError(f"{entry} is not the project's", path=entry)
    return _find(entry)


def _is_checked_folder(entry: str) -> bool:
    path = Path(entry)
    return any(path.is_relative_to(folder) for folder in _checked) and not is_installed(path)


def _word(number: float) -> bytes:
    return (int(number) & 0xFFFFFFFF).to_bytes(4, "little")
