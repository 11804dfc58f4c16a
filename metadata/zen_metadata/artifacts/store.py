"""The artifact store: values in, content-addressed bytes out, and back with their digest checked.

The address of an artifact is the digest of its bytes, so the same content is stored once, concurrent writers of it
need no agreement, and what is loaded is what was stored: the bytes are hashed before anything reads them.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.contract.canonical import DIGEST_PREFIX
from zen_core.contract.refs import NO_VALUE
from zen_core.contract.settings import without_credentials
from zen_core.contract.values import digest_value_json
from zen_core.errors import ArtifactIntegrityError, ArtifactMissingError, OutputError, StoreError, ZenError
from zen_metadata.artifacts.class_code import digest_with_class
from zen_metadata.artifacts.damage import ArtifactState, find_state, set_aside, was_set_aside
from zen_metadata.artifacts.failures import (
    MAKE_AGAIN,
    check_not_deleted,
    describe,
    not_storable,
    pickle_load_refused,
    pickle_refused,
    reading,
    tell_doubt,
    writing,
)
from zen_metadata.artifacts.filesystems import failure_of, is_local, local_part
from zen_metadata.artifacts.roots import LocalRoot, RemoteRoot, Root, copy_privately
from zen_metadata.artifacts.serializers import (
    LAST_RESORT,
    DeclinedError,
    Encoding,
    Serializer,
    candidates,
    find_serializer,
    foreign_metadata,
)
from zen_metadata.artifacts.stored_files import StoredFile, period
from zen_metadata.artifacts.type_names import type_name

if TYPE_CHECKING:
    from zen_metadata.lineage.records import ArtifactRecord

OBJECTS_FOLDER = "objects"
_EMPTY_HEX = hashlib.sha256(b"").hexdigest()
_BLOCK_BYTES = 1 << 20

logger = logging.getLogger("zen")


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """What is known of a value once it is stored.

    Attributes:
        digest: of the value; equal for equal values, in any process and on any machine.
        stored_digest: of the bytes; what the address and the integrity check use.
        type: the value's type, as people write it.
        location: the path below the store's root.
        inline_value: the value in JSON form, when it is a scalar under 1 kB (then `has_inline_value` is set).
        metadata: what the serializer needs to load it, and facts for people such as a shape.
    """

    digest: str
    stored_digest: str
    type: str
    serializer: str
    serializer_version: int
    location: str
    size_bytes: int
    has_inline_value: bool = False
    inline_value: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class ArtifactStore:
    """Content-addressed artifacts below one root. Safe to share between threads; cheap to make.

    Args:
        url: a path, or a URL that fsspec opens (`s3://bucket/zen`, `gcs://…`, `memory://…`).
        allow_pickle: whether values may be stored and read by a serializer that can run code on loading.

    Raises:
        StoreError: the URL's scheme is unknown, or its driver is not installed.
    """

    def __init__(self, url: str, *, allow_pickle: bool = True) -> None:
        self.is_local = is_local(url)
        self.url = local_part(url) if self.is_local else url.rstrip("/")
        self._allow_pickle = allow_pickle
        self._root: Root = LocalRoot(self.url) if self.is_local else RemoteRoot(self.url)
        self._announced: set[tuple[str, str]] = set()

    # -- values --------------------------------------------------------------------------------------------------

    def save(self, value: object, *, scratch: Path, where: str = "") -> StoredArtifact:
        """Store a value, once per content; None is a value.

        Args:
            value: anything that a serializer takes.
            scratch: a folder for temporary files, made when it is needed.
            where: names step and output in messages.

        Raises:
            OutputError: the value cannot be stored, or only as a pickle and pickles are not allowed.
            StoreError: the store refuses; StoreUnavailableError: it cannot be reached, or is full.
        """
        reason = ""
        for serializer in candidates(value):
            if getattr(serializer, "pickles", False) and not self._allow_pickle:
                raise pickle_refused(value, reason, where)
            try:
                stored = self._save_with(serializer, value, scratch, where)
            except DeclinedError as declined:
                # The first one is the value's own family, and knows best.
                reason = reason or str(declined)
                continue
            if stored.serializer == LAST_RESORT:
                self._announce(stored.type, reason, where)
            return stored
        raise not_storable(value, "nothing can write it", where)

    def load(self, record: ArtifactRecord | StoredArtifact, *, into: Any = None, scratch: Path) -> object:
        """The value that was stored.

        Args:
            record: what is known of the artifact; nothing else is believed.
            into: the annotation of the parameter that takes the value; a stored file becomes a File or a Path by it.
            scratch: a folder for downloads and private copies, made when it is needed; it must outlive the value.

        Raises:
            ArtifactMissingError: the bytes are gone, or were deleted on purpose.
            ArtifactIntegrityError: the bytes are not those that were stored.
            StoreError: no serializer here reads it, reading fails, or it is a pickle and pickles are not allowed.
        """
        shown = describe(record)
        check_not_deleted(record, shown)
        metadata = record.metadata
        serializer = find_serializer(record.serializer, record.serializer_version, metadata, artifact=shown)
        if getattr(serializer, "pickles", False) and not self._allow_pickle:
            raise pickle_load_refused(shown)
        if record.has_inline_value and record.serializer == "json" and _inline_holds(record):
            return record.inline_value
        if decode := getattr(serializer, "decode", None):
            data = self._read_checked(record, shown)
            with reading(shown, metadata):
                return decode(data, metadata, into)
        path = self._fetch_checked(record, serializer, shown, scratch)
        try:
            with reading(shown, metadata):
                return serializer.load(path, metadata, into)
        except StoreError as error:
            if path.exists() or getattr(serializer, "keeps_path", False):
                raise
            raise self._missing(record.location, shown) from error  # removed since it was checked

    def state_of(self, record: ArtifactRecord | StoredArtifact) -> ArtifactState:
        """Whether the bytes can still stand for the value, by one look-up where they can.

        Bytes of another size are damaged: they are set aside, and the user is told. So are those that were set aside
        when they were loaded, as long as nobody has stored them anew. Bytes of the right size are taken for whole;
        their digest is checked by `load`.

        Raises:
            StoreError: the store refuses; StoreUnavailableError: it cannot be reached.
        """
        with self._doing("look for an artifact", _checked(record.location)):
            return find_state(self._root, record)

    # -- bytes ---------------------------------------------------------------------------------------------------

    def exists(self, location: str) -> bool:
        """Whether the bytes are there, by one look-up. An empty file that ought not to be empty is not there."""
        with self._doing("look for an artifact", location):
            size = self._root.size(_checked(location))
        return bool(size) or (size == 0 and (not location.startswith(OBJECTS_FOLDER) or _EMPTY_HEX in location))

    def write_bytes(self, location: str, data: bytes) -> None:
        """Write a file of the store's own, whole or not at all; one that is there already is left as it is."""
        if not self.keep(location):
            with self._doing("write", location):
                self._root.put(location, (data,), len(data), None)

    def size(self, location: str) -> int | None:
        """How large the file is; None where there is none."""
        with self._doing("look for", location):
            return self._root.size(_checked(location))

    def keep(self, location: str) -> bool:
        """Whether a file of the store's own is there; it is then taken for one that is in use again."""
        with self._doing("look for", location):
            return bool(self._root.size(_checked(location))) and self._root.touch(location)

    def read_bytes(self, location: str) -> bytes:
        """A file of the store's own. Raises ArtifactMissingError."""
        with self._doing("read", location, location), self._root.open(_checked(location), 0) as stream:
            return stream.read()

    def list(self, prefix: str = "") -> list[str]:
        """The locations below a folder, sorted."""
        with self._doing("list", prefix):
            return self._root.list(_checked(prefix.rstrip("/")) if prefix else "")

    def remove(self, location: str) -> None:
        """Remove a file, if it is there."""
        with self._doing("remove", location):
            self._root.remove(_checked(location))

    def files(self, prefix: str) -> Sequence[StoredFile]:
        """The files below a folder, with their sizes and times."""
        with self._doing("list", prefix):
            return list(self._root.files(_checked(prefix)))

    def remove_unchanged(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Remove files, but none that was stored again, or said to be in use, since it was listed.

        Answers with those that were removed.
        """
        with self._doing("remove", ""):
            return self._root.remove_unchanged(files)

    def local_path(self, location: str) -> Path | None:
        """The path of a location on this machine; None for a remote store. The file must not be changed."""
        _checked(location)
        return Path(self.url) / location if self.is_local else None

    # -- saving --------------------------------------------------------------------------------------------------

    def _save_with(self, serializer: Serializer, value: object, scratch: Path, where: str) -> StoredArtifact:
        encode = getattr(serializer, "encode", None)
        with writing(value, where):
            encoding: Encoding | None = encode(value) if encode else None
        if encoding is not None:
            hexadecimal, size = _hash_chunks(encoding, value, where)
            with self._doing("store an artifact", OBJECTS_FOLDER):
                location, is_there = self._place(hexadecimal, size, serializer)
                if not is_there:
                    self._root.put(location, encoding.chunks, size, scratch)
            metadata = encoding.metadata
        else:
            location, hexadecimal, size, metadata = self._save_file(serializer, value, scratch, where)
        stored_digest = DIGEST_PREFIX + hexadecimal
        inline = encoding.inline_value if encoding is not None else NO_VALUE
        with writing(value, where):
            digest = (encoding and encoding.digest) or serializer.digest(value, stored_digest, metadata)
        foreign = foreign_metadata(serializer)
        if foreign:  # the built-in ones see to it themselves
            digest = digest_with_class(digest, type(value))
        if doubt := getattr(digest, "doubt", ""):
            tell_doubt(value, doubt, where)
            metadata = {**metadata, "nondeterministic": doubt}
        return StoredArtifact(
            digest=str(digest),
            stored_digest=stored_digest,
            type=type_name(type(value)),
            serializer=serializer.name,
            serializer_version=serializer.version,
            location=location,
            size_bytes=size,
            has_inline_value=inline is not NO_VALUE,
            inline_value=None if inline is NO_VALUE else inline,
            metadata={**metadata, **foreign},
        )

    def _save_file(
        self, serializer: Serializer, value: object, scratch: Path, where: str
    ) -> tuple[str, str, int, Mapping[str, Any]]:
        with self._doing("store an artifact", OBJECTS_FOLDER):
            path = self._root.temporary_path(scratch, serializer.extension)
        try:
            with writing(value, where):
                metadata = serializer.dump(value, path)
                if not path.is_file():
                    raise OutputError(
                        f"the serializer {serializer.name!r} wrote no file",
                        hint="`dump` must write one file at the path that it is given; a folder can be packed into one",
                    )
            with self._doing("store an artifact", OBJECTS_FOLDER):
                with path.open("rb", buffering=0) as stream:
                    hexadecimal = hashlib.file_digest(stream, "sha256").hexdigest()
                size = path.stat().st_size
                location, is_there = self._place(hexadecimal, size, serializer)
                if not is_there:
                    self._root.put_file(location, path)
        finally:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
        return location, hexadecimal, size, metadata

    def _place(self, hexadecimal: str, size: int, serializer: Serializer) -> tuple[str, bool]:
        """Where content belongs, and whether it is there already. Another size is what a power failure left.

        Whoever removes what is unreferenced must see that this is about to be referenced again. Where no time of use
        is kept, old content is not relied on, but stored a second time beside itself, once in a while.
        """
        location = _location(hexadecimal, serializer)
        if self._root.size(location) != size:
            return location, False
        if self._root.touch(location):
            return location, True
        if not self.is_local:
            location = _location(f"{hexadecimal}-{period()}", serializer)
        return location, self._root.size(location) == size and self._root.touch(location)

    def _announce(self, type_: str, reason: str, where: str) -> None:
        if (type_, where) in self._announced:
            return
        self._announced.add((type_, where))
        logger.warning(
            "%sa %s is stored as a pickle, which is sure to be readable only with the same versions of its "
            "packages%s. Return plain values, arrays, frames or a File, or register a serializer for it.",
            f"{where}: " if where else "",
            type_,
            f" ({reason})" if reason else "",
        )

    # -- loading -------------------------------------------------------------------------------------------------

    def _read_checked(self, record: ArtifactRecord | StoredArtifact, shown: str) -> bytearray:
        location = _checked(record.location)
        with self._doing("load an artifact", location, shown), self._root.open(location, record.size_bytes) as stream:
            data = bytearray(record.size_bytes)
            with memoryview(data) as view:
                count = 0
                while count < len(data) and (got := stream.readinto(view[count:])):  # type: ignore[attr-defined]
                    count += got
            # Bytes that are missing or too many make another digest.
            rest = stream.read(1) if count == len(data) else b""
        if count < len(data):
            del data[count:]
        hasher = hashlib.sha256(data)
        hasher.update(rest)
        self._check_digest(hasher.hexdigest(), record, shown)
        return data

    def _fetch_checked(
        self, record: ArtifactRecord | StoredArtifact, serializer: Serializer, shown: str, scratch: Path
    ) -> Path:
        location = _checked(record.location)
        with self._doing("load an artifact", location, shown):
            path = self._root.fetch(location, scratch)
            if getattr(serializer, "keeps_path", False):
                name = str(record.metadata.get("file_name") or path.name)
                path = copy_privately(path, scratch / uuid.uuid4().hex[:12], name)
            with path.open("rb", buffering=0) as stream:
                hexadecimal = hashlib.file_digest(stream, "sha256").hexdigest()
        self._check_digest(hexadecimal, record, shown)
        return path

    def _check_digest(self, hexadecimal: str, record: ArtifactRecord | StoredArtifact, shown: str) -> None:
        if DIGEST_PREFIX + hexadecimal == record.stored_digest:
            return
        if hexadecimal in record.location:
            # The bytes are what their own address says: only the record is wrong, and they stay where they are.
            hint = "the record was altered; run the step that made it with --refresh"
        else:
            kept = set_aside(self._root, record.location, record.size_bytes)
            hint = f"{MAKE_AGAIN}; {kept}" if kept else MAKE_AGAIN
        raise ArtifactIntegrityError(
            f"the bytes of {shown} are not those that were stored",
            where=self._show(record.location),
            why=f"their digest is {DIGEST_PREFIX}{hexadecimal}, recorded is {record.stored_digest}",
            hint=hint,
        )

    def _missing(self, location: str, shown: str) -> StoreError:
        """The error for bytes that are not where they should be."""
        where = self._show(location)
        with self._doing("look for an artifact", location):
            damaged = location.startswith(OBJECTS_FOLDER) and was_set_aside(self._root, location)
        if damaged:
            return ArtifactIntegrityError(
                f"the bytes of {shown} were damaged, and nobody has stored them anew", where=where, hint=MAKE_AGAIN
            )
        return ArtifactMissingError(f"the bytes of {shown} are gone", where=where, hint=MAKE_AGAIN)

    def _show(self, location: str) -> str:
        return f"{without_credentials(self.url)}/{location}"

    @contextmanager
    def _doing(self, action: str, location: str, shown: str = "") -> Iterator[None]:
        """Tell in words what the file system raises; `shown` names what should be there, where something should."""
        try:
            yield
        except FileNotFoundError as error:
            if not shown:
                raise failure_of(error, action, where=self._show(location)) from error
            raise self._missing(location, shown) from error
        except ZenError:
            raise
        except Exception as error:
            raise failure_of(error, action, where=self._show(location)) from error


def _location(hexadecimal: str, serializer: Serializer) -> str:
    return f"{OBJECTS_FOLDER}/{hexadecimal[:2]}/{hexadecimal}{serializer.extension}"


def _checked(location: str) -> str:
    """The location, if it lies below the root. Raises StoreError for one that could lie elsewhere."""
    parts = location.split("/")
    if ":" in location or "\\" in location or "\0" in location or any(part in ("", ".", "..") for part in parts):
        raise StoreError(
            f"the location {without_credentials(location)!r} does not lie in the artifact store",
            hint="an artifact's location is a path below the store's root; the record was altered",
        )
    return location


def _hash_chunks(encoding: Encoding, value: object, where: str) -> tuple[str, int]:
    hasher, size = hashlib.sha256(), 0
    with writing(value, where):
        for chunk in encoding.chunks:
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size


def _inline_holds(record: ArtifactRecord | StoredArtifact) -> bool:
    """Whether the recorded scalar is the value: a database may have turned 1.0 into 1."""
    return digest_value_json(record.inline_value) == record.digest
