"""The machine form of runs. These shapes are promised: keys may be added, none may change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from zen_core.contract.values import to_json
from zen_metadata.lineage.records import InputRecord, OutboxLag
from zen_metadata.query.artifacts import ArtifactVersion

if TYPE_CHECKING:
    from zen_metadata.query.runs import Run, StepRun


def run_summary(run: Run) -> dict[str, Any]:
    """The entry of `zen runs --json`."""
    return {
        "run_id": run.run_id,
        "pipeline": run.pipeline,
        "project": run.record.project,
        "orchestrator": run.record.orchestrator,
        "deployment": run.record.deployment,
        "status": run.status,
        "started_at": _time(run.started_at),
        "ended_at": _time(run.ended_at),
    }


def run_document(run: Run) -> dict[str, Any]:
    """The document of `zen run --json` and `zen show --json`. Times are ISO texts in UTC."""
    record = run.record
    document = {
        **run_summary(run),
        "run_key": record.run_key,
        "ir_digest": record.ir_digest,
        "code_digest": record.code_digest,
        "zen_version": record.zen_version,
        "parameters": dict(record.parameters),
        "tags": list(record.tags),
        "scheduled_at": _time(record.scheduled_at),
        "parent_run_id": record.parent_run_id,
        "mixed": run.mixed,
        "mlflow_run_id": run.mlflow_run_ids.get(run.run_id),
        "lag": {name: lag_document(lag) for name, lag in run.lag.items()},
        "steps": [step_document(step) for step in run.steps],
    }
    if record.run_url:
        document["run_url"] = record.run_url
    if run.spooled:
        document["spooled"] = run.spooled
    return document


def lag_document(lag: OutboxLag) -> dict[str, Any]:
    """What a projection does not show yet."""
    return {
        "pending": lag.pending,
        "refused": lag.refused,
        "since": _time(lag.oldest_at),
        "error": lag.last_error or None,
    }


def step_document(step: StepRun) -> dict[str, Any]:
    """One entry of `steps`."""
    document: dict[str, Any] = {
        "name": step.name,
        "map_index": step.map_index,
        "kind": step.kind,
        "status": step.status,
        "attempts": step.attempts,
        "cache_key": step.cache_key,
        "cache_reason": step.cache_reason or None,
        "reused_from": step.reused_from,
        "started_at": _time(step.started_at),
        "ended_at": _time(step.ended_at),
        "inputs": _inputs(step.state.inputs if step.state else ()),
        "outputs": {name: _output(artifact) for name, artifact in step.outputs.items()},
        # JSON has no NaN: what it lacks is written as in the parameters.
        "metrics": {name: to_json(value) for name, value in step.metrics.items()},
        "params": to_json(dict(step.params)),
        "environment_digest": step.environment_digest,
        "mlflow_run_id": step.mlflow_run_id,
    }
    if step.log_url:
        document["log_url"] = step.log_url
    if step.error:
        document["error"] = {
            "type": step.error.type,
            "message": step.error.message,
            "traceback": step.error.traceback,
        }
    return document


def _inputs(records: Sequence[InputRecord]) -> dict[str, Any]:
    """By port; the items of a list or dict, and the files within a value, under `items` by their path."""
    inputs: dict[str, Any] = {}
    for record in sorted(records, key=lambda item: (item.port, item.path != "")):
        entry = {"artifact_id": record.artifact_id, "digest": record.digest}
        if record.path:
            inputs[record.port].setdefault("items", {})[record.path] = entry
        else:
            inputs[record.port] = entry
    return inputs


def _output(artifact: ArtifactVersion) -> dict[str, Any]:
    document = {
        "artifact_id": artifact.artifact_id,
        "digest": artifact.digest,
        "type": artifact.type,
        "uri": artifact.uri,
        "version": artifact.version,
        "size_bytes": artifact.size_bytes,
    }
    if artifact.deletion:
        document["deleted"] = artifact.deletion
    return {**document, "value": artifact.record.inline_value} if artifact.record.has_inline_value else document


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
