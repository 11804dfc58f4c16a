"""Closes a run: what a last task of an orchestrator does, so that nobody has to wait for the reader to work it out.

Nothing depends on it: the reader derives the status of a run that was never closed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zen_core.errors import StoreError
from zen_metadata.lineage.records import RunRecord
from zen_metadata.query.status import derive_run_status
from zen_metadata.shim.spool import replay
from zen_metadata.shim.workspace import Workspace
from zen_metadata.tracking.sync import sync

_log = logging.getLogger("zen")


def close_run(workspace: Workspace, run: RunRecord, ir: Mapping[str, Any], *, cancelled: bool = False) -> None:
    """Replay what was spooled, record how the run ended, and hand it on to MLflow.

    Args:
        cancelled: whether somebody stopped the run, which the steps' own records may not show.

    A store or an MLflow that is away is said in the log and is no failure: `zen sync` does the same later.
    """
    try:
        lineage = workspace.lineage
        replay(lineage, workspace.artifacts)
        stored = workspace.open_run(run, ir)
        status = derive_run_status(
            replace(stored, closed_status=None, ended_at=None), ir, lineage.get_step_runs(run.run_id)
        )
        # This is called when nothing runs any more: a step that is missing was kept from running.
        lineage.end_run(run.run_id, "cancelled" if cancelled else "failed" if status == "running" else status)
        if workspace.settings.mlflow_tracking_uri:
            report = sync(workspace.settings)
            _log.info("MLflow: %d projected, %d pending %s", report.projected, report.pending, report.error)
    except StoreError as error:
        _log.warning("the run is not closed: %s; `zen sync` does it later", error.message)
