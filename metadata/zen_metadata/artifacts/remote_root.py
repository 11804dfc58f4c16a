"""A URL where an artifact store keeps its bytes: an object store, or whatever else fsspec opens.

Transient answers are tried again by the drivers, a bounded number of times and with pauses: botocore's every request,
s3fs what breaks off in the middle of an answer. What is left then is raised, and the orchestrator's retry decides.
"""

from __future__ import annotations

import inspect
import io
import math
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from zen_metadata.artifacts.filesystems import (
    PARALLEL_REQUESTS,
    TRANSFER_BLOCK_BYTES,
    code_of,
    is_bucket_missing,
    open_filesystem,
)
from zen_metadata.artifacts.roots import TEMPORARY_FOLDER, Claim, remove_if_there, what_is_missing
from zen_metadata.artifacts.serializers import Chunk
from zen_metadata.artifacts.stored_files import StoredFile, is_safe_for_long, of_remote, remove_remote

_SMALL_BYTES = TRANSFER_BLOCK_BYTES
_MOST_PARTS = 10_000  # of an upload, in S3
_ATOMIC_SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")
_REFUSED_CONDITIONS = ("ConditionalRequestConflict", "NotImplemented", "501")


class RemoteRoot:
    """A URL. Object stores make an upload visible when it is complete; other places get a move at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_atomic = url.partition("://")[0] in _ATOMIC_SCHEMES
        filesystem, path = open_filesystem(url)
        self._opened: tuple[int, Any] = (os.getpid(), filesystem)
        self._base: str = path.rstrip("/")

    @property
    def _filesystem(self) -> Any:
        """The file system of this process: connections, and the thread that drives them, do not survive a fork."""
        process, filesystem = self._opened
        if process != os.getpid():
            filesystem, _ = open_filesystem(self._url)
            self._opened = (os.getpid(), filesystem)
        return filesystem

    def path(self, location: str) -> str:
        """The path within the file system."""
        return f"{self._base}/{location}"

    def size(self, location: str) -> int | None:
        """By one request, past any cache of listings."""
        facts = self._facts(location)
        return None if facts is None else facts.size_bytes

    def claim(self, location: str, size_bytes: int | None = None) -> Claim:
        """Object stores keep no time of use: what was stored lately is safe, anything else is stored again."""
        found = self._facts(location)
        if found is None:
            return "absent"
        if missing := what_is_missing(found.size_bytes, size_bytes):
            return missing
        is_safe = found.modified_at is None or is_safe_for_long(found.modified_at, remote=True)
        return "kept" if is_safe else "old"

    def put(
        self, location: str, chunks: Iterable[Chunk], size_bytes: int, scratch: Path | None, *, replace: bool = True
    ) -> None:
        """Small bytes in one request; large ones by way of a file, so that a failure leaves nothing half uploaded.

        Without a scratch folder, bytes of any size from memory.
        """
        if scratch is None or size_bytes <= _SMALL_BYTES:
            data = b"".join(bytes(chunk) for chunk in chunks)  # each is valid until the next is asked for
            self._upload(location, size_bytes, self._filesystem.pipe_file, data, replace=replace)
            return
        temporary = self.temporary_path(scratch, "")
        try:
            with temporary.open("wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
            self.put_file(location, temporary, replace=replace)
        finally:
            remove_if_there(str(temporary))

    def put_file(self, location: str, path: Path, *, replace: bool = True) -> None:
        """Upload, large files in several parts at once, then remove the local file."""
        size = path.stat().st_size
        self._upload(location, size, self._put_path, str(path), replace=replace)
        path.unlink()

    def temporary_path(self, scratch: Path, extension: str) -> Path:
        """In the scratch folder."""
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch / f"upload-{uuid.uuid4().hex}{extension}"

    def open(self, location: str, size_bytes: int) -> BinaryIO:
        """Small bytes by one request, large ones by several at once, a few blocks ahead of the reader."""
        path = self.path(location)
        if size_bytes <= _SMALL_BYTES:
            return io.BytesIO(self._read_all(path))
        self._filesystem.invalidate_cache()
        size = int(self._filesystem.info(path)["size"])
        stream: BinaryIO = io.BufferedReader(_Ranges(self._filesystem, path, size), 1 << 20)
        return stream

    def fetch(self, location: str, scratch: Path) -> Path:
        """A download in the scratch folder."""
        scratch.mkdir(parents=True, exist_ok=True)
        target = scratch / f"download-{uuid.uuid4().hex}-{location.rpartition('/')[2]}"
        self._filesystem.get_file(self.path(location), str(target))
        return target

    def list(self, prefix: str) -> list[str]:
        """By one listing."""
        return sorted(file.location for file in self.files(prefix))

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

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """By one listing."""
        self._filesystem.invalidate_cache()
        base = f"{self._base}/"
        try:
            found = self._filesystem.find(self.path(prefix) if prefix else self._base, detail=True)
        except FileNotFoundError as error:
            if is_bucket_missing(error):
                raise
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

    def _facts(self, location: str) -> StoredFile | None:
        """What the storage tells of a file, by one request."""
        self._filesystem.invalidate_cache()
        path = self.path(location)
        try:
            return of_remote(location, self._filesystem.info(path))
        except FileNotFoundError as error:
            if is_bucket_missing(error):
                raise
            return None
        except OSError as error:
            # S3 refuses a question for facts by a number, and one for bytes by words that say why.
            if code_of(error).startswith(("3", "4")):
                self._filesystem.cat_file(path, start=0, end=1)
            raise

    def _read_all(self, path: str) -> bytes:
        """By one request: "from the start" keeps drivers from asking for the size first."""
        try:
            return bytes(self._filesystem.cat_file(path, start=0))
        except OSError as error:
            if code_of(error) not in ("InvalidRange", "416"):
                raise
            return b""  # an empty object has no start

    def _upload(
        self, location: str, size_bytes: int, upload: Callable[..., Any], source: str | bytes, *, replace: bool
    ) -> None:
        target = self.path(location)
        if not self._is_atomic:
            temporary = self.path(f"{TEMPORARY_FOLDER}/{uuid.uuid4().hex}")
            self._filesystem.makedirs(temporary.rpartition("/")[0], exist_ok=True)
            upload(temporary, source)
            self._filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._filesystem.mv(temporary, target)
            return
        try:
            if replace or not self._can_create:
                upload(target, source)
            else:
                self._create(target, upload, source)
        except FileNotFoundError:
            # An upload in parts whose last answer was lost is over when it is asked for again.
            if self.size(location) != size_bytes:
                raise

    def _create(self, target: str, upload: Callable[..., Any], source: str | bytes) -> None:
        """Upload on the condition that nothing is there; where something is, another writer of it was quicker."""
        try:
            upload(target, source, mode="create")
        except FileExistsError:
            return
        except OSError as error:
            if code_of(error) == "PreconditionFailed":
                return
            if code_of(error) not in _REFUSED_CONDITIONS:
                raise
            # The store knows no conditions, or two writers met. The bytes are the same, and come in one piece.
            upload(target, source)

    @property
    def _can_create(self) -> bool:
        """Whether the driver can make a write conditional."""
        return "mode" in inspect.signature(self._filesystem.put_file).parameters

    def _put_path(self, target: str, path: str, **options: Any) -> None:
        """`put_file` of the driver, in parts that it holds in memory only a few of."""
        if "chunksize" in inspect.signature(self._filesystem.put_file).parameters:
            least = math.ceil(os.path.getsize(path) / _MOST_PARTS)
            options["chunksize"] = max(TRANSFER_BLOCK_BYTES, math.ceil(least / (1 << 20)) << 20)
        self._filesystem.put_file(path, target, **options)


class _Ranges(io.RawIOBase):
    """An object of known size, read in order by several requests at once."""

    def __init__(self, filesystem: Any, path: str, size_bytes: int) -> None:
        self._filesystem = filesystem
        self._path = path
        self._size = size_bytes
        self._next = 0
        self._blocks: list[memoryview] = []

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes of the first block that is at hand; none where the object ends."""
        if not self._blocks:
            self._blocks = self._fetch()
        if not self._blocks:
            return 0
        block, view = self._blocks[0], memoryview(buffer).cast("B")
        count = min(len(block), len(view))
        view[:count] = block[:count]
        self._blocks[0] = block[count:]
        if count == len(block):
            del self._blocks[0]
        return count

    def _fetch(self) -> list[memoryview]:
        end = min(self._size, self._next + PARALLEL_REQUESTS * TRANSFER_BLOCK_BYTES)
        starts = list(range(self._next, end, TRANSFER_BLOCK_BYTES))
        ends = [min(start + TRANSFER_BLOCK_BYTES, end) for start in starts]
        self._next = end
        found = self._filesystem.cat_ranges([self._path] * len(starts), starts, ends, on_error="raise")
        return [memoryview(block) for block in found if block]
