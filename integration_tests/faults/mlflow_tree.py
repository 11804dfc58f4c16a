"""Whether MLflow shows what the lineage store says: the same runs, once each, with the same facts."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from zen_metadata.lineage.records import RunRecord, StepRunState
from zen_metadata.lineage.store import LineageStore
from zen_metadata.query.status import derive_run_status
from zen_metadata.tracking.mlflow import QUIET
from zen_metadata.tracking.projection import Projection, project_run, project_step

_SHOWN = {
    "running": "RUNNING",
    "completed": "FINISHED",
    "cached": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
    "lost": "KILLED",
}


def find_tree_violations(store: LineageStore, mlflow_uri: str) -> list[str]:
    """What of MLflow's tree differs from the lineage store's facts, as sentences."""
    os.environ.update(QUIET)
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_uri)
    violations: list[str] = []
    shown = {experiment.name: experiment.experiment_id for experiment in client.search_experiments()}
    runs = store.find_runs()
    for project in sorted({run.project for run in runs}):
        found = _search(client, shown[project]) if project in shown else []
        mine = [run for run in runs if run.project == project]
        violations += _Tree(store, found).find(mine)
    return violations


def _search(client: Any, experiment_id: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


class _Tree:
    """The MLflow runs of one project, by what they stand for."""

    def __init__(self, store: LineageStore, found: list[Any]) -> None:
        self._store = store
        self._parents = defaultdict(list)
        self._children = defaultdict(list)
        self._count = len(found)
        for run in found:
            tags = run.data.tags
            if tags.get("zen.kind") == "run":
                self._parents[tags["zen.run_id"]].append(run)
            elif tags.get("zen.kind") == "step":
                self._children[tags["zen.step_run_id"]].append(run)

    def find(self, runs: list[RunRecord]) -> Iterator[str]:
        """The differences."""
        for run in runs:
            ir = self._store.get_ir(run.project, run.ir_digest) or {"steps": ()}
            states = [state for state in self._store.get_step_runs(run.run_id) if _is_announced(state)]
            if not states and run.closed_status is None:
                continue  # nothing of it ended yet, and nothing was announced
            parents = self._parents.pop(run.run_id, [])
            if len(parents) != 1:
                yield f"run {run.run_id} is {len(parents)} runs in MLflow"
                continue
            status = derive_run_status(run, ir, self._store.get_step_runs(run.run_id))
            yield from _compare(f"run {run.run_id}", parents[0], project_run(run, status, None), status)
            for state in states:
                yield from self._of_step(run, state, ir, parents[0].info.run_id)
        for run_id, left in self._parents.items():
            yield f"MLflow shows run {run_id} {len(left)} times, which the lineage store does not know"
        for step_run_id, left in self._children.items():
            yield f"MLflow shows step run {step_run_id} {len(left)} times, which the lineage store does not know"

    def _of_step(self, run: RunRecord, state: StepRunState, ir: Any, parent_id: str) -> Iterator[str]:
        step_run_id = state.step_run.step_run_id
        what = f"step {state.step_run.step}[{state.step_run.map_index}] of run {run.run_id}"
        found = self._children.pop(step_run_id, [])
        if len(found) != 1:
            yield f"{what} is {len(found)} runs in MLflow"
            return
        own = next((step for step in (*ir["steps"], *ir.get("hooks", ())) if step["name"] == state.step_run.step), None)
        expected = project_step(run, state, own, run_ended=run.closed_status is not None)
        if found[0].data.tags.get("mlflow.parentRunId") != parent_id:
            yield f"{what} hangs below {found[0].data.tags.get('mlflow.parentRunId')} in MLflow, not below its run"
        yield from _compare(what, found[0], expected, state.status)


def _is_announced(state: StepRunState) -> bool:
    return state.step_run.kind in ("step", "hook") and state.ended_at is not None


def _compare(what: str, shown: Any, expected: Projection, status: str) -> Iterator[str]:
    if shown.info.status != _SHOWN[status]:
        yield f"{what} is {status}, and {shown.info.status} in MLflow"
    if shown.data.params != dict(expected.params):
        yield f"{what} has the params {dict(expected.params)}, and {shown.data.params} in MLflow"
    last: dict[str, float] = {}
    for point in expected.metrics:
        last[point.key] = point.value
    if shown.data.metrics.keys() != last.keys() or any(
        not (shown.data.metrics[key] == value or math.isnan(value)) for key, value in last.items()
    ):
        yield f"{what} has the metrics {last}, and {shown.data.metrics} in MLflow"
    for key, text in expected.tags.items():
        if key != "zen.status" and shown.data.tags.get(key) != text:
            yield f"{what} has the tag {key} {text!r}, and {shown.data.tags.get(key)!r} in MLflow"
