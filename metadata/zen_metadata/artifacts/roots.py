"""Where an artifact store keeps its bytes: what every such place does, and a folder on this machine.

Each puts a file at its final place in one move or not at all, and raises what the system raises; the store tells it in
words. Locations are relative POSIX paths that the store has checked.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from zen_metadata.artifacts.serializers import Chunk
from zen_metadata.artifacts.stored_files import (
    StoredFile,
    held,
    is_safe_for_long,
    remove_local,
    walk_local,
)

TEMPORARY_FOLDER = "tmp"
_STORED_MODE = 0o444  # what is stored never changes: not even by accident


Claim = Literal["kept", "old", "torn", "absent"]


class Root(Protocol):
    """The bytes of a store, by location."""

    def size(self, location: str) -> int | None:
        """The size of what is stored there; None: nothing is."""

    def claim(self, location: str, size_bytes: int | None = None) -> Claim:
        """Say that what is there is in use again, so that nobody who cleans up takes it away before it is recorded.

        "kept": it is there, and safe. "old": it is there, and has to be stored again. "torn": it has another size (an
        empty file, where no size is given). "absent": nothing is there.
        """

    def put(
        self, location: str, chunks: Iterable[Chunk], size_bytes: int, scratch: Path | None, *, replace: bool = True
    ) -> None:
        """Write these bytes. Unless they are to `replace` what is there, another writer's may stay."""

    def put_file(self, location: str, path: Path, *, replace: bool = True) -> None:
        """Take over a finished temporary file from `temporary_path`; it is gone afterwards."""

    def temporary_path(self, scratch: Path, extension: str) -> Path:
        """A path for a temporary file that `put_file` can take over."""

    def open(self, location: str, size_bytes: int) -> BinaryIO:
        """Open what is stored there, of about this size. Raises FileNotFoundError."""

    def fetch(self, location: str, scratch: Path) -> Path:
        """A local path of the bytes, which must not be changed. Raises FileNotFoundError."""

    def list(self, prefix: str) -> list[str]:
        """The locations below a folder, sorted; none where there is no such folder."""

    def remove(self, location: str) -> None:
        """Remove what is there, if anything is."""

    def move(self, location: str, new_location: str) -> None:
        """Move what is there."""

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """What lies below a folder, with size and time."""

    def remove_unchanged(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Remove those whose time is still the one given, and answer with them."""


class LocalRoot:
    """A folder.

    A file is written beside its place and moved there, so that a killed process leaves no torn file. It is not
    flushed to the disk: that would cost more than the rest of a small step, and what a power failure tears is found
    out by its digest on loading, and written anew by the next one who stores it.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._temporary = f"{folder}/{TEMPORARY_FOLDER}"

    def path(self, location: str) -> str:
        """The absolute path of a location."""
        return f"{self.folder}/{location}"

    def size(self, location: str) -> int | None:
        """By one `stat`."""
        try:
            return os.stat(self.path(location)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(
        self, location: str, chunks: Iterable[Chunk], size_bytes: int, scratch: Path | None, *, replace: bool = True
    ) -> None:
        """Write to the temporary folder, then move."""
        temporary = self._temporary_name()
        try:
            with open(self._create(temporary), "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
            self._publish(temporary, location)
        except BaseException:
            remove_if_there(temporary)
            raise

    def put_file(self, location: str, path: Path, *, replace: bool = True) -> None:
        """Move."""
        os.chmod(path, _STORED_MODE)
        self._publish(str(path), location)

    def temporary_path(self, scratch: Path, extension: str) -> Path:
        """In the root itself: a move between file systems would be a copy."""
        os.makedirs(self._temporary, exist_ok=True)
        return Path(self._temporary_name() + extension)

    def open(self, location: str, size_bytes: int) -> BinaryIO:
        """The file itself."""
        return open(self.path(location), "rb", buffering=0)

    def fetch(self, location: str, scratch: Path) -> Path:
        """The stored file itself."""
        return Path(self.path(location))

    def list(self, prefix: str) -> list[str]:
        """By walking the folder."""
        found: list[str] = []
        for folder, _, names in os.walk(self.path(prefix) if prefix else self.folder):
            below = os.path.relpath(folder, self.folder).replace(os.sep, "/")
            found.extend(name if below == "." else f"{below}/{name}" for name in names)
        return sorted(found)

    def remove(self, location: str) -> None:
        """By `unlink`."""
        remove_if_there(self.path(location))

    def move(self, location: str, new_location: str) -> None:
        """By one rename."""
        self._publish(self.path(location), new_location)

    def claim(self, location: str, size_bytes: int | None = None) -> Claim:
        """Set the times to now, while nobody removes. Where that is not allowed, what is young is safe."""
        path = self.path(location)
        if missing := what_is_missing(self.size(location), size_bytes):
            return missing
        try:
            with held(os.path.dirname(path), exclusively=False):
                os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except PermissionError:  # somebody else's file; whoever may write beside it may also put another in its place
            is_safe = is_safe_for_long(os.stat(path).st_mtime) or not os.access(os.path.dirname(path), os.W_OK)
            return "kept" if is_safe else "old"
        return "kept"

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """By walking the folder."""
        return walk_local(self.folder, prefix)

    def remove_unchanged(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Folder by folder, while nobody says that something there is in use again."""
        return remove_local(self.folder, files)

    def _temporary_name(self) -> str:
        return f"{self._temporary}/{os.getpid()}-{os.urandom(8).hex()}"

    def _create(self, path: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            return os.open(path, flags, _STORED_MODE)
        except FileNotFoundError:
            os.makedirs(self._temporary, exist_ok=True)
            return os.open(path, flags, _STORED_MODE)

    def _publish(self, path: str, location: str) -> None:
        target = self.path(location)
        folder = os.path.dirname(target)
        try:
            with held(folder, exclusively=False):
                os.replace(path, target)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            with held(folder, exclusively=False):
                os.replace(path, target)


def what_is_missing(found: int | None, size_bytes: int | None) -> Literal["torn", "absent"] | None:
    """What `claim` answers to the size that was found, unless that is the right one."""
    if found is None:
        return "absent"
    return None if found == size_bytes or (found and size_bytes is None) else "torn"


def privately(path: Path, folder: Path, name: str, *, move: bool) -> Path:
    """A file that its reader may change, under its own name in a folder of its own: a copy, or the file itself."""
    folder.mkdir(parents=True)
    plain = os.path.basename(name)
    target = folder / (plain if plain not in ("", ".", "..") else "content")
    if move:
        path.rename(target)
    else:
        shutil.copyfile(path, target)
    return target


def remove_if_there(path: str) -> None:
    """Remove a local file."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
