"""Locks between processes that free themselves when their holder dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from zen_metadata.tracking.outbox import Stop

_ADVISORY_CLASS = 0x7A656E
"""Any number that no other user of the database takes for its own locks."""

_POLL_SECONDS = 0.5
_FIRST_PROJECTION = "mlflow"
"""Its locks are called as they were when there was no other: an older Zen beside this one takes the same."""


@contextmanager
def drain_lock(lineage_url: str, project: str, *, wait: bool, projection: str = "mlflow") -> Iterator[bool]:
    """Hold the right to project a project's runs; yields False when another process has it and `wait` is false.

    Each projection has a lock of its own: one that hangs holds up no other.

    A file beside an SQLite database, which serves one host; an advisory lock in PostgreSQL, which ends with
    the connection. Raises StoreError for a URL that is none, StoreUnavailableError.
    """
    from zen_metadata.lineage.sql.engine import make_engine, sqlite_path

    engine = make_engine(lineage_url)
    database = sqlite_path(engine)
    if database is None:
        subject = project if projection == _FIRST_PROJECTION else f"{projection} {project}"
        with _advisory_lock(engine, subject, wait=wait) as is_ours:
            yield is_ours
        return
    middle = "" if projection == _FIRST_PROJECTION else f".{projection}"
    held = take_file_lock(database.with_name(f"{database.name}{middle}.sync.lock"), wait=wait)
    try:
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


@contextmanager
def drain_turn(lineage_url: str, project: str, projection: str, *, wait: bool, stop: Stop) -> Iterator[bool]:
    """`drain_lock`, whose waiting ends when `stop` says so; yields False then."""
    while True:
        with drain_lock(lineage_url, project, wait=False, projection=projection) as is_ours:
            if is_ours or not wait or stop.requested:
                yield is_ours
                return
        stop.wait(_POLL_SECONDS)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock that `path` stands for, after waiting for it. The file stays; its content means nothing."""
    held = take_file_lock(path, wait=True)
    assert held is not None
    try:
        yield
    finally:
        os.close(held)


def take_file_lock(path: Path, *, wait: bool) -> int | None:
    """The file descriptor that holds the lock until it is closed, or None when another process holds it.

    A child process that inherits the descriptor holds the lock too.
    """
    import fcntl  # not on Windows, where the read side runs but no run does

    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _advisory_lock(engine: Engine, subject: str, *, wait: bool) -> Iterator[bool]:
    """A lock of a transaction, which is open as long as the lock is held: it ends with the connection.

    Not of a session: behind PgBouncer that would stay with a connection which serves others by then.
    """
    from sqlalchemy import text

    from zen_metadata.lineage.sql.failures import explained

    function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    try:
        with explained(engine):
            connection = engine.connect()
        try:
            with explained(engine):
                connection.exec_driver_sql("BEGIN")
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                lock = text(f"SELECT {function}(:class, hashtext(:subject))")
                answer = connection.execute(lock, {"class": _ADVISORY_CLASS, "subject": subject}).scalar()
            yield wait or bool(answer)
        finally:
            connection.invalidate()  # closed, not kept: the lock ends with it
            connection.close()
    finally:
        engine.dispose()
