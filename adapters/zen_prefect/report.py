"""Shows in Prefect what a run made: one table artifact for each run, with each output and its digest."""

from __future__ import annotations

import logging
from typing import Any

from zen_metadata.lineage.records import RunRecord, StepRunState
from zen_metadata.shim.workspace import Workspace

_log = logging.getLogger("zen")
_SHORT = 12
_MOST_ROWS = 1_000


def report_outputs(workspace: Workspace, run: RunRecord, flow_run_id: Any) -> None:
    """Create the artifact `zen-PIPELINE`. What goes wrong is said in the log and changes nothing."""
    rows = _rows(workspace, run)
    if not rows:
        return
    import json

    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate

    artifact = ArtifactCreate(
        key=f"zen-{run.pipeline.replace('_', '-')}",
        type="table",
        description=f"What `{run.project}/{run.pipeline}` made. More: `zen show {run.run_id[:8]}`",
        data=json.dumps(rows[:_MOST_ROWS]),
        flow_run_id=flow_run_id,
    )
    try:
        with get_client(sync_client=True) as client:
            client.create_artifact(artifact)
    except Exception as error:  # whatever is wrong with Prefect's server, the run has ended as it has
        _log.warning("Prefect did not take the table of outputs: %s: %s", type(error).__name__, error)


def _rows(workspace: Workspace, run: RunRecord) -> list[dict[str, str]]:
    lineage = workspace.lineage_if_there
    if lineage is None:
        return []
    return [row for state in lineage.get_step_runs(run.run_id) for row in _rows_of(state)]


def _rows_of(state: StepRunState) -> list[dict[str, str]]:
    """One row for each output; one alone for a step that has none, or failed."""
    about = {"step": state.step_run.step, "status": state.status, "reused from": (state.reused_from or "")[:8]}
    return [
        {
            **about,
            "output": name,
            "version": str(record.version or ""),
            "digest": record.digest.removeprefix("sha256:")[:_SHORT],
            "type": record.type,
            "artifact": record.artifact_id,
        }
        for name, record in sorted(state.outputs.items())
    ] or [{**about, **dict.fromkeys(("output", "version", "digest", "type", "artifact"), "")}]
