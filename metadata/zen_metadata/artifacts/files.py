"""Source files: what a `File` input names, where it lies, and the digest of its content."""

from __future__ import annotations

import hashlib
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from zen_core.contract.canonical import DIGEST_PREFIX, digest_json
from zen_core.contract.settings import without_credentials
from zen_core.errors import MissingInputError, StoreError, ZenError
from zen_metadata.artifacts.filesystems import failure_of, is_local, local_part, open_filesystem

BLOCK_BYTES = 1 << 20
_AT_ONCE = 4
_COARSEST_TICK_NS = 2_000_000_000  # of FAT and of some network file systems
_ETAGS = ("ETag", "etag", "content_md5", "md5Hash", "generation", "hash")
T = TypeVar("T")
R = TypeVar("R")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or folder outside the store, as it stood when it was looked up.

    Attributes:
        reference: as the pipeline names it.
        url: the full address: a local path, or a URL.
        version: changes when the content may have changed: size, times and inode of a local file, size and ETag of a
            remote one. What cannot be told apart gets a version of its own each time.
        size_bytes: the content's size; a folder's is the sum of its files.
        is_settled: whether another change would give another version. A file system's clock ticks coarsely: within a
            tick, two contents of one size have the same times, so that a digest must not be remembered by them.
    """

    reference: str
    url: str
    version: str
    size_bytes: int
    is_settled: bool = field(default=True, compare=False)


def find_source(reference: str, data_root: str) -> SourceFile:
    """Look the file up. A relative reference resolves against `data_root`, a folder or URL.

    Raises:
        MissingInputError: there is no such file; says where it was looked for.
        StoreError: the place cannot be read.
    """
    url = _resolve(reference, data_root)
    if is_local(url):
        return _find_local(reference, local_part(url))
    return _find_remote(reference, url)


def digest_source(source: SourceFile) -> str:
    """The digest of the content: SHA-256 of a file's bytes; of a folder, over its names and files.

    Raises:
        MissingInputError: it is gone, or changed while it was read.
    """
    if is_local(source.url):
        path = Path(local_part(source.url))
        with _reading(source):
            digest = digest_folder(path) if path.is_dir() else digest_file(path)
    else:
        with _reading(source):
            digest = _digest_remote(source.url)
    check_unchanged(source)
    return digest


def open_locally(source: SourceFile, scratch: Path) -> Path:
    """The path of the content on this machine; a remote file or folder is downloaded below `scratch`.

    Raises:
        MissingInputError: it is gone, or changed while it was read.
    """
    if is_local(source.url):
        check_unchanged(source)  # its digest is in the key already
        return Path(local_part(source.url))
    folder = scratch / uuid.uuid4().hex[:12]
    target = folder / (source.url.rstrip("/").rpartition("/")[2] or "content")
    with _reading(source):
        folder.mkdir(parents=True)
        filesystem, path = open_filesystem(source.url)
        if filesystem.isdir(path):
            found = _remote_files(filesystem, path)
            for name, _ in found:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
            _side_by_side(lambda file: filesystem.get_file(file[1], str(target / file[0])), found)
        else:
            filesystem.get_file(path, str(target))
    check_unchanged(source)
    return target


def check_unchanged(source: SourceFile) -> None:
    """Raise MissingInputError where the content may be another one than when the file was looked up."""
    now = find_source(source.url, "")
    if now.version != source.version and not source.version.startswith("unknown-"):
        raise MissingInputError(
            f"the file {without_credentials(source.reference)!r} changed while it was being read",
            why="the step's inputs would not be those that its cache key tells of",
            hint="run again when whatever writes it is done",
        )


def digest_file(path: Path) -> str:
    """`sha256:` and the digest of a local file's bytes."""
    hasher = hashlib.sha256()
    for block in read_blocks(path):
        hasher.update(block)
    return DIGEST_PREFIX + hasher.hexdigest()


def digest_folder(path: Path) -> str:
    """The digest of a local folder: over the sorted relative names, whether each is executable, and its content."""
    found = list(iter_folder(path))
    digests = _side_by_side(lambda entry: "" if entry.is_dir() else digest_file(entry), [entry for _, entry in found])
    return combine_folder([(name, entry, digest) for (name, entry), digest in zip(found, digests, strict=True)])


def combine_folder(entries: Iterable[tuple[str, Path, str]]) -> str:
    """The digest of a local folder, from the relative name, path and digest of each file and empty folder in it."""
    described = []
    for name, entry, digest in entries:
        if entry.is_dir():
            described.append([name, "folder", ""])
        else:
            described.append([name, "executable" if entry.stat().st_mode & stat.S_IXUSR else "file", digest])
    return digest_json("folder", described)


def iter_folder(path: Path) -> Iterator[tuple[str, Path]]:
    """The files and empty folders below a folder, by sorted relative POSIX names. Links to files are followed.

    Raises:
        OSError: a link to a folder, or something that is neither file nor folder, such as a socket.
    """
    found: list[tuple[str, Path]] = []
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        for name in [*folders, *files]:
            entry = here / name
            mode = entry.stat().st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) or (stat.S_ISDIR(mode) and entry.is_symlink()):
                raise OSError(f"{entry.relative_to(path)} is neither a file nor a folder of its own")
        if here != path and not folders and not files:
            found.append((here.relative_to(path).as_posix(), here))
        found.extend(((here / name).relative_to(path).as_posix(), here / name) for name in files)
    return iter(sorted(found))


def read_blocks(path: Path) -> Iterator[memoryview]:
    """A file's bytes in pieces of a mebibyte, each valid until the next is asked for."""
    buffer = bytearray(BLOCK_BYTES)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            yield view[:count]


def _resolve(reference: str, data_root: str) -> str:
    if "://" in reference or os.path.isabs(reference):
        return reference
    if "://" in data_root:
        return f"{data_root.rstrip('/')}/{reference}"
    return os.path.abspath(os.path.join(os.path.expanduser(data_root or "."), reference))


def _missing(reference: str, url: str) -> MissingInputError:
    relative = "://" not in reference and not os.path.isabs(reference)
    looked = f"it was looked for at {without_credentials(url)}"
    return MissingInputError(
        f"there is no file {without_credentials(reference)!r}",
        why=f"{looked}; a relative name is taken from the data root" if relative else looked,
        hint="correct the name, or set data_root (ZEN_DATA_ROOT)" if relative else "correct the name",
    )


def _find_local(reference: str, path: str) -> SourceFile:
    try:
        if os.path.isdir(path):
            found = [(name, entry.stat()) for name, entry in iter_folder(Path(path))]
            version = digest_json("folder-version", [(name, _local_version(facts)) for name, facts in found])
            size = sum(facts.st_size for _, facts in found if stat.S_ISREG(facts.st_mode))
            return SourceFile(reference, path, version, size, all(_is_settled(facts) for _, facts in found))
        facts = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(reference, path) from error
    except OSError as error:
        raise _unreadable(reference, error) from error
    return SourceFile(reference, path, _local_version(facts), facts.st_size, _is_settled(facts))


def _local_version(facts: os.stat_result) -> str:
    # The time of the last change and the inode notice what a restored modification time would hide (`cp -p`, rsync).
    return f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"


def _is_settled(facts: os.stat_result) -> bool:
    return abs(time.time_ns() - facts.st_ctime_ns) > _COARSEST_TICK_NS


def _find_remote(reference: str, url: str) -> SourceFile:
    try:
        filesystem, path = open_filesystem(url)
        filesystem.invalidate_cache()
        facts = filesystem.info(path)
        if facts.get("type") == "directory":
            files = [(name, filesystem.info(full)) for name, full in _remote_files(filesystem, path)]
            entries = [[name, _remote_version(each)] for name, each in files]
            size = sum(int(each.get("size") or 0) for _, each in files)
            return SourceFile(reference, url, digest_json("folder-version", entries), size)
    except FileNotFoundError as error:
        raise _missing(reference, url) from error
    except Exception as error:
        raise _unreadable(reference, error) from error
    return SourceFile(reference, url, _remote_version(facts), int(facts.get("size") or 0))


def _remote_version(facts: Mapping[str, Any]) -> str:
    for key in (*_ETAGS, *_TIMES):
        if facts.get(key):
            return f"{facts.get('size')}-{facts[key]}"
    return f"unknown-{uuid.uuid4()}"


def _remote_files(filesystem: Any, path: str) -> list[tuple[str, str]]:
    """Relative name and full path of each file below a remote folder, sorted."""
    base = path.rstrip("/") + "/"
    return sorted((str(full).removeprefix(base), str(full)) for full in filesystem.find(path))


def _digest_remote(url: str) -> str:
    filesystem, path = open_filesystem(url)
    if filesystem.isdir(path):
        files = _remote_files(filesystem, path)
        digests = _side_by_side(lambda file: _digest_remote_file(filesystem, file[1]), files)
        return digest_json("folder", [[name, "file", digest] for (name, _), digest in zip(files, digests, strict=True)])
    return _digest_remote_file(filesystem, path)


def _side_by_side(action: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What an action answers for each; a few at once, since hashing and waiting for a network need not wait in turn."""
    if len(items) < 2:
        return [action(item) for item in items]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(action, items))


def _digest_remote_file(filesystem: Any, path: str) -> str:
    hasher = hashlib.sha256()
    with filesystem.open(path, "rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            hasher.update(block)
    return DIGEST_PREFIX + hasher.hexdigest()


def _unreadable(reference: str, error: BaseException) -> ZenError:
    return failure_of(error, f"read the file {without_credentials(reference)!r}")


class _reading:  # noqa: N801 - reads as a statement
    """Turns what goes wrong while a source is read into an error that names it."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, FileNotFoundError):
            raise _missing(self._source.reference, self._source.url) from error
        if isinstance(error, Exception) and not isinstance(error, StoreError):
            raise _unreadable(self._source.reference, error) from error
