"""What runs next: follows a run as its tasks end, and tells which ones are ready and which never start.

No threads and no clock here: the engine says what ended, one at a time. Every step, edge and element costs once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from zen_metadata.query.rules import ANSWERS, Outcome, PipelineRules, StepRule


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker does at a time: a step, or a part of a map (`chunk` elements, which run one after another)."""

    step: str
    part: int | None = None


@dataclass(frozen=True, slots=True)
class NotStarted:
    """A step run that will not start, or with no index all of a mapped step's.

    Attributes:
        because: the step that decided it: a gate, or one that it needs.
    """

    step: str
    index: int | None
    status: Literal["upstream_failed", "skipped"]
    because: str


@dataclass
class Settled:
    """What follows from the end of a task.

    Attributes:
        ready: the tasks that can start now.
        maps: mapped steps that begin, with the number of their elements. One of none is done.
        never: what will not start.
    """

    ready: list[Task] = field(default_factory=list)
    maps: list[tuple[str, int]] = field(default_factory=list)
    never: list[NotStarted] = field(default_factory=list)


@dataclass
class _Map:
    """A mapped step whose elements are known.

    Attributes:
        chunk: how many elements a part has.
        blocked: why none of them starts, whatever became of the earlier steps of the map.
        outcomes: what became of each element.
        waiting: the parts that wait for an earlier step of the map.
        going: the parts that have not ended.
    """

    chunk: int
    blocked: _Blocked | None
    outcomes: list[Outcome | None]
    waiting: set[int]
    going: set[int]

    def indexes(self, part: int) -> range:
        """The map indexes of a part."""
        return range(part * self.chunk, min(len(self.outcomes), (part + 1) * self.chunk))


class _Blocked(NamedTuple):
    """Why something does not start, and the step that decided it."""

    status: Literal["upstream_failed", "skipped"]
    because: str

    @property
    def outcome(self) -> Outcome:
        return "broken" if self.status == "upstream_failed" else "skipped"


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
        self._maps: dict[str, _Map] = {}
        self._missing: dict[str, int] = {}
        self._followers: dict[str, list[str]] = {name: [] for name in rules.steps}
        self._element_followers: dict[str, list[str]] = {name: [] for name in rules.steps}
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
        self._todo.extend((name, None) for name, missing in self._missing.items() if missing == 0)
        for name in self._rules.steps:
            if name not in self._chosen:
                # What was not asked for, and nobody needs, is as good as done.
                self._note_answer(name, refs.get(name, {}))
                self._end_step(name, given.get(name, "done"))
        return self._work_off()

    def settle(self, task: Task, *, failed: Container[int | None], refs: Mapping[str, Any] | None = None) -> Settled:
        """What follows from the end of a task.

        Args:
            failed: the map indexes that failed; of a step without elements, None where it did.
            refs: what a step without elements handed over.
        """
        if task.part is None:
            self._note_answer(task.step, refs or {})
            self._end_step(task.step, "broken" if None in failed else "done")
        else:
            outcomes = self._maps[task.step].outcomes
            for index in self.elements(task):
                outcomes[index] = "broken" if index in failed else "done"
            self._end_part(task.step, task.part)
        return self._work_off()

    def elements(self, task: Task) -> list[int]:
        """The map indexes that a task of a mapped step runs: those of its part that nothing keeps from it."""
        found = self._maps[task.step]
        return [index for index in found.indexes(task.part or 0) if found.outcomes[index] is None]

    def answer(self, step: str) -> Any:
        """What a gate (a bool) or an expander (a count) answered; None where it has not, or is none."""
        return self._answers.get(step)

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

    def _end_part(self, name: str, part: int) -> None:
        found = self._maps[name]
        found.going.remove(part)
        self._todo.extend((follower, part) for follower in self._element_followers[name] if follower in self._maps)
        if not found.going:
            outcomes = set(found.outcomes)
            self._end_step(name, "broken" if "broken" in outcomes else "skipped" if outcomes == {"skipped"} else "done")

    def _work_off(self) -> Settled:
        """Decide on all that waited for what has ended; a list instead of recursion, since chains may be long."""
        found = Settled()
        while self._todo:
            name, part = self._todo.popleft()
            if part is None:
                self._decide(name, found)
            else:
                self._decide_part(name, part, found)
        return found

    def _decide(self, name: str, found: Settled) -> None:
        rule = self._rules.steps[name]
        blocked = self._blocked(rule)
        if rule.expander and self._outcomes[rule.expander] == "done":
            self._begin_map(name, blocked, found)
        elif blocked is not None:
            found.never.append(NotStarted(name, None, *blocked))
            self._end_step(name, blocked.outcome)
        else:
            found.ready.append(Task(name))

    def _begin_map(self, name: str, blocked: _Blocked | None, found: Settled) -> None:
        count, chunk = self._answers[self._rules.steps[name].expander], self._chunks[name]
        parts = range(math.ceil(count / chunk))
        self._maps[name] = _Map(chunk, blocked, [None] * count, set(parts), set(parts))
        if count or blocked is None:
            found.maps.append((name, count))
        if count == 0:
            if blocked is not None:
                found.never.append(NotStarted(name, None, *blocked))
            self._end_step(name, blocked.outcome if blocked else "done")
        for part in parts:
            self._decide_part(name, part, found)

    def _decide_part(self, name: str, part: int, found: Settled) -> None:
        """Start a part when it has ended in the earlier steps of the map, without the elements that broke there."""
        own, earlier = self._maps[name], self._rules.steps[name].elements
        if part not in own.waiting or any(self._is_going(other, part) for other in earlier):
            return  # decided already; or asked again when the earlier one ends
        own.waiting.remove(part)
        for index in own.indexes(part):
            outcomes = [(self._element(other, index), other) for other in earlier]
            if own.blocked is not None:
                outcomes.append((own.blocked.outcome, own.blocked.because))
            if blocked := _blocked_by(outcomes):
                own.outcomes[index] = blocked.outcome
                found.never.append(NotStarted(name, index, *blocked))
        task = Task(name, part)
        if self.elements(task):
            found.ready.append(task)
        else:
            self._end_part(name, part)

    def _is_going(self, name: str, part: int) -> bool:
        return name in self._chosen and (name not in self._maps or part in self._maps[name].going)

    def _element(self, name: str, index: int) -> Outcome | None:
        return self._maps[name].outcomes[index] if name in self._maps else self._outcomes[name]

    def _blocked(self, rule: StepRule) -> _Blocked | None:
        outcomes = [(self._outcomes[name], name) for name in rule.needs]
        for group in rule.options:
            options = [(self._outcomes[name], name) for name in group]
            outcomes += [option for option in options if option[0] == "broken"]
            outcomes += options if all(outcome == "skipped" for outcome, _ in options) else []
        if rule.gate and self._answers.get(rule.gate) is (not rule.taken):
            outcomes.insert(0, ("skipped", rule.gate))
        return _blocked_by(outcomes)


def _blocked_by(outcomes: Sequence[tuple[Outcome | None, str]]) -> _Blocked | None:
    """Failure wins over skip."""
    for outcome, name in outcomes:
        if outcome == "broken":
            return _Blocked("upstream_failed", name)
    for outcome, name in outcomes:
        if outcome == "skipped":
            return _Blocked("skipped", name)
    return None
