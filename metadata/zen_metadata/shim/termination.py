"""What happens when the worker is asked to end: the attempt is recorded as cancelled, and the signal goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_LONGEST_RECORDING_SECONDS = 15.0
"""Longer than it takes to find out that a store takes no connections, and to spool; shorter than Kubernetes waits."""


@contextmanager
def on_termination(record: Callable[[], None], *, enabled: bool) -> Iterator[None]:
    """Call `record` when this process gets SIGTERM within the block, then do what would have been done.

    Only the main thread can hear signals; elsewhere the block just runs.
    """
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield
        return
    recorder = _Recorder(record)
    try:
        yield
    finally:
        current: Any = signal.getsignal(signal.SIGTERM)
        if current is recorder:
            recorder.restore()


def record_termination(record: Callable[[], None]) -> None:
    """Call `record` when this process gets SIGTERM, then do what would have been done; until the handler is replaced.

    For an engine whose own handler is in place while it runs, and puts back what was before. Once in a process; does
    nothing outside the main thread.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and not isinstance(signal.getsignal(signal.SIGTERM), _Recorder):
        _Recorder(record)


class _Recorder:
    """A handler of SIGTERM in front of the one that is there."""

    def __init__(self, record: Callable[[], None]) -> None:
        self._record = record
        self._previous: Any = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # A thread of its own: the interrupted code may hold the very lock that the store needs.
        worker = threading.Thread(target=self._record, name="zen-cancel", daemon=True)
        worker.start()
        worker.join(_LONGEST_RECORDING_SECONDS)
        self.restore()
        if callable(self._previous):
            self._previous(number, frame)
        elif self._previous != signal.SIG_IGN:
            os.kill(os.getpid(), number)

    def restore(self) -> None:
        """Put back the handler that was there."""
        signal.signal(signal.SIGTERM, self._previous if self._previous is not None else signal.SIG_DFL)
