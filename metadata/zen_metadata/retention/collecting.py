"""Garbage collection: old versions become tombstones, and bytes go that nothing refers to."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from zen_core.contract.settings import without_credentials
from zen_core.errors import ArtifactMissingError, StoreError
from zen_metadata.artifacts.damage import CORRUPT_FOLDER
from zen_metadata.artifacts.place import OBJECTS_FOLDER
from zen_metadata.artifacts.roots import TEMPORARY_FOLDER
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.artifacts.stored_files import StoredFile
from zen_metadata.lineage.retention import ArtifactFacts, Tombstone
from zen_metadata.query.stores import ReadStores
from zen_metadata.retention.choosing import Choice, Policy, choose, find_in_use
from zen_metadata.retention.inventory import Inventory, in_batches, least_age, margin_of, take_inventory
from zen_metadata.shim import spool

REASON = "gc"
"""Why a tombstone that cleaning up makes was made."""
_BURIED_AT_ONCE = 256


@dataclass(slots=True)
class Amount:
    """How many, and how large together."""

    count: int = 0
    size_bytes: int = 0

    def to_json(self) -> dict[str, int]:
        """`{count, size_bytes}`."""
        return {"count": self.count, "size_bytes": self.size_bytes}


@dataclass(frozen=True)
class Collected:
    """What goes, or went.

    Attributes:
        deleted: whether it is gone; else it would go.
        policy: what was to be kept.
        versions: the artifacts that become tombstones.
        files: what goes from the artifact store, by reason.
        kept: how many older versions stay, by reason: newest, kept, latest_run, rolled_back, running.
        pending: facts that wait in the spool; what they refer to stays.
        foreign: runs that left logs in the artifact store, and that the lineage store does not know.
    """

    deleted: bool
    policy: Policy
    versions: Sequence[ArtifactFacts]
    files: Mapping[str, Amount]
    kept: Mapping[str, int]
    pending: int
    foreign: int = 0

    @property
    def total(self) -> Amount:
        """All files together."""
        return Amount(
            sum(amount.count for amount in self.files.values()),
            sum(amount.size_bytes for amount in self.files.values()),
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `zen gc --json`."""
        return {
            "deleted": self.deleted,
            "older_than_seconds": self.policy.older_than_seconds,
            "versions": [
                {
                    "artifact_id": item.artifact_id,
                    "pipeline": item.pipeline,
                    "name": item.name,
                    "version": item.version,
                    "size_bytes": item.size_bytes,
                    "created_at": item.created_at.isoformat(),
                }
                for item in self.versions
            ],
            "files": {reason: amount.to_json() for reason, amount in self.files.items()},
            "kept": dict(self.kept),
            "pending": self.pending,
            "foreign_runs": self.foreign,
            **self.total.to_json(),
        }


def collect(stores: ReadStores, policy: Policy, *, delete: bool, by: str) -> Collected:
    """Find what may go, and with `delete` let it go.

    Safe beside running pipelines, and beside another one of its kind; see docs/how-to/clean-up-and-forget.md for what
    is promised.

    Args:
        by: who deletes, for the tombstones.

    Raises:
        NotFoundError: the policy keeps what is not there.
        StoreError: a store refuses; a file of the spool is damaged; or another lineage store seems to use the artifact
            store, and the policy does not say that it does not.
    """
    inventory = take_inventory(stores, measure=delete)
    in_use = find_in_use(stores, inventory.now, policy)
    choice = choose(stores, inventory, policy, in_use)
    logs = stores.artifacts.files("logs")
    foreign = _find_foreign(stores, inventory, logs, policy)
    if foreign and delete and not policy.sole:
        raise _used_by_others(stores, foreign)
    if not delete:
        doomed = frozenset(item.artifact_id for item in choice.going)
        found = list(_Sweep(stores, inventory, policy, logs, doomed).find())
        return _report(choice.going, found, choice, inventory, policy, deleted=False, foreign=len(foreign))
    buried: set[str] = set()
    # The oldest first: whether a name has a newer version that lives is then told by the next one.
    oldest_first = sorted(choice.going, key=lambda item: item.version or 0)
    for batch in in_batches([item.artifact_id for item in oldest_first], _BURIED_AT_ONCE):
        buried.update(stores.lineage.bury_unused(batch, Tombstone(by, REASON), in_use))
    # What was stored, begun or spooled since is met by a second look.
    inventory = take_inventory(stores, measure=True)
    found = list(_Sweep(stores, inventory, policy, stores.artifacts.files("logs")).find())
    removed = set(stores.artifacts.remove_unchanged([file for _, file in found]))
    gone = [(reason, file) for reason, file in found if file in removed]
    going = [item for item in choice.going if item.artifact_id in buried]
    return _report(going, gone, choice, inventory, policy, deleted=True, foreign=len(foreign))


def _report(
    going: Sequence[ArtifactFacts],
    files: Iterable[tuple[str, StoredFile]],
    choice: Choice,
    inventory: Inventory,
    policy: Policy,
    *,
    deleted: bool,
    foreign: int,
) -> Collected:
    amounts: dict[str, Amount] = {}
    for reason, file in files:
        amount = amounts.setdefault(reason, Amount())
        amount.count += 1
        amount.size_bytes += file.size_bytes
    versions = [item for item in going if item.kind == "value"]
    return Collected(deleted, policy, versions, amounts, choice.kept, len(inventory.pending), foreign)


class _Sweep:
    """Finds the files that nothing refers to, each with the reason why it may go."""

    def __init__(
        self,
        stores: ReadStores,
        inventory: Inventory,
        policy: Policy,
        logs: Sequence[StoredFile],
        doomed: frozenset[str] = frozenset(),
    ) -> None:
        self._lineage = stores.lineage
        self._artifacts: ArtifactStore = stores.artifacts
        self._inventory = inventory
        self._logs = logs
        self._referenced = inventory.referenced(doomed)
        self._buried = _buried_locations(inventory.artifacts, doomed)
        margin = margin_of(self._artifacts)
        # Whoever stores bytes now and has not recorded them yet began after this.
        self._recorded_until = min(inventory.running_since, inventory.now) - margin
        youngest = inventory.now - least_age(self._artifacts)
        grace = inventory.now - timedelta(seconds=policy.grace_seconds)
        old = inventory.now - timedelta(seconds=policy.older_than_seconds)
        self._at_once = min(self._recorded_until, youngest)
        self._after_grace = min(self._at_once, grace)
        self._when_old = min(self._at_once, old)
        self._when_long_unused = min(self._after_grace, old)

    def find(self) -> Iterator[tuple[str, StoredFile]]:
        """The files, with `version`, `unreferenced`, `staged`, `quarantined`, `spool`, `log` or `code`."""
        for file in self._artifacts.files(OBJECTS_FOLDER):
            if file.location not in self._referenced and (reason := self._reason_of(file)):
                yield reason, file
        yield from (("staged", file) for file in self._files(TEMPORARY_FOLDER, self._after_grace))
        yield from (("quarantined", file) for file in self._files(CORRUPT_FOLDER, self._when_old))
        yield from (("spool", file) for file in self._find_spooled())
        yield from (("log", file) for file in self._find_logs())
        yield from (("code", file) for file in self._find_code())

    def _reason_of(self, file: StoredFile) -> str:
        """Why an object may go to which nothing refers; "" while somebody may be about to."""
        buried = self._buried.get(file.location)
        moment = self._inventory.time_of(file)
        if moment is None:
            return ""
        # Content that was stored again since its last record was made is on its way to another record.
        if buried is not None and moment <= buried and moment < self._at_once:
            return "version"
        return "" if moment >= self._after_grace else "unreferenced" if buried is None else "version"

    def _files(self, prefix: str, before: datetime) -> Iterator[StoredFile]:
        for file in self._artifacts.files(prefix):
            if self._is_older(file, before):
                yield file

    def _is_older(self, file: StoredFile, before: datetime) -> bool:
        moment = self._inventory.time_of(file)
        return moment is not None and moment < before

    def _find_spooled(self) -> Iterator[StoredFile]:
        needed = {*self._inventory.pending}
        for event in self._inventory.pending.values():
            needed.update(spool.locations_of(event))
        for file in self._artifacts.files("spool"):
            if file.location.startswith(spool.REFUSED_FOLDER):
                continue  # somebody may yet mend it
            is_left = file.location in self._inventory.applied
            if is_left or (file.location not in needed and self._is_older(file, self._after_grace)):
                yield file

    def _find_logs(self) -> Iterator[StoredFile]:
        """Logs of attempts that died before they could be recorded."""
        old = [file for file in self._logs if self._is_older(file, self._after_grace)]
        spooled = {event.event_id for event in self._inventory.pending.values()}
        for batch in in_batches(old):
            known = self._lineage.find_known_attempts([_stem(file) for file in batch]) | spooled
            yield from (file for file in batch if _stem(file) not in known)

    def _find_code(self) -> Iterator[StoredFile]:
        """Code bundles that no run names, and no manifest either, which a deployed pipeline may be waiting with."""
        unknown = list(self._files("code", self._when_long_unused))
        if not unknown:
            return
        named = self._lineage.find_code_digests() | set(_named_by_manifests(self._artifacts))
        named |= {event.run.code_digest for event in self._inventory.pending.values()}
        for event in self._inventory.pending.values():
            if isinstance(event, spool.AttemptEvent):
                named.add(event.attempt.code_digest)
        yield from (file for file in unknown if f"sha256:{_stem(file)}" not in named)


def _buried_locations(artifacts: Iterable[ArtifactFacts], doomed: frozenset[str]) -> dict[str, datetime]:
    """Where the bytes of tombstones lie, with the time of the latest record of each."""
    found: dict[str, datetime] = {}
    for item in artifacts:
        if item.deleted_at is not None or item.artifact_id in doomed:
            found[item.location] = max(item.created_at, found.get(item.location, item.created_at))
    return found


def _named_by_manifests(artifacts: ArtifactStore) -> Iterator[str]:
    for location in artifacts.list("manifests"):
        try:
            yield str(json.loads(artifacts.read_bytes(location)).get("code_digest", ""))
        except ArtifactMissingError:
            continue


def _find_foreign(
    stores: ReadStores, inventory: Inventory, logs: Sequence[StoredFile], policy: Policy
) -> frozenset[str]:
    """Runs that left logs and that are not recorded here: those of another lineage store."""
    grace = inventory.now - timedelta(seconds=policy.grace_seconds)
    left = {
        file.location.split("/")[1]
        for file in logs
        if (moment := inventory.time_of(file)) is not None and moment < grace
    }
    left -= {event.run.run_id for event in inventory.pending.values()}
    known = {run_id for batch in in_batches(sorted(left)) for run_id in stores.lineage.find_known_runs(batch)}
    return frozenset(left - known)


def _used_by_others(stores: ReadStores, runs: frozenset[str]) -> StoreError:
    return StoreError(
        f"the artifact store holds logs of {len(runs)} runs that the lineage store does not know",
        where=without_credentials(stores.settings.artifact_url),
        why=f"another lineage store seems to use it, and what that one refers to would be lost: {min(runs)}",
        hint="give each lineage store an artifact_url of its own; or say that there is no other: zen gc --sole",
    )


def _stem(file: StoredFile) -> str:
    return posixpath.basename(file.location).partition(".")[0]
