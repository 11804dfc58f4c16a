"""From a URL to an engine: which addresses are taken, and how connections are set up."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from zen_core.contract.settings import without_credentials
from zen_core.errors import StoreError

BUSY_SECONDS = 30.0
"""How long a writer waits for the others of a SQLite file."""
_MOST_CONNECTIONS = 5
"""Of one process to a PostgreSQL server. Its threads take turns: a transaction takes milliseconds."""
_CONNECTION = {
    "application_name": "zen",
    "connect_timeout": 5,
    # A server that is cut off is noticed after a minute, not after the operating system's two hours.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""What libpq is told where the address does not tell it. Nothing that PgBouncer would not pass on."""
_IDLE_CONNECTIONS = 32
_TEAM_HINT = "for a store that several hosts share, use PostgreSQL: ZEN_LINEAGE_URL=postgresql://USER@HOST/DATABASE"
# fmt: off
_NETWORK_FILE_SYSTEMS = frozenset({
    "afpfs", "afs", "beegfs", "ceph", "cifs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs", "webdav",
})
# fmt: on


def make_engine(url: str) -> Engine:
    """An engine for a SQLite file or a PostgreSQL database. Nothing is opened yet.

    Raises:
        StoreError: the URL is none, names another database, a SQLite database in memory, or a SQLite file on a
            network file system.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    return _postgresql_engine(parsed)


def sqlite_path(engine: Engine) -> Path | None:
    """The file behind an engine for SQLite; None for PostgreSQL."""
    return Path(engine.url.database).absolute() if engine.dialect.name == "sqlite" else None


def shown_url(engine: Engine) -> str:
    """The engine's address as it may be shown: without user, password and options."""
    url = engine.url
    shown: str = URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()
    return shown


def network_file_system(path: Path, mounts: Iterable[tuple[str, str]]) -> str | None:
    """The type of the network file system that holds `path`, or None. `mounts` are pairs of mount point and type."""
    folders = {os.fspath(folder) for folder in (path, *path.parents)}
    holding = [(len(point), position, kind) for position, (point, kind) in enumerate(mounts) if point in folders]
    kind = max(holding, default=(0, 0, ""))[2]
    return kind if kind in _NETWORK_FILE_SYSTEMS else None


def _parse(url: str) -> Any:
    shown = without_credentials(url).partition("?")[0]
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            f"{shown!r} is not the address of a lineage store",
            hint="write sqlite:////absolute/path/zen.db or postgresql://USER@HOST/DATABASE",
        ) from error
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return parsed
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername=f"postgresql+{_postgresql_driver(parsed.drivername, shown)}")
    raise StoreError(
        f"a lineage store cannot be kept in {parsed.drivername} ({shown})",
        hint="SQLite (sqlite:////path/zen.db) serves one host, PostgreSQL (postgresql://USER@HOST/DATABASE) a team",
    )


def _postgresql_driver(drivername: str, shown: str) -> str:
    # SQLAlchemy 1.4, which Airflow 2 pins, knows psycopg 2 only; the same URL must serve workers of both.
    is_old = sqlalchemy.__version__.startswith("1.")
    known = ["psycopg2"] if is_old else ["psycopg", "psycopg2"]
    wanted = drivername.partition("+")[2]
    if wanted and wanted not in ("psycopg", "psycopg2"):
        raise StoreError(
            f"the driver {wanted} cannot be used for the lineage store ({shown})",
            hint="write postgresql:// without a driver: Zen takes psycopg or psycopg2, whichever is installed",
        )
    for driver in (wanted, *known):
        if driver in known and find_spec(driver) is not None:
            return driver
    raise StoreError(
        f"no PostgreSQL driver is installed for {shown}",
        why=f"SQLAlchemy {sqlalchemy.__version__}, which is installed here, can use {' or '.join(known)}",
        hint=f"install one: pip install {'psycopg2-binary' if is_old else repr('zen-core[postgresql]')}",
    )


def _sqlite_engine(url: Any) -> Engine:
    if url.database in (None, "", ":memory:") or url.database.startswith("file:"):
        raise StoreError(
            "a lineage store in memory would be lost with the process",
            hint="name a file: sqlite:////absolute/path/zen.db",
        )
    path = Path(url.database).absolute()
    if kind := network_file_system(path.resolve(), _mounts()):
        raise StoreError(
            f"the SQLite file {path} is on a network file system ({kind})",
            why="SQLite's locks do not hold across hosts: two writers would damage the file",
            hint=_TEAM_HINT,
        )
    # The URL is made absolute, so that a step that changes the working folder does not change the store.
    engine = sqlalchemy.create_engine(
        url.set(database=os.fspath(path)),
        future=True,
        poolclass=QueuePool,
        pool_size=_IDLE_CONNECTIONS,
        max_overflow=-1,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # every transaction is ended explicitly
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    # A reader never waits for a writer. A crash of the host may lose the last commits, but tears none.
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = NORMAL")
    # Moving the log into the file waits for the disk, for tens of milliseconds: seldom, after 32 MB instead of 4.
    cursor.execute("PRAGMA wal_autocheckpoint = 8000")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    # Of several processes that open a new file at once, SQLite tells all but one "locked" without waiting.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _postgresql_engine(url: Any) -> Engine:
    arguments = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    engine = sqlalchemy.create_engine(
        url,
        future=True,
        isolation_level="AUTOCOMMIT",  # transactions are begun and ended explicitly, as on SQLite
        poolclass=QueuePool,
        pool_size=_MOST_CONNECTIONS,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        pool_use_lifo=True,
        pool_reset_on_return=None,
        use_native_hstore=False,  # looking for it costs a round trip per connection
        connect_args=arguments,
    )
    if url.get_driver_name() == "psycopg":
        event.listen(engine, "connect", _set_up_psycopg)
    return engine


def _set_up_psycopg(connection: Any, record: Any) -> None:
    # Prepared statements save a third of the time of a transaction, but belong to the server's own connection. A pooler
    # such as PgBouncer may give each transaction another one; it shows by a process id that is not the server's.
    cursor = connection.cursor()
    if cursor.execute("SELECT pg_backend_pid()").fetchone()[0] != connection.info.backend_pid:
        connection.prepare_threshold = None
    cursor.close()


def _mounts() -> Iterator[tuple[str, str]]:
    if sys.platform == "linux":
        try:
            text = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:  # a sandbox without /proc; its file systems cannot be told
            return
        for line in text.splitlines():
            _, point, kind, *_ = line.split(" ")
            yield point.encode("latin-1", "replace").decode("unicode_escape"), kind
    elif sys.platform == "darwin":
        done = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            _, _, rest = line.partition(" on ")
            point, _, facts = rest.rpartition(" (")
            yield point, facts.split(",")[0].rstrip(")")
