"""Runs and the documents that they refer to; the outbox, since every event belongs to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, literal_column, select, update

from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import PROJECTIONS, RunRecord, RunStatus
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
_EVENT = ("project", "event", "run_id", "step_run_id", "attempt_id", "created_at", "tries", "last_error", "done_at")
_INSERT_EVENT = Statement(lambda insert: insert(outbox), _EVENT)
# Two rows in one statement: where OpenLineage is set up, it costs no further one.
_INSERT_EVENT_FOR_BOTH = Statement(
    lambda insert: insert(outbox).values(
        [
            {**{name: bindparam(f"of_{name}", type_=outbox.c[name].type) for name in _EVENT}, "projection": projection}
            for projection in PROJECTIONS
        ]
    )
)


def _of_content(table: Any) -> Any:
    return (table.c.project == bindparam("of_project")) & (table.c.digest == bindparam("of_digest"))


def _digest_there(table: Any, name: str) -> Any:
    """The digest of a document, as a column; NULL where it is not stored."""
    known = (table.c.project == bindparam("of_project")) & (table.c.digest == bindparam(f"of_{name}"))
    return select(table.c.digest).where(known).scalar_subquery().label(name)


_one_row = select(literal_column("1").label("one")).subquery("one_row")
_LOOK_AT_RUN = Statement(
    select(
        *RUN_COLUMNS,
        _digest_there(irs, "ir"),
        _digest_there(environments, "environment"),
        _digest_there(codes, "code"),
    ).select_from(_one_row.outerjoin(runs, _OF_RUN))
)
_IR_EXISTS = Statement(select(irs.c.digest).where(_of_content(irs)))
_CODE_EXISTS = Statement(select(codes.c.digest).where(_of_content(codes)))
_ENVIRONMENT_EXISTS = Statement(select(environments.c.digest).where(_of_content(environments)))
_INSERT_DOCUMENT = {
    "ir": (_INSERT_IR, "document"),
    "environment": (_INSERT_ENVIRONMENT, "snapshot"),
    "code": (_INSERT_CODE, "document"),
}
_LEFT_OUT = Statement(select(code_bundles.c.left_out).where(_of_content(code_bundles)))
_SET_LEFT_OUT = Statement(
    update(code_bundles).where(_of_content(code_bundles), code_bundles.c.left_out.is_(None)), ("left_out",)
)


def open_run(
    database: Database,
    run: RunRecord,
    ir: Mapping[str, Any],
    environment: tuple[str, Mapping[str, Any]] | None,
    code: tuple[str, Mapping[str, Any]] | None,
) -> RunRecord:
    """See `LineageStore.open_run`. All tasks of a run come here, so what is there already takes no write lock."""
    documents = {"ir": (run.ir_digest, ir), "environment": environment, "code": code}
    digests = {f"of_{name}": document and document[0] for name, document in documents.items()}
    key = {"of_run": run.run_id, "of_project": run.project}
    [there] = database.ask(lambda work: work.rows(_LOOK_AT_RUN, {**key, **digests}))
    missing = {name: item for name, item in documents.items() if item and getattr(there, name) is None}

    def insert(work: Transaction) -> Any:
        if there.run_id is None:
            insert_run(work, run)
        for name, (digest, document) in missing.items():
            statement, column = _INSERT_DOCUMENT[name]
            work.send(statement, {"project": run.project, "digest": digest, column: document, "created_at": work.now()})
        return work.row(_FIND_RUN, key)

    if there.run_id is None or missing:
        return RunRecord(*database.write(insert))
    return RunRecord(*there[: len(RUN_COLUMNS)])


def find_run_id(work: Transaction, run: RunRecord) -> Answer:
    """Ask whether a run is known."""
    return work.ask(_RUN_EXISTS, {"of_run": run.run_id})


def insert_run(work: Transaction, run: RunRecord) -> None:
    """Record a run unless it is known; the first one wins."""
    work.send(_INSERT_RUN, run_values(run, work.now()))
    bundle = {"project": run.project, "digest": run.code_digest, "created_at": work.now(), "left_out": None}
    work.send(_INSERT_BUNDLE, bundle)


def end_run(work: Transaction, run_id: str, status: RunStatus, ended_at: datetime | None, *, openlineage: bool) -> None:
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
    record_event(work, "run_ended", RunRecord(*row), openlineage=openlineage)


def record_event(
    work: Transaction,
    event: Literal["attempt_ended", "run_ended"],
    run: RunRecord,
    *,
    openlineage: bool,
    step_run_id: str | None = None,
    attempt_id: str | None = None,
) -> None:
    """Put a fact that is still to be projected into the outbox: for MLflow, and for OpenLineage where it is set up."""
    values = {
        "project": run.project,
        "event": event,
        "run_id": run.run_id,
        "step_run_id": step_run_id,
        "attempt_id": attempt_id,
        "created_at": work.now(),
        "tries": 0,
        "last_error": None,
        "done_at": None,
    }
    if openlineage:
        work.send(_INSERT_EVENT_FOR_BOTH, {f"of_{name}": value for name, value in values.items()})
    else:
        work.send(_INSERT_EVENT, values)


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
    if not database.ask(lambda work: work.row(exists, key)):
        database.write(lambda work: work.send(insert, {**values, "created_at": work.now()}))
