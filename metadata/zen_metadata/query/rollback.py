"""Lets a name stand for an earlier version of its artifact."""

from __future__ import annotations

from collections.abc import Sequence

from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import RollbackRecord
from zen_metadata.query.artifacts import ArtifactVersion, find_versions
from zen_metadata.query.person import who_asks
from zen_metadata.query.stores import ReadStores


def roll_back(stores: ReadStores, name: str, version: int, *, reason: str) -> ArtifactVersion:
    """See `Client.roll_back`. Where the name stands for this version already, nothing is recorded."""
    found = find_versions(stores, name)
    chosen = next((item for item in found if item.version == version), None)
    if chosen is None or chosen.record.deleted_at is not None:
        raise _refused(name, version, chosen, found)
    if not chosen.current:
        record = chosen.record
        stores.lineage.roll_back(record.project, record.pipeline, record.name, version, by=who_asks(), reason=reason)
    return find_versions(stores, name, version)[0]


def find_rollbacks(stores: ReadStores, name: str) -> Sequence[RollbackRecord]:
    """See `Client.rollbacks`."""
    record = find_versions(stores, name)[0].record
    return stores.lineage.find_rollbacks(record.project, record.pipeline, record.name)


def _refused(
    name: str, version: int, chosen: ArtifactVersion | None, found: Sequence[ArtifactVersion]
) -> NotFoundError:
    there = sorted(item.version for item in found if item.version is not None and item.record.deleted_at is None)
    hint = f"there are: {', '.join(map(str, there))}" if there else "it has no versions"
    full_name = found[0].full_name
    if chosen is None:
        return NotFoundError(f"{full_name} has no version {version}", hint=hint)
    return NotFoundError(
        f"version {version} of {full_name} was deleted", why=chosen.record.deleted_reason or "", hint=hint
    )
