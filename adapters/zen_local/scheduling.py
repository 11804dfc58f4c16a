"""What runs next: follows a run as its tasks end, and tells which ones are ready and which never start.

No threads and no clock here: the engine says what ended, one at a time. Every step, edge and element costs once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zen_metadata.query.rules import ANSWERS, Outcome, PipelineRules, StepRule
from zen_metadata.shim.mapping import tasks_of

NeverStarted = Literal["upstream_failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker does at a time: a step, or a part of a map (`chunk` elements, which run one after another)."""

    step: str
    part: int | None = None


@dataclass
class Settled:
    """What follows from the end of a task.

    Attributes:
        ready: the tasks that can start now.
        never: the step runs that will not start, with the map index where there is one, and why.
        empty: mapped steps that are done, since there is nothing to map.
    """

    ready: list[Task] = field(default_factory=list)
    never: list[tuple[str, int | None, NeverStarted]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


class Schedule:
    """One run of a pipeline, or of some of its steps.

    Args:
        chunks: how many elements of a mapped step a task takes.
        chosen: the steps to run; of the others, all that is needed is given to `begin`.
    """

    def __init__(self, rules: PipelineRules, chunks: Mapping[str, int], chosen: Iterable[str]) -> None:
        self._rules = rules
        self._chunks = chunks
        self._chosen = frozenset(chosen)
        self._outcomes: dict[str, Outcome] = {}
        self._answers: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._missing: dict[str, int] = {}
        self._followers: dict[str, list[str]] = {name: [] for name in rules.steps}
        self._element_followers: dict[str, list[str]] = {name: [] for name in rules.steps}
        self._parts: dict[str, list[Outcome | None]] = {}
        self._open_parts: dict[str, int] = {}
        self._todo: deque[tuple[str, int | None]] = deque()
        for name, rule in rules.steps.items():
            if name not in self._chosen:
                continue
            before = {*rule.needs, *(option for group in rule.options for option in group)}
            self._missing[name] = len(before)
            for other in before:
                self._followers[other].append(name)
            for other in rule.elements:
                self._element_followers[other].append(name)

    def begin(self, given: Mapping[str, Outcome], refs: Mapping[str, Mapping[str, Any]]) -> Settled:
        """What is ready at the start.

        Args:
            given: what became of steps that are not run.
            refs: what those handed over.
        """
        found = Settled()
        self._todo.extend((name, None) for name, missing in self._missing.items() if missing == 0)
        for name in self._rules.steps:
            if name not in self._chosen:
                # What was not asked for, and nobody needs, is as good as done.
                self._note_answer(name, refs.get(name, {}))
                self._end_step(name, given.get(name, "done"))
        self._work_off(found)
        return found

    def settle(self, task: Task, *, completed: bool, refs: Mapping[str, Any] | None = None) -> Settled:
        """What follows from the end of a task; `refs` are what a step without elements handed over."""
        found = Settled()
        outcome: Outcome = "done" if completed else "broken"
        if task.part is None:
            self._note_answer(task.step, refs or {})
            self._end_step(task.step, outcome)
        else:
            self._end_part(task.step, task.part, outcome)
        self._work_off(found)
        return found

    def elements(self, task: Task) -> range:
        """The map indexes that a task of a mapped step runs."""
        size, count = self._chunks[task.step], self._counts[task.step]
        part = task.part or 0
        return range(part * size, min(count, (part + 1) * size))

    def count(self, step: str) -> int:
        """How many elements a mapped step has, once its expander has said so."""
        return self._counts[step]

    def _note_answer(self, name: str, refs: Mapping[str, Any]) -> None:
        answer = refs.get(ANSWERS.get(self._rules.steps[name].kind, ""))
        if answer is not None:
            self._answers[name] = answer["value"]

    def _end_step(self, name: str, outcome: Outcome) -> None:
        self._outcomes[name] = outcome
        for follower in self._followers[name]:
            self._missing[follower] -= 1
            if self._missing[follower] == 0:
                self._todo.append((follower, None))

    def _end_part(self, name: str, part: int, outcome: Outcome) -> None:
        parts = self._parts[name]
        parts[part] = outcome
        self._open_parts[name] -= 1
        self._todo.extend((follower, part) for follower in self._element_followers[name] if follower in self._parts)
        if self._open_parts[name] == 0:
            found = set(parts)
            self._end_step(name, "broken" if "broken" in found else "skipped" if found == {"skipped"} else "done")

    def _work_off(self, found: Settled) -> None:
        """Decide on all that waited for what has ended; a list instead of recursion, since chains may be long."""
        while self._todo:
            name, part = self._todo.popleft()
            if part is None:
                self._decide(name, found)
            elif self._parts[name][part] is None:
                self._decide_part(name, part, found)

    def _decide(self, name: str, found: Settled) -> None:
        rule = self._rules.steps[name]
        blocked = self._blocked(rule)
        if rule.expander and self._outcomes[rule.expander] == "done":
            refs = {ANSWERS["expander"]: {"value": self._answers[rule.expander]}}
            self._begin_map(name, len(tasks_of(refs, self._chunks[name])), blocked, found)
        elif blocked is not None:
            found.never.append((name, None, blocked))
            self._end_step(name, _OUTCOME[blocked])
        else:
            found.ready.append(Task(name))

    def _begin_map(self, name: str, parts: int, blocked: NeverStarted | None, found: Settled) -> None:
        self._counts[name] = self._answers[self._rules.steps[name].expander]
        self._parts[name], self._open_parts[name] = [None] * parts, parts
        if parts == 0:
            if blocked is None:
                found.empty.append(name)
            else:
                found.never.append((name, None, blocked))
            self._end_step(name, _OUTCOME[blocked] if blocked else "done")
        for part in range(parts):
            if blocked is None:
                self._decide_part(name, part, found)
            else:
                self._block_part(name, part, blocked, found)

    def _decide_part(self, name: str, part: int, found: Settled) -> None:
        before = [self._part_of(other, part) for other in self._rules.steps[name].elements]
        if None in before:
            return  # asked again when that one ends
        if "broken" in before:
            self._block_part(name, part, "upstream_failed", found)
        elif "skipped" in before:
            self._block_part(name, part, "skipped", found)
        else:
            found.ready.append(Task(name, part))

    def _part_of(self, name: str, part: int) -> Outcome | None:
        if name not in self._chosen:
            return self._outcomes[name]
        return self._parts[name][part] if name in self._parts else None

    def _block_part(self, name: str, part: int, why: NeverStarted, found: Settled) -> None:
        found.never.extend((name, index, why) for index in self.elements(Task(name, part)))
        self._end_part(name, part, _OUTCOME[why])

    def _blocked(self, rule: StepRule) -> NeverStarted | None:
        needed = {self._outcomes[name] for name in rule.needs}
        options = [{self._outcomes[name] for name in group} for group in rule.options]
        if "broken" in needed or any("broken" in group for group in options):
            return "upstream_failed"
        untaken = bool(rule.gate) and self._answers.get(rule.gate) is (not rule.taken)
        if untaken or "skipped" in needed or any(group == {"skipped"} for group in options):
            return "skipped"
        return None


_OUTCOME: Mapping[NeverStarted, Outcome] = {"upstream_failed": "broken", "skipped": "skipped"}


class ReadyTasks:
    """The tasks that wait for a place, by step, the longest waiting first.

    Args:
        limits: how many tasks of a step may run at the same time, where that is limited.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._running: dict[str, int] = {}
        self._by_step: dict[str, deque[Task]] = {}

    def add(self, tasks: Iterable[Task]) -> None:
        """Tasks that can start."""
        for task in tasks:
            self._by_step.setdefault(task.step, deque()).append(task)

    def end(self, task: Task) -> None:
        """A task that was taken has ended."""
        self._running[task.step] = self._running.get(task.step, 0) - 1

    def take(self, takes: Any) -> Iterator[Task]:
        """Take tasks out, as long as `takes(step)` answers that the step fits; a large one does not hold up others."""
        for step in list(self._by_step):
            waiting = self._by_step[step]
            limit = self._limits.get(step)
            while waiting and (limit is None or self._running.get(step, 0) < limit) and takes(step):
                self._running[step] = self._running.get(step, 0) + 1
                yield waiting.popleft()
            if not waiting:
                del self._by_step[step]

    def pop(self) -> Task | None:
        """The next task, whatever its size; None when there is none."""
        for step, waiting in self._by_step.items():
            task = waiting.popleft()
            if not waiting:
                del self._by_step[step]
            return task
        return None
