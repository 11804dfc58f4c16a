"""Bringing a store to this version's schema, in one transaction, beside what writes to it."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.engine import Connection, Engine

from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.lineage.sql.engine import make_engine, sqlite_path
from zen_metadata.lineage.sql.failures import explained
from zen_metadata.lineage.sql.schema import (
    REVISIONS,
    VERSION_TABLE,
    SchemaVersion,
    exclusive,
    make_folder,
    read_version,
    write_version,
    wrong_version,
)
from zen_metadata.lineage.sql.tables import metadata

_PATIENCE_SECONDS = 120.0
"""How long an upgrade tries to get the tables for itself."""
_LOCK_TIMEOUT = "200ms"
"""How long PostgreSQL's writers stand behind an upgrade that waits for another's transaction (pg_dump's, say). Less
than the second after which PostgreSQL looks for deadlocks, and ends one of those that wait."""
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What became of a store.

    Attributes:
        before: its revision before; None where it was made.
        after: its revision now.
        backup: the copy of a SQLite file that was made before; None where nothing had to change.
    """

    before: str | None
    after: str
    backup: Path | None = None


def upgrade(url: str, *, backup: bool = True) -> Upgrade:
    """Bring the store at `url` to this version's schema, making it where there is none.

    All or nothing: whoever is interrupted changes nothing, and of two at once the second finds it done. Steps may run
    meanwhile; they wait while the tables change.

    Args:
        backup: whether to copy a SQLite file before it is changed, to `FILE.schema-REVISION`.

    Raises:
        SchemaVersionError: the schema is newer than this version of Zen, or there are tables without a version.
        StoreError: a backup cannot be made.
        StoreUnavailableError: others did not let go of the tables.
    """
    engine = make_engine(url)
    if (path := sqlite_path(engine)) is not None:
        make_folder(path.parent)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while True:
            try:
                with explained(engine), engine.connect() as connection:
                    return _upgrade(engine, connection, backup=backup)
            except StoreUnavailableError:
                # A deadlock with, or a long transaction of, somebody else: nothing was changed.
                if time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.1, _PAUSE_SECONDS))
    finally:
        engine.dispose()


def _upgrade(engine: Engine, connection: Connection, *, backup: bool) -> Upgrade:
    version = read_version(connection)
    connection.rollback()
    if _is_done(engine, version):
        return Upgrade(REVISIONS[-1], REVISIONS[-1])
    with exclusive(connection):
        version = read_version(connection)  # another one may have been faster
        if _is_done(engine, version):
            return Upgrade(REVISIONS[-1], REVISIONS[-1])
        before = version.revision if version else None
        path = sqlite_path(engine)
        copy = _copy_file(path, before) if backup and path is not None and before is not None else None
        if path is None:
            _lock_tables(connection)
        _migrate(connection, before)
    return Upgrade(before, REVISIONS[-1], copy)


def _is_done(engine: Engine, version: SchemaVersion | None) -> bool:
    if version is not None and version.revision not in REVISIONS:
        raise wrong_version(engine, version.revision)
    return version is not None and version.revision == REVISIONS[-1]


def _lock_tables(connection: Connection) -> None:
    """Get all tables at once, so that nobody who has one of them waits for another."""
    known = set(inspect(connection).get_table_names())
    names = ", ".join(sorted({table.name for table in metadata.sorted_tables} & known))
    if names:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")


def _migrate(connection: Connection, before: str | None) -> None:
    from alembic import command

    write_version(connection, revision=before)  # in the table of today: a store of 0002 has another one
    command.upgrade(_alembic_config(connection), "head")
    write_version(connection)


def _copy_file(path: Path, revision: str) -> Path:
    """Copy a SQLite file while nobody writes to it; what an interrupted upgrade has copied is copied anew."""
    copy, unfinished = (path.with_name(f"{path.name}.schema-{revision}{end}") for end in ("", ".part"))
    try:
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        os.replace(unfinished, copy)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise StoreError(
            f"the backup {copy} of the lineage store cannot be written, and nothing was upgraded",
            why=str(error),
            hint="make room, or copy the file yourself and run: zen store upgrade --no-backup",
        ) from error
    return copy


def _alembic_config(connection: Connection) -> Any:
    from importlib.resources import files

    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("zen_metadata.lineage.sql") / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    return config
