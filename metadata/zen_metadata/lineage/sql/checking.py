"""What is wrong with a lineage store, and what an operator should know of it. Nothing is written."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy.exc
from sqlalchemy import and_, func, or_, select
from sqlalchemy.engine import Connection, Engine

from zen_core.diagnostics import Diagnostic
from zen_metadata.lineage.sql.engine import make_engine, shown_url, sqlite_path
from zen_metadata.lineage.sql.failures import explained
from zen_metadata.lineage.sql.schema import (
    REVISIONS,
    VERSION_TABLES,
    SchemaVersion,
    no_store,
    read_version,
    wrong_version,
)
from zen_metadata.lineage.sql.tables import (
    TABLE_PREFIX,
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    cache_entries,
    complete,
    leases,
    outbox,
    runs,
    step_runs,
)
from zen_metadata.lineage.store import LOST_AFTER_SECONDS

_SHOWN_DAMAGE = 20
_DAMAGED = re.compile("malformed|not a database")


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What a look at a store found.

    Attributes:
        version: what the store says of its schema.
        problems: what is wrong.
        notices: what waits, or was left behind; the store is sound with it.
        counts: how many rows there are: runs, step_runs, attempts, artifacts, edges. Empty where they cannot be told.
    """

    version: SchemaVersion
    problems: tuple[Diagnostic, ...]
    notices: tuple[Diagnostic, ...] = ()
    counts: Mapping[str, int] | None = None


def check(url: str) -> StoreReport:
    """Look through the store at `url`: its version, its integrity, its tables, rows that hang in the air, what waits.

    Raises:
        StoreError: there is no store, or it cannot be reached.
    """
    engine = make_engine(url)
    path = sqlite_path(engine)
    if path is not None and not path.exists():
        raise no_store(engine)
    try:
        with explained(engine):
            try:
                with engine.connect() as connection:
                    return _look_through(connection)
            except (sqlalchemy.exc.DatabaseError, sqlite3.DatabaseError) as error:
                if not _DAMAGED.search(str(error)):
                    raise
                return StoreReport(
                    SchemaVersion("", ""),
                    (_damage(engine, "the database file is damaged", str(getattr(error, "orig", error))),),
                )
    finally:
        engine.dispose()


def _look_through(connection: Connection) -> StoreReport:
    engine = connection.engine
    version = read_version(connection)
    if version is None:
        raise no_store(engine)
    if not version.takes_us:
        return StoreReport(version, wrong_version(engine, version.revision).diagnostics)
    damage = tuple(_find_damage(connection))
    if damage:
        return StoreReport(version, damage)
    # What a newer version has added is not known here, and no damage.
    changed = tuple(_find_differences(connection)) if version.revision == REVISIONS[-1] else ()
    if any(problem.context["missing"] for problem in changed):
        return StoreReport(version, changed)
    problems = (*changed, *_find_orphans(connection), *_find_broken_references(connection))
    return StoreReport(version, problems, tuple(_find_left_behind(connection)), _count_rows(connection))


# -- the database itself -------------------------------------------------------------------------------------------


def _find_damage(connection: Connection) -> Iterator[Diagnostic]:
    """What SQLite finds wrong with the file. A PostgreSQL server looks after its own."""
    if connection.dialect.name == "sqlite":
        found = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA quick_check({_SHOWN_DAMAGE})")]
        if found != ["ok"]:
            yield _damage(connection.engine, "the database file is damaged", "; ".join(found))


def _find_broken_references(connection: Connection) -> Iterator[Diagnostic]:
    """Rows that break a foreign key, which only a tool that does not ask SQLite to hold them can make."""
    if connection.dialect.name == "sqlite":
        broken = Counter((row[0], row[2]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check"))
        if broken:
            told = [f"{count} of {table} to {parent}" for (table, parent), count in sorted(broken.items())]
            message = f"{broken.total()} rows refer to rows that are not there"
            yield _damage(connection.engine, message, f"{', '.join(told)}: rows were removed by hand")


def _damage(engine: Engine, message: str, why: str) -> Diagnostic:
    return Diagnostic(
        "ZEN-M208",
        message,
        shown_url(engine),
        why=why,
        hint="stop what writes to it, and restore the backup; without one: sqlite3 FILE .recover",
    )


# -- tables --------------------------------------------------------------------------------------------------------


def _find_differences(connection: Connection) -> Iterator[Diagnostic]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def is_ours(name: str, kind: str, parents: Any) -> bool:
        return kind != "table" or (name.startswith(TABLE_PREFIX) and name not in VERSION_TABLES)

    context = MigrationContext.configure(connection, opts={"include_name": is_ours})
    for difference in compare_metadata(context, complete(connection.dialect.name)):
        yield Diagnostic(
            "ZEN-M201",
            f"the tables are not those of this version: {_describe(difference)}",
            shown_url(connection.engine),
            why="they were changed by hand",
            hint="restore the backup, then run: zen store upgrade",
            context={"missing": not isinstance(difference, list) and difference[0] in ("add_table", "add_column")},
        )


def _describe(difference: Any) -> str:
    if isinstance(difference, list):
        return "; ".join(map(_describe, difference))
    what, *facts = difference
    named = [str(getattr(fact, "name", fact)) for fact in facts if fact is not None]
    return f"{str(what).replace('_', ' ')} {' '.join(named)}"


# -- rows that lead nowhere ----------------------------------------------------------------------------------------

_ORPHANS = (
    (
        "ZEN-M202",
        "step runs without their run",
        "a run's first event is still in a spool",
        "replay what was spooled: zen sync",
        select(func.count())
        .select_from(step_runs.outerjoin(runs, runs.c.run_id == step_runs.c.run_id))
        .where(runs.c.run_id.is_(None)),
    ),
    (
        "ZEN-M203",
        "step runs without an attempt",
        "rows were removed by hand",
        "restore the backup",
        select(func.count())
        .select_from(step_runs.outerjoin(attempts, attempts.c.step_run_id == step_runs.c.step_run_id))
        .where(attempts.c.attempt_id.is_(None)),
    ),
    (
        "ZEN-M204",
        "artifacts without the attempt that produced them",
        "rows were removed by hand",
        "restore the backup",
        select(func.count())
        .select_from(artifacts.outerjoin(attempts, attempts.c.attempt_id == artifacts.c.attempt_id))
        .where(artifacts.c.kind == "value", artifacts.c.attempt_id.is_not(None), attempts.c.attempt_id.is_(None)),
    ),
    (
        "ZEN-M205",
        "outputs that name an artifact which is not there",
        "rows were removed by hand",
        "restore the backup",
        select(func.count())
        .select_from(attempt_outputs.outerjoin(artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id))
        .where(artifacts.c.artifact_id.is_(None)),
    ),
    (
        "ZEN-M206",
        "inputs that name an artifact which is not there",
        "the step that produced it recorded into a spool, which was not replayed yet",
        "replay what was spooled: zen sync",
        select(func.count())
        .select_from(attempt_inputs.outerjoin(artifacts, artifacts.c.artifact_id == attempt_inputs.c.artifact_id))
        .where(attempt_inputs.c.artifact_id.is_not(None), artifacts.c.artifact_id.is_(None)),
    ),
    (
        "ZEN-M207",
        "cache entries without their attempt",
        "rows were removed by hand",
        "restore the backup",
        select(func.count())
        .select_from(cache_entries.outerjoin(attempts, attempts.c.attempt_id == cache_entries.c.attempt_id))
        .where(attempts.c.attempt_id.is_(None)),
    ),
)


def _find_orphans(connection: Connection) -> Iterator[Diagnostic]:
    for code, what, why, hint, query in _ORPHANS:
        if count := connection.execute(query).scalar():
            yield _counted(connection, code, count, what, why, hint)


# -- what waits, or was left behind --------------------------------------------------------------------------------


def _find_left_behind(connection: Connection) -> Iterator[Diagnostic]:
    now = datetime.now(UTC)
    if connection.dialect.name != "sqlite":
        now = connection.exec_driver_sql("SELECT clock_timestamp()").scalar().astimezone(UTC)
    silent = now - timedelta(seconds=LOST_AFTER_SECONDS)
    is_silent = and_(attempts.c.status == "running", attempts.c.heartbeat_at < silent)
    if count := connection.execute(select(func.count()).select_from(attempts).where(is_silent)).scalar():
        yield _counted(
            connection,
            "ZEN-M211",
            count,
            "attempts without an end",
            f"their processes gave no sign of life for {LOST_AFTER_SECONDS:.0f} seconds: they were killed, or cut off",
            "nothing: they count as lost, and a further attempt takes over; zen show RUN says of which steps",
        )
    is_left = and_(leases.c.released_at.is_(None), leases.c.expires_at < now)
    is_orphan = or_(attempts.c.attempt_id.is_(None), attempts.c.status != "running", is_left)
    held = leases.outerjoin(attempts, attempts.c.attempt_id == leases.c.attempt_id)
    orphans = select(func.count()).select_from(held).where(leases.c.released_at.is_(None), is_orphan)
    if count := connection.execute(orphans).scalar():
        yield _counted(
            connection,
            "ZEN-M212",
            count,
            "leases that nobody holds",
            "the processes that had them were killed",
            "nothing: the next step that wants one takes it, 120 seconds after its last sign of life at the latest",
        )
    waiting = (
        select(outbox.c.projection, func.count().label("count"), func.min(outbox.c.created_at).label("oldest"))
        .where(outbox.c.done_at.is_(None))
        .group_by(outbox.c.projection)
        .order_by(outbox.c.projection)
    )
    for projection, count, oldest in connection.execute(waiting).all():
        what = f"facts that wait to be shown by {projection}, the oldest since {oldest:%Y-%m-%d %H:%M:%S} UTC"
        yield _counted(connection, "ZEN-M213", count, what, "nobody brought them there yet", "bring them: zen sync")


def _counted(connection: Connection, code: str, count: int, what: str, why: str, hint: str) -> Diagnostic:
    return Diagnostic(
        code, f"{count} {what}", shown_url(connection.engine), why=why, hint=hint, context={"count": count}
    )


def _count_rows(connection: Connection) -> dict[str, int]:
    counted: dict[str, tuple[Any, ...]] = {
        "runs": (runs,),
        "step_runs": (step_runs,),
        "attempts": (attempts,),
        "artifacts": (artifacts,),
        "edges": (attempt_inputs, attempt_outputs),
    }
    return {
        name: sum(connection.execute(select(func.count()).select_from(table)).scalar() or 0 for table in tables)
        for name, tables in counted.items()
    }
