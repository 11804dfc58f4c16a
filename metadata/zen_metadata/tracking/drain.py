"""Brings MLflow to what the lineage store says, for the runs that the outbox names.

One process drains at a time (the caller holds the lock). What MLflow may hold already, because a process died
between a call and its record, is asked for once per run, never per step, and never where the run was made
just now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from zen_core.errors import TrackingError
from zen_metadata.lineage.records import OutboxRecord, RunRecord, StepRunState
from zen_metadata.lineage.store import LineageStore
from zen_metadata.query.status import derive_run_status
from zen_metadata.tracking.mlflow import REFUSED, MlflowTracker, RunGoneError
from zen_metadata.tracking.parent_run import LINK, ensure_parent
from zen_metadata.tracking.projection import DONE, Projection, project_run, project_step

_BATCH_ROWS = 100_000
_PROJECTED_KINDS = frozenset({"step", "hook"})
_END_OF_RUN = ""
"""Stands for the step run id in an outbox row that is about the run as a whole."""


def find_pending(store: LineageStore, project: str, run_id: str | None = None) -> list[OutboxRecord]:
    """The rows of a project that are not projected yet; other projects in the store have an MLflow of their own."""
    return [row for row in store.pending_outbox(limit=_BATCH_ROWS, run_id=run_id) if row.project == project]


@dataclass
class Drain:
    """One pass over the outbox, which counts the rows that are projected."""

    store: LineageStore
    tracker: MlflowTracker
    """For the project of this name; rows of other projects in the store are left to their own."""
    projected: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    """What MLflow said to rows that it does not take. They stay, and the next pass tries them again."""

    def run(self, run_id: str | None = None) -> None:
        """Project all pending rows, or those of one run.

        Raises TrackingError when MLflow cannot be reached: the rows that are left stay, with one more try.
        """
        while rows := self.find_rows(run_id):
            rows.sort(key=lambda row: row.run_id)
            for one_run_id, run_rows in groupby(rows, key=lambda row: row.run_id):
                self._drain_run(one_run_id, list(run_rows))

    def find_rows(self, run_id: str | None = None) -> list[OutboxRecord]:
        """The rows that this pass has still to project."""
        rows = find_pending(self.store, self.tracker.experiment, run_id)
        return [row for row in rows if row.outbox_id not in self.refused]

    def _drain_run(self, run_id: str, rows: Sequence[OutboxRecord]) -> None:
        left: dict[str, list[int]] = {}
        for row in rows:
            left.setdefault(row.step_run_id or _END_OF_RUN, []).append(row.outbox_id)
        done: list[int] = []
        try:
            for run in self.store.find_run(run_id):  # none: it was removed meanwhile, and nothing is to be shown
                self._project(RunProjector(self.store, self.tracker, run), left, done)
        except TrackingError as error:
            self._fail([outbox_id for ids in left.values() for outbox_id in ids], error)
        else:
            done += [outbox_id for ids in left.values() for outbox_id in ids]
        finally:
            self.store.finish_outbox(done)
            self.projected += len(done)

    def _project(self, projector: RunProjector, left: dict[str, list[int]], done: list[int]) -> None:
        """Project a run and its steps; the rows of what is done go from `left` to `done`."""
        steps = [step for step in left if step != _END_OF_RUN]
        if _END_OF_RUN in left:
            steps += [step for step in projector.find_unfinished() if step not in left]
        try:
            projector.project_run()
            for step in steps:
                try:
                    projector.project_step(step)
                except TrackingError as error:
                    self._fail(left.pop(step, []) or left.pop(_END_OF_RUN, []), error)
                else:
                    done += left.pop(step, [])
        except RunGoneError:
            return  # whoever deleted it in MLflow does not want it there

    def _fail(self, outbox_ids: Sequence[int], error: TrackingError) -> None:
        """Note the failure. A refused record holds up no other; an MLflow that is away ends the pass."""
        diagnostic = error.diagnostics[0]
        self.store.fail_outbox(outbox_ids, diagnostic.why or diagnostic.message)
        if diagnostic.code != REFUSED:
            raise error
        self.refused.update(dict.fromkeys(outbox_ids, str(error)))


class RunProjector:
    """Projects one run as it stands in the store when the projector is made."""

    def __init__(self, store: LineageStore, tracker: MlflowTracker, run: RunRecord) -> None:
        self._store = store
        self._tracker = tracker
        self._run = run
        self._states = store.get_step_runs(run.run_id)
        self._state_by_id = {
            state.step_run.step_run_id: state for state in self._states if state.step_run.kind in _PROJECTED_KINDS
        }
        self._ir_by_digest: dict[str, Mapping[str, Any]] = {}
        self._ir_steps: dict[str, Mapping[str, Mapping[str, Any]]] = {}
        self._parent_id = ""
        self._made_parent = False

    def project_run(self) -> None:
        """Make the parent, or bring it up to date. Raises RunGoneError when it was deleted in MLflow."""
        projection = self._project_run()
        self._parent_id, self._made_parent = ensure_parent(self._tracker, self._store, self._run, projection)
        if not self._made_parent:
            self._tracker.update(self._parent_id, projection)

    def project_step(self, step_run_id: str) -> None:
        """Make or complete the MLflow run of a step run, after its latest attempt."""
        state = self._state_by_id.get(step_run_id)
        if state is None:
            return  # a gate or an expander
        projection = project_step(
            self._run, state, self._find_ir_step(state), run_ended=self._run.closed_status is not None
        )
        known = self._find_mlflow_run(state)
        if known is None:
            made = self._tracker.create(projection, parent_id=self._parent_id)
            self._store.save_link(LINK, step_run_id, made)
            self._tracker.fill(made, projection)
            return
        try:
            self._tracker.update(known, projection)
        except RunGoneError:
            return  # this one alone was deleted in MLflow

    def find_unfinished(self) -> Iterable[str]:
        """The step runs whose projection changes when the run ends: those that are not done."""
        return [step_run_id for step_run_id, state in self._state_by_id.items() if state.status not in DONE]

    def _project_run(self) -> Projection:
        status = derive_run_status(self._run, self._get_ir(self._run.ir_digest), self._states)
        ends = [state.ended_at for state in self._states if state.ended_at is not None]
        if self._run.ended_at is not None:
            ends.append(self._run.ended_at)
        return project_run(self._run, status, max(ends, default=self._run.started_at))

    def _find_mlflow_run(self, state: StepRunState) -> str | None:
        """The run that the step's own code had, else the one that an earlier projection made."""
        own = state.mlflow_run_id or self._links.get(state.attempt.attempt_id)
        step_run_id = state.step_run.step_run_id
        known = own or self._links.get(step_run_id)
        return known if known or self._made_parent else self._unrecorded.get(step_run_id)

    @cached_property
    def _links(self) -> Mapping[str, str]:
        ids = [state.attempt.attempt_id for state in self._states] + list(self._state_by_id)
        return self._store.find_links(LINK, ids)

    @cached_property
    def _unrecorded(self) -> Mapping[str, str]:
        """Asks MLflow itself, once: a process may have died between a call and its record."""
        return self._tracker.find_steps(self._run.run_id)

    def _get_ir(self, ir_digest: str) -> Mapping[str, Any]:
        if ir_digest not in self._ir_by_digest:
            self._ir_by_digest[ir_digest] = self._store.get_ir(self._run.project, ir_digest) or {"steps": ()}
        return self._ir_by_digest[ir_digest]

    def _find_ir_step(self, state: StepRunState) -> Mapping[str, Any] | None:
        digest = state.attempt.ir_digest
        if digest not in self._ir_steps:
            ir = self._get_ir(digest)
            self._ir_steps[digest] = {step["name"]: step for step in (*ir["steps"], *ir.get("hooks", ()))}
        return self._ir_steps[digest].get(state.step_run.step)
