"""Removing the records of runs: which are old, what needs them, and deleting them in short transactions.

A step may be started again in a run that is being removed. Both lock the run's step runs: whoever comes second finds a
new attempt, and leaves the run alone; or finds no step run any more, and records it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, func, or_, select, text

from zen_metadata.lineage.records import PROJECTIONS
from zen_metadata.lineage.retention import OldRun, OldRuns
from zen_metadata.lineage.sql.retention import PIN
from zen_metadata.lineage.sql.statements import ListStatement, Statement
from zen_metadata.lineage.sql.tables import (
    applied_events,
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    cache_entries,
    code_bundles,
    codes,
    environments,
    irs,
    leases,
    links,
    metrics,
    outbox,
    params,
    runs,
    step_runs,
)
from zen_metadata.lineage.sql.transaction import Transaction

_RUN_ID_LENGTH = 36
_ATTEMPTS_AT_ONCE = 256
_EVENTS_AT_ONCE = 20_000
_EVENT_NAMES = ("hook ", "take-over ", "end ")
"""How the names of what was done once for a run begin; its id follows."""
_BEFORE = bindparam("before", type_=runs.c.started_at.type)
_LAST_SIGN = func.coalesce(attempts.c.ended_at, attempts.c.heartbeat_at)
_OF_PROJECT = bindparam("of_project", type_=runs.c.project.type)
_OF_RUN = bindparam("of_run")


# -- what is old, and what needs it --------------------------------------------------------------------------------

_OLD_RUNS = Statement(
    select(runs.c.run_id, runs.c.pipeline, runs.c.started_at)
    .where(runs.c.project == _OF_PROJECT, runs.c.started_at < _BEFORE)
    .order_by(runs.c.started_at.desc(), runs.c.run_id)
)
_WITH_STEP_RUN = attempts.join(step_runs, step_runs.c.step_run_id == attempts.c.step_run_id)
_RECENT_SIGNS = Statement(
    select(step_runs.c.run_id)
    .select_from(_WITH_STEP_RUN)
    .where(step_runs.c.project == _OF_PROJECT, _LAST_SIGN >= _BEFORE)
    .distinct()
)
_IS_LIVE = and_(artifacts.c.deleted_at.is_(None), artifacts.c.kind == "value")
_LIVE = Statement(
    select(step_runs.c.run_id)
    .select_from(artifacts.join(step_runs, step_runs.c.step_run_id == artifacts.c.step_run_id))
    .where(step_runs.c.project == _OF_PROJECT, _IS_LIVE)
    .distinct()
)
_HAS_DELETED_OUTPUT = exists().where(
    attempt_outputs.c.attempt_id == cache_entries.c.attempt_id,
    artifacts.c.artifact_id == attempt_outputs.c.artifact_id,
    artifacts.c.deleted_at.is_not(None),
)
_CACHED = Statement(
    select(cache_entries.c.run_id)
    .where(cache_entries.c.project == _OF_PROJECT, cache_entries.c.invalidated_at.is_(None), ~_HAS_DELETED_OUTPUT)
    .distinct()
)
_WAITING = Statement(select(outbox.c.run_id).where(outbox.c.done_at.is_(None)).distinct())
_makers = step_runs.alias("makers")


def _edges_of(table: Any) -> Statement:
    """Which run has what another run of the project made as an input, or an output."""
    joined = (
        _WITH_STEP_RUN.join(table, table.c.attempt_id == attempts.c.attempt_id)
        .join(artifacts, artifacts.c.artifact_id == table.c.artifact_id)
        .join(_makers, _makers.c.step_run_id == artifacts.c.step_run_id)
    )
    return _pairs(joined, artifacts.c.kind != "source")


def _pairs(joined: Any, *conditions: Any) -> Statement:
    return Statement(
        select(step_runs.c.run_id.label("reader"), _makers.c.run_id.label("maker"))
        .select_from(joined)
        .where(_makers.c.project == _OF_PROJECT, _makers.c.run_id != step_runs.c.run_id, *conditions)
        .distinct()
    )


_reused = attempts.alias("reused")
_EDGES = (
    _edges_of(attempt_inputs),
    _edges_of(attempt_outputs),
    _pairs(
        _WITH_STEP_RUN.join(_reused, _reused.c.attempt_id == attempts.c.reused_attempt_id).join(
            _makers, _makers.c.step_run_id == _reused.c.step_run_id
        )
    ),
    Statement(
        select(func.substr(links.c.subject_id, 1, _RUN_ID_LENGTH).label("reader"), _makers.c.run_id.label("maker"))
        .select_from(
            links.join(artifacts, artifacts.c.artifact_id == links.c.external_id).join(
                _makers, _makers.c.step_run_id == artifacts.c.step_run_id
            )
        )
        .where(links.c.tracker == PIN, _makers.c.project == _OF_PROJECT)
        .distinct()
    ),
    Statement(
        select(runs.c.run_id.label("reader"), runs.c.parent_run_id.label("maker")).where(
            runs.c.project == _OF_PROJECT, runs.c.parent_run_id.is_not(None)
        )
    ),
)


def find_old_runs(work: Transaction, project: str, before: datetime) -> OldRuns:
    """See `LineageStore.find_old_runs`."""
    key = {"of_project": project}
    recent = {row.run_id for row in work.rows(_RECENT_SIGNS, {**key, "before": before})}
    found = [OldRun(*row) for row in work.rows(_OLD_RUNS, {**key, "before": before}) if row.run_id not in recent]
    old = {run.run_id for run in found}
    makers: dict[str, set[str]] = {}
    for statement in _EDGES:
        for row in work.rows(statement, key):
            if row.maker in old and row.maker != row.reader:
                makers.setdefault(row.reader, set()).add(row.maker)
    live, cached, waiting = (
        frozenset(row.run_id for row in work.rows(statement, values)) & old
        for statement, values in ((_LIVE, key), (_CACHED, key), (_WAITING, {}))
    )
    named = {reader: frozenset(made) for reader, made in makers.items()}
    return OldRuns(found, live=live, cached=cached, waiting=waiting, makers=named)


# -- deleting ------------------------------------------------------------------------------------------------------

_LOCK_RUN = Statement(select(runs.c.run_id).where(runs.c.run_id == _OF_RUN).with_for_update())
_LOCK_STEP_RUNS = Statement(
    select(step_runs.c.step_run_id)
    .where(step_runs.c.run_id == _OF_RUN)
    .order_by(step_runs.c.step_run_id)
    .with_for_update()
)
_SINCE_THEN = Statement(
    select(func.count().label("count"))
    .select_from(_WITH_STEP_RUN)
    .where(step_runs.c.run_id == _OF_RUN, _LAST_SIGN >= _BEFORE)
)
_LIVE_OF_RUN = Statement(
    select(func.count().label("count"))
    .select_from(
        _WITH_STEP_RUN.join(attempt_outputs, attempt_outputs.c.attempt_id == attempts.c.attempt_id).join(
            artifacts,
            and_(
                artifacts.c.artifact_id == attempt_outputs.c.artifact_id,
                artifacts.c.attempt_id == attempt_outputs.c.attempt_id,
            ),
        )
    )
    .where(step_runs.c.run_id == _OF_RUN, _IS_LIVE)
)
_WAITING_OF_RUN = Statement(
    select(func.count().label("count")).where(outbox.c.run_id == _OF_RUN, outbox.c.done_at.is_(None))
)
_LATEST_ATTEMPTS = Statement(
    select(attempts.c.attempt_id, attempts.c.step_run_id, attempts.c.cache_key, attempts.c.project)
    .select_from(_WITH_STEP_RUN)
    .where(step_runs.c.run_id == _OF_RUN)
    # What was made of something goes before it: nothing is left whose input leads nowhere.
    .order_by(attempts.c.started_at.desc(), attempts.c.attempt_id)
    .limit(_ATTEMPTS_AT_ONCE)
)
_MADE = ListStatement(
    lambda items: (
        select(artifacts.c.artifact_id)
        .select_from(attempt_outputs.join(artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id))
        .where(attempt_outputs.c.attempt_id.in_(items), artifacts.c.attempt_id == attempt_outputs.c.attempt_id)
        .distinct()
    )
)


def _delete(column: Any, *conditions: Any) -> ListStatement:
    return ListStatement(lambda items: delete(column.table).where(column.in_(items), *conditions))


# All but pins, each by its name: the key of a link begins with it.
_IS_SHOWN = or_(*(links.c.tracker == projection for projection in PROJECTIONS))
_DELETE_ARTIFACTS = _delete(artifacts.c.artifact_id)
_OF_ATTEMPTS = (
    *(_delete(table.c.attempt_id) for table in (attempt_inputs, attempt_outputs, metrics, params)),
    _delete(applied_events.c.event_id),
)
_DELETE_LINKS = _delete(links.c.subject_id, _IS_SHOWN)
_DELETE_ATTEMPTS = _delete(attempts.c.attempt_id)
_OF_KEY = tuple(
    Statement(
        delete(table).where(
            table.c.project == _OF_PROJECT,
            table.c.cache_key == bindparam("of_key"),
            table.c.attempt_id == bindparam("of_attempt"),
        )
    )
    for table in (cache_entries, leases)
)
_DELETE_EMPTY_STEP_RUNS = Statement(
    delete(step_runs).where(
        step_runs.c.run_id == _OF_RUN, ~exists().where(attempts.c.step_run_id == step_runs.c.step_run_id)
    )
)
_DELETE_RUN = Statement(delete(runs).where(runs.c.run_id == _OF_RUN))


def delete_attempts(work: Transaction, run_id: str, before: datetime) -> int | None:
    """See `LineageStore.delete_attempts`."""
    key = {"of_run": run_id}
    work.lock(_LOCK_RUN, key)
    work.lock(_LOCK_STEP_RUNS, key)
    answers = [
        work.ask(_SINCE_THEN, {**key, "before": before}),
        work.ask(_LIVE_OF_RUN, key),
        work.ask(_WAITING_OF_RUN, key),
    ]
    if any(row.count for answer in answers for row in answer.rows()):
        return None
    found = work.rows(_LATEST_ATTEMPTS, key)
    ids = [row.attempt_id for row in found]
    _send(work, _DELETE_ARTIFACTS, [row.artifact_id for row in work.rows_in(_MADE, ids)])
    for statement in _OF_ATTEMPTS:
        _send(work, statement, ids)
    _send(work, _DELETE_LINKS, [*ids, *{row.step_run_id: None for row in found}])
    keys = [
        {"of_project": row.project, "of_key": row.cache_key, "of_attempt": row.attempt_id}
        for row in found
        if row.cache_key
    ]
    for of_key in _OF_KEY:
        work.send_many(of_key, keys)
    _send(work, _DELETE_ATTEMPTS, ids)
    work.send(_DELETE_EMPTY_STEP_RUNS, key)
    return len(ids)


def delete_run(work: Transaction, run_id: str) -> bool:
    """See `LineageStore.delete_run`."""
    key = {"of_run": run_id}
    work.lock(_LOCK_RUN, key)
    work.lock(_LOCK_STEP_RUNS, key)
    if work.row(_RUN_HAS_STEPS, key):
        return False
    _send(work, _DELETE_LINKS, [run_id])
    return work.ask(_DELETE_RUN, key).count() > 0


_RUN_HAS_STEPS = Statement(select(step_runs.c.step_run_id).where(step_runs.c.run_id == _OF_RUN).limit(1))
_DELETE_PINS = ListStatement(
    lambda items: delete(links).where(
        links.c.tracker == PIN, func.substr(links.c.subject_id, 1, _RUN_ID_LENGTH).in_(items)
    )
)
_DELETE_CLAIMS = ListStatement(
    lambda items: delete(applied_events).where(
        or_(
            *(
                and_(
                    func.substr(applied_events.c.event_id, 1, len(start)) == start,
                    func.substr(applied_events.c.event_id, len(start) + 1, _RUN_ID_LENGTH).in_(items),
                )
                for start in _EVENT_NAMES
            )
        )
    )
)
_LAST_EVENT = Statement(select(func.max(outbox.c.outbox_id).label("outbox_id")))
_DELETE_DONE = Statement(
    delete(outbox).where(
        outbox.c.outbox_id > bindparam("after"),
        outbox.c.outbox_id <= bindparam("up_to"),
        outbox.c.project == _OF_PROJECT,
        outbox.c.done_at.is_not(None),
        outbox.c.done_at < bindparam("before", type_=outbox.c.done_at.type),
        outbox.c.run_id.not_in(select(runs.c.run_id)),
    )
)


def delete_traces(work: Transaction, run_ids: Sequence[str]) -> None:
    """See `LineageStore.delete_traces`."""
    for statement in (_DELETE_PINS, _DELETE_CLAIMS):
        _send(work, statement, run_ids)


def delete_done_events(work: Transaction, project: str, before: datetime, after: int) -> int | None:
    """See `LineageStore.delete_done_events`."""
    row = work.row(_LAST_EVENT, {})
    if row is None or row.outbox_id is None or after >= row.outbox_id:
        return None
    up_to = after + _EVENTS_AT_ONCE
    work.send(_DELETE_DONE, {"of_project": project, "before": before, "after": after, "up_to": up_to})
    return up_to


# -- documents -----------------------------------------------------------------------------------------------------

_NAMED_BY = {
    irs: (runs.c.ir_digest, attempts.c.ir_digest),
    environments: (attempts.c.environment_digest,),
    codes: (attempts.c.fingerprint,),
    code_bundles: (runs.c.code_digest, attempts.c.code_digest),
}


def _is_unnamed(table: Any) -> Any:
    used = [select(column).where(column.table.c.project == _OF_PROJECT) for column in _NAMED_BY[table]]
    return and_(table.c.project == _OF_PROJECT, *(table.c.digest.not_in(named) for named in used))


_UNNAMED = {
    table.name: Statement(
        select(table.c.digest).where(
            _is_unnamed(table), table.c.created_at < bindparam("before", type_=table.c.created_at.type)
        )
    )
    for table in _NAMED_BY
}
_DELETE_UNNAMED = {
    table.name: ListStatement(
        lambda items, table=table: delete(table).where(table.c.digest.in_(items), _is_unnamed(table))  # type: ignore[misc]
    )
    for table in _NAMED_BY
}
_HOLD = {
    # Whoever records a run or saves a document inserts into these tables in the same transaction: all of them have
    # ended, and the next ones wait, so that what they name is either seen here or saved anew.
    table.name: Statement(text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
    for table in _NAMED_BY
}


def find_unnamed_documents(work: Transaction, project: str, before: datetime) -> Mapping[str, Sequence[str]]:
    """See `LineageStore.find_unnamed_documents`."""
    values = {"of_project": project, "before": before}
    found = {name: [row.digest for row in work.rows(statement, values)] for name, statement in _UNNAMED.items()}
    return {name: digests for name, digests in found.items() if digests}


def delete_documents(work: Transaction, project: str, table: str, digests: Sequence[str]) -> int:
    """See `LineageStore.delete_documents`."""
    work.lock(_HOLD[table], {})
    answers = [
        work.ask(part, {"of_project": project, **listed}) for part, listed in _DELETE_UNNAMED[table].batches(digests)
    ]
    return sum(answer.count() for answer in answers)


def _send(work: Transaction, statement: ListStatement, items: Sequence[str]) -> None:
    for part, listed in statement.batches(items):
        work.send(part, listed)
