"""Transactions: begun, retried and ended in one place, whatever the thread, process or database."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

import sqlalchemy.exc
from sqlalchemy.engine import Engine

from zen_core.contract.settings import without_credentials
from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.lineage.sql.clock import read_clock
from zen_metadata.lineage.sql.engine import BUSY_SECONDS, shown_url, sqlite_path
from zen_metadata.lineage.sql.statements import ListStatement, Statement

T = TypeVar("T")
_RETRY_DELAYS_SECONDS = (0.05, 0.2)
_RETRY_STATES = frozenset({"40001", "40P01"})
"""PostgreSQL's serialization failure and deadlock: the transaction did nothing and may be tried again."""


class Transaction:
    """One transaction, as the functions that read and write see it."""

    __slots__ = ("_cursor", "_dialect", "_locks_rows", "_now", "abandoned")

    def __init__(self, cursor: Any, dialect: Any) -> None:
        self._cursor = cursor
        self._dialect = dialect
        # SQLite has one writer at a time, so a write transaction holds every row already.
        self._locks_rows = dialect.name != "sqlite"
        self._now: datetime | None = None
        self.abandoned = False

    def now(self, *, again: bool = False) -> datetime:
        """The database's time, read once in a transaction; `again` after waiting for a lock."""
        if self._now is None or again:
            self._now = read_clock(self._cursor, self._dialect)
        return self._now

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run an insert or update; answer how many rows it touched."""
        compiled = statement.compiled_for(self._dialect)
        self._cursor.execute(compiled.sql, compiled.parameters(values))
        count: int = self._cursor.rowcount
        return count

    def run_many(self, statement: Statement, values: Iterable[Mapping[str, Any]]) -> None:
        """Run an insert or update for each of the values."""
        compiled = statement.compiled_for(self._dialect)
        if parameters := [compiled.parameters(item) for item in values]:
            self._cursor.executemany(compiled.sql, parameters)

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[Any]:
        """What a select finds, as named tuples."""
        compiled = statement.compiled_for(self._dialect)
        self._cursor.execute(compiled.sql, compiled.parameters(values))
        return compiled.to_rows(self._cursor.fetchall())

    def row(self, statement: Statement, values: Mapping[str, Any]) -> Any | None:
        """The first row that a select finds, or None."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def rows_in(
        self, statement: ListStatement, items: Iterable[str], values: Mapping[str, Any] = MappingProxyType({})
    ) -> list[Any]:
        """What a select with an IN list finds, for a list of any length, each item once."""
        found = []
        for part, listed in statement.batches(list(dict.fromkeys(items))):
            found += self.rows(part, {**values, **listed})
        return found

    def lock(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Lock rows by a `select … for update`, until the transaction ends.

        What depends on the rows must be read by a statement after this one, which sees what the others committed.
        """
        if self._locks_rows:
            self.rows(statement, values)

    def abandon(self) -> None:
        """Undo everything at the end, although nothing failed."""
        self.abandoned = True


class Database:
    """Runs transactions on an engine, from any thread and after a fork.

    Every failure of the database comes out as a StoreError with the URL shown without credentials. What can pass (a
    lost connection, a deadlock) is tried again a few times; every transaction of the store may be run twice.
    """

    def __init__(self, engine: Engine, prepare: Callable[[Engine], None]) -> None:
        """Of an engine, and of what is to be done before its first transaction."""
        self._engine = engine
        self._prepare = prepare
        self._dialect = engine.dialect
        self._shown_url = shown_url(engine)
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._is_prepared = False
        self._left_behind: list[Any] = []
        self._start_process()
        # A store that nobody closed (a `Run` in a notebook) closes its connections when it is forgotten.
        weakref.finalize(self, _close_forgotten, engine, os.getpid()).atexit = False

    def read(self, action: Callable[[Transaction], T]) -> T:
        """Run `action` in a transaction that writes nothing."""
        self._check_process()
        return self._run(action, "BEGIN")

    def write(self, action: Callable[[Transaction], T]) -> T:
        """Run `action` in a transaction that writes.

        On SQLite it takes the write lock at the start: a transaction that began by reading could not get it later
        while another one writes. Threads of one process queue for it here, since SQLite waits by sleeping.
        """
        self._check_process()
        if not self._is_sqlite:
            return self._run(action, "BEGIN")
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise self._unavailable(f"another thread has been writing for {BUSY_SECONDS:.0f} seconds")
        try:
            return self._run(action, "BEGIN IMMEDIATE")
        finally:
            self._writer.release()

    def close(self) -> None:
        """Close all connections. The next use opens new ones."""
        self._engine.dispose()

    def _start_process(self) -> None:
        self._pid = os.getpid()
        self._writer = threading.Lock()
        self._preparing = threading.Lock()

    def _check_process(self) -> None:
        if os.getpid() == self._pid:
            return
        # After a fork. A connection must not be used, nor even closed, by two processes: the parent's are put where
        # nothing ends them.
        self._left_behind.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._start_process()

    def _run(self, action: Callable[[Transaction], T], begin: str) -> T:
        started = time.monotonic()
        delays = iter(_RETRY_DELAYS_SECONDS)
        while True:
            try:
                return self._run_once(action, begin)
            except (sqlalchemy.exc.DBAPIError, self._dialect.dbapi.Error) as error:
                translated = self._translate(getattr(error, "orig", None) or error)
                delay = next(delays, None)
                if not translated.transient or delay is None or time.monotonic() - started > BUSY_SECONDS:
                    raise translated from error
                if not self._is_sqlite:
                    self._engine.dispose()  # a server that went away took all connections with it
                time.sleep(delay)

    def _run_once(self, action: Callable[[Transaction], T], begin: str) -> T:
        if not self._is_prepared:
            self._prepare_once()
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            if self._is_sqlite:  # the driver's own transactions begin too late; PostgreSQL's begin by themselves
                cursor.execute(begin)
            transaction = Transaction(cursor, self._dialect)
            result = action(transaction)
            if transaction.abandoned:
                self._end(connection, cursor, "ROLLBACK")
            else:
                self._end(connection, cursor, "COMMIT")
            cursor.close()
        except BaseException:
            # The connection's state is unknown (an interrupt may come between any two lines): it is not used again.
            connection.invalidate()
            raise
        connection.close()
        return result

    def _end(self, connection: Any, cursor: Any, verb: str) -> None:
        if self._is_sqlite:
            cursor.execute(verb)
        elif verb == "COMMIT":
            connection.commit()
        else:
            connection.rollback()

    def _prepare_once(self) -> None:
        with self._preparing:
            if not self._is_prepared:
                try:
                    self._prepare(self._engine)
                except BaseException:
                    self._engine.dispose()  # a store that cannot be used keeps no connection
                    raise
                self._is_prepared = True

    def _translate(self, error: BaseException) -> StoreError:
        dbapi = self._dialect.dbapi
        text = " ".join(without_credentials(str(error)).split())
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        path = sqlite_path(self._engine)
        if path is not None and ("readonly" in text or "unable to open" in text):
            return StoreError(
                f"the lineage store {path} cannot be opened for writing",
                why=f"{text}; SQLite needs to write the file and its folder",
                hint="give this user write access to the folder, or set ZEN_LINEAGE_URL to another place",
            )
        if "no such table" in text or "no such column" in text or state == "42P01":
            return StoreError(
                f"the lineage store {self._shown_url} is damaged: {text}", hint="see what is wrong: zen store check"
            )
        if isinstance(error, (dbapi.OperationalError, dbapi.InterfaceError)) or state in _RETRY_STATES:
            return self._unavailable(text)
        return StoreError(f"the lineage store {self._shown_url} refuses: {text}", why=type(error).__name__)

    def _unavailable(self, why: str) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"the lineage store {self._shown_url} cannot be used at present",
            why=why,
            hint="check that the database runs and can be reached from here, then: zen store check",
        )


def _close_forgotten(engine: Engine, pid: int) -> None:
    if os.getpid() == pid:  # after a fork the connections are still the parent's
        engine.dispose()
