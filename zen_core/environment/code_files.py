"""A digest of code that no version identifies: what lies in a folder, installed editable or found by a path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_CODE = (".py", ".pyx", ".so", ".pyd")
_READ_WHOLE_BYTES = 1_000_000
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


def digest_code(places: Iterable[Path], *, whole: Iterable[Path]) -> str:
    """The SHA-256, in hexadecimal, of names and contents: equal wherever the folders lie.

    Args:
        places: folders or files; code counts, and not what is hidden or in a virtual environment.
        whole: packages of which every file counts. Data of more than a megabyte counts by name and size.

    A file that cannot be read counts by its name.
    """
    packages = list(whole)
    state = hashlib.sha256()
    for place in places:
        for path in [place] if place.is_file() else sorted(_walk(place)):
            is_code = path.suffix in _CODE
            if not is_code and not any(path.is_relative_to(package) for package in packages):
                continue
            name = path.name if path == place else path.relative_to(place).as_posix()
            content = _content(path, is_code=is_code)
            state.update(b"%d:%s%d:" % (len(name.encode()), name.encode(), len(content)))
            state.update(content)
    return state.hexdigest()


def _content(path: Path, *, is_code: bool) -> bytes:
    try:
        size = path.stat().st_size
        return path.read_bytes() if is_code or size <= _READ_WHOLE_BYTES else b"%d bytes" % size
    except OSError:
        return b""


def _walk(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        yield from (Path(top, name) for name in files if not name.startswith(".") and not name.endswith(".pyc"))
