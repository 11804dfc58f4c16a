"""The schema's version: making it, checking it, upgrading it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, func, inspect, select, text
from sqlalchemy.engine import Connection, Engine

from zen_core.diagnostics import Diagnostic
from zen_core.errors import SchemaVersionError, StoreError
from zen_metadata.lineage.sql.engine import make_engine, shown_url, sqlite_path
from zen_metadata.lineage.sql.failures import explained
from zen_metadata.lineage.sql.tables import (
    TABLE_PREFIX,
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    cache_entries,
    metadata,
    runs,
    step_runs,
)

REVISIONS = ("0001", "0002")
"""All revisions of the schema, oldest first; the files are in `migrations/versions`."""
VERSION_TABLE = f"{TABLE_PREFIX}alembic_version"
"""Not Alembic's default name: MLflow and Airflow use that one, and may share the database."""
_versions = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),  # as Alembic makes it
)
_CREATION_LOCK = 7_305_081_122
"""Any number that is the store's own, for PostgreSQL's advisory lock."""


def prepare(engine: Engine, *, create: bool) -> None:
    """See to it that the store has this version's schema; with `create`, make it where there is nothing yet.

    Raises:
        StoreError: there is no store, and `create` is false.
        SchemaVersionError: the schema is older or newer than this version's.
    """
    path = sqlite_path(engine)
    if path is not None:
        if not create and not path.exists():
            raise _no_store(engine)
        _make_folder(path.parent)
    with engine.connect() as connection:
        revision = _read_revision(connection)
        connection.rollback()
        if revision is None and create:
            revision = _create(connection)
    if revision is None:
        raise _no_store(engine)
    if revision != REVISIONS[-1]:
        raise _wrong_version(engine, revision)


def look_at(url: str) -> None:
    """Connect once to the store at `url`, and see whether its schema is this version's. Writes nothing.

    Raises:
        StoreError: there is no store, it cannot be reached, or it refuses.
        SchemaVersionError: the schema is older or newer than this version's.
    """
    engine = make_engine(url)
    try:
        with explained(engine):
            prepare(engine, create=False)
    finally:
        engine.dispose()


def upgrade(url: str) -> str:
    """Bring the store at `url` to this version's schema, making it where there is none; answer its revision.

    Raises:
        SchemaVersionError: the schema is newer than this version of Zen.
    """
    from alembic import command

    engine = make_engine(url)
    if (path := sqlite_path(engine)) is not None:
        _make_folder(path.parent)
    try:
        with explained(engine), engine.connect() as connection:
            revision = _read_revision(connection)
            connection.rollback()
            if revision is not None and revision not in REVISIONS:
                raise _wrong_version(engine, revision)
            with _exclusive(connection):
                command.upgrade(_alembic_config(connection), "head")
    finally:
        engine.dispose()
    return REVISIONS[-1]


def check(url: str) -> list[Diagnostic]:
    """What is wrong with the store at `url`: its version, its tables, rows that hang in the air. Writes nothing.

    Raises:
        StoreError: there is no store.
    """
    engine = make_engine(url)
    path = sqlite_path(engine)
    if path is not None and not path.exists():
        raise _no_store(engine)
    try:
        with explained(engine), engine.connect() as connection:
            revision = _read_revision(connection)
            if revision is None:
                raise _no_store(engine)
            if revision != REVISIONS[-1]:
                return list(_wrong_version(engine, revision).diagnostics)
            return [*_find_differences(connection), *_find_orphans(connection)]
    finally:
        engine.dispose()


def _make_folder(folder: Any) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder {folder} of the lineage store cannot be made",
            why=os.strerror(error.errno or 0),
            hint="give this user write access, or set ZEN_LINEAGE_URL to another place",
        ) from error


def _read_revision(connection: Connection) -> str | None:
    """The schema's revision; None where there are no tables; "" where there are tables without a version."""
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        return connection.execute(select(_versions.c.version_num)).scalar() or ""
    return "" if any(table.name in names for table in metadata.sorted_tables) else None


def _create(connection: Connection) -> str:
    # Creating the tables from the models and stamping takes a tenth of the time of running the migrations; a test
    # holds that both give the same.
    with _exclusive(connection):
        revision = _read_revision(connection)
        if revision is not None:
            return revision  # another process was faster
        metadata.create_all(connection, checkfirst=False)
        _versions.create(connection)
        connection.execute(_versions.insert().values(version_num=REVISIONS[-1]))
    return REVISIONS[-1]


class _exclusive:  # noqa: N801 - reads as what it does in a with statement
    """A transaction that no other process changes the schema in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"

    def __enter__(self) -> None:
        self._connection.exec_driver_sql("BEGIN IMMEDIATE" if self._is_sqlite else "BEGIN")
        if not self._is_sqlite:
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._connection.exec_driver_sql("COMMIT" if kind is None else "ROLLBACK")
        self._connection.commit()  # SQLAlchemy's own idea of a transaction


def _alembic_config(connection: Connection) -> Any:
    from importlib.resources import files

    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("zen_metadata.lineage.sql") / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _no_store(engine: Engine) -> StoreError:
    return StoreError(
        f"there is no lineage store at {shown_url(engine)}",
        hint="run a pipeline first, set ZEN_LINEAGE_URL to the store's address, or make one: zen store upgrade",
    )


def _wrong_version(engine: Engine, revision: str) -> SchemaVersionError:
    store, ours = f"the lineage store {shown_url(engine)}", f"this version of Zen needs {REVISIONS[-1]}"
    if not revision:
        return SchemaVersionError(
            f"{store} has tables but no schema version",
            why="it was not made by Zen, or its making was interrupted by hand",
            hint="use an empty database; or restore the backup, then run: zen store upgrade",
        )
    if revision in REVISIONS:
        return SchemaVersionError(
            f"{store} has schema {revision}, and {ours}",
            hint="stop what writes to it, then run: zen store upgrade",
        )
    return SchemaVersionError(
        f"{store} has schema {revision}, which is newer: {ours}",
        why="a newer version of Zen has run `zen store upgrade` on it",
        hint="install the newer zen-core here too",
    )


def _find_differences(connection: Connection) -> Iterator[Diagnostic]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"include_name": lambda name, kind, parents: kind != "table" or name.startswith(TABLE_PREFIX)}
    context = MigrationContext.configure(connection, opts={**options, "version_table": VERSION_TABLE})
    for difference in compare_metadata(context, metadata):
        yield Diagnostic(
            "ZEN-M201",
            f"the tables are not those of this version: {_describe(difference)}",
            shown_url(connection.engine),
            why="they were changed by hand, or an upgrade was interrupted",
            hint="restore the backup, then run: zen store upgrade",
        )


def _describe(difference: Any) -> str:
    if isinstance(difference, list):
        return "; ".join(map(_describe, difference))
    what, *facts = difference
    named = [str(getattr(fact, "name", fact)) for fact in facts if fact is not None]
    return f"{str(what).replace('_', ' ')} {' '.join(named)}"


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
        .where(artifacts.c.kind == "value", attempts.c.attempt_id.is_(None)),
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
            yield Diagnostic(
                code, f"{count} {what}", shown_url(connection.engine), why=why, hint=hint, context={"count": count}
            )
