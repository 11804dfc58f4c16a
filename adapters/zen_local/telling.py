"""Tells the observer of a run what happens: one call at a time, and no secret among it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from zen_core.adapter.protocol import RunObserver


class Told:
    """Hands on to the observer, if there is one; called from any thread."""

    def __init__(self, observer: RunObserver | None, mask: Callable[[str], str]) -> None:
        self._observer = observer
        self._mask = mask
        self._lock = threading.RLock()

    def run_started(self, run_id: str, steps: tuple[str, ...]) -> None:
        """See RunObserver."""
        self._tell(lambda observer: observer.run_started(run_id, steps))

    def step_started(self, step: str, attempt: int) -> None:
        """See RunObserver."""
        self._tell(lambda observer: observer.step_started(step, attempt))

    def map_started(self, step: str, elements: int) -> None:
        """See RunObserver."""
        self._tell(lambda observer: observer.map_started(step, elements))

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: BaseException) -> None:
        """See RunObserver; the error is told in one line."""
        why = self._describe(error)
        self._tell(lambda observer: observer.step_retrying(step, attempt, delay_seconds, why))

    def step_ended(self, step: str, status: str, seconds: float, error: BaseException | None) -> None:
        """A step that was started has ended; an error is told in one line."""
        why = "" if error is None else self._describe(error)
        self._tell(lambda observer: observer.step_finished(step, status, seconds, why))

    def step_left_out(self, step: str, status: str, why: str = "") -> None:
        """A step ended that was not started: its result was there, or it will not start."""
        self._tell(lambda observer: observer.step_finished(step, status, 0.0, why))

    def step_output(self, step: str, text: str) -> None:
        """See RunObserver."""
        self._tell(lambda observer: observer.step_output(step, text))

    def run_finished(self, status: str, seconds: float) -> None:
        """See RunObserver."""
        self._tell(lambda observer: observer.run_finished(status, seconds))

    def _tell(self, call: Callable[[RunObserver], None]) -> None:
        if self._observer is not None:
            with self._lock:
                call(self._observer)

    def _describe(self, error: BaseException) -> str:
        """`ValueError: the first line of what it says`."""
        lines = str(error).splitlines()
        return self._mask(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)
