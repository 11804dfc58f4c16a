"""The beginning and the end of an attempt: the two transactions that everything else hangs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select, update

from zen_metadata.lineage.records import (
    REPLACING_REASONS,
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    AttemptStart,
    CommitResult,
    Lease,
    LeaseHolder,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.sql import caching, rows
from zen_metadata.lineage.sql.liveness import all_live, ask_live
from zen_metadata.lineage.sql.runs import find_run_id, insert_run, record_event
from zen_metadata.lineage.sql.statements import Statement, insert_new
from zen_metadata.lineage.sql.tables import (
    artifact_names,
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    cache_entries,
    metrics,
    params,
    step_runs,
)
from zen_metadata.lineage.sql.transaction import Answer, Transaction

_INSERT_STEP_RUN = insert_new(step_runs)
_LOCK_STEP_RUN = Statement(
    select(step_runs.c.step_run_id).where(step_runs.c.step_run_id == bindparam("of_step_run")).with_for_update()
)
_FIND_ATTEMPTS = Statement(
    select(
        attempts.c.attempt_id,
        attempts.c.number,
        attempts.c.status,
        attempts.c.started_at,
        attempts.c.max_age_seconds,
        attempts.c.lease_token,
    ).where(attempts.c.step_run_id == bindparam("of_step_run"))
)
_INSERT_ATTEMPT = insert_new(attempts)
_OF_ATTEMPT = attempts.c.attempt_id == bindparam("of_attempt")
_END_ATTEMPT = Statement(update(attempts).where(_OF_ATTEMPT), rows.ENDING_COLUMNS)
_LOSE_ATTEMPTS = Statement(
    update(attempts).where(
        attempts.c.step_run_id == bindparam("of_step_run"),
        attempts.c.attempt_id != bindparam("of_attempt"),
        attempts.c.status == "running",
    ),
    ("status",),
)
_LOSE_ATTEMPT = Statement(update(attempts).where(_OF_ATTEMPT, attempts.c.status == "running"), ("status",))
_BEAT = Statement(update(attempts).where(_OF_ATTEMPT, attempts.c.status == "running"), ("heartbeat_at",))

_INSERT_INPUT = insert_new(attempt_inputs)
_INSERT_OUTPUT = insert_new(attempt_outputs)
_INSERT_ARTIFACT = insert_new(artifacts)
_INSERT_METRIC = insert_new(metrics)
_INSERT_PARAM = insert_new(params)
_COUNT_VERSION = Statement(
    lambda insert: insert(artifact_names).on_conflict_do_update(
        index_elements=["project", "pipeline", "name"], set_={"last_version": artifact_names.c.last_version + 1}
    )
)
_LAST_VERSION = Statement(
    select(artifact_names.c.last_version).where(
        artifact_names.c.project == bindparam("of_project"),
        artifact_names.c.pipeline == bindparam("of_pipeline"),
        artifact_names.c.name == bindparam("of_name"),
    )
)
_FIND_COMMITTED = Statement(
    select(attempt_outputs.c.output, artifacts.c.version)
    .select_from(attempt_outputs.join(artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id))
    .where(attempt_outputs.c.attempt_id == bindparam("of_attempt"), artifacts.c.attempt_id == bindparam("of_attempt"))
)
_FIND_ENTRY_OWNER = Statement(
    select(cache_entries.c.attempt_id, cache_entries.c.nondeterministic).where(
        cache_entries.c.project == bindparam("of_project"), cache_entries.c.cache_key == bindparam("of_key")
    )
)


def start_attempt(
    work: Transaction,
    step_run: StepRunRecord,
    attempt: AttemptRecord,
    *,
    lease: bool,
    look_up: bool,
    max_age_seconds: float | None,
    but_not: str | None,
) -> AttemptStart:
    """See `LineageStore.start_attempt`."""
    claims = caching.Claim(work, attempt, lease=lease, look_up=look_up)
    # A server is asked everything at once; what this writes for nothing where there is a hit or a holder is undone.
    known_there = None if work.answers_at_once else _join_step_run(work, step_run)
    claim, hit = claims.settle(max_age_seconds)
    if hit is not None and hit.attempt_id != but_not:
        work.abandon()
        return AttemptStart(hit=hit)
    if isinstance(claim, LeaseHolder):
        work.abandon()
        return AttemptStart(holder=claim)
    known = (known_there or _join_step_run(work, step_run)).rows()
    mine = _find(known, attempt)
    if mine is not None:
        return AttemptStart(number=mine.number, lease=claim)
    values = rows.attempt_values(attempt, _next_number(known), work.now())
    values["max_age_seconds"] = max_age_seconds
    values["lease_token"] = claim and claim.token
    _lose_earlier(work, known, attempt)
    work.send(_INSERT_ATTEMPT, values)
    return AttemptStart(number=values["number"], lease=claim)


def lose_attempt(work: Transaction, attempt_id: str) -> None:
    """See `LineageStore.lose_attempt`."""
    work.send(_LOSE_ATTEMPT, {"of_attempt": attempt_id, "status": "lost"})


def heartbeat(work: Transaction, attempt_ids: Sequence[str], leases: Sequence[Lease]) -> None:
    """See `LineageStore.heartbeat`."""
    now = work.now()
    caching.extend_leases(work, sorted(leases, key=lambda lease: (lease.project, lease.cache_key)))
    work.send_many(_BEAT, [{"of_attempt": attempt_id, "heartbeat_at": now} for attempt_id in sorted(attempt_ids)])


def end_attempt(
    work: Transaction,
    run: RunRecord,
    step_run: StepRunRecord,
    attempt: AttemptRecord,
    end: AttemptEnd,
    *,
    openlineage: bool,
) -> CommitResult:
    """See `LineageStore.end_attempt`."""
    released = caching.release_lease(work, attempt.project, end.lease) if end.lease else None
    # What was spooled is recorded as it was; only a step run that begins to use artifacts just now can do without.
    is_reuse = end.status == "cached" and attempt.started_at is None
    reused = ask_live(work, [item.artifact_id for item in end.outputs.values()]) if is_reuse else []
    known_run = find_run_id(work, run)
    # One that was begun has its step run there; one that takes a recorded result was never begun.
    known = _join_step_run(work, step_run, is_there=not is_reuse).rows()
    mine = _find(known, attempt)
    if mine is None and not is_reuse:
        known = _join_step_run(work, step_run).rows()
        mine = _find(known, attempt)
    if mine is not None and mine.status not in ("running", "lost"):
        return _recall_commit(work, attempt, mine.status)
    if not all_live(reused):
        work.abandon()
        return CommitResult(deleted=True)
    if not known_run.rows():
        insert_run(work, run)
    superseded = _is_superseded(work, known, mine, attempt, end, released)
    ended_at = min(end.ended_at or work.now(), work.now())
    if mine is not None:
        ended_at = max(ended_at, mine.started_at)  # the database's clock may have been put back meanwhile
    _record_end(
        work, known, mine, attempt, rows.ending_values(end, "superseded" if superseded else end.status, ended_at)
    )
    _record_facts(work, attempt, end)
    if end.lease is None and mine is not None and mine.lease_token is not None:
        # It was begun here without hearing of it: the connection was lost with the answer.
        caching.release_lease(work, attempt.project, Lease(attempt.cache_key, mine.lease_token, attempt.project))
    if superseded:
        return CommitResult(superseded=True)
    entry: caching.NewEntry | None = None
    if end.status == "completed" and attempt.cache_enabled and attempt.cache_key:
        entry = caching.NewEntry(work, attempt, run_id=step_run.run_id, created_at=ended_at)
    ids = {"step_run_id": step_run.step_run_id, "attempt_id": attempt.attempt_id}
    record_event(work, "attempt_ended", run, openlineage=openlineage, **ids)
    # Last, because all that make an artifact of the same name wait for one another from here to the commit.
    versions = _record_outputs(work, attempt, end)
    differs = entry is not None and entry.settle(
        end.outputs,
        max_age_seconds=mine and mine.max_age_seconds,
        began_at=mine.started_at if mine else attempt.started_at,
        replace=attempt.cache_reason in REPLACING_REASONS,
    )
    return CommitResult(versions=versions, nondeterministic=differs)


def adopt_artifacts(work: Transaction, records: Sequence[ArtifactRecord]) -> None:
    """See `LineageStore.adopt_artifacts`."""
    nowhere = {"step_run_id": None, "attempt_id": None}
    work.send_many(
        _INSERT_ARTIFACT,
        [rows.artifact_values(record, work.now(), version=record.version, **nowhere) for record in records],
    )


def _join_step_run(work: Transaction, step_run: StepRunRecord, *, is_there: bool = False) -> Answer:
    """Record a step run, keep others from adding attempts to it, and ask for those that are there."""
    if not is_there:
        work.send(_INSERT_STEP_RUN, rows.step_run_values(step_run))
    key = {"of_step_run": step_run.step_run_id}
    work.lock(_LOCK_STEP_RUN, key)
    return work.ask(_FIND_ATTEMPTS, key)


def _find(known: list[Any], attempt: AttemptRecord) -> Any | None:
    return next((other for other in known if other.attempt_id == attempt.attempt_id), None)


def _next_number(known: list[Any]) -> int:
    return 1 + max((other.number for other in known), default=0)


def _lose_earlier(work: Transaction, known: list[Any], attempt: AttemptRecord) -> None:
    if any(other.status == "running" for other in known):
        key = {"of_step_run": attempt.step_run_id, "of_attempt": attempt.attempt_id}
        work.send(_LOSE_ATTEMPTS, {**key, "status": "lost"})


def _is_superseded(
    work: Transaction,
    known: list[Any],
    mine: Any | None,
    attempt: AttemptRecord,
    end: AttemptEnd,
    released: Answer | None,
) -> bool:
    others = [other for other in known if other is not mine and other.status != "superseded"]
    if mine is None:
        # Known here for the first time: it was cached, or spooled while others went on. Its start tells its place.
        newer = attempt.started_at is not None and any(other.started_at > attempt.started_at for other in others)
    else:
        newer = any(other.number > mine.number for other in others)
    if newer or end.status != "completed" or end.lease is None or released is None:
        return newer
    return caching.is_taken_over(work, attempt.project, end.lease, released)


def _record_end(
    work: Transaction, known: list[Any], mine: Any | None, attempt: AttemptRecord, ending: dict[str, Any]
) -> None:
    if mine is not None:
        work.send(_END_ATTEMPT, {"of_attempt": attempt.attempt_id, **ending})
        return
    if ending["status"] != "superseded":
        _lose_earlier(work, known, attempt)
    values = rows.attempt_values(attempt, _next_number(known), ending["ended_at"])
    work.send(_INSERT_ATTEMPT, {**values, **ending})


def _record_facts(work: Transaction, attempt: AttemptRecord, end: AttemptEnd) -> None:
    """What is kept whatever became of the attempt: what it read and what it logged."""
    now = work.now()
    work.send_many(
        _INSERT_ARTIFACT,
        [
            rows.artifact_values(
                source, now, version=None, step_run_id=source.step_run_id, attempt_id=source.attempt_id
            )
            for source in sorted(end.sources, key=lambda source: source.artifact_id)
        ],
    )
    work.send_many(_INSERT_INPUT, [rows.input_values(attempt, item) for item in end.inputs])
    work.send_many(
        _INSERT_METRIC, [rows.metric_values(attempt, index, metric) for index, metric in enumerate(end.metrics)]
    )
    work.send_many(_INSERT_PARAM, rows.param_values(attempt, end.params))


def _record_outputs(work: Transaction, attempt: AttemptRecord, end: AttemptEnd) -> Mapping[str, int]:
    """The edges to the outputs; and for an attempt that made them, the artifacts, each with its version."""
    versions: dict[str, int] = {}
    if end.status == "completed" and end.outputs:
        # In the order of their names, since each counter stays locked until the transaction ends.
        listed = [item for item in end.outputs.items() if item[1].kind == "value"]
        ordered = sorted(listed, key=lambda item: (item[1].pipeline, item[1].name))
        counters = {output: _count_version(work, artifact) for output, artifact in ordered}
        work.read_clock()  # later than that of the version before, which was committed by now
        versions = {output: _last_version(counter) for output, counter in counters.items()}
        made_by = {"step_run_id": attempt.step_run_id, "attempt_id": attempt.attempt_id}
        work.send_many(
            _INSERT_ARTIFACT,
            [
                rows.artifact_values(artifact, work.now(), version=versions.get(output), **made_by)
                for output, artifact in end.outputs.items()
            ],
        )
    work.send_many(_INSERT_OUTPUT, [rows.output_values(attempt, *item) for item in end.outputs.items()])
    return versions


def _count_version(work: Transaction, artifact: ArtifactRecord) -> Answer:
    """Count a name's versions up, and ask where they are. The counter stays locked, so that versions have no gaps."""
    name = {"project": artifact.project, "pipeline": artifact.pipeline, "name": artifact.name}
    work.send(_COUNT_VERSION, {**name, "last_version": 1})
    return work.ask(_LAST_VERSION, {f"of_{key}": value for key, value in name.items()})


def _last_version(counter: Answer) -> int:
    row = counter.row()
    assert row is not None, "it was counted just now"
    version: int = row.last_version
    return version


def _recall_commit(work: Transaction, attempt: AttemptRecord, status: str) -> CommitResult:
    """What the first commit of this attempt was answered."""
    if status == "superseded":
        return CommitResult(superseded=True)
    committed = work.rows(_FIND_COMMITTED, {"of_attempt": attempt.attempt_id})
    entry = work.row(_FIND_ENTRY_OWNER, {"of_project": attempt.project, "of_key": attempt.cache_key})
    differs = entry is not None and entry.nondeterministic and entry.attempt_id != attempt.attempt_id
    return CommitResult(
        versions={row.output: row.version for row in committed if row.version is not None},
        nondeterministic=status == "completed" and attempt.cache_enabled and differs,
    )
