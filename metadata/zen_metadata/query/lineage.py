"""The graph around an artifact or a run: what it was made from, and what was made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from zen_metadata.lineage.records import ArtifactRecord, StepRunRecord
from zen_metadata.query.artifacts import full_name
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores

Direction = Literal["up", "down", "both"]


@dataclass(frozen=True)
class LineageGraph:
    """Artifacts and the step runs between them. Edges follow the data: `(from, to)`.

    Attributes:
        subject: the id of the node that was asked for.
        nodes: by id; `kind` is artifact, step_run or run, `label` is for people.
        edges: sorted.
    """

    subject: str
    nodes: Mapping[str, Mapping[str, Any]]
    edges: tuple[tuple[str, str], ...]

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
        # A list of its own and no recursion: a model that is trained on from day to day has a long history.
        waiting = [(root, 0) for root in reversed(self.roots)]
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


def artifact_graph(stores: ReadStores, artifact: ArtifactRecord, direction: Direction) -> LineageGraph:
    """The graph of one artifact, all the way up, down, or both."""
    walk = _Walk(stores)
    walk.add_artifacts({artifact.artifact_id: artifact})
    if direction in ("up", "both"):
        walk.up([artifact.artifact_id])
    if direction in ("down", "both"):
        walk.down([artifact.artifact_id])
    return walk.graph(artifact.artifact_id)


def run_graph(stores: ReadStores, run: Run, direction: Direction) -> LineageGraph:
    """The graph of a run.

    Its step runs with what they read and made; and from there all the way up, down, or both.
    """
    walk = _Walk(stores)
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
    """Gathers nodes and edges, one query for each level of the graph."""

    def __init__(self, stores: ReadStores) -> None:
        self._store = stores.lineage
        self._artifacts: dict[str, ArtifactRecord] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: set[tuple[str, str]] = set()

    def graph(self, subject: str) -> LineageGraph:
        """What was gathered."""
        return LineageGraph(subject, self.nodes, tuple(sorted(self.edges)))

    def up(self, artifact_ids: Iterable[str]) -> None:
        """Add everything that these artifacts were made from."""
        seen: set[str] = set()
        level = set(artifact_ids)
        while level:
            seen |= level
            sources = self._store.find_producers(sorted(level))
            self.add_artifacts(
                self._store.get_artifacts(sorted({item for items in sources.values() for item in items}))
            )
            makers = {item: self._artifacts[item].step_run_id for item in level}
            self._add_step_runs(maker for maker in makers.values() if maker)
            for artifact_id, maker in makers.items():
                if maker:
                    self.edges.add((maker, artifact_id))
                    self.edges.update((source, maker) for source in sources.get(artifact_id, ()))
            level = {item for items in sources.values() for item in items} - seen

    def down(self, artifact_ids: Iterable[str]) -> None:
        """Add everything that was made of these artifacts."""
        seen: set[str] = set()
        level = set(artifact_ids)
        while level:
            seen |= level
            readers = self._store.find_consumers(sorted(level))
            uses = [(item, reader, outputs) for item, found in readers.items() for reader, outputs in found]
            outputs_found = {output for _, _, outputs in uses for output in outputs}
            self.add_artifacts(self._store.get_artifacts(sorted(outputs_found)))
            self._add_step_runs(reader for _, reader, _ in uses)
            for artifact_id, reader, outputs in uses:
                self.edges.add((artifact_id, reader))
                for output in outputs:
                    if self._artifacts[output].step_run_id == reader:
                        self.edges.add((reader, output))
                    else:  # It made nothing itself: the artifact has its own maker.
                        self.nodes[reader]["reused"] = True
            level = outputs_found - seen

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
