"""The connections of a process to a server: given back when they are idle, cut when the server does not answer."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

IDLE_SECONDS = 2.0
"""After so long without a transaction the connections of a process are closed."""
LONGEST_TRANSACTION_SECONDS = 60.0
"""A server that has not answered by then is taken for one that hangs. Waiting for a lock ends after half of it."""


class Use:
    """One transaction's use of a connection."""

    __slots__ = ("began_at", "connection", "is_cut")

    def __init__(self) -> None:
        self.began_at = time.monotonic()
        self.connection: Any = None
        self.is_cut = False
        """Whether the connection was cut, since the server gave no answer."""


class ServerConnections:
    """Closes an engine's connections once nobody has used them for a while, and those that hang.

    Opening a connection costs some milliseconds: worth saving between the statements of one step or of steps that
    follow one another, not while the user's code runs. A server that stopped, or a network that drops what it is sent,
    would let a driver wait for ever: no driver bounds that, and the operating system does not where its other end still
    acknowledges. The thread that watches ends together with the connections.
    """

    def __init__(self, engine: Engine, idle_seconds: float = IDLE_SECONDS) -> None:
        self._engine = engine
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._uses: set[Use] = set()
        self._of_thread = threading.local()
        self._used_at = 0.0
        self._is_watched = False
        event.listen(engine, "connect", self._note, insert=True)  # before the first statement on it
        event.listen(engine, "checkout", self._note)

    @contextmanager
    def used(self) -> Iterator[Use]:
        """Keep the connections open inside, and for a while afterwards."""
        use = self._of_thread.use = Use()
        with self._lock:
            self._uses.add(use)
            if not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, name="zen-connections", daemon=True).start()
        try:
            yield use
        finally:
            self._of_thread.use = None
            with self._lock:
                self._uses.discard(use)
                self._used_at = time.monotonic()

    def _note(self, connection: Any, *_: Any) -> None:
        use = getattr(self._of_thread, "use", None)
        if use is not None:
            use.connection = connection

    def _watch(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                idle = 0.0 if self._uses else now - self._used_at
                if idle >= self._idle_seconds:
                    self._engine.dispose()
                    self._is_watched = False
                    return
                for use in self._uses:
                    if now - use.began_at > LONGEST_TRANSACTION_SECONDS and use.connection is not None:
                        self._cut(use)
            time.sleep(self._idle_seconds - idle)

    def _cut(self, use: Use) -> None:
        """Let whoever waits on the connection hear that it ended. To close it would be to wait for the server too."""
        use.is_cut = True
        with (
            suppress(OSError, self._engine.dialect.dbapi.Error),  # it ended meanwhile
            socket.socket(fileno=os.dup(use.connection.fileno())) as wire,
        ):
            wire.shutdown(socket.SHUT_RDWR)
