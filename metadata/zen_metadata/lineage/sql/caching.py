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
    LookUp,
)
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS
from zen_metadata.lineage.sql.statements import Statement, insert_new
from zen_metadata.lineage.sql.tables import artifacts, attempt_outputs, attempts, cache_entries, leases
from zen_metadata.lineage.sql.transaction import Answer, Transaction
from zen_metadata.lineage.store import LEASE_SECONDS

_LEASE_TIME = timedelta(seconds=LEASE_SECONDS)
_CLOCK_TOLERANCE = timedelta(minutes=1)


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

_LEASE_COLUMNS = ("token", "attempt_id", "step_run_id", "expires_at", "released_at")
_INSERT_LEASE = Statement(
    lambda insert: insert(leases).on_conflict_do_nothing(),
    ("project", "cache_key", *_LEASE_COLUMNS),
    by_clock={"expires_at": int(LEASE_SECONDS * 1_000_000)},
)
_LOCK_LEASE = Statement(select(leases.c.token).where(_of_key(leases)).with_for_update())
_FIND_TOKEN = Statement(select(leases.c.token).where(_of_key(leases)))
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
_TAKE_LEASE = Statement(update(leases).where(_of_key(leases)), _LEASE_COLUMNS)
_OF_TOKEN = _of_key(leases) & (leases.c.token == bindparam("of_token"))
_EXTEND_LEASE = Statement(update(leases).where(_OF_TOKEN, leases.c.released_at.is_(None)), ("expires_at",))
_RELEASE_LEASE = Statement(
    update(leases).where(_OF_TOKEN, leases.c.released_at.is_(None)), ("released_at",), by_clock={"released_at": 0}
)


def find_entry(work: Transaction, project: str, cache_key: str, max_age_seconds: float | None) -> LookUp:
    """The result that stands for a key, if it may still be used."""
    return _read_entry(work, _ask_entry(work, project, cache_key), max_age_seconds)


def _ask_entry(work: Transaction, project: str, cache_key: str) -> Answer:
    return work.ask(_FIND_ENTRY, {"of_project": project, "of_key": cache_key})


def _read_entry(work: Transaction, answer: Answer, max_age_seconds: float | None) -> LookUp:
    rows = answer.rows()
    if not rows:
        return LookUp()
    if reason := _why_stale(work, rows, max_age_seconds):
        return LookUp(reason=reason)
    first = rows[0]
    outputs = {row.output: ArtifactRecord(*row[len(_ENTRY) :]) for row in rows if row.output is not None}
    return LookUp(
        CachedResult(
            cache_key=first.cache_key,
            attempt_id=first.entry_attempt_id,
            step_run_id=first.entry_step_run_id,
            run_id=first.run_id,
            created_at=first.entry_created_at,
            outputs=outputs,
            nondeterministic=first.nondeterministic,
        )
    )


class NewEntry:
    """Lets an attempt's outputs stand for its key, unless others do already."""

    def __init__(self, work: Transaction, attempt: AttemptRecord, *, run_id: str, created_at: datetime) -> None:
        """Offer them. Whether others were there is found out by `settle`, so that more can be sent meanwhile."""
        self._work = work
        self._key = {"of_project": attempt.project, "of_key": attempt.cache_key}
        self._entry = {
            "attempt_id": attempt.attempt_id,
            "step_run_id": attempt.step_run_id,
            "run_id": run_id,
            "created_at": created_at,
            "nondeterministic": False,
            "invalidated_at": None,
        }
        self._inserted = work.ask(
            _INSERT_ENTRY, {"project": attempt.project, "cache_key": attempt.cache_key, **self._entry}
        )

    def settle(
        self,
        outputs: Mapping[str, ArtifactRecord],
        *,
        max_age_seconds: float | None,
        began_at: datetime | None = None,
        replace: bool = False,
    ) -> bool:
        """Replace an entry that may not be used any more: deleted, invalidated, or older than the attempt's limit.

        Any other stays, unless it is to be replaced. So does one that was invalidated since the attempt began: its
        result may be made of just what was no longer to be relied on. Answers whether it is one that may be used and
        whose digests differ: what stands for the key is then marked as nondeterministic.
        """
        if self._inserted.count():
            return False
        self._work.lock(_LOCK_ENTRY, self._key)
        rows = self._work.rows(_FIND_ENTRY, self._key)
        stale = _why_stale(self._work, rows, max_age_seconds)
        if stale == "invalidated" and began_at is not None and began_at < rows[0].invalidated_at:
            return False
        if stale:
            self._work.send(_REPLACE_ENTRY, {**self._key, **self._entry})
            return False
        stored = {row.output: row.digest for row in rows if row.output is not None}
        differs = stored != {name: artifact.digest for name, artifact in outputs.items()}
        marked = differs or rows[0].nondeterministic
        if replace:
            self._work.send(_REPLACE_ENTRY, {**self._key, **self._entry, "nondeterministic": marked})
        elif differs:
            self._work.send(_MARK_ENTRY, {**self._key, "nondeterministic": True})
        return differs


def _why_stale(work: Transaction, rows: list[Any], max_age_seconds: float | None) -> str | None:
    """Why the result that stands for a key may not be used, as a word of `CACHE_REASONS`."""
    first = rows[0]
    if first.invalidated_at is not None:
        return "invalidated"
    if max_age_seconds is not None:
        age = work.now() - first.entry_created_at
        # Made in the future: a clock was put back, and how old the result is cannot be told.
        if age > timedelta(seconds=max_age_seconds) or age < -_CLOCK_TOLERANCE:
            return "expired"
    made = [row for row in rows if row.output is not None]
    if any(row.deleted_at is not None for row in made):
        return "deleted"
    return "gone" if any(row.artifact_id is None for row in made) else None


class Claim:
    """A claim to the lease of an attempt's key, and a look at the result that is there.

    The lease comes before the look: whoever waited for it here sees what its holder committed.
    """

    def __init__(self, work: Transaction, attempt: AttemptRecord, *, lease: bool, look_up: bool) -> None:
        """Ask for them. What is answered is found out by `settle`, so that more can be sent meanwhile."""
        self._work = work
        self._attempt = attempt
        key = {"of_project": attempt.project, "of_key": attempt.cache_key}
        self._inserted = _insert_lease(work, attempt) if lease else None
        self._held: Answer | None = None
        if self._inserted is not None and not (work.answers_at_once and self._inserted.count()):
            work.lock(_LOCK_LEASE, key)
            self._held = work.ask(_FIND_LEASE, key)
        self._entry = work.ask(_FIND_ENTRY, key) if look_up else None

    def settle(self, max_age_seconds: float | None) -> tuple[Lease | LeaseHolder | None, CachedResult | None]:
        """The lease, or who has it; and the result, if it may be used."""
        taken: Lease | LeaseHolder | None = None
        if self._inserted is not None and self._inserted.count():
            taken = Lease(self._attempt.cache_key, 1, self._attempt.project)
        elif self._held is not None:
            taken = _take_lease(self._work, self._attempt, self._held)
        return taken, None if self._entry is None else _read_entry(self._work, self._entry, max_age_seconds).hit


def _insert_lease(work: Transaction, attempt: AttemptRecord) -> Answer:
    key = {"project": attempt.project, "cache_key": attempt.cache_key, "token": 1}
    return work.ask(_INSERT_LEASE, {**key, **_lease_of(attempt, work.own_time())})


def _take_lease(work: Transaction, attempt: AttemptRecord, answer: Answer) -> Lease | LeaseHolder:
    held = answer.row()
    assert held is not None, "a lease is never removed"
    if held.attempt_id == attempt.attempt_id:
        return Lease(attempt.cache_key, held.token, attempt.project)
    is_live = held.released_at is None and held.expires_at > work.now() and held.status == "running"
    if is_live and held.step_run_id != attempt.step_run_id:
        return LeaseHolder(held.step_run_id, held.attempt_id, held.expires_at, (held.engine or {}).get("worker", ""))
    key = {"of_project": attempt.project, "of_key": attempt.cache_key, "token": held.token + 1}
    work.send(_TAKE_LEASE, {**key, **_lease_of(attempt, work.now())})
    return Lease(attempt.cache_key, held.token + 1, attempt.project)


def _lease_of(attempt: AttemptRecord, now: datetime | None) -> dict[str, Any]:
    return {
        "attempt_id": attempt.attempt_id,
        "step_run_id": attempt.step_run_id,
        "expires_at": now and now + _LEASE_TIME,
        "released_at": None,
    }


def extend_leases(work: Transaction, held: list[Lease]) -> None:
    """Let leases expire later, where their token still holds."""
    until = work.now() + _LEASE_TIME
    work.send_many(_EXTEND_LEASE, [{**_of_lease(lease, lease.project), "expires_at": until} for lease in held])


def release_lease(work: Transaction, project: str, lease: Lease) -> Answer:
    """Give a lease back where its token still holds: what the answer counts.

    Before anything else, so that all transactions take their locks in the same order.
    """
    return work.ask(_RELEASE_LEASE, {**_of_lease(lease, project), "released_at": work.own_time()})


def is_taken_over(work: Transaction, project: str, lease: Lease, released: Answer) -> bool:
    """Whether somebody else claimed the key after this lease was given."""
    if released.count():
        return False
    row = work.row(_FIND_TOKEN, {"of_project": project, "of_key": lease.cache_key})
    return row is not None and bool(row.token > lease.token)


def _of_lease(lease: Lease, project: str) -> dict[str, Any]:
    return {"of_project": project, "of_key": lease.cache_key, "of_token": lease.token}
