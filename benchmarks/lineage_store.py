"""What the lineage store itself costs: per operation, and per walk through a large graph; in process.

`python -m benchmarks.lineage_store [URL]`: with a URL, the operations on that (empty) database instead.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.report import Figure, show
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    InputRecord,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.store import SqlLineageStore
from zen_metadata.lineage.sql.tables import artifacts, attempt_inputs, attempt_outputs, attempts, step_runs
from zen_metadata.query.lineage import LARGEST_GRAPH

STEPS = 50
REPETITIONS = 40
EDGES = 1_000_000
LAYERS, INPUTS = 10_000, 10
"""The graph: layers of ten artifacts, each made from the ten of the layer before."""
START = datetime(2026, 1, 1, tzinfo=UTC)


def measure() -> list[Figure]:
    """All figures, on SQLite files that are thrown away."""
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        figures = measure_operations(f"sqlite:///{folder}/zen.db")
        figures.append(Figure("making a store, process warm", _best(lambda: _make(Path(folder)), 5), "ms", 150))
        return figures + measure_graph(f"sqlite:///{folder}/graph.db")


def measure_operations(url: str) -> list[Figure]:
    """Milliseconds for what the shim does with a step: the best of many short repetitions."""
    store = open_lineage_store(url)
    session = Session(store)
    executed = _best(lambda: session.each(session.execute), REPETITIONS) / STEPS
    cached = _best(lambda: session.each(session.reuse), REPETITIONS) / STEPS
    run_id = session.run.run_id
    count = len(store.get_step_runs(run_id))
    show_run = _best(lambda: store.get_step_runs(run_id), 3)
    return [
        Figure("start_attempt + end_attempt (completed)", executed, "ms", 1.2),
        Figure("find_cached + end_attempt (cached)", cached, "ms", 0.45),
        Figure("get_artifacts, one", _best(lambda: store.get_artifacts([session.made]), 50), "ms"),
        Figure("open_run, known", _best(lambda: store.open_run(session.run, {}), 50), "ms"),
        Figure(f"get_step_runs, of {count:,}, each", show_run / count, "ms"),
    ]


def measure_graph(url: str) -> list[Figure]:
    """Milliseconds for the walk from one artifact to all that it was made from, among a million edges."""
    store = open_lineage_store(url)
    store.find_runs()
    _fill(store)
    figures = [
        Figure(f"ancestors of an artifact: {depth * INPUTS:,}, among {EDGES:,} edges", found, "ms", budget)
        for depth, budget in ((30, 30), (200, None))
        for found in [_best(lambda: _walk_up(store, _node(depth, 0)), 10)]  # noqa: B023 - called at once
    ]
    consumers = _best(lambda: store.find_consumers([_node(30, 0)]), 20)
    return [*figures, Figure("consumers of one artifact", consumers, "ms")]


class Session:
    """A run whose steps are executed or reused, each with one input and one output."""

    steps = STEPS
    """How many steps `each` goes through."""

    def __init__(self, store: SqlLineageStore) -> None:
        self.store = store
        self.run = RunRecord(str(uuid4()), "p", "chain", "local", "local", "key", "ir", "code", "0.1", {"seed": 1})
        self.store.open_run(self.run, {"steps": []})
        self.keys: list[str] = []
        self.made = ""

    def each(self, operation: Callable[[int], None]) -> None:
        for index in range(STEPS):
            operation(index)

    def execute(self, index: int) -> None:
        step_run, attempt = self._attempt(f"key-{uuid4()}")
        self.keys.append(attempt.cache_key)
        start = self.store.start_attempt(step_run, attempt, lease=True, look_up=True)
        self.made = str(uuid4())
        artifact = ArtifactRecord(
            self.made, "p", "chain", f"step_{index}", "sha256:1", "sha256:2", "int", "json", 1, "ab/cd", 3,
            has_inline_value=True, inline_value=index,
        )  # fmt: skip
        self._end(step_run, attempt, "completed", outputs={"result": artifact}, lease=start.lease)

    def reuse(self, index: int) -> None:
        step_run, attempt = self._attempt(self.keys[index])
        found = self.store.find_cached("p", attempt.cache_key)
        assert found is not None
        self._end(step_run, attempt, "cached", outputs=found.outputs, reused_attempt_id=found.attempt_id)

    def _attempt(self, key: str) -> tuple[StepRunRecord, AttemptRecord]:
        step_run = StepRunRecord(str(uuid4()), "p", self.run.run_id, f"step_{uuid4()}")
        parts = {"code": "sha256:1", "input:previous": "sha256:2", "package:numpy": "2.1.0"}
        ids = (str(uuid4()), step_run.step_run_id, "p", "ir", "code", "fingerprint")
        return step_run, AttemptRecord(*ids, cache_enabled=True, cache_key=key, key_parts=parts, environment_digest="e")

    def _end(self, step_run: StepRunRecord, attempt: AttemptRecord, status: str, **facts: object) -> None:
        inputs = (InputRecord("previous", "sha256:1", artifact_id=self.made or None),)
        end = AttemptEnd(attempt.attempt_id, step_run.step_run_id, status, inputs=inputs, **facts)  # type: ignore[arg-type]
        self.store.end_attempt(self.run, step_run, attempt, end)


def _walk_up(store: SqlLineageStore, artifact_id: str) -> None:
    """As `Client.lineage` does: what lies behind it, and the edges between."""
    store.find_producers(store.find_ancestors([artifact_id], limit=LARGEST_GRAPH))


def _node(layer: int, place: int) -> str:
    return str(UUID(int=(layer * INPUTS + place) * 0x9E3779B97F4A7C15 % 2**128))


def _fill(store: SqlLineageStore) -> None:
    """Write the graph past the store's methods, which would take minutes."""
    engine = store._database._engine
    nodes = ((layer, _node(layer, place)) for layer in range(LAYERS) for place in range(INPUTS))
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        while batch := list(islice(nodes, 10_000)):
            for table, rows in _rows(batch).items():
                connection.execute(table.insert(), list(rows))
        connection.exec_driver_sql("COMMIT")
        if engine.dialect.name == "postgresql":  # as its autovacuum does within a minute
            connection.exec_driver_sql("ANALYZE")
            connection.commit()


def _rows(batch: list[tuple[int, str]]) -> dict[object, Iterable[dict[str, object]]]:
    project = {"project": "p"}
    attempt = dict.fromkeys(("ir_digest", "code_digest", "fingerprint", "cache_key", "environment_digest"), "")
    attempt |= {"status": "completed", "number": 1, "cache_enabled": True, "key_parts": {}, "engine": {}}
    attempt |= {"log_url": "", "log_location": "", "started_at": START, "heartbeat_at": START}
    artifact = dict.fromkeys(("pipeline", "digest", "stored_digest", "type", "serializer", "location"), "x")
    artifact |= {"serializer_version": 1, "size_bytes": 1, "kind": "value", "has_inline_value": False}
    artifact |= {"metadata": {}, "version": 1, "created_at": START}
    return {
        step_runs: (
            {**project, "step_run_id": i, "run_id": "r", "step": i, "map_index": -1, "kind": "step"} for _, i in batch
        ),
        attempts: ({**project, **attempt, "attempt_id": i, "step_run_id": i} for _, i in batch),
        artifacts: (
            {**project, **artifact, "artifact_id": i, "name": i, "attempt_id": i, "step_run_id": i} for _, i in batch
        ),
        attempt_outputs: (
            {**project, "attempt_id": i, "output": "result", "digest": "d", "artifact_id": i} for _, i in batch
        ),
        attempt_inputs: (
            {**project, "attempt_id": i, "port": f"p{p}", "path": "", "digest": "d", "artifact_id": _node(layer - 1, p)}
            for layer, i in batch
            for p in range(INPUTS)
            if layer
        ),
    }


def _make(folder: Path) -> None:
    store = open_lineage_store(f"sqlite:///{folder}/{uuid4()}.db")
    store.find_runs()
    store.close()


def _best(action: Callable[[], object], repetitions: int) -> float:
    best = float("inf")
    for _ in range(repetitions):
        started = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - started)
    return best * 1000


if __name__ == "__main__":
    show(measure_operations(sys.argv[1]) if sys.argv[1:] else measure())
