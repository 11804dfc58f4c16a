"""Forgetting: the bytes and inline values of an artifact go, wherever Zen keeps them; that it was there stays known.

Bytes are shared by content, so what is forgotten is the content: every artifact that has it becomes a tombstone. The
lists of maps hold copies of what they list, and are forgotten with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from zen_core.errors import NotFoundError, StoreUnavailableError, UsageError
from zen_metadata.artifacts.damage import CORRUPT_FOLDER
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.lineage.retention import InUse, Tombstone
from zen_metadata.query.artifacts import ArtifactVersion, full_name
from zen_metadata.query.stores import ReadStores
from zen_metadata.retention.choosing import DAY_SECONDS
from zen_metadata.retention.inventory import in_batches, read_elements, take_inventory
from zen_metadata.shim import spool
from zen_metadata.shim.elements import COLLECTION_TYPE
from zen_metadata.shim.replaying import replay

NOT_REACHED = (
    "digests, the files that pipelines read, logs, parameters, metrics, MLflow, the small values that an orchestrator "
    "keeps itself, backups"
)
"""What Zen does not forget, in words."""


@dataclass(frozen=True)
class Forgetting:
    """What is forgotten with an artifact.

    Attributes:
        subject: the artifact that was named.
        records: all artifacts that go, itself among them: versions, and the lists of maps.
        why: by artifact id why it goes: subject, same content, list of a map, made of it.
        running: how many of them an open run uses.
    """

    subject: ArtifactRecord
    records: tuple[ArtifactRecord, ...]
    why: Mapping[str, str]
    running: int

    @property
    def versions(self) -> tuple[ArtifactRecord, ...]:
        """Those that have a name and a version."""
        return tuple(record for record in self.records if record.kind == "value")

    def to_json(self) -> dict[str, Any]:
        """The document of `zen forget --json`, but for what became of it."""
        return {
            "artifact_id": self.subject.artifact_id,
            "artifacts": [
                {
                    "artifact_id": record.artifact_id,
                    "name": full_name(record),
                    "version": record.version,
                    "digest": record.digest,
                    "size_bytes": record.size_bytes,
                    "why": self.why[record.artifact_id],
                }
                for record in self.versions
            ],
            "in_use": self.running,
        }


def plan_forgetting(stores: ReadStores, artifact: ArtifactVersion, *, down: bool) -> Forgetting:
    """Find out what is forgotten with an artifact. What waits in the spool is recorded first.

    Raises:
        UsageError: it is a source file, of which Zen keeps no content.
        NotFoundError: it is a tombstone already, and nothing else has its content.
    """
    replayed = replay(stores.lineage, stores.artifacts)
    if replayed.error:
        raise StoreUnavailableError(
            replayed.error, hint="what waits in the spool may have the same content: try again when the store is back"
        )
    walk = _Walk(stores)
    subject = artifact.record
    if subject.kind == "source":
        _refuse_source(subject, down=down)
        walk.add_made_of([subject.artifact_id])
    elif subject.deleted_at is None:
        walk.add([subject], "subject")
    elif not down:
        raise NotFoundError(
            f"{full_name(subject)}@{subject.version} was deleted on {subject.deleted_at:%Y-%m-%d} already",
            why=f"by {subject.deleted_by}: {subject.deleted_reason}",
            hint="--down forgets what was made of it too",
        )
    if down and subject.kind != "source":
        walk.add_made_of([subject.artifact_id])
    walk.complete(down=down)
    now = stores.lineage.read_clock()
    in_use = InUse(now - timedelta(seconds=30 * DAY_SECONDS))
    ids = [record.artifact_id for record in walk.records.values()]
    running = sum(len(stores.lineage.find_used(batch, in_use)) for batch in in_batches(ids))
    ordered = sorted(walk.records.values(), key=lambda record: (full_name(record), record.version or 0))
    return Forgetting(subject, tuple(ordered), walk.why, running)


def forget(stores: ReadStores, forgetting: Forgetting, *, by: str, reason: str) -> int:
    """Make tombstones, and remove the bytes at once; answer how many bytes went.

    What an artifact that stays has too (an answer of a condition, say) is left.
    """
    locations = {record.location for record in forgetting.records}
    for record in forgetting.records:
        if record.type == COLLECTION_TYPE:
            locations.update(item["location"] for item in read_elements(stores.artifacts, record))
    for batch in in_batches([record.artifact_id for record in forgetting.records]):
        stores.lineage.bury(batch, Tombstone(by, reason))
    for record in forgetting.records:  # what a replay that was interrupted left behind
        stores.artifacts.remove(spool.location_of(record.artifact_id))
    inventory = take_inventory(stores, measure=False)
    return _remove(stores, locations - inventory.referenced())


def _remove(stores: ReadStores, locations: Collection[str]) -> int:
    artifacts = stores.artifacts
    size_bytes = 0
    for location in sorted(locations):
        folder = f"{CORRUPT_FOLDER}/{location.rpartition('/')[2]}"
        for place in (location, *artifacts.list(folder)):
            size_bytes += artifacts.size(place) or 0
            artifacts.remove(place)
    return size_bytes


class _Walk:
    """Gathers what is forgotten."""

    def __init__(self, stores: ReadStores) -> None:
        self._lineage = stores.lineage
        self.records: dict[str, ArtifactRecord] = {}
        self.why: dict[str, str] = {}
        self._looked_at: set[str] = set()

    def add(self, records: Iterable[ArtifactRecord], why: str) -> None:
        """Add artifacts that live. What a condition answered stays: what became of a run hangs on it."""
        for record in records:
            is_content = record.kind == "value" or record.type == COLLECTION_TYPE
            if is_content and record.deleted_at is None and record.artifact_id not in self.records:
                self.records[record.artifact_id] = record
                self.why[record.artifact_id] = why

    def add_made_of(self, artifact_ids: Collection[str]) -> None:
        """Add what was made of these artifacts, step by step, also by way of tombstones."""
        seen: set[str] = set()
        level = set(artifact_ids)
        while level:
            seen |= level
            outputs = self._outputs_of(sorted(level))
            self.add(outputs.values(), "made of it")
            level = set(outputs) - seen

    def complete(self, *, down: bool) -> None:
        """Add what has the same content, and the lists that hold it, until nothing is left to add."""
        while new := [record for artifact_id, record in self.records.items() if artifact_id not in self._looked_at]:
            self._looked_at.update(record.artifact_id for record in new)
            self.add(self._lineage.find_same_content(new), "same content")
            ids = [record.artifact_id for record in new]
            made = self._outputs_of(ids)
            self.add((record for record in made.values() if record.type == COLLECTION_TYPE), "list of a map")
            if down:
                self.add_made_of(ids)

    def _outputs_of(self, artifact_ids: Collection[str]) -> Mapping[str, ArtifactRecord]:
        readers = self._lineage.find_consumers(list(artifact_ids))
        outputs = {output for found in readers.values() for _, made in found for output in made}
        return self._lineage.get_artifacts(sorted(outputs))


def _refuse_source(subject: ArtifactRecord, *, down: bool) -> None:
    if not down:
        raise UsageError(
            f"{subject.name!r} is a file outside the store, of which Zen keeps only the digest",
            hint="delete the file itself; --down forgets what was made of it",
        )
