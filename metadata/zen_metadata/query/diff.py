"""What differs between two runs: what went in, the code, the environment, what came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zen_metadata.query.differences.artifacts import compare_artifacts
from zen_metadata.query.differences.changes import Changes
from zen_metadata.query.differences.code import CodeChanges, compare_code
from zen_metadata.query.differences.environments import EnvironmentChanges, compare_run_environments
from zen_metadata.query.differences.parameters import compare_metrics, compare_parameters
from zen_metadata.query.differences.steps import StepPair, pair_steps
from zen_metadata.query.documents import run_summary
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores


@dataclass(frozen=True)
class RunDiff:
    """Two runs compared. The same two runs always give the same answer, as long as neither goes on.

    Attributes:
        before: the first run.
        after: the second.
        parameters: the pipeline's by name; constants of its body as `step.input`, what steps logged with
            `log_params` as `step.params.name`.
        code: the definitions that the steps reach.
        environment: Python, packages, git, … of the steps.
        artifacts: outputs as `step.output`, what was read from outside as `read:NAME`.
        metrics: as `step.name`.
        steps: all steps of both, side by side.
        notes: what could not be compared, in words.
    """

    before: Run
    after: Run
    parameters: Changes
    code: CodeChanges
    environment: EnvironmentChanges
    artifacts: Changes
    metrics: Changes
    steps: tuple[StepPair, ...]
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs but ids, times, and what was executed or reused."""
        sections = (self.parameters, self.code.changes, self.environment.changes, self.artifacts, self.metrics)
        same_pipeline = self.before.pipeline == self.after.pipeline
        return same_pipeline and not any(sections) and all(pair.same for pair in self.steps)

    def to_json(self) -> dict[str, Any]:
        """The document of `zen diff --json`."""
        return {
            "equal": self.equal,
            "before": {**run_summary(self.before), "seconds": self.before.seconds},
            "after": {**run_summary(self.after), "seconds": self.after.seconds},
            "parameters": self.parameters.to_json(),
            "code": {**self.code.changes.to_json(), "diff": self.code.diff},
            "environment": self.environment.changes.to_json(),
            "artifacts": self.artifacts.to_json(),
            "metrics": self.metrics.to_json(),
            "steps": [pair.to_json() for pair in self.steps],
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        verdict = "equal" if self.equal else "different"
        return f"<RunDiff {self.before.run_id[:8]} {self.after.run_id[:8]}: {verdict}>"


def diff_runs(stores: ReadStores, before: Run, after: Run) -> RunDiff:
    """Compare two runs, by the names of their steps.

    Reads artifacts that differ only while they are small; one that is gone or deleted is told as such.
    """
    code = compare_code(stores, before, after)
    environment = compare_run_environments(stores, before, after)
    return RunDiff(
        before=before,
        after=after,
        parameters=compare_parameters(before, after),
        code=code,
        environment=environment,
        artifacts=compare_artifacts(stores, before, after),
        metrics=compare_metrics(before, after),
        steps=pair_steps(before, after),
        notes=(*_notes(before, after), *code.notes, *environment.notes),
    )


def _notes(before: Run, after: Run) -> Iterator[str]:
    if before.pipeline != after.pipeline:
        yield f"the runs are of two pipelines, {before.pipeline} and {after.pipeline}: steps are compared by name"
    for run in {before.run_id: before, after.run_id: after}.values():
        if run.status == "running":
            yield f"run {run.run_id[:8]} is still running: what is there so far is compared"
        if run.mixed:
            yield f"in run {run.run_id[:8]} some steps ran with other code than its first"
