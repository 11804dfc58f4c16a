"""What there is in both stores at one moment, as far as cleaning up must know it.

The order in which it is taken matters. What runs is asked first, then what is spooled, then what is recorded, then
what is stored. Whoever stores bytes at that time is known to run, or has recorded them before the records are read; a
fact that moves from the spool into the records is met at least once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zen_core.errors import ArtifactIntegrityError, ArtifactMissingError
from zen_metadata.artifacts.roots import TEMPORARY_FOLDER
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.artifacts.stored_files import LOCAL_GRACE_SECONDS, REMOTE_GRACE_SECONDS, StoredFile
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.lineage.retention import ArtifactFacts
from zen_metadata.lineage.store import LineageStore
from zen_metadata.query.stores import ReadStores
from zen_metadata.shim import spool
from zen_metadata.shim.elements import COLLECTION_TYPE

_LOCAL_MARGIN_SECONDS, _REMOTE_MARGIN_SECONDS = 0.05, 2.0
"""How coarse the times of files are, with what measuring the storage's clock leaves uncertain."""
_ASKED_AT_ONCE = 512


@dataclass(frozen=True)
class Inventory:
    """What there is.

    Attributes:
        now: the lineage store's time.
        ahead_seconds: by how much the artifact store's clock is ahead of it.
        running_since: when the oldest attempt began that may yet record what it stored; `now` where none runs.
        pending: the spooled events that are not recorded, by their location.
        applied: the files of those that are recorded.
        artifacts: all of all projects, live and tombstones.
        elements: where the elements of maps lie, which have no record of their own: of live collections.
    """

    now: datetime
    ahead_seconds: float
    running_since: datetime
    pending: Mapping[str, spool.Event]
    applied: frozenset[str]
    artifacts: Sequence[ArtifactFacts]
    elements: Mapping[str, frozenset[str]]

    def referenced(self, doomed: frozenset[str] = frozenset()) -> set[str]:
        """The locations of all bytes that something refers to.

        Args:
            doomed: artifacts that count as tombstones already.
        """
        live = [item for item in self.artifacts if item.deleted_at is None and item.artifact_id not in doomed]
        found = {item.location for item in live}
        for item in live:
            found.update(self.elements.get(item.artifact_id, ()))
        for event in self.pending.values():
            for record in spool.outputs_of(event):
                found.add(record.location)
                found.update(self.elements.get(record.artifact_id, ()))
        return found

    def time_of(self, file: StoredFile) -> datetime | None:
        """When a file was stored, or last said to be in use, by the lineage store's clock."""
        if file.modified_at is None:
            return None
        return datetime.fromtimestamp(file.modified_at - self.ahead_seconds, tz=self.now.tzinfo)


def take_inventory(stores: ReadStores, *, measure: bool) -> Inventory:
    """Look into both stores.

    Args:
        measure: whether to find out what time it is in the artifact store, for which a file is written and removed.

    Raises:
        StoreError: a store refuses, or a file of the spool is damaged.
    """
    lineage, artifacts = stores.lineage, stores.artifacts
    ahead = _measure_clock(lineage, artifacts) if measure else 0.0
    now = lineage.read_clock()
    running_since = lineage.find_oldest_running(since=now - timedelta(seconds=LOCAL_GRACE_SECONDS))
    events = dict(spool.read_events(artifacts))
    applied = lineage.find_applied_events([event.event_id for event in events.values()])
    pending = {location: event for location, event in events.items() if event.event_id not in applied}
    found = list(_list_artifacts(lineage))
    return Inventory(
        now=now,
        ahead_seconds=ahead,
        running_since=min(running_since or now, now),
        pending=pending,
        applied=frozenset(events.keys() - pending.keys()),
        artifacts=found,
        elements=_find_elements(lineage, artifacts, found, pending),
    )


def margin_of(artifacts: ArtifactStore) -> timedelta:
    """By how much two times must differ, one of a file and one of the lineage store, to be told apart."""
    return timedelta(seconds=_LOCAL_MARGIN_SECONDS if artifacts.is_local else _REMOTE_MARGIN_SECONDS)


def least_age(artifacts: ArtifactStore) -> timedelta:
    """How old a file must be at least to be removed, whatever is known of it."""
    return timedelta(seconds=0 if artifacts.is_local else REMOTE_GRACE_SECONDS)


def in_batches(items: Sequence[Any], size: int = _ASKED_AT_ONCE) -> Iterator[Sequence[Any]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def read_elements(artifacts: ArtifactStore, collection: ArtifactRecord) -> Sequence[Mapping[str, Any]]:
    """What a collection lists; nothing where its bytes are gone or damaged, since nobody else can read them either."""
    with TemporaryDirectory(prefix="zen-") as folder:
        try:
            elements: Any = artifacts.load(collection, scratch=Path(folder))
        except (ArtifactMissingError, ArtifactIntegrityError):
            return ()
    return elements  # type: ignore[no-any-return]


def _measure_clock(lineage: LineageStore, artifacts: ArtifactStore) -> float:
    location = f"{TEMPORARY_FOLDER}/clock-{uuid.uuid4().hex}"
    before = lineage.read_clock().timestamp()
    artifacts.write_bytes(location, b"?")
    try:
        after = lineage.read_clock().timestamp()
        told = [file.modified_at for file in artifacts.files(TEMPORARY_FOLDER) if file.location == location]
    finally:
        artifacts.remove(location)
    margin = margin_of(artifacts).total_seconds()
    if not told or told[0] is None or before - margin <= told[0] <= after + margin:
        return 0.0
    return told[0] - after


def _list_artifacts(lineage: LineageStore) -> Iterator[ArtifactFacts]:
    page = lineage.list_artifacts()
    while page:
        yield from page
        page = lineage.list_artifacts(after=page[-1].artifact_id)


def _find_elements(
    lineage: LineageStore,
    artifacts: ArtifactStore,
    found: Sequence[ArtifactFacts],
    pending: Mapping[str, spool.Event],
) -> dict[str, frozenset[str]]:
    """Where the elements of collections lie that no record tells of, by the collection's id."""
    wanted = [
        item.artifact_id
        for item in found
        if item.kind == "internal" and item.type == COLLECTION_TYPE and item.deleted_at is None
    ]
    collections = [record for event in pending.values() for record in spool.outputs_of(event)]
    for batch in in_batches(wanted):
        collections += lineage.get_artifacts(batch).values()
    by_location: dict[str, frozenset[str]] = {}
    elements = {}
    for record in collections:
        if record.type != COLLECTION_TYPE:
            continue
        if record.location not in by_location:
            listed = read_elements(artifacts, record)
            by_location[record.location] = frozenset(item["location"] for item in listed if item["artifact_id"] is None)
        elements[record.artifact_id] = by_location[record.location]
    return elements
