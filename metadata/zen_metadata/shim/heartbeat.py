"""Says for all attempts of this process that they are alive."""

from __future__ import annotations

import logging
import threading

from zen_core.errors import StoreError
from zen_metadata.lineage.records import Lease
from zen_metadata.lineage.store import HEARTBEAT_SECONDS, LineageStore
from zen_metadata.shim.boundary import told

_log = logging.getLogger("zen")


class Heartbeat:
    """One thread per store, started with the first attempt; it beats every 30 seconds for all attempts at once."""

    def __init__(self, store: LineageStore, *, period_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._store = store
        self._period_seconds = period_seconds
        self._lock = threading.Lock()
        self._lease_by_attempt: dict[str, Lease | None] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: set[str] = set()

    def add(self, attempt_id: str, lease: Lease | None) -> None:
        """Beat for this attempt from now on."""
        with self._lock:
            self._lease_by_attempt[attempt_id] = lease
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="zen-heartbeat", daemon=True)
                self._thread.start()

    def remove(self, attempt_id: str) -> None:
        """Beat for it no more."""
        with self._lock:
            self._lease_by_attempt.pop(attempt_id, None)

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()

    def _beat(self) -> None:
        while not self._stop.wait(self._period_seconds):
            with self._lock:
                attempts = dict(self._lease_by_attempt)
            if not attempts:
                continue
            try:
                self._store.heartbeat(list(attempts), [lease for lease in attempts.values() if lease is not None])
            except StoreError as error:
                # The next beat may get through; if none does, the lease expires and the commit is fenced off.
                if error.message not in self._told:  # once: it would be said every 30 seconds for hours
                    self._told.add(error.message)
                    _log.warning("the heartbeat did not reach the lineage store: %s", told(error))
