"""The graph around an artifact or a run: what it was made from, and what was made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from zen_metadata.lineage.records import ArtifactRecord, StepRunRecord
from zen_metadata.query.artifacts import full_name
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores

Direction = Literal["up", "down", "both"]
LARGEST_GRAPH = 10_000
"""How many artifacts a graph has at most, each way, unless more are asked for."""
_USES_EACH = 10
"""How many uses a graph shows for each artifact that it may have: one that all runs read has a use for each of them."""
_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class GraphLimits:
    """How far a graph goes, each way: so many steps away, and so many artifacts. None is without limit."""

    depth: int | None = None
    size: int | None = LARGEST_GRAPH


@dataclass(frozen=True, slots=True)
class Cut:
    """That a graph is not whole: which limit left something out, and what the limit was."""

    by: Literal["depth", "limit"]
    at: int


@dataclass(frozen=True)
class LineageGraph:
    """Artifacts and the step runs between them. Edges follow the data: `(from, to)`.

    Attributes:
        subject: the id of the node that was asked for.
        nodes: by id; `kind` is artifact, step_run or run, `label` is for people.
        edges: sorted.
        cut: what left a part out; None for a graph that is whole.
    """

    subject: str
    nodes: Mapping[str, Mapping[str, Any]]
    edges: tuple[tuple[str, str], ...]
    cut: Cut | None = None

    @property
    def roots(self) -> tuple[str, ...]:
        """The nodes that nothing leads to: raw data, for the way up."""
        reached = {end for _, end in self.edges}
        return tuple(node for node in self.nodes if node not in reached)

    def successors(self, node: str) -> tuple[str, ...]:
        """The nodes that this one leads to."""
        return tuple(self._ends_by_start.get(node, ()))

    def walk(self) -> Iterator[tuple[str, int, bool]]:
        """The graph as trees, from the roots: each node with its depth, and whether it was spread out before."""
        seen: set[str] = set()
        for start in (*self.roots, *self.nodes):  # the second for what no root leads to: a circle
            # A list of its own and no recursion: a model that is trained on from day to day has a long history.
            waiting = [] if start in seen else [(start, 0)]
            while waiting:
                node, depth = waiting.pop()
                yield node, depth, node in seen
                if node not in seen:
                    seen.add(node)
                    waiting.extend((end, depth + 1) for end in reversed(self.successors(node)))

    def to_json(self) -> dict[str, Any]:
        """The document of `zen lineage --json`."""
        return {
            "nodes": [dict(node) for node in self.nodes.values()],
            "edges": [list(edge) for edge in self.edges],
            "cut": None if self.cut is None else {"by": self.cut.by, "at": self.cut.at},
        }

    @cached_property
    def _ends_by_start(self) -> Mapping[str, list[str]]:
        ends: dict[str, list[str]] = {}
        for start, end in self.edges:
            ends.setdefault(start, []).append(end)
        return ends

    def __repr__(self) -> str:
        label = self.nodes[self.subject]["label"]
        return f"<LineageGraph of {label}: {len(self.nodes)} nodes, {len(self.edges)} edges>"


def artifact_graph(
    stores: ReadStores, artifact: ArtifactRecord, direction: Direction, limits: GraphLimits
) -> LineageGraph:
    """The graph of one artifact, up, down, or both, as far as the limits go."""
    walk = _Walk(stores, limits)
    walk.add_artifacts({artifact.artifact_id: artifact})
    if direction in ("up", "both"):
        walk.up([artifact.artifact_id])
    if direction in ("down", "both"):
        walk.down([artifact.artifact_id])
    return walk.graph(artifact.artifact_id)


def run_graph(stores: ReadStores, run: Run, direction: Direction, limits: GraphLimits) -> LineageGraph:
    """The graph of a run.

    Its step runs with what they read and made; and from there up, down, or both, as far as the limits go.
    """
    walk = _Walk(stores, limits)
    walk.nodes[run.run_id] = {
        "id": run.run_id,
        "kind": "run",
        "label": f"run {run.run_id[:8]} of {run.pipeline}",
        "pipeline": run.pipeline,
    }
    read: set[str] = set()
    made: set[str] = set()
    for step in run.steps:
        if step.state is None:
            continue
        step_run = step.state.step_run
        outputs = {record.artifact_id: record for record in step.state.outputs.values()}
        inputs = {item.artifact_id for item in step.state.inputs if item.artifact_id}
        walk.add_step_run(step_run)
        walk.edges.add((run.run_id, step_run.step_run_id))
        walk.add_artifacts(outputs)
        walk.edges.update((source, step_run.step_run_id) for source in inputs)
        walk.edges.update((step_run.step_run_id, output) for output in outputs)
        read |= inputs
        made |= outputs.keys()
    walk.add_artifacts(stores.lineage.get_artifacts(sorted(read - made)))
    if direction in ("up", "both"):
        walk.up(sorted(read - made))
    if direction in ("down", "both"):
        walk.down(sorted(made))
    return walk.graph(run.run_id)


class _Walk:
    """Gathers nodes and edges. The store follows the edges itself, so the number of questions has nothing of depth."""

    def __init__(self, stores: ReadStores, limits: GraphLimits) -> None:
        self._store = stores.lineage
        self._depth = limits.depth
        self._size = _NO_LIMIT if limits.size is None else limits.size
        self._artifacts: dict[str, ArtifactRecord] = {}
        self._cut: Cut | None = None
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: set[tuple[str, str]] = set()

    def graph(self, subject: str) -> LineageGraph:
        """What was gathered."""
        edges = tuple(sorted(edge for edge in self.edges if edge[0] in self.nodes and edge[1] in self.nodes))
        return LineageGraph(subject, self.nodes, edges, self._cut)

    def up(self, artifact_ids: Sequence[str]) -> None:
        """Add what these artifacts were made from."""
        found = self._within_size(artifact_ids, self._store.find_ancestors)
        sources = self._store.find_producers(found)
        inner, outer = self._within_depth(artifact_ids, found, sources)
        self.add_artifacts(self._store.get_artifacts(sorted({*inner, *outer} - self._artifacts.keys())))
        makers = {item: self._artifacts[item].step_run_id for item in inner if item in self._artifacts}
        if any(self._artifacts[item].step_run_id for item in outer if item in self._artifacts):
            self._cut = Cut("depth", self._depth or 0)
        self._add_step_runs(maker for maker in makers.values() if maker)
        for artifact_id, maker in makers.items():
            if maker:
                self.edges.add((maker, artifact_id))
                self.edges.update((source, maker) for source in sources.get(artifact_id, ()))

    def down(self, artifact_ids: Sequence[str]) -> None:
        """Add what was made of these artifacts."""
        found = self._within_size(artifact_ids, self._store.find_descendants)
        limit = min(_NO_LIMIT, _USES_EACH * self._size)
        readers = self._store.find_consumers(found, limit=limit)
        if sum(max(1, len(outputs)) for uses in readers.values() for _, outputs in uses) >= limit:
            self._cut = Cut("limit", self._size)
        made = {item: [output for _, outputs in uses for output in outputs] for item, uses in readers.items()}
        inner, outer = self._within_depth(artifact_ids, found, made)
        self.add_artifacts(self._store.get_artifacts(sorted({*inner, *outer} - self._artifacts.keys())))
        if any(readers[item] for item in outer):
            self._cut = Cut("depth", self._depth or 0)
        self._add_step_runs(reader for item in inner for reader, _ in readers[item])
        for artifact_id in inner:
            for reader, outputs in readers[artifact_id]:
                self.edges.add((artifact_id, reader))
                for output in outputs:
                    if output not in self._artifacts:
                        continue
                    if self._artifacts[output].step_run_id == reader:
                        self.edges.add((reader, output))
                    else:  # It made nothing itself: the artifact has its own maker.
                        self.nodes[reader]["reused"] = True

    def _within_size(self, artifact_ids: Sequence[str], follow: Callable[..., Sequence[str]]) -> Sequence[str]:
        """These artifacts and what `follow` finds behind them, the nearest first."""
        most = min(_NO_LIMIT, len(artifact_ids) + self._size)
        found = follow(artifact_ids, limit=min(_NO_LIMIT, most + 1))
        if len(found) > most:
            self._cut = Cut("limit", self._size)
        return found[:most]

    def _within_depth(
        self, artifact_ids: Sequence[str], found: Sequence[str], following: Mapping[str, Iterable[str]]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """The artifacts whose edges belong to the graph, and those at its end, by the steps that lie between."""
        if self._depth is None:
            return found, ()
        known = set(found)
        seen, level = set(artifact_ids), list(artifact_ids)
        inner: list[str] = []
        for _ in range(self._depth):
            inner += level
            behind = dict.fromkeys(item for start in level for item in following.get(start, ()))
            level = [item for item in behind if item in known and item not in seen]
            seen.update(level)
            if not level:
                break
        return inner, level

    def add_artifacts(self, records: Mapping[str, ArtifactRecord]) -> None:
        """Add artifacts as nodes."""
        for artifact_id, record in records.items():
            self._artifacts[artifact_id] = record
            version = "" if record.version is None or record.kind == "source" else f"@{record.version}"
            self.nodes[artifact_id] = {
                "id": artifact_id,
                "kind": "artifact",
                "label": f"{record.name if record.kind == 'source' else full_name(record)}{version}",
                "name": record.name,
                "version": record.version,
                "type": record.type,
                "digest": record.digest,
                "source": record.kind == "source",
                "deleted": record.deleted_at is not None,
            }

    def add_step_run(self, record: StepRunRecord) -> None:
        """Add a step run as a node."""
        index = "" if record.map_index is None else f"[{record.map_index}]"
        self.nodes[record.step_run_id] = {
            "id": record.step_run_id,
            "kind": "step_run",
            "label": f"{record.step}{index} in run {record.run_id[:8]}",
            "step": record.step,
            "step_kind": record.kind,
            "map_index": record.map_index,
            "run_id": record.run_id,
        }

    def _add_step_runs(self, step_run_ids: Iterable[str]) -> None:
        missing = sorted({item for item in step_run_ids if item not in self.nodes})
        for record in self._store.get_step_run_records(missing).values() if missing else ():
            self.add_step_run(record)
