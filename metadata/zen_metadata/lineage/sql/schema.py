"""The schema's version: which one a store has, who may write to it, and making a store.

Shims of two versions write to one store while a team changes over. So the store says not only what its schema is, but
also which revision is the oldest whose shims may still write to it: a revision that only adds (tables, indexes, columns
that are null or have the server's default) leaves that as it is. Upgrading is in `upgrading`, looking for damage in
`checking`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, inspect, select, text
from sqlalchemy.engine import Connection, Engine

from zen_core.errors import SchemaVersionError, StoreError
from zen_metadata.lineage.sql.engine import make_engine, shown_url, sqlite_path
from zen_metadata.lineage.sql.failures import explained
from zen_metadata.lineage.sql.tables import TABLE_PREFIX, complete, metadata

REVISIONS = ("0001", "0002", "0003")
"""All revisions of the schema, oldest first; the files are in `migrations/versions`."""
OLDEST_WRITER = "0002"
"""The oldest revision whose shims may write to a store of the last one. A migration that does more than add raises it;
`docs/how-to/upgrade-the-store.md` states the window."""
VERSION_TABLE = f"{TABLE_PREFIX}schema"
"""Not Alembic's default name: MLflow and Airflow use that one, and may share the database."""
EARLIER_VERSION_TABLE = f"{TABLE_PREFIX}alembic_version"
"""Where shims of revision 0002 look, which take a store only if it has exactly their schema. It says 0002 for as long
as they may write."""
VERSION_TABLES = frozenset({VERSION_TABLE, EARLIER_VERSION_TABLE})
_versions = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    Column("oldest_writer", String(32), nullable=True),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),  # as Alembic makes it
)
_earlier_versions = Table(
    EARLIER_VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{EARLIER_VERSION_TABLE}_pkc"),
)
_SCHEMA_LOCK = 7_305_081_122
"""Any number that is the store's own, for PostgreSQL's advisory lock."""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """What a store says of its schema.

    Attributes:
        revision: its revision; "" where there are tables that tell none.
        oldest_writer: the oldest revision whose shims may write to it.
    """

    revision: str
    oldest_writer: str

    @property
    def takes_us(self) -> bool:
        """Whether this version of Zen may read and write the store."""
        is_newer = self.revision > REVISIONS[-1]
        return self.revision == REVISIONS[-1] or (is_newer and self.oldest_writer <= REVISIONS[-1])


def prepare(engine: Engine, *, create: bool) -> None:
    """See to it that this version of Zen may use the store; with `create`, make it where there is nothing yet.

    Raises:
        StoreError: there is no store, and `create` is false.
        SchemaVersionError: the schema is older, or newer and takes no writers of this version.
    """
    path = sqlite_path(engine)
    if path is not None:
        if not create and not path.exists():
            raise no_store(engine)
        make_folder(path.parent)
    with engine.connect() as connection:
        version = read_version(connection)
        connection.rollback()
        if version is None and create:
            version = _create(connection)
    if version is None:
        raise no_store(engine)
    if not version.takes_us:
        raise wrong_version(engine, version.revision)


def look_at(url: str) -> None:
    """Connect once to the store at `url`, and see whether this version of Zen may use it. Writes nothing.

    Raises:
        StoreError: there is no store, it cannot be reached, or it refuses.
        SchemaVersionError: the schema is older, or newer and takes no writers of this version.
    """
    engine = make_engine(url)
    try:
        with explained(engine):
            prepare(engine, create=False)
    finally:
        engine.dispose()


def read_version(connection: Connection) -> SchemaVersion | None:
    """What the store says of its schema; None where there is no table of a store."""
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE in names:
        row = connection.execute(select(_versions.c.version_num, _versions.c.oldest_writer)).first()
        if row is not None:
            return SchemaVersion(row.version_num, row.oldest_writer or row.version_num)
    elif EARLIER_VERSION_TABLE in names:
        revision = connection.execute(select(_earlier_versions.c.version_num)).scalar()
        if revision is not None:
            return SchemaVersion(revision, revision)
    known = {*VERSION_TABLES, *(table.name for table in metadata.sorted_tables)}
    return SchemaVersion("", "") if known & names else None


def write_version(connection: Connection, *, revision: str | None = None) -> None:
    """Say who may write, and with `revision` also which schema it is. The tables that say so are made where needed."""
    _versions.create(connection, checkfirst=True)
    _earlier_versions.create(connection, checkfirst=True)
    if revision is not None:
        connection.execute(_versions.delete())
        connection.execute(_versions.insert().values(version_num=revision))
    connection.execute(_versions.update().values(oldest_writer=OLDEST_WRITER))
    connection.execute(_earlier_versions.delete())
    connection.execute(_earlier_versions.insert().values(version_num=OLDEST_WRITER))


def make_folder(folder: Any) -> None:
    """Make the folder of a SQLite file. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder {folder} of the lineage store cannot be made",
            why=os.strerror(error.errno or 0),
            hint="give this user write access, or set ZEN_LINEAGE_URL to another place",
        ) from error


def _create(connection: Connection) -> SchemaVersion:
    # Creating the tables from the models and stamping takes a tenth of the time of running the migrations; a test
    # holds that both give the same.
    with exclusive(connection):
        version = read_version(connection)
        if version is not None:
            return version  # another process was faster
        complete(connection.dialect.name).create_all(connection, checkfirst=False)
        write_version(connection, revision=REVISIONS[-1])
    return SchemaVersion(REVISIONS[-1], OLDEST_WRITER)


class exclusive:  # noqa: N801 - reads as what it does in a with statement
    """A transaction that no other process changes the schema in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"

    def __enter__(self) -> None:
        self._connection.exec_driver_sql("BEGIN IMMEDIATE" if self._is_sqlite else "BEGIN")
        if not self._is_sqlite:
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._connection.exec_driver_sql("COMMIT" if kind is None else "ROLLBACK")
        self._connection.commit()  # SQLAlchemy's own idea of a transaction


def no_store(engine: Engine) -> StoreError:
    """There is none at this address."""
    return StoreError(
        f"there is no lineage store at {shown_url(engine)}",
        hint="run a pipeline first, set ZEN_LINEAGE_URL to the store's address, or make one: zen store upgrade",
    )


def wrong_version(engine: Engine, revision: str) -> SchemaVersionError:
    """This version of Zen may not use a store of this revision."""
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
            hint="make a backup, then run: zen store upgrade (what runs may go on)",
        )
    return SchemaVersionError(
        f"{store} has schema {revision}, which is newer: {ours}",
        why="a newer version of Zen has run `zen store upgrade` on it",
        hint="install the newer zen-core here too",
    )
