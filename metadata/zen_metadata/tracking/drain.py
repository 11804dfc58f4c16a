"""Brings MLflow to what the lineage store says, for the runs that the outbox names.

One process drains at a time (the caller holds the lock). A row is done when MLflow shows what the store says of it;
a process that is killed leaves the row, and what MLflow may hold already, because it died between a call and its
record, is asked for once per run, never per step, and never where the run was made just now.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from zen_core.errors import TrackingError
from zen_metadata.lineage.records import OutboxRecord, RunRecord, StepRunState
from zen_metadata.lineage.store import LineageStore
from zen_metadata.query.status import derive_run_status
from zen_metadata.tracking.mlflow import REFUSED, MlflowTracker, RunGoneError, RunUnknownError, has_answered, is_busy
from zen_metadata.tracking.outbox import AGAIN, Patience, Stop, pending_batches
from zen_metadata.tracking.parent_run import LINK, ensure_parent
from zen_metadata.tracking.projection import DONE, Projection, project_run, project_step

MLFLOW = "mlflow"
"""The projection's name in the outbox."""
PATIENCE_SECONDS = 30.0
_MOST_TRIES = 4
"""Of one record in one pass."""
_PROJECTED_KINDS = frozenset({"step", "hook"})
_WHOLE_RUN = ""
"""Stands for the step run id in an outbox row that is about the run as a whole."""
_NOTED_TOGETHER = 100
"""Steps whose rows are noted as done at once: what a killed process leaves to be looked at again."""
_MOST_ROWS_OF_A_RUN = 1000
_MOST_FAILURES = 5
"""After so many records in a row that MLflow answers with an error, it is MLflow, not the record."""


class _Unknown(Exception):
    """MLflow does not know a run that it had: it is to be made again, whole."""


@dataclass
class Drain:
    """One pass over the outbox, which counts the rows that are projected.

    Args:
        tracker: for the project of its experiment's name; rows of other projects in the store are left to their own.
        only_due: leave out what was refused lately.
        stop: asked between two steps.
    """

    store: LineageStore
    tracker: MlflowTracker
    only_due: bool = False
    stop: Stop = field(default_factory=Stop)
    projected: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    """What MLflow said to rows that it does not take. They stay, and a later pass tries them again."""
    remade: set[str] = field(default_factory=set)
    """Runs that MLflow had, did not know any more, and has again."""
    deleted: set[str] = field(default_factory=set)
    """Runs that were asked for again, but were deleted in MLflow, and stay so."""
    _failures: int = 0

    def __post_init__(self) -> None:
        self._patience = Patience(PATIENCE_SECONDS, self.stop)

    def run(self, run_id: str | None = None) -> None:
        """Project all pending rows, or those of one run, in the order in which they became known.

        Raises TrackingError when MLflow cannot be reached: the rows that are left stay.
        """
        project = self.tracker.experiment
        for batch in pending_batches(self.store, MLFLOW, project, run_id=run_id, only_due=self.only_due):
            by_run: dict[str, list[OutboxRecord]] = {}
            for row in batch:
                by_run.setdefault(row.run_id, []).append(row)
            for one_run_id, rows in by_run.items():
                if self.stop.requested:
                    return
                self._drain_run(one_run_id, rows)

    def _drain_run(self, run_id: str, rows: Sequence[OutboxRecord]) -> None:
        found = self.store.find_run(run_id)
        if not found:  # it was removed meanwhile, and nothing is to be shown
            self._finish([row.outbox_id for row in rows])
            return
        run_rows = RunRows.of(rows)
        try:
            self._project(RunProjector(self.store, self.tracker, found[0]), run_rows)
        except _Unknown:
            # The row that asks for all of it comes before the link goes: whoever is killed here leaves it to the next.
            self.remade.add(run_id)
            self._finish(run_rows.take_done())
            self.store.request_projection(found[0].project, MLFLOW, [run_id])
            self.store.drop_links(LINK, self.store.find_links(LINK, [run_id]))
            self._drain_run(
                run_id, self.store.pending_outbox(run_id=run_id, projection=MLFLOW, limit=_MOST_ROWS_OF_A_RUN)
            )
        finally:
            self._finish(run_rows.take_done())

    def _project(self, projector: RunProjector, rows: RunRows) -> None:
        """Project a run and its steps; the rows of what is done are noted."""
        try:
            self._insist(projector, projector.project_run)
        except RunGoneError:  # whoever deleted it in MLflow does not want it there
            self.deleted.update([projector.run_id] if rows.again else [])
            rows.all_done()
            return
        except RunUnknownError:
            if projector.run_id not in self.remade:
                raise _Unknown from None
            raise TrackingError("MLflow does not know a run that it has just made", why=projector.run_id) from None
        except TrackingError as error:
            self._fail(rows.left(), error)
            return
        for number, step in enumerate(rows.steps_of(projector), start=1):
            if self.stop.requested:
                return
            try:
                self._insist(projector, lambda step=step: projector.project_step(step))  # type: ignore[misc]
            except TrackingError as error:
                self._fail(rows.refuse(step), error)
            else:
                self._failures = 0
                rows.done(step)
            if number % _NOTED_TOGETHER == 0:
                self._finish(rows.take_done())
        rows.whole_run_done()

    def _insist(self, projector: RunProjector, act: Callable[[], None]) -> None:
        """Do it, and do it again while MLflow asks for a moment and the pass has time."""
        tries = 1
        while True:
            try:
                return act()
            except TrackingError as error:
                if not is_busy(error) or tries == _MOST_TRIES or not self._patience.wait(tries):
                    raise
            tries += 1
            projector.doubt()

    def _fail(self, outbox_ids: Sequence[int], error: TrackingError) -> None:
        """Note the failure. A refused record holds up no other; an MLflow that is away ends the pass.

        MLflow answers some records with an error of its own (500), which looks like one that is away: so it is asked
        for something else.
        """
        diagnostic = error.diagnostics[0]
        refused = diagnostic.code == REFUSED
        if not refused and has_answered(error) and not self.stop.requested:
            self._failures += 1
            refused = self._failures < _MOST_FAILURES and self.tracker.answers()
        ids = outbox_ids if refused else outbox_ids[:1]
        self.store.fail_outbox(ids, diagnostic.why or diagnostic.message, refused=refused)
        if not refused:
            raise error
        self.refused.update(dict.fromkeys(outbox_ids, str(error)))

    def _finish(self, outbox_ids: Sequence[int]) -> None:
        self.store.finish_outbox(outbox_ids)
        self.projected += len(outbox_ids)


@dataclass
class RunRows:
    """The rows of one run that a pass has in hand, by the step run that they are about.

    Args:
        again: whether they ask for the whole run to be projected anew.
    """

    again: bool
    _left: dict[str, list[int]]
    _done: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Sequence[OutboxRecord]) -> RunRows:
        """From the rows as the store gives them."""
        left: dict[str, list[int]] = {}
        for row in rows:
            left.setdefault(row.step_run_id or _WHOLE_RUN, []).append(row.outbox_id)
        return cls(any(row.event == AGAIN for row in rows), left)

    def steps_of(self, projector: RunProjector) -> list[str]:
        """The step runs to project: those that rows name, and those that change with the run as a whole."""
        steps = [step for step in self._left if step != _WHOLE_RUN]
        if _WHOLE_RUN in self._left:
            more = projector.step_run_ids if self.again else projector.find_unfinished()
            steps += [step for step in more if step not in self._left]
        return steps

    def left(self) -> list[int]:
        """All that is not done."""
        return [outbox_id for ids in self._left.values() for outbox_id in ids]

    def done(self, step: str) -> None:
        """What is about a step run is shown."""
        self._done += self._left.pop(step, [])

    def refuse(self, step: str) -> list[int]:
        """The rows about a step run that MLflow refused; where there are none, those about the whole run."""
        ids = self._left.pop(step, [])
        return ids or self._left.pop(_WHOLE_RUN, [])

    def whole_run_done(self) -> None:
        """Every step was projected, so what is about the run as a whole is shown too."""
        self.done(_WHOLE_RUN)

    def all_done(self) -> None:
        """Nothing is left to show."""
        for step in list(self._left):
            self.done(step)

    def take_done(self) -> list[int]:
        """What is done and was not taken yet."""
        taken, self._done = self._done, []
        return taken


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
        self._claimant = uuid.uuid4().hex

    @property
    def run_id(self) -> str:
        """Zen's own."""
        return self._run.run_id

    @property
    def step_run_ids(self) -> Iterable[str]:
        """All step runs that MLflow is to show."""
        return self._state_by_id

    def doubt(self) -> None:
        """A call failed, and what MLflow did of it is not known: ask it before anything else is made."""
        self._made_parent = False
        self.__dict__.pop("_unrecorded", None)

    def project_run(self) -> None:
        """Make the parent, or bring it up to date.

        Raises RunGoneError when it was deleted in MLflow, RunUnknownError when MLflow lost it.
        """
        projection = self._project_run()
        self._parent_id, self._made_parent = ensure_parent(
            self._tracker, self._store, self._run, projection, claimant=self._claimant
        )
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
        own = state.mlflow_run_id or self._links.get(state.attempt.attempt_id)
        for known in self._find_mlflow_runs(step_run_id, own):
            try:
                self._tracker.update(known, projection, parent_id=self._parent_id)
            except RunGoneError:
                return  # this one alone was deleted in MLflow
            except RunUnknownError:
                continue
            if known != own:
                self._link(step_run_id, known)
            return
        made = self._tracker.create(projection, parent_id=self._parent_id)
        self._link(step_run_id, made)
        self._tracker.fill(made, projection)

    def find_unfinished(self) -> Iterable[str]:
        """The step runs whose projection changes when the run ends: those that are not done."""
        return [step_run_id for step_run_id, state in self._state_by_id.items() if state.status not in DONE]

    def _project_run(self) -> Projection:
        status = derive_run_status(self._run, self._get_ir(self._run.ir_digest), self._states)
        ends = [state.ended_at for state in self._states if state.ended_at is not None]
        if self._run.ended_at is not None:
            ends.append(self._run.ended_at)
        return project_run(self._run, status, max(ends, default=self._run.started_at))

    def _find_mlflow_runs(self, step_run_id: str, own: str | None) -> Iterator[str]:
        """What may stand for the step run, the first that MLflow knows: what its own code had, what was made of it."""
        if own:
            yield own
        if self._made_parent:
            return  # MLflow has nothing else of a run that it did not have
        linked = self._links.get(step_run_id)
        if linked and linked != own:
            yield linked
        if found := self._unrecorded.get(step_run_id):
            yield found

    def _link(self, step_run_id: str, mlflow_run_id: str) -> None:
        """Remember what stands for the step run, in place of what MLflow does not know any more."""
        before = self._links.get(step_run_id)
        if before == mlflow_run_id:
            return
        if before:
            self._store.drop_links(LINK, {step_run_id: before})
        self._store.save_link(LINK, step_run_id, mlflow_run_id)
        self._links[step_run_id] = mlflow_run_id

    @cached_property
    def _links(self) -> dict[str, str]:
        ids = [state.attempt.attempt_id for state in self._states] + list(self._state_by_id)
        return dict(self._store.find_links(LINK, ids))

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
