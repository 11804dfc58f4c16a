"""Files and folders that a step returns: their content is stored, and handed out as a private copy."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import stat
import tarfile
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

from zen_core.contract.canonical import DIGEST_PREFIX
from zen_core.contract.files import File
from zen_core.errors import OutputError
from zen_metadata.artifacts.files import combine_folder, digest_folder, iter_folder, read_blocks
from zen_metadata.artifacts.serializers import Chunk, DeclinedError, Encoding

_TAR_END_BYTES = 2 * tarfile.BLOCKSIZE
_WORTH_A_THREAD_BYTES = 128 << 10


class FileSerializer:
    """One file, byte for byte: its digest is that of its content, the same as a source file's."""

    name = "file"
    version = 1
    extension = ""
    keeps_path = True

    def handles(self, value: object) -> bool:
        """Whether it names a file."""
        return isinstance(value, (File, pathlib.Path))

    def encode(self, value: File | Path) -> Encoding:
        """The file's bytes. Raises OutputError when there is no such file."""
        path = _existing_path(value)
        return Encoding(_FileBytes(path), _path_metadata(value, path))

    def dump(self, value: File | Path, path: Path) -> Mapping[str, Any]:
        """Copy the file."""
        source = _existing_path(value)
        shutil.copyfile(source, path)
        return _path_metadata(value, source)

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """The path itself, as File or Path."""
        return _as_declared(path, metadata, into)

    def digest(self, value: File | Path, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """Of the bytes; the name does not count."""
        return stored_digest


class FolderSerializer:
    """A folder, as an uncompressed tar without times, owners and other traces of the machine."""

    name = "folder"
    version = 1
    extension = ".tar"
    keeps_path = True

    def handles(self, value: object) -> bool:
        """Whether it names a folder."""
        return isinstance(value, (File, pathlib.Path)) and os.path.isdir(value)

    def encode(self, value: File | Path) -> Encoding:
        """The tar's bytes. Raises DeclinedError for a file."""
        if not self.handles(value):
            raise DeclinedError("it is no folder")
        path = Path(value)
        content = _TarBytes(path)
        names = list(content.facts)
        metadata = {**_path_metadata(value, path), "files": len(names), "names": names[:100]}
        return Encoding(content, metadata, content.folder_digest)

    def dump(self, value: File | Path, path: Path) -> Mapping[str, Any]:
        """Write the tar."""
        encoding = self.encode(value)
        with path.open("wb") as stream:
            for chunk in encoding.chunks:
                stream.write(chunk)
        return encoding.metadata

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Unpack beside the tar, which is a private copy, and remove it."""
        packed = path.with_name(f"{path.name}.packed")
        path.rename(packed)
        with tarfile.open(packed, "r:") as archive:
            archive.extractall(path, filter="data")
        packed.unlink()
        return _as_declared(path, metadata, into)

    def digest(self, value: File | Path, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """Over names and contents, the same as a source folder's."""
        return digest_folder(Path(value))


class _FileBytes:
    """The bytes of a file, which must not change between two iterations."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts = _facts_of(path)

    def __iter__(self) -> Iterator[Chunk]:
        yield from read_blocks(self._path)
        if _facts_of(self._path) != self._facts:
            raise _changed(self._path)


class _TarBytes:
    """The bytes of a tar of a folder, which must not change between two iterations; made as they are asked for.

    The first iteration also takes the folder's own digest, which is over each file for itself. A second thread does it
    while whoever iterates hashes the tar, so that each block is read once and hashed on two cores.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.facts = {name: _facts_of(path) for name, path in iter_folder(folder)}
        self._digest = ""

    def folder_digest(self) -> str:
        """The same as `digest_folder`; known when the bytes have been iterated."""
        return self._digest

    def __iter__(self) -> Iterator[Chunk]:
        entries: list[tuple[str, Path, str]] = []
        with ThreadPoolExecutor(1) as helper:
            for name, path in iter_folder(self._folder):
                header = tarfile.TarInfo(name)
                if path.is_dir():
                    header.type, header.mode = tarfile.DIRTYPE, 0o755
                    yield header.tobuf(tarfile.PAX_FORMAT)
                    entries.append((name, path, ""))
                    continue
                facts = path.stat()
                header.size = facts.st_size
                header.mode = 0o755 if facts.st_mode & stat.S_IXUSR else 0o644
                yield header.tobuf(tarfile.PAX_FORMAT)
                hasher = hashlib.sha256()
                yield from _FileBytes(path) if self._digest else _hashed(_FileBytes(path), hasher, helper)
                entries.append((name, path, DIGEST_PREFIX + hasher.hexdigest()))
                yield bytes(-facts.st_size % tarfile.BLOCKSIZE)
        if {name: _facts_of(path) for name, path in iter_folder(self._folder)} != self.facts:
            raise _changed(self._folder)
        self._digest = self._digest or combine_folder(entries)
        yield bytes(_TAR_END_BYTES)


def _hashed(blocks: Iterable[Chunk], hasher: hashlib._Hash, helper: ThreadPoolExecutor) -> Iterator[Chunk]:
    """The blocks, while another thread hashes large ones."""
    for block in blocks:
        if len(block) < _WORTH_A_THREAD_BYTES:
            hasher.update(block)
            yield block
        else:
            hashing = helper.submit(hasher.update, block)
            yield block
            hashing.result()  # the next block may come in the same memory


def _facts_of(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


def _changed(path: Path) -> OutputError:
    return OutputError(
        f"the {'folder' if path.is_dir() else 'file'} {path.name!r} changed while it was being stored",
        hint="return it when whatever writes it is done",
    )


def _existing_path(value: File | Path) -> Path:
    path = Path(value)
    if path.is_file():
        return path
    shown = value.reference if isinstance(value, File) else str(value)
    if "://" in shown:
        raise OutputError(
            f"the step returned {type(value).__name__}({shown!r}), which is not on this machine",
            hint="return its address as text, or download it first",
        )
    raise OutputError(
        f"the step returned {type(value).__name__}({shown!r}), but there is no such file",
        why=f"it was looked for at {path.absolute()}",
        hint="write the file before returning it (current().scratch is a folder for it); "
        "to hand over only a name, return text",
    )


def _path_metadata(value: File | Path, path: Path) -> dict[str, Any]:
    return {"file_name": path.absolute().name, "returned": "File" if isinstance(value, File) else "Path"}


def _as_declared(path: Path, metadata: Mapping[str, Any], into: Any) -> File | Path:
    for kind in _members(into):
        if kind is File:
            return File(metadata["file_name"], local_path=str(path))
        if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
            return path
    if metadata["returned"] == "Path":
        return path
    return File(metadata["file_name"], local_path=str(path))


def _members(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation: `File | None` is File and None."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation
