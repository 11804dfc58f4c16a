"""When connections to a server are given back: a step that computes for hours holds none of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Engine

IDLE_SECONDS = 2.0
"""After so long without a transaction the connections of a process are closed."""


class IdleConnections:
    """Closes an engine's connections once nobody has used them for a while.

    Opening a connection costs some milliseconds: worth saving between the statements of one step or of steps that
    follow one another, not while the user's code runs. The thread that watches ends together with the connections.
    """

    def __init__(self, engine: Engine, idle_seconds: float = IDLE_SECONDS) -> None:
        self._engine = engine
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._users = 0
        self._used_at = 0.0
        self._is_watched = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep the connections open inside, and for a while afterwards."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                self._used_at = time.monotonic()
                if not self._is_watched:
                    self._is_watched = True
                    threading.Thread(target=self._watch, name="zen-idle-connections", daemon=True).start()

    def _watch(self) -> None:
        while True:
            with self._lock:
                idle = 0.0 if self._users else time.monotonic() - self._used_at
                if idle >= self._idle_seconds:
                    self._engine.dispose()
                    self._is_watched = False
                    return
            time.sleep(self._idle_seconds - idle)
