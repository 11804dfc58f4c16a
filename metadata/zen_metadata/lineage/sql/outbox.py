"""The outbox: facts that are still to be projected, in the order in which they became known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, case, cast, exists, func, literal, select, update

from zen_metadata.lineage.records import OutboxLag, OutboxRecord
from zen_metadata.lineage.sql.statements import ListStatement, Statement, columns_of
from zen_metadata.lineage.sql.tables import outbox, runs
from zen_metadata.lineage.sql.transaction import Transaction

_IS_PENDING = outbox.c.done_at.is_(None)
_OF_PROJECT = outbox.c.project == bindparam("of_project")
_OF_PROJECTION = outbox.c.projection == bindparam("of_projection")
_OF_RUN = outbox.c.run_id == bindparam("of_run")
_OF_EVENT = outbox.c.outbox_id == bindparam("of_id")

_PENDING = (
    select(*columns_of(outbox, OutboxRecord))
    .where(_IS_PENDING, _OF_PROJECTION, outbox.c.outbox_id > bindparam("of_after"))
    .order_by(outbox.c.outbox_id)
    .limit(bindparam("of_limit"))
)
# By whether a project and a run are named.
_FIND_PENDING = {
    (False, False): Statement(_PENDING),
    (True, False): Statement(_PENDING.where(_OF_PROJECT)),
    (False, True): Statement(_PENDING.where(_OF_RUN)),
    (True, True): Statement(_PENDING.where(_OF_PROJECT, _OF_RUN)),
}
_FINISH = Statement(update(outbox).where(_OF_EVENT, _IS_PENDING), ("done_at",))
_NOTE_ERROR = Statement(update(outbox).where(_OF_EVENT, _IS_PENDING), ("last_error",))
_FAIL = Statement(update(outbox).where(_OF_EVENT, _IS_PENDING).values(tries=outbox.c.tries + 1), ("last_error",))

_LAG = (
    select(
        outbox.c.projection.label("projection"),
        func.count().label("pending"),
        func.min(outbox.c.created_at).label("oldest_at"),
        func.sum(case((outbox.c.tries > 0, 1), else_=0)).label("refused"),
        func.max(case((outbox.c.last_error.is_not(None), outbox.c.outbox_id), else_=None)).label("error_id"),
    )
    .where(_IS_PENDING, _OF_PROJECT)
    .group_by(outbox.c.projection)
)
_LAG_OF_PROJECT = Statement(_LAG)
_LAG_OF_RUN = Statement(_LAG.where(_OF_RUN))
_ERRORS = ListStatement(
    lambda items: select(outbox.c.outbox_id, outbox.c.last_error).where(outbox.c.outbox_id.in_(items))
)
_FIND_DONE = Statement(
    select(outbox.c.outbox_id)
    .where(outbox.c.done_at < bindparam("at", type_=outbox.c.done_at.type), _OF_PROJECT, _OF_PROJECTION)
    .limit(1)
)


def _ask_again(*conditions: Any) -> Any:
    pending = exists().where(
        _IS_PENDING, outbox.c.run_id == runs.c.run_id, _OF_PROJECTION, outbox.c.event == literal("again")
    )
    rows = (
        select(
            runs.c.project,
            literal("again"),
            runs.c.run_id,
            bindparam("at", type_=outbox.c.created_at.type),
            literal(0),
            cast(bindparam("of_projection"), Text),  # PostgreSQL asks what it is
        )
        .where(runs.c.project == bindparam("of_project"), ~pending, *conditions)
        .order_by(runs.c.started_at, runs.c.run_id)
    )
    columns = ["project", "event", "run_id", "created_at", "tries", "projection"]
    return lambda insert: insert(outbox).from_select(columns, rows)


_ALL_AGAIN = Statement(_ask_again(), ())
_ONE_AGAIN = Statement(_ask_again(runs.c.run_id == bindparam("of_run")), ())


def pending_outbox(
    work: Transaction, limit: int, run_id: str | None, projection: str, project: str | None, after: int
) -> Sequence[OutboxRecord]:
    """See `LineageStore.pending_outbox`."""
    statement = _FIND_PENDING[project is not None, run_id is not None]
    values = {
        "of_limit": limit,
        "of_run": run_id,
        "of_projection": projection,
        "of_project": project,
        "of_after": after,
    }
    return [OutboxRecord(*row) for row in work.rows(statement, values)]


def finish_outbox(work: Transaction, outbox_ids: Sequence[int]) -> None:
    """See `LineageStore.finish_outbox`."""
    now = work.now()
    work.send_many(_FINISH, [{"of_id": outbox_id, "done_at": now} for outbox_id in sorted(outbox_ids)])


def fail_outbox(work: Transaction, outbox_ids: Sequence[int], error: str, *, refused: bool) -> None:
    """See `LineageStore.fail_outbox`."""
    rows = [{"of_id": outbox_id, "last_error": error} for outbox_id in sorted(outbox_ids)]
    work.send_many(_FAIL if refused else _NOTE_ERROR, rows)


def outbox_lag(work: Transaction, project: str, run_id: str | None) -> Mapping[str, OutboxLag]:
    """See `LineageStore.outbox_lag`."""
    statement = _LAG_OF_PROJECT if run_id is None else _LAG_OF_RUN
    found = work.rows(statement, {"of_project": project, "of_run": run_id})
    error_ids = [row.error_id for row in found if row.error_id is not None]
    error_by_id = {row.outbox_id: row.last_error for row in work.rows_in(_ERRORS, error_ids)}
    return {
        row.projection: OutboxLag(row.pending, row.oldest_at, int(row.refused), error_by_id.get(row.error_id, ""))
        for row in found
    }


def has_projected(work: Transaction, project: str, projection: str, before: datetime) -> bool:
    """See `LineageStore.has_projected`."""
    values = {"of_project": project, "of_projection": projection, "at": before}
    return work.row(_FIND_DONE, values) is not None


def request_projection(work: Transaction, project: str, projection: str, run_ids: Sequence[str] | None) -> int:
    """See `LineageStore.request_projection`."""
    values = {"of_project": project, "of_projection": projection, "at": work.now()}
    if run_ids is None:
        return work.ask(_ALL_AGAIN, values).count()
    return sum(work.ask(_ONE_AGAIN, {**values, "of_run": run_id}).count() for run_id in run_ids)
