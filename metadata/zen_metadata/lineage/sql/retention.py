"""What cleaning up asks and does: what there is, what open runs use, and tombstones.

An artifact becomes a tombstone while its row is locked, and whoever begins to use one (a step run that reuses a result,
a run that pins a version) locks the row too and looks whether it still lives. So of the two one comes first, and the
other knows of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, and_, bindparam, exists, func, literal, null, or_, select, update

from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.lineage.retention import ArtifactFacts, InUse, OpenRun, Tombstone
from zen_metadata.lineage.sql.naming import find_rolled_back
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS
from zen_metadata.lineage.sql.statements import ListStatement, Statement
from zen_metadata.lineage.sql.tables import (
    applied_events,
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    links,
    runs,
    step_runs,
)
from zen_metadata.lineage.sql.transaction import Transaction

PIN = "pin"
"""The tracker of links that pin an artifact for a run; their subject begins with the run's id."""
_RUN_ID_LENGTH = 36
_PAGE_ROWS = 5000
_TIME = artifacts.c.created_at.type

# -- what there is -------------------------------------------------------------------------------------------------

_FACTS = [artifacts.c[field.name] for field in fields(ArtifactFacts) if field.name != "run_id"]
_LIST_ARTIFACTS = Statement(
    select(*_FACTS, step_runs.c.run_id)
    .select_from(artifacts.outerjoin(step_runs, step_runs.c.step_run_id == artifacts.c.step_run_id))
    .where(artifacts.c.artifact_id > bindparam("after"), artifacts.c.kind != "source")
    .order_by(artifacts.c.artifact_id)
    .limit(_PAGE_ROWS)
)
_SAME_CONTENT = ListStatement(
    lambda items: (
        select(*ARTIFACT_COLUMNS)
        .where(
            artifacts.c.kind != "source",
            artifacts.c.deleted_at.is_(None),
            or_(artifacts.c.digest.in_(items), artifacts.c.location.in_(items)),
        )
        .order_by(artifacts.c.project, artifacts.c.pipeline, artifacts.c.name, artifacts.c.version)
    )
)
_KNOWN_EVENTS = ListStatement(
    lambda items: select(applied_events.c.event_id).where(applied_events.c.event_id.in_(items))
)
_KNOWN_ATTEMPTS = ListStatement(lambda items: select(attempts.c.attempt_id).where(attempts.c.attempt_id.in_(items)))
_KNOWN_RUNS = ListStatement(lambda items: select(runs.c.run_id).where(runs.c.run_id.in_(items)))
_RUNS_OF_STEPS = ListStatement(lambda items: select(step_runs.c.run_id).where(step_runs.c.run_id.in_(items)).distinct())
_RUN_CODES = Statement(select(runs.c.code_digest).distinct())
_ATTEMPT_CODES = Statement(select(attempts.c.code_digest).distinct())


def list_artifacts(work: Transaction, after: str) -> Sequence[ArtifactFacts]:
    """See `LineageStore.list_artifacts`."""
    return [ArtifactFacts(*row) for row in work.rows(_LIST_ARTIFACTS, {"after": after})]


def find_same_content(work: Transaction, records: Iterable[ArtifactRecord]) -> Sequence[ArtifactRecord]:
    """See `LineageStore.find_same_content`."""
    listed = list(records)
    wanted = [record.digest for record in listed] + [record.location for record in listed]
    found = [ArtifactRecord(*row) for row in work.rows_in(_SAME_CONTENT, wanted)]
    return list({record.artifact_id: record for record in found}.values())


def find_applied_events(work: Transaction, event_ids: Sequence[str]) -> set[str]:
    """See `LineageStore.find_applied_events`."""
    return {row.event_id for row in work.rows_in(_KNOWN_EVENTS, event_ids)}


def find_known_attempts(work: Transaction, attempt_ids: Sequence[str]) -> set[str]:
    """See `LineageStore.find_known_attempts`."""
    return {row.attempt_id for row in work.rows_in(_KNOWN_ATTEMPTS, attempt_ids)}


def find_known_runs(work: Transaction, run_ids: Sequence[str]) -> set[str]:
    """See `LineageStore.find_known_runs`."""
    statements = (_KNOWN_RUNS, _RUNS_OF_STEPS)  # where the store was away, a run may arrive later than its steps
    return {row.run_id for statement in statements for row in work.rows_in(statement, run_ids)}


def find_code_digests(work: Transaction) -> set[str]:
    """See `LineageStore.find_code_digests`."""
    return {row.code_digest for statement in (_RUN_CODES, _ATTEMPT_CODES) for row in work.rows(statement, {})}


# -- what is going on ----------------------------------------------------------------------------------------------

_LAST_SIGN = func.coalesce(attempts.c.ended_at, attempts.c.heartbeat_at)
_SINCE = bindparam("since", type_=_TIME)
_IS_OPEN = and_(
    _LAST_SIGN >= _SINCE,
    or_(
        runs.c.run_id.is_(None),
        runs.c.closed_status.is_(None),
        attempts.c.status == "running",
        attempts.c.started_at > runs.c.ended_at,
    ),
)
_WITH_RUN = attempts.join(step_runs, step_runs.c.step_run_id == attempts.c.step_run_id).outerjoin(
    runs, runs.c.run_id == step_runs.c.run_id
)
_OPEN_RUNS = Statement(
    select(step_runs.c.run_id, func.count(runs.c.run_id).label("recorded"), func.max(_LAST_SIGN).label("last_sign_at"))
    .select_from(_WITH_RUN)
    .where(_IS_OPEN)
    .group_by(step_runs.c.run_id)
)
_NEW_RUNS = Statement(
    select(runs.c.run_id, runs.c.started_at).where(runs.c.closed_status.is_(None), runs.c.started_at >= _SINCE)
)
_OLDEST_RUNNING = Statement(
    select(func.min(attempts.c.started_at).label("started_at")).where(
        attempts.c.status == "running", attempts.c.heartbeat_at >= _SINCE
    )
)


def find_open_runs(work: Transaction, since: datetime) -> Sequence[OpenRun]:
    """See `LineageStore.find_open_runs`."""
    found = {row.run_id: OpenRun(row.run_id, True, row.started_at) for row in work.rows(_NEW_RUNS, {"since": since})}
    for row in work.rows(_OPEN_RUNS, {"since": since}):
        found[row.run_id] = OpenRun(row.run_id, row.recorded > 0, row.last_sign_at)
    return list(found.values())


def find_oldest_running(work: Transaction, since: datetime) -> datetime | None:
    """See `LineageStore.find_oldest_running`."""
    row = work.row(_OLDEST_RUNNING, {"since": since})
    started_at: datetime | None = row and row.started_at
    return started_at


# -- tombstones ----------------------------------------------------------------------------------------------------

_OF_ARTIFACTS = ListStatement(
    lambda items: (
        select(artifacts.c.artifact_id, artifacts.c.deleted_at)
        .where(artifacts.c.artifact_id.in_(items))
        .order_by(artifacts.c.artifact_id)
        .with_for_update()
    )
)
_newer = artifacts.alias("newer")
_HAS_NEWER = exists().where(
    _newer.c.project == artifacts.c.project,
    _newer.c.name == artifacts.c.name,
    _newer.c.pipeline == artifacts.c.pipeline,
    _newer.c.version > artifacts.c.version,
    _newer.c.deleted_at.is_(None),
)
_MAY_GO = ListStatement(
    lambda items: select(artifacts.c.artifact_id).where(
        artifacts.c.artifact_id.in_(items),
        artifacts.c.deleted_at.is_(None),
        or_(artifacts.c.kind == "internal", _HAS_NEWER),
    )
)
_NAMES = ListStatement(
    lambda items: select(
        artifacts.c.artifact_id, artifacts.c.project, artifacts.c.pipeline, artifacts.c.name, artifacts.c.version
    ).where(artifacts.c.artifact_id.in_(items))
)


def _used(table: Any) -> ListStatement:
    return ListStatement(
        lambda items: (
            select(table.c.artifact_id, step_runs.c.run_id)
            .select_from(_WITH_RUN.join(table, table.c.attempt_id == attempts.c.attempt_id))
            .where(table.c.artifact_id.in_(items), _IS_OPEN)
            .distinct()
        )
    )


_USED = (_used(attempt_outputs), _used(attempt_inputs))
_PINNED = ListStatement(
    lambda items: (
        select(links.c.external_id.label("artifact_id"), runs.c.run_id)
        .select_from(links.join(runs, runs.c.run_id == func.substr(links.c.subject_id, 1, _RUN_ID_LENGTH)))
        .where(
            links.c.tracker == PIN,
            links.c.external_id.in_(items),
            runs.c.closed_status.is_(None),
            runs.c.started_at >= _SINCE,
        )
    )
)


def _bury(**values: Any) -> ListStatement:
    return ListStatement(
        lambda items: (
            update(artifacts)
            .where(artifacts.c.artifact_id.in_(items), artifacts.c.deleted_at.is_(None))
            .values(
                deleted_at=bindparam("at", type_=_TIME),
                deleted_by=bindparam("by", type_=artifacts.c.deleted_by.type),
                deleted_reason=bindparam("reason", type_=artifacts.c.deleted_reason.type),
                has_inline_value=literal(False, Boolean()),
                inline_value=null(),
                **values,
            )
        )
    )


_BURY = _bury()
_BURY_ALL = _bury(metadata=literal({}, artifacts.c.metadata.type))


def find_used(work: Transaction, artifact_ids: Sequence[str], in_use: InUse) -> set[str]:
    """See `LineageStore.find_used`."""
    since = {"since": in_use.since}
    return {
        row.artifact_id
        for statement in (*_USED, _PINNED)
        for row in work.rows_in(statement, artifact_ids, since)
        if row.run_id not in in_use.over
    }


def bury_unused(work: Transaction, artifact_ids: Sequence[str], tombstone: Tombstone, in_use: InUse) -> Sequence[str]:
    """See `LineageStore.bury_unused`."""
    for part, listed in _OF_ARTIFACTS.batches(sorted(artifact_ids)):
        work.lock(part, listed)
    may_go = {row.artifact_id for row in work.rows_in(_MAY_GO, artifact_ids)}
    may_go -= find_used(work, sorted(may_go), in_use) if may_go else set()
    named = work.rows_in(_NAMES, sorted(may_go)) if may_go else []
    current = {project: find_rolled_back(work, project) for project in {row.project for row in named}}
    going = [
        row.artifact_id
        for row in named
        if row.version is None or current[row.project].get((row.pipeline, row.name)) != row.version
    ]
    _send(work, _BURY, going, tombstone)
    return going


def bury(work: Transaction, artifact_ids: Collection[str], tombstone: Tombstone) -> None:
    """See `LineageStore.bury`."""
    _send(work, _BURY_ALL, sorted(artifact_ids), tombstone)


def _send(work: Transaction, statement: ListStatement, artifact_ids: Sequence[str], tombstone: Tombstone) -> None:
    values = {"at": work.now(), "by": tombstone.by, "reason": tombstone.reason}
    for part, listed in statement.batches(artifact_ids):
        work.send(part, {**values, **listed})
