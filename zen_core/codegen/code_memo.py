"""What is known of the project's files already, so that a run reads and parses only those that changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zen_core.codegen.import_roots import imported_names

MEMO_FILE = "code-memo.json"
_FORMAT = 1
_LINE_BYTES = 300
_SETTLED_NS = 2_000_000_000
"""A file that was changed so lately may change again within the same tick of its clock: nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The SHA-256 of a file's content, its size, and its first line (of a long one, the beginning)."""

    sha256: str
    size_bytes: int
    first_line: str


class CodeMemo:
    """Facts about files by path, valid while size, times and inode are what they were.

    Args:
        file: where they are kept from process to process; None: for this one alone. A file that cannot be read or
            written is no error: it only saves time.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, dict[str, Any]] = _read(file)
        self._changed = False

    def facts(self, path: Path) -> FileFacts:
        """What is known of a file. Raises OSError where it cannot be read."""
        entry = self._entry(path)
        if "sha256" not in entry:
            content = path.read_bytes()
            entry["sha256"], entry["size"] = hashlib.sha256(content).hexdigest(), len(content)
            entry["first_line"] = content[:_LINE_BYTES].partition(b"\n")[0].decode("latin-1")
        return FileFacts(entry["sha256"], entry["size"], entry["first_line"])

    def imports(self, path: Path, package: str) -> tuple[str, ...]:
        """Every name that a module of this package may import; none where it cannot be read or parsed."""
        try:
            entry = self._entry(path)
        except OSError:
            return ()
        if "imports" not in entry or entry["package"] != package:
            entry["package"], entry["imports"] = package, sorted(set(imported_names(path, package)))
        return tuple(entry["imports"])

    def save(self) -> None:
        """Keep what was found out, where there is a place for it."""
        if self._file is None or not self._changed:
            return
        settled = {path: entry for path, entry in self._known.items() if _is_settled(entry)}
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps({"format": _FORMAT, "files": settled}), encoding="utf-8")
            temporary.replace(self._file)
            self._changed = False

    def _entry(self, path: Path) -> dict[str, Any]:
        facts = path.stat()
        # The time of the last change and the inode notice what a restored modification time would hide.
        version = f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"
        entry = self._known.get(str(path))
        if entry is not None and entry["version"] == version and _is_settled(entry):
            return entry
        self._changed = True
        changed_ns = max(facts.st_mtime_ns, facts.st_ctime_ns)
        entry = self._known[str(path)] = {"version": version, "changed_ns": changed_ns, "seen_ns": time.time_ns()}
        return entry


@cache
def memo_in(folder: Path) -> CodeMemo:
    """The memory that lies in a project's state folder, read once per process."""
    return CodeMemo(folder / MEMO_FILE)


def _is_settled(entry: dict[str, Any]) -> bool:
    """Whether the file had been left alone for a while when it was read. A clock that jumped back says no."""
    return bool(entry["seen_ns"] - entry["changed_ns"] > _SETTLED_NS)


def _read(file: Path | None) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(file.read_text(encoding="utf-8")) if file is not None else {}
        return dict(document["files"]) if document.get("format") == _FORMAT else {}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}
