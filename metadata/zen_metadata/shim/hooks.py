"""Runs a pipeline's hooks: steps that run after all others, once per run, and that never change how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from zen_core.contract.context import StepFailure
from zen_core.contract.manifest import PipelineManifest, StepManifest
from zen_core.errors import StoreError
from zen_metadata.lineage.records import RunRecord, StepRunState
from zen_metadata.shim.run_step import StepCall, run_step
from zen_metadata.shim.workspace import Workspace

_log = logging.getLogger("zen")
_STATUS_OF = {"failure": "failed", "success": "completed"}
_LOST = "its process ended without a word"


def run_hooks(
    workspace: Workspace,
    run: RunRecord,
    manifest: PipelineManifest,
    status: str,
    *,
    failures: tuple[StepFailure, ...] | None = None,
    code_root: Path | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    on_output: Callable[[str, str], None] | None = None,
    pass_output: bool = True,
    log_url: str = "",
    debug: bool = False,
) -> None:
    """Run the hooks for a run that ended so: those `on="failure"` when it failed, `on="success"` when it completed.

    Each runs once per run, whoever closes it and how often: it is claimed in the lineage store. While the store is
    away nothing can be claimed, and a hook runs rather twice than never. What a hook raises is recorded and logged.

    Args:
        status: the run's; a cancelled one has no hooks.
        failures: what the hooks are told; None takes it from the lineage store.
        code_root: the folder that the code must come from.
        functions: the hooks' functions by entry point, where they are loaded already.
        on_output: told the hook's name and each line that it prints.
        pass_output: whether what it prints also goes to this process's own streams.
        log_url: the orchestrator's own page of the closing task's log.
        debug: run it in this very thread, whatever its timeout.
    """
    wanted = [step for step in manifest.steps.values() if step.kind == "hook" and _STATUS_OF.get(step.on) == status]
    if not wanted:
        return
    if failures is None:
        none: Iterable[StepRunState] = ()
        failures = failures_of(workspace.ask(lambda lineage: lineage.get_step_runs(run.run_id), none)[0])
    for step in wanted:
        try:
            if not _claim(workspace, run, step):
                continue
            run_step(
                StepCall(
                    manifest=manifest,
                    step=step.name,
                    run=run,
                    look_up=False,
                    debug=debug,
                    function=(functions or {}).get(step.entry_point),
                    importable=not step.entry_point.startswith("__main__:"),
                    code_root=code_root,
                    log_url=log_url,
                    on_output=_named(on_output, step.name),
                    pass_output=pass_output,
                    failures=failures,
                ),
                workspace,
            )
        except (Exception, SystemExit) as error:
            _log.error("the hook %r failed: %s", step.name, workspace.mask(f"{type(error).__name__}: {error}"))


def failures_of(states: Iterable[StepRunState]) -> tuple[StepFailure, ...]:
    """What failed in a run, in the order in which it began."""
    return tuple(
        StepFailure(
            state.step_run.step,
            state.step_run.map_index,
            state.error.type if state.error else "",
            state.error.message if state.error else _LOST,
        )
        for state in states
        if state.status in ("failed", "lost") and state.step_run.kind != "hook"
    )


def _claim(workspace: Workspace, run: RunRecord, step: StepManifest) -> bool:
    try:
        return workspace.ask(lambda lineage: lineage.claim_once(f"hook {run.run_id} {step.name}"), True)[0]
    except StoreError as error:
        _log.error("the hook %r does not run: %s", step.name, error.message)
        return False


def _named(tell: Callable[[str, str], None] | None, name: str) -> Callable[[str], None] | None:
    return None if tell is None else lambda text: tell(name, text)
