"""Runs and step runs, as people look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zen_core.contract.values import from_json
from zen_core.errors import NotFoundError, StoreError
from zen_metadata.lineage.records import (
    ErrorRecord,
    InputRecord,
    OutboxLag,
    RunRecord,
    RunStatus,
    StepRunState,
    StepRunStatus,
)
from zen_metadata.query.artifacts import ArtifactVersion
from zen_metadata.query.nearest import did_you_mean
from zen_metadata.query.rules import Derived, Facts, PipelineRules, facts_of, rules_of
from zen_metadata.query.status import derive_final_statuses, is_reopened, status_from
from zen_metadata.query.stores import ReadStores

if TYPE_CHECKING:
    from zen_metadata.query.environments import RunEnvironment
    from zen_metadata.query.why import Explanation

MLFLOW = "mlflow"


class StepRun:
    """One step of a run, as its latest attempt left it.

    Attributes:
        name: the step's name.
        map_index: the element's index in a fan-out; None for other steps, and for a fan-out that never began.
        kind: `step`; or gate, expander, hook.
        status: running, completed, cached, failed, skipped, upstream_failed, cancelled or lost.
        state: what the store knows; None for a step that never began.
    """

    def __init__(
        self,
        run: Run,
        name: str,
        status: StepRunStatus,
        state: StepRunState | None,
        stores: ReadStores,
        *,
        map_index: int | None,
        kind: str,
    ) -> None:
        self.name = name
        self.map_index = map_index
        self.kind = kind
        self.status = status
        self.state = state
        self._run = run
        self._stores = stores

    @property
    def label(self) -> str:
        """`name`, or `name[index]` for an element of a fan-out."""
        return self.name if self.map_index is None else f"{self.name}[{self.map_index}]"

    @property
    def attempts(self) -> int:
        """How many attempts were made."""
        return self.state.attempts if self.state else 0

    @property
    def cache_key(self) -> str | None:
        """The key under which the result is, or would have been, reused."""
        return (self.state.attempt.cache_key or None) if self.state else None

    @property
    def run(self) -> Run:
        """The run that it belongs to."""
        return self._run

    @property
    def cache_reason(self) -> str:
        """Why it ran, or did not, in a few words: `code changed: features.scale`; "" where there is nothing to say."""
        return self._run.cache_reasons.get(self.state.step_run.step_run_id, "") if self.state else ""

    def why(self) -> Explanation:
        """Why it ran, or did not, with all parts of its cache key. Raises NotFoundError where it never began."""
        from zen_metadata.query.why import explain

        return explain(self)

    @property
    def reused_from(self) -> str | None:
        """The id of the run whose result was reused."""
        return self.state.reused_from if self.state else None

    @property
    def environment_digest(self) -> str | None:
        """Names the environment snapshot."""
        return (self.state.attempt.environment_digest or None) if self.state else None

    @property
    def log_url(self) -> str:
        """The orchestrator's own page of the log."""
        return self.state.attempt.log_url if self.state else ""

    @property
    def error(self) -> ErrorRecord | None:
        """What the step raised: type, message, traceback."""
        return self.state.error if self.state else None

    @property
    def started_at(self) -> datetime | None:
        """When the latest attempt began."""
        return self.state.started_at if self.state else None

    @property
    def ended_at(self) -> datetime | None:
        """When it ended."""
        return self.state.ended_at if self.state else None

    @property
    def seconds(self) -> float | None:
        """How long the latest attempt took; None while it goes on."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def metrics(self) -> Mapping[str, float]:
        """What `log_metric` recorded: the latest value of each name."""
        return {metric.name: metric.value for metric in self.state.metrics} if self.state else {}

    @property
    def params(self) -> Mapping[str, Any]:
        """What `log_params` recorded."""
        return self.state.params if self.state else {}

    @property
    def inputs(self) -> Mapping[str, InputRecord]:
        """What came in, by port; the items of a list or dict are in `state.inputs`."""
        return {item.port: item for item in self.state.inputs if not item.path} if self.state else {}

    @cached_property
    def outputs(self) -> Mapping[str, ArtifactVersion]:
        """What it made (or, when cached, what it reused), by output name."""
        if self.state is None:
            return {}
        by_id = self._run.makers
        return {
            name: ArtifactVersion(
                record,
                *by_id.get(record.step_run_id or "", (self._run.run_id, self.name)),
                self._stores,
            )
            for name, record in self.state.outputs.items()
        }

    def output(self, name: str = "result") -> ArtifactVersion:
        """One output. Raises NotFoundError, naming those there are."""
        found = self.outputs.get(name)
        if found is None:
            have = f"it has {', '.join(self.outputs)}" if self.outputs else f"it is {self.status} and has none"
            raise NotFoundError(
                f"step {self.label!r} has no output {name!r}", where=f"run {self._run.run_id}", hint=have
            )
        return found

    @cached_property
    def mlflow_run_id(self) -> str | None:
        """The MLflow run that stands for this step: its own one, where its code had one."""
        if self.state is None:
            return None
        links, state = self._run.mlflow_run_ids, self.state
        return state.mlflow_run_id or links.get(state.attempt.attempt_id) or links.get(state.step_run.step_run_id)

    def logs(self, attempt: int | None = None) -> str:
        """What the step printed and logged, "" for nothing.

        Args:
            attempt: the number of the attempt; None for the latest.

        Raises:
            NotFoundError: there was no such attempt.
        """
        state = self.state
        if attempt is not None and state is not None and attempt != state.attempts:
            attempts = self._stores.lineage.get_attempts(state.step_run.step_run_id)
            state = next((item for item in attempts if item.attempts == attempt), None)
        if state is None or (attempt is not None and attempt != state.attempts):
            made = f"the latest is attempt {self.attempts}" if self.attempts else f"the step is {self.status}"
            raise NotFoundError(
                f"step {self.label!r} has no attempt {attempt or 1}",
                where=f"run {self._run.run_id}",
                hint=made,
            )
        return self._stores.read_log(state.log_location) if state.log_location else ""

    def __repr__(self) -> str:
        return f"<StepRun {self.label} {self.status}>"


class Run:
    """One run of a pipeline.

    Args:
        record: the run as it is stored.
        ir: its IR document.
        facts: how its step runs stand, where that is known already.
        rules: those of the IR, where they are worked out already.
    """

    def __init__(
        self,
        record: RunRecord,
        ir: Mapping[str, Any],
        stores: ReadStores,
        *,
        facts: Facts | None = None,
        rules: PipelineRules | None = None,
    ) -> None:
        self.record = record
        self.ir = ir
        self._stores = stores
        self._facts = facts
        self._rules = rules_of(ir) if rules is None else rules

    @property
    def run_id(self) -> str:
        """The id: the same on every orchestrator for the same run."""
        return self.record.run_id

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.record.pipeline

    @property
    def started_at(self) -> datetime | None:
        """When its first step began."""
        return self.record.started_at

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """The effective parameters, as Python values."""
        return {name: from_json(value) for name, value in self.record.parameters.items()}

    @cached_property
    def status(self) -> RunStatus:
        """running, completed, failed, cancelled or lost: derived from the step runs."""
        if self._is_settled:
            assert self.record.closed_status is not None
            return self.record.closed_status
        reopened = is_reopened(self.record, self.states)
        return status_from(self._rules, facts_of(self.states), closed=self.record.closed_status, reopened=reopened)

    @cached_property
    def ended_at(self) -> datetime | None:
        """When it was over; None while it goes on."""
        if self.status == "running":
            return None
        if self._is_settled:
            return self.record.ended_at
        ends = [state.ended_at for state in self.states if state.ended_at and state.step_run.kind != "hook"]
        return max([*ends, *([self.record.ended_at] if self.record.ended_at else [])], default=None)

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def mixed(self) -> bool:
        """Whether some step ran with other code or another pipeline definition than the run's first."""
        return any(state.mixed for state in self.states)

    @cached_property
    def states(self) -> Sequence[StepRunState]:
        """What the store knows of its step runs."""
        return self._stores.lineage.get_step_runs(self.run_id)

    @cached_property
    def steps(self) -> tuple[StepRun, ...]:
        """The step runs in the pipeline's order, hooks last; once the run is over, also those that never began."""
        found: dict[str, dict[int | None, StepRunState]] = {}
        for state in self.states:
            found.setdefault(state.step_run.step, {})[state.step_run.map_index] = state
        kind_by_step = {name: rule.kind for name, rule in self._rules.steps.items()}
        kind_by_step.update((hook["name"], "hook") for hook in self.ir.get("hooks", ()))
        final = {} if self.status == "running" else self._final_statuses
        steps: list[StepRun] = []
        # What another version of the pipeline left behind comes last.
        for name in dict.fromkeys([*kind_by_step, *found]):
            states, statuses = found.get(name, {}), final.get(name, {})
            for index in sorted({*states, *statuses}, key=lambda item: -1 if item is None else item):
                known = states.get(index)
                # An attempt at what is skipped by now does not count: the condition was asked again.
                status = statuses.get(index, known.status if known else None)
                assert status is not None, "nothing is open in a run that is over"
                kind = known.step_run.kind if known else kind_by_step[name]
                steps.append(StepRun(self, name, status, known, self._stores, map_index=index, kind=kind))
        return tuple(steps)

    def step(self, name: str, map_index: int | None = None) -> StepRun:
        """One step run.

        `name[index]` names an element of a fan-out too. Raises NotFoundError with the nearest.
        """
        label = name if map_index is None else f"{name}[{map_index}]"
        for step in self.steps:
            if step.label == label:
                return step
        labels = [step.label for step in self.steps]
        known = f"it has {', '.join(labels[:10])}{', …' if len(labels) > 10 else ''}" if labels else "none began yet"
        raise NotFoundError(
            f"run {self.run_id[:8]} of {self.pipeline} has no step {label!r}",
            hint=did_you_mean(label, labels) or known,
        )

    @property
    def stores(self) -> ReadStores:
        """The stores that it is read from."""
        return self._stores

    @cached_property
    def cache_reasons(self) -> Mapping[str, str]:
        """Why its steps ran, or did not, in a few words, by step run id."""
        from zen_metadata.query.reasons import short_reasons

        return short_reasons(self)

    def environments(self, step: str | None = None) -> list[RunEnvironment]:
        """What its steps ran in: each environment once. Of one step where it is named; raises NotFoundError then."""
        from zen_metadata.query.environments import find_environments

        return find_environments(self, self._stores, step)

    @cached_property
    def mlflow_run_ids(self) -> Mapping[str, str]:
        """The MLflow runs of the run, its step runs and its attempts, by their ids."""
        ids = [state.step_run.step_run_id for state in self.states]
        ids += [state.attempt.attempt_id for state in self.states]
        return self._stores.lineage.find_links(MLFLOW, [self.run_id, *ids])

    @cached_property
    def spooled(self) -> int:
        """How many facts of the run wait in the spool, as far as that can be known; of a completed one, none."""
        from zen_metadata.shim.spool import count_spooled

        if self.status in ("completed", "cancelled"):
            return 0
        try:
            return count_spooled(self._stores.artifacts, self.run_id)
        except StoreError:  # what is recorded can be shown without the artifact store
            return 0

    @cached_property
    def lag(self) -> Mapping[str, OutboxLag]:
        """What is not shown elsewhere yet, by projection (`mlflow`); empty when all of it is."""
        return self._stores.lineage.outbox_lag(self.record.project, run_id=self.run_id)

    @cached_property
    def makers(self) -> Mapping[str, tuple[str, str]]:
        """Which run and step made the outputs, by step run id: another run where a result was reused."""
        ids = {record.step_run_id for state in self.states for record in state.outputs.values() if record.step_run_id}
        foreign = sorted(ids - {state.step_run.step_run_id for state in self.states})
        found = self._stores.lineage.get_step_run_records(foreign) if foreign else {}
        records = [*found.values(), *(state.step_run for state in self.states)]
        return {record.step_run_id: (record.run_id, record.step) for record in records}

    def to_json(self) -> dict[str, Any]:
        """The document of `zen show --json`."""
        from zen_metadata.query.documents import run_document

        return run_document(self)

    def __repr__(self) -> str:
        return f"<Run {self.run_id} of {self.pipeline}: {self.status}>"

    @cached_property
    def _final_statuses(self) -> Derived:
        return derive_final_statuses(self._rules, facts_of(self.states), self.status)

    @cached_property
    def _is_settled(self) -> bool:
        """Whether the closing call and the step runs agree, so that nothing more need be read."""
        closed = self.record.closed_status
        if self._facts is None or closed is None:
            return False
        if any("running" in found.values() for found in self._facts.statuses.values()):
            return False
        return closed == status_from(self._rules, self._facts, closed=closed)
