"""Closes a run: what a last task of an orchestrator does, so that nobody has to wait for the reader to work it out.

The status does not depend on it: the reader derives that of a run that was never closed. Hooks do: they run here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zen_core.contract.manifest import PipelineManifest
from zen_core.errors import StoreError
from zen_metadata.lineage.records import RunRecord, RunStatus
from zen_metadata.query.rules import BROKEN, facts_from_labels
from zen_metadata.query.status import derive_run_status, has_attempts_left, is_over
from zen_metadata.shim.boundary import told
from zen_metadata.shim.hooks import failures_of, run_hooks
from zen_metadata.shim.replaying import replay
from zen_metadata.shim.workspace import Workspace
from zen_metadata.tracking.projections import hand_on

_log = logging.getLogger("zen")


def close_run(
    workspace: Workspace,
    run: RunRecord,
    manifest: PipelineManifest,
    *,
    code_root: Path | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    on_output: Callable[[str, str], None] | None = None,
    pass_output: bool = True,
    log_url: str = "",
    cancelled: bool = False,
) -> RunStatus | None:
    """Replay what was spooled, record how the run ended, run the hooks, and hand everything on to MLflow.

    May be called several times and by several processes: the first status counts (but `failed` beats `completed`),
    and each hook runs once.

    Args:
        code_root: the folder that the hooks' code must come from.
        functions: the hooks' functions by entry point, where they are loaded already.
        on_output: told a hook's name and each line that it prints.
        pass_output: whether what a hook prints also goes to this process's own streams.
        log_url: the orchestrator's own page of the closing task's log.
        cancelled: whether somebody stopped the run, which the steps' own records may not show.

    Returns:
        How the run ended; None where the lineage store is away. That, and an MLflow that is away, is said in the log
        and is no failure: `zen sync` does the same later.
    """
    try:
        lineage = workspace.lineage
        replay(lineage, workspace.artifacts).tell()
        stored = workspace.open_run(run, manifest.ir)
        states = lineage.get_step_runs(run.run_id)
        derived = derive_run_status(replace(stored, closed_status=None, ended_at=None), manifest.ir, states)
        # This is called when nothing runs any more: a step that is missing was kept from running.
        status: RunStatus = "cancelled" if cancelled else "failed" if derived == "running" else derived
        lineage.end_run(run.run_id, status)
        run_hooks(
            workspace,
            run,
            manifest,
            status,
            failures=failures_of(states),
            code_root=code_root,
            functions=functions,
            on_output=on_output,
            pass_output=pass_output,
            log_url=log_url,
        )
        for name, report in hand_on(workspace.settings, run.run_id).items():
            _log.info("%s: %d projected, %d pending %s", name, report.projected, report.pending, report.error)
    except StoreError as error:
        _log.warning("the run is not closed: %s; `zen sync` does it later", told(error))
        _close_later(workspace, run, manifest)
        return None
    return status


def _close_later(workspace: Workspace, run: RunRecord, manifest: PipelineManifest) -> None:
    """Leave word in the spool that the run is over: how it ended is worked out when that is replayed."""
    if workspace.settings.on_store_error == "fail":
        return
    try:
        workspace.end_run(run, manifest.ir, None)
    except StoreError as error:
        _log.error("nothing says that the run is over: %s", told(error))


def close_if_over(workspace: Workspace, run: RunRecord, manifest: PipelineManifest, **options: Any) -> RunStatus | None:
    """Close the run if nothing of it is left to run: for an engine that calls nothing at the end of a run.

    To be called after each step, whichever way it ended: whoever ends the last one closes the run. `options` are those
    of `close_run`. Returns None where something is left, or where the lineage store is away.
    """
    rules = workspace.rules_of(manifest.ir_digest, manifest.ir)
    try:
        lineage = workspace.lineage
        labels = lineage.find_step_statuses([run.run_id])[run.run_id]
        answers = lineage.find_answers([run.run_id])[run.run_id] if rules.has_answers else {}
        if not is_over(rules, facts_from_labels(labels, answers)):
            return None
        if not BROKEN.isdisjoint(labels.values()) and has_attempts_left(rules, lineage.get_step_runs(run.run_id)):
            return None
    except StoreError as error:
        _log.warning("the run is not closed: %s", told(error))
        return None
    return close_run(workspace, run, manifest, **options)
