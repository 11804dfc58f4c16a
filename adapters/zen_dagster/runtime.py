"""What an emitted Dagster op calls: reads Dagster's context, and takes the step down the shim's road.

Imported inside ops only. Dagster has no call at the end of a run: whoever ends the last step closes the run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from zen_core.contract.bindings import iter_outputs
from zen_core.contract.identity import RunIdentity
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import Settings, load_settings
from zen_dagster.reexecution import take_over
from zen_metadata.lineage.records import RunRecord
from zen_metadata.shim.closing import close_if_over
from zen_metadata.shim.elements import find_result
from zen_metadata.shim.mapping import run_elements, tasks_of
from zen_metadata.shim.run_step import StepCall, StepResult, refs_of
from zen_metadata.shim.run_step import run_step as run_in_shim
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.sidecar import open_sidecar
from zen_metadata.shim.workspace import Workspace, open_workspace

_DONE = ("completed", "cached")
NO_PARTS = "none"
"""The mapping key that stands for an empty list: without any, Dagster would skip what collects the map."""
SCHEDULED_TIME = ".dagster/scheduled_execution_time"
"""The tag that holds the tick of a scheduled run; Dagster does not show it."""


def run_step(file: str, ir_digest: str, context: Any, step: str) -> None:
    """Run one step of the run that this op belongs to.

    Args:
        file: the emitted module; manifest and code lie in the folder beside it.
        ir_digest: the IR that it was made from.
        context: the op's context.
        step: the step's name.
    """
    with _opened(file, ir_digest, context, step) as (call, workspace):
        context.add_output_metadata(_metadata(run_in_shim(call, workspace)))


def ask(file: str, ir_digest: str, context: Any, gate: str) -> bool:
    """Whether a condition holds. Arguments as those of `run_step`."""
    with _opened(file, ir_digest, context, gate) as (call, workspace):
        answer = bool(run_in_shim(call, workspace).refs["taken"]["value"])
    context.log.info("%s answers %s", gate, "yes" if answer else "no")
    return answer


def expand(file: str, ir_digest: str, context: Any, expander: str) -> list[str]:
    """Begin a map: the mapping keys of its parts. Arguments as those of `run_step`."""
    with _opened(file, ir_digest, context, expander) as (call, workspace):
        steps = call.manifest.steps.values()
        chunk = next(step.chunk for step in steps if step.expander == expander)
        return [str(part) for part in tasks_of(run_in_shim(call, workspace).refs, chunk)] or [NO_PARTS]


def run_part(file: str, ir_digest: str, context: Any, step: str) -> None:
    """Run the elements of one part of a map, each a step run of its own. Arguments as those of `run_step`."""
    part = context.get_mapping_key()
    if part == NO_PARTS:
        return
    with _opened(file, ir_digest, context, step) as (call, workspace):
        run_elements(call, workspace, chunk=int(part))


@contextmanager
def _opened(file: str, ir_digest: str, context: Any, step: str) -> Iterator[tuple[StepCall, Workspace]]:
    """The call of a step, and the stores that it runs on; afterwards the run is closed, if nothing is left of it."""
    _give_back_module_name(file)
    # The address of the artifact store is needed before the bundle with the project's settings is there.
    beside = Path(file).with_suffix(".zen")
    manifest, code_root = open_sidecar(beside, ir_digest, os.environ.get("ZEN_ARTIFACT_URL", ""))
    settings = load_settings(code_root)
    run = _run_record(manifest, settings, context)
    workspace = open_workspace(settings, remote=True)
    try:
        if context.run.parent_run_id and context.run.step_keys_to_execute:
            take_over(manifest, run, context.run.step_keys_to_execute, workspace)
        try:
            yield (
                StepCall(
                    manifest=manifest,
                    step=step,
                    run=run,
                    upstream=_upstream(manifest, step, workspace, run.run_id),
                    number=context.retry_number + 1,
                    code_root=code_root,
                    log_url=_page(context.run_id, f"?selection={step}"),
                    engine={
                        "run_id": context.run_id,
                        "job": context.job_name,
                        "step_key": context.get_step_execution_context().step.key,
                        "retry_number": context.retry_number,
                    },
                    on_output=lambda text: context.log.info("%s", workspace.mask(text)),
                    interrupts=_interrupts(),
                ),
                workspace,
            )
        finally:
            close_if_over(workspace, run, manifest, code_root=code_root)
    finally:
        workspace.close()


def _give_back_module_name(file: str) -> None:
    """`dagster dev -f churn.py` loads the file as the module `churn`, which the user's own module is often called."""
    name = Path(file).stem
    if getattr(sys.modules.get(name), "__file__", None) == file:
        sys.modules[f"zen_job_{name}"] = sys.modules.pop(name)


def _upstream(
    manifest: PipelineManifest, step: str, workspace: Workspace, run_id: str
) -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """What the steps before have made, as the lineage store has it: Dagster hands over nothing."""
    found: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    read = {output.step for item in manifest.steps[step].inputs for output in iter_outputs(item.binding)}
    for name in sorted(read):
        if not manifest.steps[name].expander:
            result = find_result(workspace, run_id, name)
            if result is not None and result.status in _DONE:
                found[name] = refs_of(result.outputs)
    return found


def _run_record(manifest: PipelineManifest, settings: Settings, context: Any) -> RunRecord:
    run = context.run
    made_at, scheduled_at = _times(context)
    resources = (run.run_config or {}).get("resources") or {}
    values = (resources.get("parameters") or {}).get("config") or {}
    record = new_run(
        manifest,
        settings,
        orchestrator="dagster",
        run_key=run.run_id,
        overrides={name: values[name] for name in manifest.parameters if name in values},
        tick=scheduled_at or made_at,
        scheduled_at=scheduled_at,
        run_url=_page(run.run_id),
        engine={"run_id": run.run_id, "job": run.job_name},
    )
    if not run.parent_run_id:
        return record
    parent = RunIdentity(record.project, record.deployment, record.pipeline, run.parent_run_id)
    return replace(record, parent_run_id=parent.run_id)


def _times(context: Any) -> tuple[datetime, datetime | None]:
    """When the run was made, as Dagster knows it, and the tick of its schedule: the same in every op.

    A re-execution stands for what its first run stood for, unless that one is deleted.
    """
    of_run = (context.instance.get_run_record_by_id(run_id) for run_id in (context.run.root_run_id, context.run_id))
    record = next(found for found in of_run if found is not None)
    given = record.dagster_run.tags.get(SCHEDULED_TIME)
    return record.create_timestamp, datetime.fromisoformat(given) if given else None


def _metadata(result: StepResult) -> dict[str, Any]:
    """What Dagster's page of the op shows."""
    digests = {f"zen/{name}": ref["digest"] for name, ref in result.refs.items()}
    return {"zen/cache": "hit" if result.status == "cached" else "miss", **digests}


def _interrupts() -> tuple[type[BaseException], ...]:
    from dagster._core.errors import DagsterExecutionInterruptedError

    return KeyboardInterrupt, DagsterExecutionInterruptedError


def _page(run_id: str, rest: str = "") -> str:
    """The page of a run; "" where nobody said where Dagster's webserver is."""
    address = os.environ.get("ZEN_DAGSTER_URL", "")
    return f"{address.rstrip('/')}/runs/{run_id}{rest}" if address else ""
