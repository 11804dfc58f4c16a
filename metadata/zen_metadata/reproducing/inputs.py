"""Puts what a run read into the folder of its reproduction, each with the content that it had."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zen_core.contract.canonical import DIGEST_PREFIX, digest_json
from zen_core.errors import StoreError, ZenError
from zen_metadata.artifacts.files import digest_source, find_source, open_locally
from zen_metadata.artifacts.place import OBJECTS_FOLDER
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.reproducing.record import RecordedRun

if TYPE_CHECKING:
    from zen_metadata.lineage.records import ArtifactRecord
    from zen_metadata.lineage.store import LineageStore


@dataclass(frozen=True, slots=True)
class RestoredInput:
    """One input from outside of the run.

    Attributes:
        name: the file's reference, the artifact's name, or "environment variable NAME".
        came_from: "data root", "artifact store", "where it lies", "the environment"; "" where it is lost.
        lost: why it could not be restored.
        reference: what the pipeline is to read in its place, where that is another file.
    """

    name: str
    digest: str
    came_from: str = ""
    lost: str = ""
    reference: str = ""


def restore_files(
    recorded: RecordedRun, data_root: str, artifacts: ArtifactStore, into: Path
) -> Iterator[RestoredInput]:
    """Put the source files below `into`, the data root of the reproduction.

    A file is taken from the artifact store, if its content is there, else from where it was read, if it still has that
    content: as a link, since steps only read it.
    """
    for reference, digest in recorded.files.items():
        yield _restore_file(reference, digest, data_root, artifacts, into)


def restore_artifacts(
    recorded: RecordedRun, artifacts: ArtifactStore, lineage: LineageStore, into: ArtifactStore
) -> Iterator[RestoredInput]:
    """Copy the artifacts that names stood for into the stores of the reproduction."""
    for name, record in recorded.pins.items():
        shown = f"{name} (version {record.version})"
        if lost := _copy(record, artifacts, into):
            yield RestoredInput(shown, record.digest, lost=lost)
        else:
            lineage.adopt_artifacts([record])
            yield RestoredInput(shown, record.digest, "artifact store")


def compare_variables(recorded: RecordedRun) -> Iterator[RestoredInput]:
    """See which of the environment variables that steps declare to read have their value here too."""
    for name, digest in recorded.variables.items():
        shown = f"environment variable {name}"
        if digest_json("env", os.environ.get(name)) == digest:
            yield RestoredInput(shown, digest, "the environment")
        else:
            what = "another value" if name in os.environ else "no value"
            yield RestoredInput(shown, digest, lost=f"it has {what} here")


def _copy(record: ArtifactRecord, artifacts: ArtifactStore, into: ArtifactStore) -> str:
    """Copy an artifact's bytes; why that cannot be, "" where it is done."""
    if record.deleted_at is not None:
        return f"it was deleted{f': {record.deleted_reason}' if record.deleted_reason else ''}"
    try:
        content = artifacts.read_bytes(record.location)
        if DIGEST_PREFIX + hashlib.sha256(content).hexdigest() != record.stored_digest:
            return "its bytes are not those that were stored"
        into.write_bytes(record.location, content)
    except StoreError as error:
        return error.message
    return ""


def _restore_file(reference: str, digest: str, data_root: str, artifacts: ArtifactStore, into: Path) -> RestoredInput:
    is_outside = "://" in reference or os.path.isabs(reference)
    inside = PurePosixPath(os.path.normpath(reference)).as_posix()
    if is_outside or inside.startswith(".."):
        inside = f"elsewhere/{hashlib.sha256(reference.encode()).hexdigest()[:12]}/{Path(reference).name}"
    if _take_stored(digest, artifacts, into / inside):
        moved = inside if inside.startswith("elsewhere/") else ""
        return RestoredInput(reference, digest, "artifact store", reference=moved)
    try:
        source = find_source(reference, data_root)
        found = digest_source(source)
        if found != digest:
            return RestoredInput(reference, digest, lost=f"its content is another one now, {found[:19]}…")
        if is_outside:
            return RestoredInput(reference, digest, "where it lies")
        _link(open_locally(source, into / ".downloads"), into / inside)
    except ZenError as error:
        return RestoredInput(reference, digest, lost=error.message)
    moved = inside if inside.startswith("elsewhere/") else ""
    return RestoredInput(reference, digest, "data root", reference=moved)


def _take_stored(digest: str, artifacts: ArtifactStore, target: Path) -> bool:
    """Take a file's content from the artifact store: a step may have returned a file of the same bytes."""
    hexadecimal = digest.removeprefix(DIGEST_PREFIX)
    try:
        stored = artifacts.list(f"{OBJECTS_FOLDER}/{hexadecimal[:2]}")
        location = next((item for item in stored if Path(item).name.startswith(hexadecimal)), None)
        content = artifacts.read_bytes(location) if location is not None else None
    except StoreError:
        return False
    if content is None or hashlib.sha256(content).hexdigest() != hexadecimal:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return True


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
    except OSError:  # a system where links are a privilege
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
