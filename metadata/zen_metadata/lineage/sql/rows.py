"""From records to rows and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    ErrorRecord,
    InputRecord,
    MetricRecord,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.sql.statements import columns_of
from zen_metadata.lineage.sql.tables import NO_INDEX, artifacts, attempts, runs

RUN_COLUMNS = columns_of(runs, RunRecord)
ATTEMPT_COLUMNS = columns_of(attempts, AttemptRecord)
ARTIFACT_COLUMNS = columns_of(artifacts, ArtifactRecord)


def _not_after(latest: datetime, time: datetime | None) -> datetime:
    """A time that a worker noted while the store was away, whose clock may be ahead."""
    if time is None:
        return latest
    if time.tzinfo is None:  # it cannot be compared, and is refused when it is written
        return time
    return min(time, latest)


def run_values(run: RunRecord, now: datetime) -> dict[str, Any]:
    """A row of `runs`."""
    values = {column.name: getattr(run, column.name) for column in RUN_COLUMNS}
    values["started_at"] = _not_after(now, run.started_at)
    return values


def step_run_values(step_run: StepRunRecord) -> dict[str, Any]:
    """A row of `step_runs`."""
    return {
        "step_run_id": step_run.step_run_id,
        "project": step_run.project,
        "run_id": step_run.run_id,
        "step": step_run.step,
        "map_index": NO_INDEX if step_run.map_index is None else step_run.map_index,
        "kind": step_run.kind,
    }


def attempt_values(attempt: AttemptRecord, number: int, now: datetime) -> dict[str, Any]:
    """A row of `attempts` for one that is running."""
    values = {column.name: getattr(attempt, column.name) for column in ATTEMPT_COLUMNS}
    values.update(
        number=number,
        status="running",
        started_at=_not_after(now, attempt.started_at),
        heartbeat_at=now,
        ended_at=None,
        max_age_seconds=None,
        lease_token=None,
        log_location="",
        reused_attempt_id=None,
        mlflow_run_id=None,
        error_type=None,
        error_message=None,
        error_traceback=None,
    )
    return values


ENDING_COLUMNS = (
    "status",
    "ended_at",
    "log_location",
    "reused_attempt_id",
    "mlflow_run_id",
    "error_type",
    "error_message",
    "error_traceback",
)


def ending_values(end: AttemptEnd, status: str, ended_at: datetime) -> dict[str, Any]:
    """The columns of `attempts` that are set when one ends: `ENDING_COLUMNS`."""
    error = end.error
    return {
        "status": status,
        "ended_at": ended_at,
        "log_location": end.log_location,
        "reused_attempt_id": end.reused_attempt_id,
        "mlflow_run_id": end.mlflow_run_id,
        "error_type": error and error.type,
        "error_message": error and error.message,
        "error_traceback": error and error.traceback,
    }


def artifact_values(
    artifact: ArtifactRecord, now: datetime, *, version: int | None, step_run_id: str | None, attempt_id: str | None
) -> dict[str, Any]:
    """A row of `artifacts`."""
    values = {column.name: getattr(artifact, column.name) for column in ARTIFACT_COLUMNS}
    values["version"] = version
    values["step_run_id"] = step_run_id
    values["attempt_id"] = attempt_id
    values["created_at"] = artifact.created_at or now
    if not artifact.has_inline_value:
        values["inline_value"] = None
    return values


def input_values(attempt: AttemptRecord, item: InputRecord) -> dict[str, Any]:
    """A row of `attempt_inputs`."""
    return {
        "attempt_id": attempt.attempt_id,
        "project": attempt.project,
        "port": item.port,
        "path": item.path,
        "digest": item.digest,
        "artifact_id": item.artifact_id,
    }


def output_values(attempt: AttemptRecord, output: str, artifact: ArtifactRecord) -> dict[str, Any]:
    """A row of `attempt_outputs`."""
    return {
        "attempt_id": attempt.attempt_id,
        "project": attempt.project,
        "output": output,
        "digest": artifact.digest,
        "artifact_id": artifact.artifact_id,
    }


def metric_values(attempt: AttemptRecord, position: int, metric: MetricRecord) -> dict[str, Any]:
    """A row of `metrics`."""
    return {
        "attempt_id": attempt.attempt_id,
        "project": attempt.project,
        "position": position,
        "name": metric.name,
        "value": None if math.isnan(metric.value) else metric.value,
        "step": metric.step,
        "logged_at": metric.logged_at,
    }


def param_values(attempt: AttemptRecord, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of `params`. A value of None is stored as JSON's null, which `Json` alone would make NULL."""
    return [
        {"attempt_id": attempt.attempt_id, "project": attempt.project, "name": name, "value": [value]}
        for name, value in params.items()
    ]


def to_metric(row: Any) -> MetricRecord:
    """A metric, from a row with its columns."""
    return MetricRecord(row.name, math.nan if row.value is None else row.value, row.step, row.logged_at)


def to_error(row: Any) -> ErrorRecord | None:
    """The error of an attempt, from a row with its columns."""
    if row.error_type is None:
        return None
    return ErrorRecord(row.error_type, row.error_message, row.error_traceback)


def to_step_run(row: Any) -> StepRunRecord:
    """A step run, from a row with its columns."""
    map_index = None if row.map_index == NO_INDEX else row.map_index
    return StepRunRecord(row.step_run_id, row.project, row.run_id, row.step, map_index, row.kind)
