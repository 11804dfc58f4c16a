"""What a re-execution does not run again: recorded in the new run as reused from the run before.

Dagster starts the chosen steps at once, each in a process of its own, and any of them may read what was kept. The first
of them records it, and the others wait until it is there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from zen_core.codegen.names import target_identifiers
from zen_core.contract.manifest import PipelineManifest
from zen_core.errors import StoreError
from zen_metadata.lineage.records import RunRecord
from zen_metadata.query.rules import facts_from_labels
from zen_metadata.shim.run_step import StepCall, reuse_step
from zen_metadata.shim.workspace import Workspace

_log = logging.getLogger("zen")
_DONE = ("completed", "cached")
_POLL_SECONDS = 0.1
StepRun = tuple[str, int | None]
"""A step, and the map index of one that is mapped."""


def take_over(
    manifest: PipelineManifest,
    run: RunRecord,
    step_keys: Sequence[str],
    workspace: Workspace,
    *,
    patience_seconds: float = 30.0,
) -> None:
    """Make sure that what the run before had done, and Dagster does not run again, is recorded in this run.

    Args:
        run: the re-execution, with the run before as its parent.
        step_keys: Dagster's keys of the steps that it runs.
        patience_seconds: after so long without anything new, the op that records what was kept is taken for dead.
    """
    is_chosen = _chosen_by(manifest, step_keys)
    parent = run.parent_run_id or ""
    try:
        lineage = workspace.lineage
        workspace.open_run(run, manifest.ir)

        def find_missing() -> set[StepRun]:
            labels = lineage.find_step_statuses([parent, run.run_id])
            before, here = (facts_from_labels(labels[run_id], {}).statuses for run_id in (parent, run.run_id))
            return {
                (step, index)
                for step, statuses in before.items()
                for index, status in statuses.items()
                if status in _DONE and step in manifest.steps and not is_chosen(step, index)
                if index not in here.get(step, {})
            }

        missing = find_missing()
        if missing and not lineage.claim_once(f"take-over {run.run_id}"):
            missing = _wait(find_missing, missing, patience_seconds)
        if missing:
            for state in lineage.get_step_runs(parent):
                step_run = state.step_run
                if (step_run.step, step_run.map_index) in missing:
                    call = StepCall(manifest=manifest, step=step_run.step, run=run, map_index=step_run.map_index)
                    reuse_step(call, workspace, state)
    except StoreError as error:
        _log.warning("what the run before had done is not recorded: %s", error.message)


def _chosen_by(manifest: PipelineManifest, step_keys: Sequence[str]) -> Callable[[str, int | None], bool]:
    """Whether a step run belongs to what Dagster runs: `OP`, `OP[PART]`, or `OP[?]` where the parts are not known."""
    from zen_dagster.lowering import RESERVED

    names = [name for name, step in manifest.steps.items() if step.kind != "hook"]
    op_by_step = target_identifiers(names, reserved=RESERVED)
    keys = frozenset(step_keys)

    def is_chosen(step: str, index: int | None) -> bool:
        op = op_by_step.get(step, step)
        part = "" if index is None else f"[{index // manifest.steps[step].chunk}]"
        return f"{op}{part}" in keys or f"{op}[?]" in keys

    return is_chosen


def _wait(find_missing: Callable[[], set[StepRun]], missing: set[StepRun], patience_seconds: float) -> set[StepRun]:
    """Wait while another op records what was kept; what is left when nothing comes any more."""
    deadline = time.monotonic() + patience_seconds
    while missing and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = find_missing()
        if left != missing:
            deadline = time.monotonic() + patience_seconds
        missing = left
    return missing
