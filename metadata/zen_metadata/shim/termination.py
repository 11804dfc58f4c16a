"""What happens when the worker is asked to end: the attempt is recorded as cancelled, and the signal goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_LONGEST_RECORDING_SECONDS = 10.0


@contextmanager
def on_termination(record: Callable[[], None], *, enabled: bool) -> Iterator[None]:
    """Call `record` when this process gets SIGTERM within the block, then do what would have been done.

    Only the main thread can hear signals; elsewhere the block just runs.
    """
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: Any = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        # A thread of its own: the interrupted code may hold the very lock that the store needs.
        worker = threading.Thread(target=record, name="zen-cancel", daemon=True)
        worker.start()
        worker.join(_LONGEST_RECORDING_SECONDS)
        signal.signal(signal.SIGTERM, previous if previous is not None else signal.SIG_DFL)
        if callable(previous):
            previous(number, frame)
        elif previous != signal.SIG_IGN:
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is handle:
            signal.signal(signal.SIGTERM, previous if previous is not None else signal.SIG_DFL)
