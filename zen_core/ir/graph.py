"""The pipeline as a graph: what each step waits for, and the orders that follow from it. Pure functions.

Data edges (an output that is read) and ordering edges (`after`) count alike. Everything is linear in the number of
steps and edges, and answers in declaration order, so that the same pipeline gives the same answer everywhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from zen_core.contract.bindings import iter_outputs
from zen_core.ir.specs import PipelineSpec, StepSpec

Edges = Mapping[str, tuple[str, ...]]
"""For each step its neighbours in one direction, each once."""


def read_steps(step: StepSpec) -> tuple[str, ...]:
    """The steps whose outputs this step reads, each once, in the order in which its inputs name them."""
    return tuple(dict.fromkeys(output.step for item in step.inputs for output in iter_outputs(item.binding)))


def waits_of(step: StepSpec) -> tuple[str, ...]:
    """The steps that it waits for: those it reads, those of `after`, its branch's gate, its map's expander."""
    gate = (step.when.gate,) if step.when else ()
    expander = (step.map.expander,) if step.map else ()
    return tuple(dict.fromkeys((*read_steps(step), *step.after, *gate, *expander)))


def upstream_edges(steps: Iterable[StepSpec]) -> Edges:
    """For each step the steps that it waits for (`waits_of`)."""
    return {step.name: waits_of(step) for step in steps}


def steps_by_gate(steps: Iterable[StepSpec]) -> dict[str, dict[bool, tuple[str, ...]]]:
    """For each gate the steps of its two branches, without those of gates within; in declaration order."""
    steps = tuple(steps)
    found: dict[tuple[str, bool], list[str]] = {}
    for step in steps:
        if step.when:
            found.setdefault((step.when.gate, step.when.taken), []).append(step.name)
    gates = [step.name for step in steps if step.kind == "gate"]
    return {gate: {taken: tuple(found.get((gate, taken), ())) for taken in (True, False)} for gate in gates}


def steps_by_expander(steps: Iterable[StepSpec]) -> dict[str, tuple[StepSpec, ...]]:
    """For each expander the steps of its map, in declaration order."""
    steps = tuple(steps)
    found: dict[str, list[StepSpec]] = {step.name: [] for step in steps if step.kind == "expander"}
    for step in steps:
        if step.map and step.map.expander in found:
            found[step.map.expander].append(step)
    return {expander: tuple(members) for expander, members in found.items()}


def map_groups(pipeline: PipelineSpec) -> tuple[tuple[str, tuple[StepSpec, ...]], ...]:
    """The maps, each by its expander and its steps, in groups that can run element by element as one.

    Where a step of a map waits for one outside that waits for an earlier step of the map, it needs what all elements of
    that one made: it begins another group over the same elements.
    """
    found = []
    for expander, members in steps_by_expander(pipeline.steps).items():
        names = {step.name for step in members}
        group: list[StepSpec] = []
        for step in members:
            others = [name for name in waits_of(step) if name not in names] if len(members) > 1 else []
            before = upstream_closure(pipeline, others) if others else frozenset()
            if any(other.name in before for other in group):
                found.append((expander, tuple(group)))
                group = []
            group.append(step)
        found.append((expander, tuple(group)))
    return tuple(found)


def downstream_edges(steps: Iterable[StepSpec]) -> Edges:
    """For each step the steps that wait for it, in declaration order."""
    return reverse_edges(upstream_edges(steps))


def reverse_edges(edges: Edges) -> Edges:
    """The same edges in the other direction. An edge to a step that is not there is left out."""
    found: dict[str, list[str]] = {name: [] for name in edges}
    for name, neighbours in edges.items():
        for neighbour in neighbours:
            if neighbour in found:
                found[neighbour].append(name)
    return {name: tuple(neighbours) for name, neighbours in found.items()}


def topological_order(upstream: Edges) -> tuple[str, ...]:
    """The steps, each after all that it waits for; where there is a choice, the one declared first.

    Steps on a cycle, and those that wait for them, are left out: `find_cycle` names them.
    """
    names = list(upstream)
    place_by_name = {name: place for place, name in enumerate(names)}
    downstream = reverse_edges(upstream)
    waiting = {name: sum(item in place_by_name for item in needed) for name, needed in upstream.items()}
    ready = [place for place, name in enumerate(names) if not waiting[name]]
    ordered: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        ordered.append(name)
        for follower in downstream[name]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, place_by_name[follower])
    return tuple(ordered)


def find_cycle(upstream: Edges) -> tuple[str, ...]:
    """One cycle, each step before the one that it waits for, begun with the one declared first; () without any."""
    left = set(upstream).difference(topological_order(upstream))
    if not left:
        return ()
    # Every step that is left waits for another that is left, so that walking upstream must come back.
    name = next(name for name in upstream if name in left)
    path: dict[str, None] = {}
    while name not in path:
        path[name] = None
        name = next(item for item in upstream[name] if item in left)
    walked = list(path)
    cycle = walked[walked.index(name) :]
    place_by_name = {item: place for place, item in enumerate(upstream)}
    start = cycle.index(min(cycle, key=place_by_name.__getitem__))
    return (*cycle[start:], *cycle[:start])


def order_steps(steps: Sequence[StepSpec]) -> tuple[StepSpec, ...]:
    """The steps in `topological_order`. Raises ValueError when they form a cycle."""
    step_by_name = {step.name: step for step in steps}
    ordered = topological_order(upstream_edges(steps))
    if len(ordered) != len(steps):
        raise ValueError("the steps form a cycle, or two have one name")
    return tuple(step_by_name[name] for name in ordered)


def upstream_closure(pipeline: PipelineSpec, names: Iterable[str]) -> frozenset[str]:
    """These steps and all that must be done before them."""
    return _closure(upstream_edges(pipeline.steps), names)


def downstream_closure(pipeline: PipelineSpec, names: Iterable[str]) -> frozenset[str]:
    """These steps and all that wait for them, directly or not."""
    return _closure(downstream_edges(pipeline.steps), names)


def _closure(edges: Edges, names: Iterable[str]) -> frozenset[str]:
    found = set(names)
    frontier = list(found)
    while frontier:
        for neighbour in edges[frontier.pop()]:
            if neighbour not in found:
                found.add(neighbour)
                frontier.append(neighbour)
    return frozenset(found)
