"""The bytes of an artifact, with their digest checked before anything reads them."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from zen_core.contract.canonical import DIGEST_PREFIX
from zen_core.errors import ArtifactIntegrityError
from zen_metadata.artifacts.damage import set_aside
from zen_metadata.artifacts.failures import MAKE_AGAIN
from zen_metadata.artifacts.place import Place, checked
from zen_metadata.artifacts.roots import privately
from zen_metadata.artifacts.serializers import Serializer

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import StoredArtifact
    from zen_metadata.lineage.records import ArtifactRecord

_BLOCK_BYTES = 1 << 20


def read_checked(place: Place, record: ArtifactRecord | StoredArtifact, shown: str) -> bytearray:
    """The bytes, in memory once. They are hashed block by block as they come in."""
    location, hasher = checked(record.location), hashlib.sha256()
    with (
        place.doing("load an artifact", location, shown),
        place.root.open(location, record.size_bytes) as stream,
    ):
        data = bytearray(record.size_bytes)
        count = 0
        with memoryview(data) as view:
            while count < len(data) and (got := stream.readinto(view[count : count + _BLOCK_BYTES])):  # type: ignore[attr-defined]
                hasher.update(view[count : count + got])
                count += got
        # Bytes that are missing or too many make another digest.
        hasher.update(stream.read(1) if count == len(data) else b"")
    del data[count:]
    _check_digest(place, hasher.hexdigest(), record, shown)
    return data


def fetch_checked(
    place: Place, record: ArtifactRecord | StoredArtifact, serializer: Serializer, shown: str, scratch: Path
) -> Path:
    """A local file of the bytes; a private copy where what is loaded goes on using it."""
    location = checked(record.location)
    with place.doing("load an artifact", location, shown):
        path = place.root.fetch(location, scratch)
        if getattr(serializer, "keeps_path", False):
            name = str(record.metadata.get("file_name") or path.name)
            path = privately(path, scratch / uuid.uuid4().hex[:12], name, move=not place.is_local)
        with path.open("rb", buffering=0) as stream:
            hexadecimal = hashlib.file_digest(stream, "sha256").hexdigest()
    _check_digest(place, hexadecimal, record, shown)
    return path


def _check_digest(place: Place, hexadecimal: str, record: ArtifactRecord | StoredArtifact, shown: str) -> None:
    if DIGEST_PREFIX + hexadecimal == record.stored_digest:
        return
    if hexadecimal in record.location:
        # The bytes are what their own address says: only the record is wrong, and they stay where they are.
        hint = "the record was altered; run the step that made it with --refresh"
    else:
        kept = set_aside(place.root, record.location, record.size_bytes)
        hint = f"{MAKE_AGAIN}; {kept}" if kept else MAKE_AGAIN
    raise ArtifactIntegrityError(
        f"the bytes of {shown} are not those that were stored",
        where=place.show(record.location),
        why=f"their digest is {DIGEST_PREFIX}{hexadecimal}, recorded is {record.stored_digest}",
        hint=hint,
    )
