"""The files of an artifact store as whoever cleans up sees them: sizes, times, and removal that no writer loses by.

Storing content that is there already makes no new bytes, only a new time. Between the look at a file's time and its
removal somebody may do just that; so on this machine both happen while the file's folder is locked, and in an object
store, which knows no locks, what could be removed and what is still relied on lie far apart in age.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

LOCAL_GRACE_SECONDS = 24 * 3600.0
"""How long a file stays that nothing refers to: what refers to it may still be on its way."""
REMOTE_GRACE_SECONDS = 14 * LOCAL_GRACE_SECONDS
"""The same in an object store, for all files: they tell when they were stored, not when they were last relied on."""
_HELD_FILES = 256
_RELIED_ON = 0.5
"""The part of that time during which content that is there already need not be stored again."""
_TIMES = ("LastModified", "last_modified", "updated", "modified", "mtime", "created")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a store.

    Attributes:
        modified_at: when it was stored, or said to be in use again, in seconds since 1970 by the storage's clock; None
            where the storage does not tell.
    """

    location: str
    size_bytes: int
    modified_at: float | None

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return self.location.rpartition("/")[0]


def is_safe_for_long(modified_at: float, *, remote: bool = False) -> bool:
    """Whether a file that cannot be said to be in use is so young that nobody removes it for long."""
    grace = REMOTE_GRACE_SECONDS if remote else LOCAL_GRACE_SECONDS
    return time.time() - modified_at < grace * _RELIED_ON


def period() -> int:
    """The number of the present stretch of time in which content of an object store is relied on."""
    return int(time.time() // (REMOTE_GRACE_SECONDS * _RELIED_ON))


@contextmanager
def held(folder: str, *, exclusively: bool) -> Iterator[None]:
    """Lock a local folder between those who remove from it and those who say that something in it is in use.

    File systems without locks are taken as they are. Raises FileNotFoundError where there is no such folder.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where no pipeline runs
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH)
        except OSError:  # NFS locks no folder
            yield
        else:
            yield
    finally:
        os.close(handle)


def walk_local(root: str, prefix: str) -> Iterator[StoredFile]:
    """The files below a folder. What vanishes meanwhile is left out."""
    for folder, _, names in os.walk(f"{root}/{prefix}"):
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in names:
            try:
                facts = os.stat(f"{folder}/{name}")
            except FileNotFoundError:
                continue
            yield StoredFile(f"{below}/{name}", facts.st_size, facts.st_mtime)


def remove_local(root: str, files: Sequence[StoredFile]) -> list[StoredFile]:
    """Remove the files whose time is still the same; answer with those that this process removed."""
    removed = []
    for folder, found in groupby(sorted(files, key=lambda file: file.location), key=lambda file: file.folder):
        group = list(found)
        for start in range(0, len(group), _HELD_FILES):  # a writer waits for a few milliseconds
            try:
                with held(f"{root}/{folder}", exclusively=True):
                    batch = group[start : start + _HELD_FILES]
                    removed += [file for file in batch if _remove_unchanged(f"{root}/{file.location}", file)]
            except FileNotFoundError:
                break
    return removed


def _remove_unchanged(path: str, file: StoredFile) -> bool:
    try:
        if os.stat(path).st_mtime != file.modified_at:
            return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def of_remote(location: str, facts: Mapping[str, Any]) -> StoredFile:
    """A file, from what fsspec tells of it."""
    told = next((facts[key] for key in _TIMES if facts.get(key)), None)
    return StoredFile(location, int(facts.get("size") or 0), _seconds(told))


def _seconds(told: Any) -> float | None:
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told)
        except ValueError:
            return None
    if isinstance(told, datetime):
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return float(told) if isinstance(told, (int, float)) else None


def remove_remote(filesystem: Any, paths: Sequence[str]) -> None:
    """Remove files; those that somebody else removed meanwhile do not matter."""
    if not paths:
        return
    try:
        filesystem.rm(list(paths))
    except FileNotFoundError:
        for path in paths:
            try:
                filesystem.rm_file(path)
            except FileNotFoundError:
                continue
