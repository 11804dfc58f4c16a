"""Which steps KFP runs together: those of a branch under one condition, those of a map in one loop.

In KFP a condition or a loop is one node of the graph: it begins when all is there that any of its tasks needs, and what
comes after waits for all of them. So only steps are put together that nothing outside can tell apart: outside the group
the same steps come before them, and the same come after. A group then waits for nothing that one of its steps would not
wait for, and holds nothing up; and the groups of an acyclic graph are acyclic themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zen_core.ir.graph import topological_order, upstream_edges
from zen_core.ir.specs import MapSpec, StepSpec


@dataclass(frozen=True)
class Branch:
    """Steps that run when a gate answers so."""

    gate: str
    taken: bool


@dataclass(frozen=True)
class Loop:
    """Steps that run once for each part of a map, in a branch or in none."""

    expander: str
    chunk: int
    max_parallel: int | None
    branch: Branch | None


@dataclass(frozen=True)
class Group:
    """Steps that run together, in order."""

    kind: Branch | Loop
    steps: tuple[StepSpec, ...]


def group_steps(steps: Sequence[StepSpec]) -> tuple[StepSpec | Group, ...]:
    """The steps, each by itself or in its group, in a topological order.

    Gates and expanders are always by themselves: others wait for their answers, which KFP lets nothing hand out of a
    condition. Where such a step must be skipped, its container finds that out and answers nothing.
    """
    classes: dict[Branch | Loop, list[int]] = {}
    for place, step in enumerate(steps):
        kind = _kind_of(step)
        if kind is not None:
            classes.setdefault(kind, []).append(place)
    if not classes:
        return tuple(steps)
    around = _Around(steps)
    groups = [
        Group(kind, tuple(steps[place] for place in places))
        for kind, members in classes.items()
        for places in around.split(members)
    ]
    return tuple(_in_order(steps, groups))


def _kind_of(step: StepSpec) -> Branch | Loop | None:
    if step.kind in ("gate", "expander"):
        return None
    branch = Branch(step.when.gate, step.when.taken) if step.when else None
    if isinstance(step.map, MapSpec):
        return Loop(step.map.expander, step.map.chunk, step.map.max_parallel, branch)
    return branch


class _Around:
    """For each step all that comes before it, and all that comes after it, as sets of bits."""

    def __init__(self, steps: Sequence[StepSpec]) -> None:
        place_by_name = {step.name: place for place, step in enumerate(steps)}
        upstream = [[place_by_name[name] for name in names] for names in upstream_edges(steps).values()]
        self._before = [0] * len(steps)
        self._after = [0] * len(steps)
        for place, places in enumerate(upstream):
            for other in places:
                self._before[place] |= self._before[other] | (1 << other)
        for place in range(len(steps) - 1, -1, -1):
            for other in upstream[place]:
                self._after[other] |= self._after[place] | (1 << place)

    def split(self, places: list[int]) -> Iterator[list[int]]:
        """The least number of groups whose members nothing outside the group can tell apart."""
        own = sum(1 << place for place in places)
        alike: dict[tuple[int, int], list[int]] = {}
        for place in places:
            alike.setdefault((self._before[place] & ~own, self._after[place] & ~own), []).append(place)
        if len(alike) == 1:
            yield places
            return
        for members in alike.values():
            yield from self.split(members)


def _in_order(steps: Sequence[StepSpec], groups: Sequence[Group]) -> Iterator[StepSpec | Group]:
    """Groups and single steps, each after all that it waits for, else by their first step."""
    group_by_first = {group.steps[0].name: group for group in groups}
    first_by_step = {step.name: group.steps[0].name for group in groups for step in group.steps}
    step_by_name = {step.name: step for step in steps}
    edges: dict[str, tuple[str, ...]] = {}
    for name, upstream in upstream_edges(steps).items():
        own = first_by_step.get(name, name)
        others = [other for item in upstream if (other := first_by_step.get(item, item)) != own]
        edges[own] = tuple(dict.fromkeys((*edges.get(own, ()), *others)))
    for name in topological_order(edges):
        yield group_by_first.get(name) or step_by_name[name]
