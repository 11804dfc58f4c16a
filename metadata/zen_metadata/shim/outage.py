"""What a process knows of a lineage store that is away: why, since when, and whether that was told."""

from __future__ import annotations

import logging
import threading
import time

from zen_core.contract.settings import without_credentials
from zen_core.errors import StoreError, StoreUnavailableError

_log = logging.getLogger("zen")
_RETRY_AFTER_SECONDS = 15.0
"""How long a store that was found away is not asked; longer where finding out took long."""
_LARGEST_SHARE = 0.2
"""Of a process's time that goes into asking a store that hangs."""


class Outage:
    """Whether the store is away, as far as is known, and the operator's word: one for each cause.

    Args:
        artifact_url: where the spool lies.
    """

    def __init__(self, artifact_url: str) -> None:
        self._spool = f"{without_credentials(artifact_url)}/spool"
        self._until = 0.0
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self.last: StoreError | None = None
        """What the store said the last time; None: it has always answered."""

    @property
    def is_on(self) -> bool:
        """Whether the store was found away a moment ago."""
        return time.monotonic() < self._until

    @property
    def why(self) -> StoreError:
        """What the store said the last time."""
        return self.last or StoreUnavailableError("the lineage store is away")

    def begin(self, error: StoreUnavailableError, *, took_seconds: float = 0.0) -> None:
        """Remember that the store is away, so that not every call waits for it, and say so."""
        # Not the error itself, whose traceback would keep a connection.
        self.last = StoreUnavailableError(diagnostics=error.diagnostics)
        self._until = time.monotonic() + max(_RETRY_AFTER_SECONDS, took_seconds / _LARGEST_SHARE)
        self._tell(logging.WARNING, "is away", error)

    def refused(self, error: StoreError) -> None:
        """The store refuses what must not be lost: say so."""
        self.last = StoreError(diagnostics=error.diagnostics)
        self._tell(logging.ERROR, "refuses", error)

    def end(self) -> None:
        """The store has answered."""
        self._until = 0.0

    def _tell(self, level: int, what: str, error: StoreError) -> None:
        problem = error.diagnostics[0]
        cause = f"{problem.message}: {problem.why}".rstrip(": ")
        with self._lock:
            if cause in self._told:
                return
            self._told.add(cause)
        _log.log(
            level,
            "the lineage store %s, facts go into the spool below %s: %s. Steps go on; the next run or `zen sync` "
            "records what they did once the store is back. To do: %s",
            what,
            self._spool,
            cause,
            problem.hint,
        )
