"""Where an artifact store keeps its bytes: a folder on this machine, or a URL that fsspec opens.

Both put a file at its final place in one move or not at all, and raise what the system raises; the store tells it in
words. Locations are relative POSIX paths that the store has checked.
"""

from __future__ import annotations

import io
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from zen_metadata.artifacts.filesystems import open_filesystem
from zen_metadata.artifacts.serializers import Chunk
from zen_metadata.artifacts.stored_files import (
    StoredFile,
    held,
    is_safe_for_long,
    of_remote,
    remove_local,
    remove_remote,
    walk_local,
)

TEMPORARY_FOLDER = "tmp"
_SMALL_BYTES = 8 << 20
_STORED_MODE = 0o444  # what is stored never changes: not even by accident


class Root(Protocol):
    """The bytes of a store, by location."""

    def size(self, location: str) -> int | None:
        """The size of what is stored there; None: nothing is."""

    def put(self, location: str, chunks: Iterable[Chunk], size_bytes: int, scratch: Path | None) -> None:
        """Write these bytes."""

    def put_file(self, location: str, path: Path) -> None:
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

    def touch(self, location: str) -> bool:
        """Say that what is there is in use again: nobody who cleans up may take it away before it is recorded.

        Answers whether it is there, and safe; else it has to be stored again.
        """

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

    def put(self, location: str, chunks: Iterable[Chunk], size_bytes: int, scratch: Path | None) -> None:
        """Write to the temporary folder, then move."""
        temporary = self._temporary_name()
        try:
            with open(self._create(temporary), "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
            self._publish(temporary, location)
        except BaseException:
            _unlink(temporary)
            raise

    def put_file(self, location: str, path: Path) -> None:
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
        _unlink(self.path(location))

    def move(self, location: str, new_location: str) -> None:
        """By one rename."""
        self._publish(self.path(location), new_location)

    def touch(self, location: str) -> bool:
        """Set the times to now, while nobody removes. Where that is not allowed, what is young is safe."""
        path = self.path(location)
        try:
            with held(os.path.dirname(path), exclusively=False):
                os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:  # somebody else's file; whoever may write beside it may also put another in its place
            return is_safe_for_long(os.stat(path).st_mtime) or not os.access(os.path.dirname(path), os.W_OK)
        return True

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


class RemoteRoot:
    """A URL. Object stores make an upload visible when it is complete; other places get a move at the end."""

    _ATOMIC_SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")

    def __init__(self, url: str) -> None:
        self._scheme = url.partition("://")[0]
        filesystem, path = open_filesystem(url)
        self._filesystem: Any = filesystem
        self._base: str = path.rstrip("/")

    def path(self, location: str) -> str:
        """The path within the file system."""
        return f"{self._base}/{location}"

    def size(self, location: str) -> int | None:
        """By one request, past any cache of listings."""
        self._filesystem.invalidate_cache()
        try:
            return int(self._filesystem.info(self.path(location))["size"])
        except FileNotFoundError:
            return None

    def put(self, location: str, chunks: Iterable[Chunk], size_bytes: int, scratch: Path | None) -> None:
        """Small bytes in one request; large ones by way of a file, so that a failure leaves nothing half uploaded.

        Without a scratch folder, bytes of any size in one request.
        """
        if scratch is None or size_bytes <= _SMALL_BYTES:
            data = b"".join(chunks)
            self._upload(location, lambda target: self._filesystem.pipe_file(target, data))
            return
        temporary = self.temporary_path(scratch, "")
        try:
            with temporary.open("wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
            self.put_file(location, temporary)
        finally:
            _unlink(str(temporary))

    def put_file(self, location: str, path: Path) -> None:
        """Upload, then remove the local file."""
        self._upload(location, lambda target: self._filesystem.put_file(str(path), target))
        path.unlink()

    def temporary_path(self, scratch: Path, extension: str) -> Path:
        """In the scratch folder."""
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch / f"upload-{uuid.uuid4().hex}{extension}"

    def open(self, location: str, size_bytes: int) -> BinaryIO:
        """Small bytes by one request, large ones as a stream over the network."""
        if size_bytes <= _SMALL_BYTES:
            return io.BytesIO(self._filesystem.cat_file(self.path(location)))
        stream: BinaryIO = self._filesystem.open(self.path(location), "rb")
        return stream

    def fetch(self, location: str, scratch: Path) -> Path:
        """A download in the scratch folder."""
        scratch.mkdir(parents=True, exist_ok=True)
        target = scratch / f"download-{uuid.uuid4().hex}-{location.rpartition('/')[2]}"
        self._filesystem.get_file(self.path(location), str(target))
        return target

    def list(self, prefix: str) -> list[str]:
        """By one listing."""
        self._filesystem.invalidate_cache()
        base = f"{self._base}/"
        try:
            found = self._filesystem.find(self.path(prefix) if prefix else self._base)
        except FileNotFoundError:
            return []
        return sorted(str(path)[str(path).index(base) + len(base) :] for path in found if base in str(path))

    def remove(self, location: str) -> None:
        """By one request."""
        try:
            self._filesystem.rm_file(self.path(location))
        except FileNotFoundError:
            return

    def move(self, location: str, new_location: str) -> None:
        """A move, which object stores make a copy and a removal."""
        self._filesystem.makedirs(self.path(new_location).rpartition("/")[0], exist_ok=True)
        self._filesystem.mv(self.path(location), self.path(new_location))

    def touch(self, location: str) -> bool:
        """Object stores keep no time of use: what was stored lately is safe, anything else is stored again."""
        self._filesystem.invalidate_cache()
        try:
            stored_at = of_remote(location, self._filesystem.info(self.path(location))).modified_at
        except FileNotFoundError:
            return False
        return stored_at is None or is_safe_for_long(stored_at, remote=True)

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """By one listing."""
        self._filesystem.invalidate_cache()
        base = f"{self._base}/"
        try:
            found = self._filesystem.find(self.path(prefix), detail=True)
        except FileNotFoundError:
            return
        for path, facts in found.items():
            if base in str(path):
                yield of_remote(str(path)[str(path).index(base) + len(base) :], facts)

    def remove_unchanged(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """After another listing, in as few requests as the storage takes."""
        now = {file.location: file for folder in {file.folder for file in files} for file in self.files(folder)}
        unchanged = [file for file in files if now.get(file.location) == file]
        remove_remote(self._filesystem, [self.path(file.location) for file in unchanged])
        return unchanged

    def _upload(self, location: str, upload: Any) -> None:
        target = self.path(location)
        if self._scheme in self._ATOMIC_SCHEMES:
            upload(target)
            return
        temporary = self.path(f"{TEMPORARY_FOLDER}/{uuid.uuid4().hex}")
        self._filesystem.makedirs(temporary.rpartition("/")[0], exist_ok=True)
        upload(temporary)
        self._filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._filesystem.mv(temporary, target)


def copy_privately(path: Path, folder: Path, name: str) -> Path:
    """A copy that its reader may change, under its own name in a folder of its own."""
    folder.mkdir(parents=True)
    plain = os.path.basename(name)
    target = folder / (plain if plain not in ("", ".", "..") else "content")
    shutil.copyfile(path, target)
    return target


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
