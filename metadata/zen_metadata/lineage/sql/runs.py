"""Runs and the documents that they refer to; the outbox, since every event belongs to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, select, update

from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import RunRecord, RunStatus
from zen_metadata.lineage.sql.database import Database
from zen_metadata.lineage.sql.rows import RUN_COLUMNS, run_values
from zen_metadata.lineage.sql.statements import Statement, insert_new
from zen_metadata.lineage.sql.tables import code_bundles, codes, environments, irs, outbox, runs
from zen_metadata.lineage.sql.transaction import Answer, Transaction

_OF_RUN = runs.c.run_id == bindparam("of_run")
_FIND_RUN = Statement(select(*RUN_COLUMNS).where(_OF_RUN))
_LOCK_RUN = Statement(select(runs.c.run_id).where(_OF_RUN).with_for_update())
_RUN_EXISTS = Statement(select(runs.c.run_id).where(_OF_RUN))
_INSERT_RUN = insert_new(runs)
_CLOSE_RUN = Statement(update(runs).where(_OF_RUN), ("closed_status", "ended_at"))
_INSERT_IR = insert_new(irs)
_INSERT_ENVIRONMENT = insert_new(environments)
_INSERT_BUNDLE = insert_new(code_bundles)
_INSERT_CODE = insert_new(codes)
_INSERT_EVENT = Statement(
    lambda insert: insert(outbox),
    ("project", "event", "run_id", "step_run_id", "attempt_id", "created_at", "tries", "last_error", "done_at"),
)


def _of_content(table: Any) -> Any:
    return (table.c.project == bindparam("of_project")) & (table.c.digest == bindparam("of_digest"))


_IR_EXISTS = Statement(select(irs.c.digest).where(_of_content(irs)))
_CODE_EXISTS = Statement(select(codes.c.digest).where(_of_content(codes)))
_ENVIRONMENT_EXISTS = Statement(select(environments.c.digest).where(_of_content(environments)))
_LEFT_OUT = Statement(select(code_bundles.c.left_out).where(_of_content(code_bundles)))
_SET_LEFT_OUT = Statement(
    update(code_bundles).where(_of_content(code_bundles), code_bundles.c.left_out.is_(None)), ("left_out",)
)


def open_run(database: Database, run: RunRecord, ir: Mapping[str, Any]) -> RunRecord:
    """See `LineageStore.open_run`. All tasks of a run come here, so what is there already takes no write lock."""
    key = {"of_run": run.run_id}
    content = {"of_project": run.project, "of_digest": run.ir_digest}

    def look(work: Transaction) -> Any | None:
        return work.row(_FIND_RUN, key) if work.row(_IR_EXISTS, content) else None

    def insert(work: Transaction) -> Any:
        insert_run(work, run)
        document = {"project": run.project, "digest": run.ir_digest, "document": ir, "created_at": work.now()}
        work.send(_INSERT_IR, document)
        return work.row(_FIND_RUN, key)

    return RunRecord(*(database.read(look) or database.write(insert)))


def find_run_id(work: Transaction, run: RunRecord) -> Answer:
    """Ask whether a run is known."""
    return work.ask(_RUN_EXISTS, {"of_run": run.run_id})


def insert_run(work: Transaction, run: RunRecord) -> None:
    """Record a run unless it is known; the first one wins."""
    work.send(_INSERT_RUN, run_values(run, work.now()))
    bundle = {"project": run.project, "digest": run.code_digest, "created_at": work.now(), "left_out": None}
    work.send(_INSERT_BUNDLE, bundle)


def end_run(work: Transaction, run_id: str, status: RunStatus, ended_at: datetime | None) -> None:
    """See `LineageStore.end_run`. Raises NotFoundError for an unknown run, since the fact would be lost."""
    key = {"of_run": run_id}
    work.lock(_LOCK_RUN, key)
    row = work.row(_FIND_RUN, key)
    if row is None:
        raise NotFoundError(
            f"run {run_id} cannot be closed: it is not in the lineage store",
            why="its first event is still in a spool, or it was recorded in another store",
            hint="replay what was spooled: zen sync",
        )
    if row.closed_status is not None and not (row.closed_status == "completed" and status == "failed"):
        return
    work.send(_CLOSE_RUN, {**key, "closed_status": status, "ended_at": ended_at or work.now()})
    record_event(work, "run_ended", RunRecord(*row))


def record_event(
    work: Transaction,
    event: Literal["attempt_ended", "run_ended"],
    run: RunRecord,
    *,
    step_run_id: str | None = None,
    attempt_id: str | None = None,
) -> None:
    """Put a fact that is still to be projected into the outbox."""
    work.send(
        _INSERT_EVENT,
        {
            "project": run.project,
            "event": event,
            "run_id": run.run_id,
            "step_run_id": step_run_id,
            "attempt_id": attempt_id,
            "created_at": work.now(),
            "tries": 0,
            "last_error": None,
            "done_at": None,
        },
    )


def save_environment(database: Database, project: str, digest: str, snapshot: Mapping[str, Any]) -> None:
    """See `LineageStore.save_environment`."""
    values = {"project": project, "digest": digest, "snapshot": snapshot}
    _save_once(database, _ENVIRONMENT_EXISTS, _INSERT_ENVIRONMENT, values)


def save_ir(database: Database, project: str, digest: str, document: Mapping[str, Any]) -> None:
    """See `LineageStore.save_ir`."""
    _save_once(database, _IR_EXISTS, _INSERT_IR, {"project": project, "digest": digest, "document": document})


def save_code(database: Database, project: str, digest: str, document: Mapping[str, Any]) -> None:
    """See `LineageStore.save_code`."""
    _save_once(database, _CODE_EXISTS, _INSERT_CODE, {"project": project, "digest": digest, "document": document})


def save_left_out(database: Database, project: str, digest: str, left_out: Sequence[Mapping[str, str]]) -> None:
    """See `LineageStore.save_left_out`."""
    key = {"of_project": project, "of_digest": digest}

    def save(work: Transaction) -> None:
        values = {"left_out": list(left_out)}
        work.send(_INSERT_BUNDLE, {"project": project, "digest": digest, "created_at": work.now(), **values})
        work.send(_SET_LEFT_OUT, {**key, **values})  # a run that knew of nothing may have made the row

    if database.read(lambda work: find_left_out(work, project, digest)) is None:
        database.write(save)


def find_left_out(work: Transaction, project: str, digest: str) -> Sequence[Mapping[str, str]] | None:
    """See `LineageStore.find_left_out`; None where nothing was recorded."""
    row = work.row(_LEFT_OUT, {"of_project": project, "of_digest": digest})
    found: Sequence[Mapping[str, str]] | None = row and row.left_out
    return found


def _save_once(database: Database, exists: Statement, insert: Statement, values: dict[str, Any]) -> None:
    key = {"of_project": values["project"], "of_digest": values["digest"]}
    if not database.read(lambda work: work.row(exists, key)):
        database.write(lambda work: work.send(insert, {**values, "created_at": work.now()}))
