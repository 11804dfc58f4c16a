"""When a flow's function submits which task, and what it must know before.

A flow has no graph. Tasks of a map can be submitted when its list is there, those of a branch when its condition has
answered: the flow's function waits for such a decision. So that it holds up nothing else, all that does not depend on
a decision is submitted before, and decisions that do not depend on each other are waited for in lanes, one thread each.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from zen_core.contract.bindings import EitherBinding, ElementBinding, OutputBinding, iter_leaves
from zen_core.ir.graph import waits_of
from zen_core.ir.specs import StepSpec

MOST_NESTED = 3
"""How deep lanes lie in lanes. Deeper in, decisions are waited for one after another: a person must read the text."""


@dataclass(frozen=True)
class Answer:
    """That a gate answers so."""

    gate: str
    taken: bool


@dataclass(frozen=True)
class Present:
    """That one of these steps at least was submitted."""

    steps: tuple[str, ...]


Condition = Answer | Present


@dataclass(frozen=True)
class Submission:
    """A step is submitted, if all conditions hold."""

    step: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Lane:
    """What waits for one decision, in order."""

    decision: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Lanes:
    """Lanes that go on side by side. What comes after them begins when each of them has submitted its last task."""

    lanes: tuple[Lane, ...]


Entry = Submission | Lanes


def arrange(steps: Sequence[StepSpec]) -> tuple[Entry, ...]:
    """The order of submissions. Linear in the number of steps and edges, but for the joints of lanes."""
    arranger = _Arranger(steps)
    return tuple(arranger.entries([step.name for step in steps]))


def iter_submissions(entries: Iterable[Entry]) -> Iterator[Submission]:
    """All submissions in the order of the text."""
    for entry in entries:
        if isinstance(entry, Submission):
            yield entry
        else:
            for lane in entry.lanes:
                yield from iter_submissions(lane.entries)


def conditions_of(steps: Iterable[StepSpec]) -> dict[str, tuple[Condition, ...]]:
    """What must hold for each step to be submitted: the answer of its gate, and that what may be missing is there.

    What was skipped, or lies behind a condition that failed, is not submitted, and neither is what needs it. A gate
    that was not submitted answers nothing, so that the innermost one stands for those around it.
    """
    found: dict[str, tuple[Condition, ...]] = {}
    paths: dict[str, tuple[Answer, ...]] = {}
    unsure: set[str] = set()
    for step in steps:
        path = (*paths[step.when.gate], Answer(step.when.gate, step.when.taken)) if step.when else ()
        paths[step.name] = path
        is_sure = _sureness(path, paths, unsure)
        present = dict.fromkeys(Present(group) for group in _needed(step) if not any(map(is_sure, group)))
        if present:
            unsure.add(step.name)
        found[step.name] = (*path[-1:], *present)
    return found


def _sureness(
    path: tuple[Answer, ...], paths: dict[str, tuple[Answer, ...]], unsure: set[str]
) -> Callable[[str], bool]:
    return lambda name: name not in unsure and path[: len(paths[name])] == paths[name]


def _needed(step: StepSpec) -> Iterator[tuple[str, ...]]:
    """Groups of steps, of each of which one must be there."""
    for item in step.inputs:
        for _, leaf in iter_leaves(item.binding):
            if isinstance(leaf, EitherBinding):
                yield tuple(dict.fromkeys(option.step for option in leaf.options))
            elif isinstance(leaf, (OutputBinding, ElementBinding)):
                yield (leaf.step,)
    yield from ((name,) for name in step.after)
    if step.map:
        yield (step.map.expander,)


def _decisions(step: StepSpec) -> tuple[str, ...]:
    """What must be known before it is submitted."""
    return (*((step.when.gate,) if step.when else ()), *((step.map.expander,) if step.map else ()))


class _Arranger:
    """Goes through the steps once. What was submitted or decided in the text so far is known to all that follows."""

    def __init__(self, steps: Sequence[StepSpec]) -> None:
        self._place = {step.name: place for place, step in enumerate(steps)}
        self._waits = {step.name: waits_of(step) for step in steps}
        self._decisions = {step.name: _decisions(step) for step in steps}
        self._conditions = conditions_of(steps)
        self._submitted: set[str] = set()
        self._decided: set[str] = set()

    def entries(self, pending: Sequence[str], depth: int = 0) -> Iterator[Entry]:
        """Submit these steps, all that they need besides being there already."""
        while pending:
            stretch = _Stretch(self._waits, self._decisions, self._place, pending, self._submitted, self._decided)
            lanes: dict[str, list[str]] = {}
            while stretch.left and not lanes:
                for name in stretch.submit_ready():
                    yield Submission(name, self._conditions[name])
                if len(stretch.open) > 1:
                    lanes = self._lanes(stretch)
                if stretch.open and not lanes:
                    stretch.decide(stretch.open[0])
            if len(lanes) > 1 and depth < MOST_NESTED:
                yield Lanes(tuple(Lane(name, tuple(self._lane(name, lanes[name], depth + 1))) for name in lanes))
            else:
                for name in lanes:
                    yield from self._lane(name, lanes[name], depth)
            pending = list(stretch.left.keys() - self._submitted)
            pending.sort(key=self._place.__getitem__)

    def _lane(self, decision: str, names: list[str], depth: int) -> Iterator[Entry]:
        self._decided.add(decision)
        return self.entries(names, depth)

    def _lanes(self, stretch: _Stretch) -> dict[str, list[str]]:
        """For each open decision the steps that wait for no other one, where there are any."""
        roots: dict[str, frozenset[str]] = {}
        lanes: dict[str, list[str]] = {}
        for name in stretch.left:
            found = {decision for decision in self._decisions[name] if decision in stretch.open}
            roots[name] = frozenset(found).union(*(roots.get(other, ()) for other in self._waits[name]))
            if len(roots[name]) == 1:
                lanes.setdefault(next(iter(roots[name])), []).append(name)
        return {decision: lanes[decision] for decision in stretch.open if decision in lanes}


class _Stretch:
    """Steps that are submitted one after another, each as soon as the text knows all that it needs."""

    def __init__(
        self,
        waits: dict[str, tuple[str, ...]],
        decisions: dict[str, tuple[str, ...]],
        place: dict[str, int],
        pending: Sequence[str],
        submitted: set[str],
        decided: set[str],
    ) -> None:
        self.left = dict.fromkeys(pending)
        self.open: list[str] = []
        self._place = place
        self._submitted, self._decided = submitted, decided
        self._missing: dict[str, int] = {}
        self._after_submission: dict[str, list[str]] = {}
        self._after_decision: dict[str, list[str]] = {}
        self._ready: list[tuple[int, str]] = []
        for name in pending:
            needed = [item for item in waits[name] if item not in submitted]
            unknown = [item for item in decisions[name] if item not in decided]
            for item in needed:
                self._after_submission.setdefault(item, []).append(name)
            for item in unknown:
                self._after_decision.setdefault(item, []).append(name)
            self._missing[name] = len(needed) + len(unknown)
            if not self._missing[name]:
                self._ready.append((place[name], name))
        self._ready.sort()
        self.open = sorted((item for item in self._after_decision if item in submitted), key=place.__getitem__)

    def submit_ready(self) -> Iterator[str]:
        """The steps that can be submitted without waiting, and those that they set free, in declaration order."""
        while self._ready:
            _, name = heapq.heappop(self._ready)
            del self.left[name]
            self._submitted.add(name)
            self._release(self._after_submission.pop(name, ()))
            if name in self._after_decision:
                self.open.append(name)
            yield name

    def decide(self, decision: str) -> None:
        """Wait for a decision here."""
        self.open.remove(decision)
        self._decided.add(decision)
        self._release(self._after_decision.pop(decision))

    def _release(self, names: Iterable[str]) -> None:
        for name in names:
            self._missing[name] -= 1
            if not self._missing[name]:
                heapq.heappush(self._ready, (self._place[name], name))
