"""What of the machine is free, and which of the tasks that are ready may take it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from zen_local.lowering import LocalStep
from zen_local.scheduling import Task


@dataclass
class Capacity:
    """What of the machine is free at the moment; `places` is how many more tasks may run at once."""

    cpu: float
    memory_bytes: int
    gpu: int
    places: int

    def takes(self, step: LocalStep) -> bool:
        """Whether a task of the step fits beside what runs now."""
        return self.cpu >= step.cpu and self.memory_bytes >= step.memory_bytes and self.gpu >= step.gpu

    def take(self, step: LocalStep) -> None:
        """A task of the step begins."""
        self._add(step, -1)

    def give_back(self, step: LocalStep) -> None:
        """A task of the step has ended."""
        self._add(step, 1)

    def _add(self, step: LocalStep, sign: int) -> None:
        self.places += sign
        self.cpu += sign * step.cpu
        self.memory_bytes += sign * step.memory_bytes
        self.gpu += sign * step.gpu


class ReadyTasks:
    """The tasks that wait for a place: the longest waiting first, but a large one does not hold up smaller ones.

    Tasks that ask for the same wait in one queue, so that a look at what fits costs as much as there are different
    demands, however many tasks wait.
    """

    def __init__(self, steps: Mapping[str, LocalStep], capacity: Capacity) -> None:
        self._steps = steps
        self._capacity = capacity
        self._running: Counter[str] = Counter()
        self._queues: dict[Hashable, deque[tuple[int, Task]]] = {}
        self._added = 0

    def add(self, tasks: Iterable[Task]) -> None:
        """Tasks that can start."""
        for task in tasks:
            self._added += 1
            self._queues.setdefault(_demand(self._steps[task.step]), deque()).append((self._added, task))

    def end(self, task: Task) -> None:
        """A task that was taken has ended."""
        self._running[task.step] -= 1
        self._capacity.give_back(self._steps[task.step])

    def take(self) -> list[Task]:
        """The tasks that start now: as many as fit."""
        taken: list[Task] = []
        while self._capacity.places > 0:
            fitting = [key for key, queue in self._queues.items() if self._fits(queue[0][1])]
            if not fitting:
                break
            key = min(fitting, key=lambda key: self._queues[key][0][0])
            _, task = self._queues[key].popleft()
            if not self._queues[key]:
                del self._queues[key]
            self._running[task.step] += 1
            self._capacity.take(self._steps[task.step])
            taken.append(task)
        return taken

    def _fits(self, task: Task) -> bool:
        step = self._steps[task.step]
        has_place = step.max_parallel is None or self._running[task.step] < step.max_parallel
        return has_place and self._capacity.takes(step)


def _demand(step: LocalStep) -> Hashable:
    """What tells one task that waits from another: what it takes of the machine, and a limit of its step's own."""
    return (step.cpu, step.memory_bytes, step.gpu) if step.max_parallel is None else step.name
