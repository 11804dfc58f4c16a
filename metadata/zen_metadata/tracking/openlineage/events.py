"""The OpenLineage events of a run: facts in, documents out, no client.

One OpenLineage run stands for a pipeline run, one for each attempt at a step, and one for all elements of a mapped
step together. What an attempt did does not change any more once it has ended, so that its events are the same bytes
whenever, however often and by whomever they are made: a receiver may drop doubles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zen_core.contract.identity import step_run_id
from zen_core.contract.settings import Settings
from zen_metadata.lineage.records import ArtifactRecord, RunRecord, RunStatus, StepRunState
from zen_metadata.tracking.openlineage.datasets import Datasets
from zen_metadata.tracking.openlineage.facets import EVENT_SCHEMA, Facets, Json, iso, without_none

_END_BY_STATUS = {
    "completed": "COMPLETE",
    "cached": "COMPLETE",
    "failed": "FAIL",
    "cancelled": "ABORT",
    "lost": "ABORT",
}
_FAILED = ("failed", "lost", "cancelled")
_OPENING, _BETWEEN, _CLOSING = range(3)
_START, _END = range(2)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the events of a run are made from.

    Attributes:
        status: how the run ended; `running` until it is closed, whatever its steps say: one may be tried again.
        states: its step runs, the one that began first at the front.
        ir_steps: by name, the steps of the IR that the run has.
        artifacts: what the attempts read, by id.
        environments: the snapshots that the attempts name, by digest.
    """

    run: RunRecord
    status: RunStatus
    states: Sequence[StepRunState]
    ir_steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactRecord] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One event, made when it is asked for: a large run has many, and they are sent one by one.

    Attributes:
        attempt_id: the attempt that it tells of; None for the run as a whole, or a mapped step.
        ends_attempt: whether all is told of the attempt once this is sent.
        opens_run: whether it is the one that says that the run began.
    """

    order: tuple[int, datetime, int, str]
    make: Callable[[], Json]
    attempt_id: str | None = None
    ends_attempt: bool = False
    opens_run: bool = False


class RunEvents:
    """Makes the events of one run."""

    def __init__(self, facts: RunFacts, settings: Settings) -> None:
        self._facts = facts
        self._run = facts.run
        self._facets = Facets(facts.run.zen_version)
        self._datasets = Datasets(self._facets, settings)
        self._namespace = facts.run.project

    def in_order(self, attempts: Iterable[StepRunState], *, opened: bool) -> list[Event]:
        """The events that tell of these attempts, in the order in which things happened.

        Where the run is over, they end with those of its mapped steps and its own: whatever came to it last may have
        changed them.

        Args:
            attempts: attempts at steps that have ended.
            opened: whether it is known that the run began.
        """
        events = [] if opened else [self._opening()]
        for state in attempts:
            if is_shown(state) and state.step_run.map_index is None:
                events += self._of_attempt(state)
        if self._facts.status != "running":
            for step, states in _mapped(self._facts.states).items():
                events += self._of_mapped(step, states)
            events.append(self._closing())
        return sorted(events, key=lambda event: event.order)

    # -- the run -------------------------------------------------------------------------------------------------

    def _opening(self) -> Event:
        started_at = self._started_at
        return Event(
            (_OPENING, started_at, _START, ""), lambda: self._run_event("START", started_at, {}), opens_run=True
        )

    def _closing(self) -> Event:
        ends = [state.ended_at for state in self._facts.states if state.ended_at is not None]
        ended_at = max([*ends, self._run.ended_at or self._started_at])
        status = self._facts.status
        facets = {}
        if status == "failed":
            labels = [_label(state) for state in self._facts.states if state.status == "failed"]
            facets["errorMessage"] = self._facets.failed_steps(labels)
        kind = _END_BY_STATUS[status]
        return Event((_CLOSING, ended_at, _END, ""), lambda: self._run_event(kind, ended_at, facets))

    @property
    def _started_at(self) -> datetime:
        starts = [state.started_at for state in self._facts.states if state.started_at is not None]
        known = self._run.started_at
        assert known is not None, "the store gives every run a beginning"
        return min([known, *starts])

    def _run_event(self, kind: str, at: datetime, more: Mapping[str, Json]) -> Json:
        first = next(iter(self._facts.states), None)
        snapshot = self._facts.environments.get(first.attempt.environment_digest) if first else None
        return self._event(
            kind,
            at,
            run_id=self._run.run_id,
            run_facets={**self._facets.of_run(self._run), "zen_run": self._facets.run_details(self._run), **more},
            job=self._run.pipeline,
            job_facets={
                "jobType": self._facets.job_type("PIPELINE"),
                "sourceCodeLocation": self._facets.source_code(snapshot, None),
            },
        )

    # -- its steps -----------------------------------------------------------------------------------------------

    def _of_attempt(self, state: StepRunState) -> list[Event]:
        started_at = state.started_at or self._started_at
        ended_at = max(state.ended_at or started_at, started_at)
        label, attempt_id = _label(state), state.attempt.attempt_id
        kind = _END_BY_STATUS[state.status]
        return [
            Event(
                (_BETWEEN, started_at, _START, label),
                lambda: self._step_event("START", started_at, state),
                attempt_id,
            ),
            Event(
                (_BETWEEN, ended_at, _END, label),
                lambda: self._step_event(kind, ended_at, state),
                attempt_id,
                ends_attempt=True,
            ),
        ]

    def _step_event(self, kind: str, at: datetime, state: StepRunState) -> Json:
        attempt, is_end = state.attempt, kind != "START"
        snapshot = self._facts.environments.get(attempt.environment_digest)
        facets = {
            **self._step_facets(),
            "zen_step": self._facets.step_details(state),
            "zen_environment": self._facets.environment(attempt.environment_digest, snapshot),
        }
        if is_end:
            facets["zen_cache"] = self._facets.cache(state)
            facets["errorMessage"] = self._facets.error(state.error) if state.error else None
        return self._event(
            kind,
            at,
            run_id=attempt.attempt_id,
            run_facets=facets,
            job=f"{self._run.pipeline}.{state.step_run.step}",
            job_facets=self._job_facets(state.step_run.step, snapshot),
            inputs=self._datasets.inputs(self._read_by([state])),
            outputs=self._datasets.outputs(state.outputs.values(), written=state.status == "completed")
            if is_end
            else [],
        )

    def _of_mapped(self, step: str, states: Sequence[StepRunState]) -> list[Event]:
        started_at = min(state.started_at or self._started_at for state in states)
        ended_at = max([started_at, *(state.ended_at for state in states if state.ended_at)])
        statuses = {state.status for state in states}
        kind = _END_BY_STATUS[next((status for status in _FAILED if status in statuses), "completed")]
        return [
            Event((_BETWEEN, started_at, _START, step), lambda: self._mapped_event("START", started_at, step, states)),
            Event((_BETWEEN, ended_at, _END, step), lambda: self._mapped_event(kind, ended_at, step, states)),
        ]

    def _mapped_event(self, kind: str, at: datetime, step: str, states: Sequence[StepRunState]) -> Json:
        is_end = kind != "START"
        error = next((state.error for state in states if state.error is not None), None)
        digest = states[0].attempt.environment_digest
        snapshot = self._facts.environments.get(digest)
        facets = {**self._step_facets(), "zen_environment": self._facets.environment(digest, snapshot)}
        if is_end:
            facets["zen_map"] = self._facets.map_details(step, states)
            facets["errorMessage"] = self._facets.error(error) if error else None
        written = any(state.status == "completed" for state in states)
        outputs = [record for state in states for record in state.outputs.values()]
        return self._event(
            kind,
            at,
            run_id=step_run_id(self._run.run_id, step),
            run_facets=facets,
            job=f"{self._run.pipeline}.{step}",
            job_facets=self._job_facets(step, snapshot),
            inputs=self._datasets.inputs(self._read_by(states)),
            outputs=self._datasets.outputs(outputs, written=written) if is_end else [],
        )

    def _step_facets(self) -> dict[str, Json | None]:
        return {**self._facets.of_run(self._run), "parent": self._facets.parent(self._run, self._namespace)}

    def _job_facets(self, step: str, snapshot: Mapping[str, Any] | None) -> dict[str, Json | None]:
        source = self._facts.ir_steps.get(step, {}).get("source")
        return {
            "jobType": self._facets.job_type("STEP"),
            "sourceCodeLocation": self._facets.source_code(snapshot, source),
        }

    def _read_by(self, states: Iterable[StepRunState]) -> Iterator[ArtifactRecord]:
        for state in states:
            for item in state.inputs:
                record = self._facts.artifacts.get(item.artifact_id or "")
                if record is not None:
                    yield record

    def _event(
        self,
        kind: str,
        at: datetime,
        *,
        run_id: str,
        run_facets: Mapping[str, Json | None],
        job: str,
        job_facets: Mapping[str, Json | None],
        inputs: Sequence[Json] = (),
        outputs: Sequence[Json] = (),
    ) -> Json:
        return {
            "eventType": kind,
            "eventTime": iso(at),
            "producer": self._facets.producer,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": run_id, "facets": without_none(run_facets)},
            "job": {"namespace": self._namespace, "name": job, "facets": without_none(job_facets)},
            "inputs": list(inputs),
            "outputs": list(outputs),
        }


def is_shown(state: StepRunState) -> bool:
    """Whether an attempt is told of: one at a step that has ended, by itself. Gates and hooks read and make no data."""
    return state.step_run.kind == "step" and state.status in _END_BY_STATUS and state.ended_at is not None


def _mapped(states: Iterable[StepRunState]) -> dict[str, list[StepRunState]]:
    """The elements that began, by step."""
    found = defaultdict(list)
    for state in states:
        if state.step_run.kind == "step" and state.step_run.map_index is not None:
            found[state.step_run.step].append(state)
    return {step: sorted(group, key=lambda state: state.step_run.map_index or 0) for step, group in found.items()}


def _label(state: StepRunState) -> str:
    index = state.step_run.map_index
    return state.step_run.step if index is None else f"{state.step_run.step}[{index}]"
