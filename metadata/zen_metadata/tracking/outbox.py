"""What every projection of the outbox shares: its rows in batches, when to try again, and when to stop.

Imports nothing that takes time: a process that only appends needs none of this.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from zen_metadata.lineage.records import OutboxRecord
from zen_metadata.lineage.store import LineageStore

AGAIN = "again"
"""The event of a row that asks for a whole run to be projected anew."""

_BATCH_ROWS = 1000
_FIRST_WAIT = timedelta(seconds=30)
_MOST_DOUBLINGS = 20
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 300.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a pass over the outbox did for one projection. Rows are facts (an attempt or a run ended).

    Attributes:
        projected: rows that are shown there now.
        pending: rows that are still to be projected.
        failed: those among them that were refused.
        error: why rows are left although they should not be, for people; "" when nothing is wrong.
        note: what else should be known: why nothing was to be done, what was found there.
    """

    projected: int
    pending: int
    failed: int = 0
    error: str = ""
    note: str = ""


class Stop:
    """Tells long work to end at the next safe place: between two facts, or while it waits.

    Args:
        after_seconds: it asks by itself then; never, when left out.
    """

    def __init__(self, after_seconds: float | None = None) -> None:
        self._deadline = None if after_seconds is None else time.monotonic() + after_seconds
        self._asked = False

    def request(self) -> None:
        """Ask for the end; from a signal handler too."""
        self._asked = True

    @property
    def requested(self) -> bool:
        """Whether to end."""
        return self._asked or (self._deadline is not None and time.monotonic() >= self._deadline)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until the end is asked for."""
        until = time.monotonic() + seconds
        while not self.requested and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_SECONDS))  # a lock would not do: a signal handler may come in its midst


class Patience:
    """How long a pass waits, all in all, for a service that answers and asks for a moment.

    Args:
        seconds: of waiting in one pass; a service that needs longer is left alone until the next one.
    """

    def __init__(self, seconds: float, stop: Stop) -> None:
        self._left = seconds
        self._stop = stop

    def wait(self, tries: int) -> bool:
        """Wait before a further try of something that was tried `tries` times; False when there is no time left."""
        pause = _FIRST_PAUSE_SECONDS * 2.0 ** (tries - 1)
        if pause > self._left or self._stop.requested:
            return False
        self._left -= pause
        self._stop.wait(pause)
        return not self._stop.requested


def pending_batches(
    store: LineageStore, projection: str, project: str, *, run_id: str | None = None, only_due: bool = False
) -> Iterator[list[OutboxRecord]]:
    """The rows of a projection that are not done, oldest first, a bounded number at a time.

    Each row comes once, whether or not it is done meanwhile; rows that are written meanwhile come too.

    Args:
        project: other projects in the store are projected by their own.
        run_id: only this run's rows.
        only_due: leave out rows that were refused, until it is time to try them again (`is_due`).
    """
    after = 0
    while rows := store.pending_outbox(
        projection=projection, project=project, run_id=run_id, after=after, limit=_BATCH_ROWS
    ):
        after = rows[-1].outbox_id
        now = datetime.now(UTC)
        if due := [row for row in rows if not only_due or is_due(row, now)]:
            yield due


def count_pending(store: LineageStore, projection: str, project: str, run_id: str | None = None) -> int:
    """How many facts a projection does not show yet."""
    lag = store.outbox_lag(project, run_id=run_id).get(projection)
    return lag.pending if lag else 0


def is_due(row: OutboxRecord, now: datetime) -> bool:
    """Whether it is time to try a row: with each refusal its age must double, from 30 seconds on."""
    return row.tries == 0 or now >= row.created_at + _FIRST_WAIT * 2 ** min(row.tries, _MOST_DOUBLINGS)


def backoff_seconds(failures: int, first: float) -> float:
    """How long to leave a service alone after so many failed passes in a row: doubled each time, to five minutes."""
    return min(first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), max(_LONGEST_WAIT_SECONDS, first))
