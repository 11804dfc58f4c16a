"""The threads that run steps."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from zen_local.scheduling import Task
from zen_metadata.shim.run_step import StepResult


@dataclass
class Finished:
    """What a worker reports.

    Attributes:
        result: of a step without elements.
        failed: the map indexes that failed; of a step without elements, None where it did.
        error: what the first of them raised.
    """

    task: Task
    result: StepResult | None
    failed: frozenset[int | None]
    error: BaseException | None
    seconds: float


class Workers:
    """Threads that run steps, as many as have run at once so far.

    A thread that has finished a step goes on with the next one itself: handing every step of a chain from thread to
    thread would cost as much as looking it up in the cache.

    Args:
        work: runs a task.
        settle: takes a report in and answers with the tasks to start now; called by one thread at a time.
    """

    def __init__(self, work: Callable[[Task], Finished], settle: Callable[[Finished], list[Task]]) -> None:
        self._work = work
        self._settle = settle
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._size = 0
        self._going = 0
        self._failure: BaseException | None = None

    def run(self, tasks: list[Task]) -> None:
        """Run these tasks and all that `settle` adds, to the end."""
        try:
            with self._lock:
                self._start(tasks)
            if tasks:
                self._over.wait()
        finally:
            for _ in range(self._size):
                self._tasks.put(None)
        if self._failure is not None:
            raise self._failure

    def _start(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._going += 1
            self._tasks.put(task)
            if self._size < self._going:
                self._size += 1
                threading.Thread(target=self._serve, name=f"zen-worker-{self._size}", daemon=True).start()

    def _serve(self) -> None:
        task = self._tasks.get()
        while task is not None:
            try:
                task = self._follow(self._work(task))
            except BaseException as failure:  # an observer's, say: nobody may wait for this thread for ever
                self._failure = failure
                self._over.set()
                return
            if task is None:
                task = self._tasks.get()

    def _follow(self, done: Finished) -> Task | None:
        """Take a report in, and answer with the task that this thread goes on with."""
        with self._lock:
            following = self._settle(done)
            self._going -= 1
            self._start(following[1:])
            if following:
                self._going += 1
                return following[0]
            if self._going == 0:
                self._over.set()
            return None
