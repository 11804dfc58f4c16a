"""The artifact store: values in, content-addressed bytes out, and back with their digest checked.

The address of an artifact is the digest of its bytes, so the same content is stored once, concurrent writers of it
need no agreement, and what is loaded is what was stored: the bytes are hashed before anything reads them.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.contract.canonical import DIGEST_PREFIX
from zen_core.contract.refs import NO_VALUE
from zen_core.contract.values import digest_value_json
from zen_core.errors import OutputError, StoreError
from zen_metadata.artifacts.class_code import digest_with_class
from zen_metadata.artifacts.damage import ArtifactState, find_state
from zen_metadata.artifacts.failures import (
    check_not_deleted,
    describe,
    not_storable,
    pickle_load_refused,
    pickle_refused,
    reading,
    tell_doubt,
    writing,
)
from zen_metadata.artifacts.loading import fetch_checked, read_checked
from zen_metadata.artifacts.place import OBJECTS_FOLDER, Place, checked
from zen_metadata.artifacts.roots import Claim
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

_SAVED_AT_ONCE = 8
_EMPTY_HEX = hashlib.sha256(b"").hexdigest()

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
        self._place = Place(url)
        self._root = self._place.root
        self.is_local = self._place.is_local
        self.url = self._place.url
        self._allow_pickle = allow_pickle
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

    def save_all(self, values: Sequence[object], *, scratch: Path, wheres: Sequence[str]) -> list[StoredArtifact]:
        """`save` for each; in an object store several at once, since each waits for a few answers over the network.

        Args:
            wheres: names step and output in messages, for each value.
        """
        if self.is_local or len(values) < 2:
            return [self.save(value, scratch=scratch, where=where) for value, where in zip(values, wheres, strict=True)]
        with ThreadPoolExecutor(_SAVED_AT_ONCE) as threads:
            saved = [
                threads.submit(copy_context().run, self.save, value, scratch=scratch, where=where)
                for value, where in zip(values, wheres, strict=True)
            ]
            return [each.result() for each in saved]

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
            data = read_checked(self._place, record, shown)
            with reading(shown, metadata):
                return decode(data, metadata, into)
        path = fetch_checked(self._place, record, serializer, shown, scratch)
        try:
            with reading(shown, metadata):
                return serializer.load(path, metadata, into)
        except StoreError as error:
            if path.exists() or getattr(serializer, "keeps_path", False):
                raise
            raise self._place.missing(record.location, shown) from error  # removed since it was checked

    def state_of(self, record: ArtifactRecord | StoredArtifact) -> ArtifactState:
        """Whether the bytes can still stand for the value, by one look-up where they can.

        Bytes of another size are damaged: they are set aside, and the user is told. So are those that were set aside
        when they were loaded, as long as nobody has stored them anew. Bytes of the right size are taken for whole;
        their digest is checked by `load`.

        Raises:
            StoreError: the store refuses; StoreUnavailableError: it cannot be reached.
        """
        with self._place.doing("look for an artifact", checked(record.location)):
            return find_state(self._root, record)

    # -- bytes ---------------------------------------------------------------------------------------------------

    def exists(self, location: str) -> bool:
        """Whether the bytes are there, by one look-up. An empty file that ought not to be empty is not there."""
        with self._place.doing("look for an artifact", location):
            size = self._root.size(checked(location))
        return bool(size) or (size == 0 and (not location.startswith(OBJECTS_FOLDER) or _EMPTY_HEX in location))

    def write_bytes(self, location: str, data: bytes) -> None:
        """Write a file of the store's own, whole or not at all; one that is there already is left as it is."""
        with self._place.doing("write", location):
            found = self._root.claim(checked(location))
            if found != "kept":
                self._root.put(location, (data,), len(data), None, replace=found != "absent")

    def size(self, location: str) -> int | None:
        """How large the file is; None where there is none."""
        with self._place.doing("look for", location):
            return self._root.size(checked(location))

    def keep(self, location: str) -> bool:
        """Whether a file of the store's own is there; it is then taken for one that is in use again."""
        with self._place.doing("look for", location):
            return self._root.claim(checked(location)) == "kept"

    def read_bytes(self, location: str) -> bytes:
        """A file of the store's own. Raises ArtifactMissingError."""
        with self._place.doing("read", location, location), self._root.open(checked(location), 0) as stream:
            return stream.read()

    def list(self, prefix: str = "") -> list[str]:
        """The locations below a folder, sorted."""
        with self._place.doing("list", prefix):
            return self._root.list(checked(prefix.rstrip("/")) if prefix else "")

    def remove(self, location: str) -> None:
        """Remove a file, if it is there."""
        with self._place.doing("remove", location):
            self._root.remove(checked(location))

    def files(self, prefix: str) -> Sequence[StoredFile]:
        """The files below a folder, with their sizes and times."""
        with self._place.doing("list", prefix):
            return list(self._root.files(checked(prefix)))

    def remove_unchanged(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Remove files, but none that was stored again, or said to be in use, since it was listed.

        Answers with those that were removed.
        """
        with self._place.doing("remove", ""):
            return self._root.remove_unchanged(files)

    def local_path(self, location: str) -> Path | None:
        """The path of a location on this machine; None for a remote store. The file must not be changed."""
        checked(location)
        return Path(self.url) / location if self.is_local else None

    # -- saving --------------------------------------------------------------------------------------------------

    def _save_with(self, serializer: Serializer, value: object, scratch: Path, where: str) -> StoredArtifact:
        encode = getattr(serializer, "encode", None)
        with writing(value, where):
            encoding: Encoding | None = encode(value) if encode else None
        if encoding is not None:
            hexadecimal, size = _hash_chunks(encoding, value, where)
            with self._place.doing("store an artifact", OBJECTS_FOLDER):
                location, found = self._claim(hexadecimal, size, serializer)
                if found != "kept":
                    self._root.put(location, encoding.chunks, size, scratch, replace=found != "absent")
            metadata = encoding.metadata
        else:
            location, hexadecimal, size, metadata = self._save_file(serializer, value, scratch, where)
        stored_digest = DIGEST_PREFIX + hexadecimal
        inline = encoding.inline_value if encoding is not None else NO_VALUE
        with writing(value, where):
            known = encoding.digest if encoding is not None else None
            digest = (known() if callable(known) else known) or serializer.digest(value, stored_digest, metadata)
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
        with self._place.doing("store an artifact", OBJECTS_FOLDER):
            path = self._root.temporary_path(scratch, serializer.extension)
        try:
            with writing(value, where):
                metadata = serializer.dump(value, path)
                if not path.is_file():
                    raise OutputError(
                        f"the serializer {serializer.name!r} wrote no file",
                        hint="`dump` must write one file at the path that it is given; a folder can be packed into one",
                    )
            with self._place.doing("store an artifact", OBJECTS_FOLDER):
                with path.open("rb", buffering=0) as stream:
                    hexadecimal = hashlib.file_digest(stream, "sha256").hexdigest()
                size = path.stat().st_size
                location, found = self._claim(hexadecimal, size, serializer)
                if found != "kept":
                    self._root.put_file(location, path, replace=found != "absent")
        finally:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
        return location, hexadecimal, size, metadata

    def _claim(self, hexadecimal: str, size: int, serializer: Serializer) -> tuple[str, Claim]:
        """Where content belongs, and whether it is there already. Another size is what a power failure left.

        Whoever removes what is unreferenced must see that this is about to be referenced again. Where no time of use
        is kept, old content is not relied on, but stored a second time beside itself, once in a while.
        """
        location = _location(hexadecimal, serializer)
        found = self._root.claim(location, size)
        if found != "old" or self.is_local:
            return location, found
        location = _location(f"{hexadecimal}-{period()}", serializer)
        return location, self._root.claim(location, size)

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


def _location(hexadecimal: str, serializer: Serializer) -> str:
    return f"{OBJECTS_FOLDER}/{hexadecimal[:2]}/{hexadecimal}{serializer.extension}"


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
