"""Cache entries and leases: which result stands for a key, and who may work on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update

from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptRecord,
    CachedResult,
    Lease,
    LeaseHolder,
    StepRunRecord,
)
from zen_metadata.lineage.sql.database import Transaction
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS
from zen_metadata.lineage.sql.statements import Statement, insert_new
from zen_metadata.lineage.sql.tables import artifacts, attempt_outputs, attempts, cache_entries, leases
from zen_metadata.lineage.store import LEASE_SECONDS

_LEASE_TIME = timedelta(seconds=LEASE_SECONDS)


def _of_key(table: Any) -> Any:
    return (table.c.project == bindparam("of_project")) & (table.c.cache_key == bindparam("of_key"))


_ENTRY = (
    cache_entries.c.cache_key,
    cache_entries.c.attempt_id.label("entry_attempt_id"),
    cache_entries.c.step_run_id.label("entry_step_run_id"),
    cache_entries.c.run_id,
    cache_entries.c.created_at.label("entry_created_at"),
    cache_entries.c.nondeterministic,
    cache_entries.c.invalidated_at,
    attempt_outputs.c.output,
)
_FIND_ENTRY = Statement(
    select(*_ENTRY, *ARTIFACT_COLUMNS)
    .select_from(
        cache_entries.outerjoin(attempt_outputs, attempt_outputs.c.attempt_id == cache_entries.c.attempt_id).outerjoin(
            artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id
        )
    )
    .where(_of_key(cache_entries))
    .order_by(attempt_outputs.c.output)
)
_INSERT_ENTRY = insert_new(cache_entries)
_LOCK_ENTRY = Statement(select(cache_entries.c.attempt_id).where(_of_key(cache_entries)).with_for_update())
_REPLACE_ENTRY = Statement(
    update(cache_entries).where(_of_key(cache_entries)),
    ("attempt_id", "step_run_id", "run_id", "created_at", "nondeterministic", "invalidated_at"),
)
_MARK_ENTRY = Statement(update(cache_entries).where(_of_key(cache_entries)), ("nondeterministic",))

_INSERT_LEASE = insert_new(leases)
_LOCK_LEASE = Statement(select(leases.c.token).where(_of_key(leases)).with_for_update())
_FIND_LEASE = Statement(
    select(
        leases.c.token,
        leases.c.attempt_id,
        leases.c.step_run_id,
        leases.c.expires_at,
        leases.c.released_at,
        attempts.c.status,
        attempts.c.engine,
    )
    .select_from(leases.outerjoin(attempts, attempts.c.attempt_id == leases.c.attempt_id))
    .where(_of_key(leases))
)
_TAKE_LEASE = Statement(
    update(leases).where(_of_key(leases)), ("token", "attempt_id", "step_run_id", "expires_at", "released_at")
)
_OF_TOKEN = _of_key(leases) & (leases.c.token == bindparam("of_token"))
_EXTEND_LEASE = Statement(update(leases).where(_OF_TOKEN, leases.c.released_at.is_(None)), ("expires_at",))
_RELEASE_LEASE = Statement(update(leases).where(_OF_TOKEN, leases.c.released_at.is_(None)), ("released_at",))


def find_entry(work: Transaction, project: str, cache_key: str, max_age_seconds: float | None) -> CachedResult | None:
    """The result that stands for a key, if it may still be used."""
    rows = work.rows(_FIND_ENTRY, {"of_project": project, "of_key": cache_key})
    if not rows or _is_stale(work, rows, max_age_seconds):
        return None
    first = rows[0]
    outputs = {row.output: ArtifactRecord(*row[len(_ENTRY) :]) for row in rows if row.output is not None}
    return CachedResult(
        cache_key=cache_key,
        attempt_id=first.entry_attempt_id,
        step_run_id=first.entry_step_run_id,
        run_id=first.run_id,
        created_at=first.entry_created_at,
        outputs=outputs,
        nondeterministic=first.nondeterministic,
    )


def commit_entry(
    work: Transaction,
    attempt: AttemptRecord,
    *,
    run_id: str,
    created_at: datetime,
    outputs: Mapping[str, ArtifactRecord],
    max_age_seconds: float | None,
) -> bool:
    """Let an attempt's outputs stand for its key, unless others do already.

    An entry that may not be used any more (deleted, invalidated, or older than the attempt's own limit) is replaced;
    any other stays. Answers whether one stayed whose digests differ: it is then marked as nondeterministic.
    """
    key = {"of_project": attempt.project, "of_key": attempt.cache_key}
    entry = {
        "attempt_id": attempt.attempt_id,
        "step_run_id": attempt.step_run_id,
        "run_id": run_id,
        "created_at": created_at,
        "nondeterministic": False,
        "invalidated_at": None,
    }
    if work.run(_INSERT_ENTRY, {"project": attempt.project, "cache_key": attempt.cache_key, **entry}):
        return False
    work.lock(_LOCK_ENTRY, key)
    rows = work.rows(_FIND_ENTRY, key)
    if _is_stale(work, rows, max_age_seconds):
        work.run(_REPLACE_ENTRY, {**key, **entry})
        return False
    stored = {row.output: row.digest for row in rows if row.output is not None}
    if stored == {name: artifact.digest for name, artifact in outputs.items()}:
        return False
    work.run(_MARK_ENTRY, {**key, "nondeterministic": True})
    return True


def _is_stale(work: Transaction, rows: list[Any], max_age_seconds: float | None) -> bool:
    first = rows[0]
    if first.invalidated_at is not None:
        return True
    if max_age_seconds is not None and work.now() - first.entry_created_at > timedelta(seconds=max_age_seconds):
        return True
    return any(row.output is not None and (row.artifact_id is None or row.deleted_at is not None) for row in rows)


def claim_lease(work: Transaction, step_run: StepRunRecord, attempt: AttemptRecord) -> Lease | LeaseHolder:
    """Take the lease of the attempt's key, or say who has it."""
    now = work.now()
    claim = {
        "attempt_id": attempt.attempt_id,
        "step_run_id": step_run.step_run_id,
        "expires_at": now + _LEASE_TIME,
        "released_at": None,
    }
    if work.run(_INSERT_LEASE, {"project": attempt.project, "cache_key": attempt.cache_key, "token": 1, **claim}):
        return Lease(attempt.cache_key, 1, attempt.project)
    key = {"of_project": attempt.project, "of_key": attempt.cache_key}
    lock_lease(work, attempt)
    held = work.row(_FIND_LEASE, key)
    assert held is not None, "a lease is never removed"
    if held.attempt_id == attempt.attempt_id:
        return Lease(attempt.cache_key, held.token, attempt.project)
    is_live = held.released_at is None and held.expires_at > now and held.status == "running"
    if is_live and held.step_run_id != step_run.step_run_id:
        return LeaseHolder(held.step_run_id, held.attempt_id, held.expires_at, (held.engine or {}).get("worker", ""))
    work.run(_TAKE_LEASE, {**key, **claim, "token": held.token + 1})
    return Lease(attempt.cache_key, held.token + 1, attempt.project)


def lock_lease(work: Transaction, attempt: AttemptRecord) -> None:
    """Lock the key's lease before anything else, so that all transactions take their locks in the same order."""
    work.lock(_LOCK_LEASE, {"of_project": attempt.project, "of_key": attempt.cache_key})


def is_outdated(work: Transaction, project: str, lease: Lease) -> bool:
    """Whether somebody took the lease over with a higher token."""
    held = work.row(_FIND_LEASE, {"of_project": project, "of_key": lease.cache_key})
    return held is not None and held.token > lease.token


def extend_leases(work: Transaction, held: list[Lease]) -> None:
    """Let leases expire later, where their token still holds."""
    until = work.now() + _LEASE_TIME
    work.run_many(_EXTEND_LEASE, [{**_of_lease(lease, lease.project), "expires_at": until} for lease in held])


def release_lease(work: Transaction, project: str, lease: Lease) -> None:
    """Give a lease back, where its token still holds."""
    work.run(_RELEASE_LEASE, {**_of_lease(lease, project), "released_at": work.now()})


def _of_lease(lease: Lease, project: str) -> dict[str, Any]:
    return {"of_project": project, "of_key": lease.cache_key, "of_token": lease.token}
