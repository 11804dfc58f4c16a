"""Transactions: begun, retried and ended in one place, whatever the thread, process or database."""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, TypeVar

import sqlalchemy.exc
from sqlalchemy.engine import Engine

from zen_core.errors import StoreError
from zen_metadata.lineage.sql.connections import LONGEST_TRANSACTION_SECONDS, ServerConnections, Use
from zen_metadata.lineage.sql.engine import BUSY_SECONDS
from zen_metadata.lineage.sql.failures import CrowdedError, explain, unavailable
from zen_metadata.lineage.sql.transaction import Transaction

T = TypeVar("T")
_RETRY_DELAYS_SECONDS = (0.05, 0.2)
_TRY_AGAIN_SECONDS = 10.0
"""What fails later is not tried again: to find out took long enough."""
_CROWDED_SECONDS = 60.0
"""How long to try again while the server has no connection left."""
_LONGEST_PAUSE_SECONDS = 1.0


class Database:
    """Runs transactions on an engine, from any thread and after a fork.

    Every failure of the database comes out as a StoreError with the URL shown without credentials. What can pass (a
    lost connection, a deadlock, a server without free connections) is tried again for a while; every transaction of
    the store may be run twice.
    """

    def __init__(self, engine: Engine, prepare: Callable[[Engine], None]) -> None:
        """Of an engine, and of what is to be done before its first transaction."""
        self._engine = engine
        self._prepare = prepare
        self._dialect = engine.dialect
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._has_pipeline = engine.dialect.driver == "psycopg" and engine.dialect.dbapi.Pipeline.is_supported()
        self._is_prepared = False
        self._left_behind: list[Any] = []
        self._start_process()
        # A store that nobody closed (a `Run` in a notebook) closes its connections when it is forgotten.
        weakref.finalize(self, _close_forgotten, engine, os.getpid()).atexit = False

    def read(self, action: Callable[[Transaction], T]) -> T:
        """Run `action`, which writes nothing.

        On PostgreSQL each of its statements stands for itself: a transaction would cost two round trips, and give no
        more, since its default isolation shows every statement what was committed before it.
        """
        self._check_process()
        return self._run(action, "BEGIN" if self._is_sqlite else None)

    def ask(self, action: Callable[[Transaction], T]) -> T:
        """Run `action`, which sends one statement and writes nothing: that needs no transaction around it."""
        self._check_process()
        return self._run(action, None)

    def write(self, action: Callable[[Transaction], T]) -> T:
        """Run `action` in a transaction that writes.

        On SQLite it takes the write lock at the start: a transaction that began by reading could not get it later
        while another one writes. Threads of one process queue for it here, since SQLite waits by sleeping.
        """
        self._check_process()
        if not self._is_sqlite:
            return self._run(action, "BEGIN")
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise unavailable(self._engine, f"another thread has been writing for {BUSY_SECONDS:.0f} seconds")
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
        self._connections = None if self._is_sqlite else ServerConnections(self._engine)

    def _check_process(self) -> None:
        if os.getpid() == self._pid:
            return
        # After a fork. A connection must not be used, nor even closed, by two processes: the parent's are put where
        # nothing ends them.
        self._left_behind.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._start_process()

    def _run(self, action: Callable[[Transaction], T], begin: str | None) -> T:
        pauses = _Pauses()
        use: Use | None = None
        while True:
            try:
                with self._connections.used() if self._connections else nullcontext() as use:
                    return self._run_once(action, begin)
            except (
                sqlalchemy.exc.DBAPIError,
                sqlalchemy.exc.TimeoutError,
                self._dialect.dbapi.Error,
                UnicodeEncodeError,
                OverflowError,
            ) as error:
                failure = explain(error, self._engine)
                if use is not None and use.is_cut:
                    failure = unavailable(self._engine, f"it gave no answer for {LONGEST_TRANSACTION_SECONDS:.0f} s")
                pause = pauses.after(failure)
                if pause is None:
                    raise failure from error
                if not self._is_sqlite:
                    self._engine.dispose()  # a server that went away took all connections with it
            time.sleep(pause)

    def _run_once(self, action: Callable[[Transaction], T], begin: str | None) -> T:
        if not self._is_prepared:
            self._prepare_once()
        connection = self._engine.raw_connection()
        pipelined: AbstractContextManager[Any] = nullcontext()
        try:
            if begin and self._has_pipeline:
                pipelined = connection.driver_connection.pipeline()
            transaction = Transaction(connection, self._dialect, pipelined.__enter__())
            if begin:
                transaction.begin(begin)
            result = action(transaction)
            if begin:
                transaction.end()
            pipelined.__exit__(None, None, None)  # waits for the rest that was sent, with the commit
        except BaseException:
            # The connection's state is unknown (an interrupt may come between any two lines): it is not used again.
            if self._is_sqlite:
                # One that is closed keeps its lock as long as a cursor is referred to, and the traceback refers to it.
                with suppress(self._dialect.dbapi.Error):
                    connection.driver_connection.rollback()
            connection.invalidate()
            with suppress(self._dialect.dbapi.Error):
                pipelined.__exit__(None, None, None)  # not with the exception: psycopg would log it
            raise
        connection.close()
        return result

    def _prepare_once(self) -> None:
        with self._preparing:
            if not self._is_prepared:
                try:
                    self._prepare(self._engine)
                except BaseException:
                    self._engine.dispose()  # a store that cannot be used keeps no connection
                    raise
                self._is_prepared = True


class _Pauses:
    """How long to wait before a transaction is tried again."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._delays = iter(_RETRY_DELAYS_SECONDS)
        self._longest = 0.05

    def after(self, failure: StoreError) -> float | None:
        """The seconds to wait after this failure; None when it is not to be tried again."""
        passed = time.monotonic() - self._started
        if isinstance(failure, CrowdedError):
            # At random, or all that were turned away would come back at the same moment.
            self._longest = min(self._longest * 1.5, _LONGEST_PAUSE_SECONDS)
            return random.uniform(0.01, self._longest) if passed < _CROWDED_SECONDS else None
        return next(self._delays, None) if failure.transient and passed < _TRY_AGAIN_SECONDS else None


def _close_forgotten(engine: Engine, pid: int) -> None:
    if os.getpid() == pid:  # after a fork the connections are still the parent's
        engine.dispose()
