"""Lets a name stand for an earlier version of its artifact."""

from __future__ import annotations

from collections.abc import Sequence

from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import ArtifactRecord, RollbackRecord
from zen_metadata.query.artifacts import ArtifactVersion, find_one, full_name, with_producers
from zen_metadata.query.person import who_asks
from zen_metadata.query.stores import ReadStores

_LISTED_VERSIONS = 20


def roll_back(stores: ReadStores, name: str, version: int, *, reason: str) -> ArtifactVersion:
    """See `Client.roll_back`. Where the name stands for this version already, nothing is recorded."""
    named = find_one(stores, name).record
    of_name = (named.project, named.pipeline, named.name)
    is_one = named.artifact_id == name or named.version is None
    chosen = named if is_one else stores.lineage.find_version(*of_name, version)
    if chosen is None or chosen.version != version or chosen.deleted_at is not None:
        listed = [named] if is_one else _latest_versions(stores, of_name)
        raise _refused(named, version, chosen, listed)
    found = with_producers(stores, [chosen])[0]
    if found.current:
        return found
    stores.lineage.roll_back(*of_name, version, by=who_asks(), reason=reason)
    return with_producers(stores, [chosen])[0]


def find_rollbacks(stores: ReadStores, name: str) -> Sequence[RollbackRecord]:
    """See `Client.rollbacks`."""
    record = find_one(stores, name).record
    return stores.lineage.find_rollbacks(record.project, record.pipeline, record.name)


def _latest_versions(stores: ReadStores, of_name: tuple[str, str, str]) -> Sequence[ArtifactRecord]:
    project, pipeline, name = of_name
    return stores.lineage.find_artifacts(project, name=name, pipeline=pipeline, limit=_LISTED_VERSIONS)


def _refused(
    named: ArtifactRecord, version: int, chosen: ArtifactRecord | None, listed: Sequence[ArtifactRecord]
) -> NotFoundError:
    there = sorted(item.version for item in listed if item.version is not None and item.deleted_at is None)
    earlier = "…, " if len(listed) == _LISTED_VERSIONS else ""
    hint = f"there are: {earlier}{', '.join(map(str, there))}" if there else "it has no versions"
    if chosen is None or chosen.version != version:
        return NotFoundError(f"{full_name(named)} has no version {version}", hint=hint)
    return NotFoundError(
        f"version {version} of {full_name(named)} was deleted", why=chosen.deleted_reason or "", hint=hint
    )
