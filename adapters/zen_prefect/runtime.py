"""What an emitted Prefect task calls: reads Prefect's context, and takes the step down the shim's road.

Imported inside tasks and hooks only. All tasks of a flow run are threads of one process: they share one session,
with the stores opened once and the code unpacked once, which the hook at the end of the flow closes.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import load_settings
from zen_core.errors import ShimError, StepSkipped, StoreError
from zen_metadata.lineage.records import RunRecord, StepRunState
from zen_metadata.shim.calls import RunningStep, StepCall, refs_of
from zen_metadata.shim.credentials import MissingCredentialError, apply_credentials
from zen_metadata.shim.mapping import run_elements
from zen_metadata.shim.run_step import run_step as run_in_shim
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.sidecar import open_sidecar
from zen_metadata.shim.standing import UpstreamFailedError
from zen_metadata.shim.termination import record_termination
from zen_metadata.shim.workspace import Workspace, open_workspace
from zen_prefect.shielding import unshield

_log = logging.getLogger("zen")
_DONE = ("completed", "cached")


@dataclass
class _Session:
    """What the tasks of one flow run in this process share.

    Attributes:
        done: the step runs that completed when this flow run was going on before, without those of maps; empty the
            first time.
        running: the attempts that are going on, by task.
        places: one for each step that may work at the same time, where the threads do not limit it.
        stopping: set when this process is about to be ended; no further step begins.
    """

    manifest: PipelineManifest
    workspace: Workspace
    code_root: Path | None
    run: RunRecord
    done: Mapping[str, StepRunState] = field(default_factory=dict)
    running: dict[str, RunningStep] = field(default_factory=dict)
    places: AbstractContextManager[Any] = field(default_factory=nullcontext)
    stopping: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Record what is going on as cancelled, and the run too: this process is about to be ended."""
        self.stopping.set()
        for running in list(self.running.values()):
            running.cancel()
        try:
            self.workspace.lineage.end_run(self.run.run_id, "cancelled")
        except StoreError as error:
            _log.warning("the run is not recorded as cancelled: %s", error.message)


_sessions: dict[tuple[str, int], _Session] = {}
_lock = threading.Lock()


def start_run() -> None:
    """Make sure that an end of this process from outside is recorded. Prefect calls it as a hook in the main thread."""
    record_termination(_cancel_all)


def _cancel_all() -> None:
    for session in list(_sessions.values()):
        session.cancel()


Refs = Mapping[str, Mapping[str, Any] | None]
"""What the upstream tasks returned, by step; None for one that was skipped."""


def run_step(
    flow_file: str,
    ir_digest: str,
    step: str,
    upstream: Refs,
    credentials: Mapping[str, str] | None = None,
    *,
    at_once: int | None = None,
) -> Any:
    """Run one step of the flow run that this Prefect task belongs to.

    Args:
        flow_file: the emitted module; manifest and code lie in the folder beside it.
        ir_digest: the IR that it was made from.
        step: the step's name.
        upstream: what the upstream tasks returned, by step.
        credentials: the Secret block that holds the value of an environment variable, by variable.
        at_once: how many steps of a flow run may work at the same time; None: as many as there are threads.

    Returns:
        The refs by output name, where the step was executed now. Else a state, by which Prefect shows it as `Cached`;
        or, where the rules of the pipeline keep it from running, as `Skipped` or `NotReady`.
    """
    session, call = _begin(flow_file, ir_digest, step, upstream, credentials, at_once)
    earlier = session.done.get(step)
    if earlier is not None and session.workspace.is_whole(earlier):
        return _completed("Cached", "completed earlier in this run", refs_of(earlier.outputs))
    with _working(session, call) as outcome:
        result = run_in_shim(call, session.workspace)
        refs = {name: dict(ref) for name, ref in result.refs.items()}
        done_before = "done before, for the same inputs and code"
        outcome.value = _completed("Cached", done_before, refs) if result.status == "cached" else refs
    return outcome.value


def run_part(
    flow_file: str,
    ir_digest: str,
    step: str,
    part: int,
    upstream: Refs,
    credentials: Mapping[str, str] | None = None,
    *,
    at_once: int | None = None,
) -> Any:
    """Run the elements of one part of a map, each a step run of its own. Arguments as those of `run_step`.

    Returns:
        Nothing: what the elements made is in the lineage store. Or a state, as `run_step`.
    """
    session, call = _begin(flow_file, ir_digest, step, upstream, credentials, at_once)
    with _working(session, call) as outcome:
        run_elements(call, session.workspace, chunk=part)
    return outcome.value


def _begin(
    flow_file: str,
    ir_digest: str,
    step: str,
    upstream: Refs,
    credentials: Mapping[str, str] | None,
    at_once: int | None,
) -> tuple[_Session, StepCall]:
    """The session of the flow run that this task belongs to, and the call of its step."""
    from prefect.context import FlowRunContext, TaskRunContext
    from prefect.logging import get_run_logger

    flow_context, task_context = FlowRunContext.get(), TaskRunContext.get()
    if flow_context is None or flow_context.flow_run is None or task_context is None:
        raise ShimError(
            f"the task of step {step!r} was called outside a flow run", hint="run the flow that this task belongs to"
        )
    flow_run, task_run = flow_context.flow_run, task_context.task_run
    session = _session(flow_file, ir_digest, flow_run, flow_context.parameters or {}, credentials or {}, at_once)
    logger, task_run_id = get_run_logger(), str(task_run.id)

    def started(running: RunningStep) -> None:
        session.running[task_run_id] = running
        if session.stopping.is_set():  # since it was looked at
            running.cancel()

    return session, StepCall(
        manifest=session.manifest,
        step=step,
        run=session.run,
        upstream={name: refs for name, refs in upstream.items() if refs},
        # When Prefect starts the flow run again, it counts the attempts at its tasks anew.
        number=task_run.run_count + max(int(flow_run.run_count or 0) - 1, 0),
        code_root=session.code_root,
        log_url=_page("task-run", task_run_id),
        engine={"flow_run_id": str(flow_run.id), "task_run_id": task_run_id, "run_count": task_run.run_count},
        on_output=lambda text: logger.info("%s", session.workspace.mask(text)),
        on_start=started,
    )


@dataclass
class _Outcome:
    """What a task returns."""

    value: Any = None


@contextmanager
def _working(session: _Session, call: StepCall) -> Iterator[_Outcome]:
    """One of the places of those that work; a step that by the rules does not run ends it in a state of Prefect's."""
    from prefect.states import State, StateType

    outcome = _Outcome()
    with session.places:
        if session.stopping.is_set():
            raise CancelledError("the flow run is being cancelled")
        try:
            yield outcome
        except StepSkipped as skipped:
            outcome.value = _completed("Skipped", str(skipped), {})
        except UpstreamFailedError as error:
            # As where Prefect itself sees it: not a failure of this task, which no retry could mend.
            outcome.value = State(type=StateType.PENDING, name="NotReady", message=error.message)
        finally:
            session.running.pop(call.engine["task_run_id"], None)


def end_run(
    flow_file: str, ir_digest: str, flow_run: Any, state: Any, credentials: Mapping[str, str] | None = None
) -> None:
    """Close the run: replay what was spooled, record how it ended, run the hooks, and say what came out.

    Prefect calls it as a hook: in the flow's process, or where that is gone in the worker's.
    """
    from prefect.logging.loggers import flow_run_logger

    from zen_metadata.shim.closing import close_run
    from zen_prefect.report import report_outputs

    session = _session(flow_file, ir_digest, flow_run, flow_run.parameters, credentials or {})
    try:
        cancelled = state.is_cancelling() or state.is_cancelled()
        logger = flow_run_logger(flow_run)
        close_run(
            session.workspace,
            session.run,
            session.manifest,
            code_root=session.code_root,
            on_output=lambda step, text: logger.info("%s: %s", step, session.workspace.mask(text)),
            pass_output=False,
            log_url=_page("flow-run", flow_run.id),
            cancelled=cancelled,
        )
        report_outputs(session.workspace, session.run, flow_run.id)
    except StoreError as error:
        _log.warning("the run is not closed: %s; `zen sync` does it later", error.message)
    finally:
        with _lock:
            _sessions.pop(_key(flow_run), None)
        session.workspace.close()


def _session(
    flow_file: str,
    ir_digest: str,
    flow_run: Any,
    parameters: Mapping[str, Any],
    credentials: Mapping[str, str],
    at_once: int | None = None,
) -> _Session:
    """The session of a flow run; a flow run that Prefect starts again has a new one."""
    key = _key(flow_run)
    with _lock:
        found = _sessions.get(key)
        if found is None:
            for other in [item for item in _sessions if item[0] == key[0]]:  # before Prefect started the flow run again
                _sessions.pop(other).workspace.close()
            found = _sessions[key] = _open_session(flow_file, ir_digest, flow_run, parameters, credentials)
            if at_once is not None:
                found.places = threading.BoundedSemaphore(at_once)
        return found


def _key(flow_run: Any) -> tuple[str, int]:
    return str(flow_run.id), int(flow_run.run_count or 0)


def _open_session(
    flow_file: str, ir_digest: str, flow_run: Any, parameters: Mapping[str, Any], credentials: Mapping[str, str]
) -> _Session:
    apply_credentials(credentials, _read_secret)
    # The address of the artifact store is needed before the bundle with the project's settings is there.
    beside = Path(flow_file).with_suffix(".zen")
    manifest, code_root = open_sidecar(beside, ir_digest, os.environ.get("ZEN_ARTIFACT_URL", ""))
    _give_back_module_name(flow_file)
    settings = load_settings(code_root)
    tick = datetime.fromisoformat((flow_run.expected_start_time or flow_run.start_time).isoformat())
    run = new_run(
        manifest,
        settings,
        orchestrator="prefect",
        run_key=str(flow_run.id),
        overrides={name: unshield(parameters[name]) for name in manifest.parameters if name in parameters},
        tick=tick,
        scheduled_at=tick if flow_run.auto_scheduled else None,
        run_url=_page("flow-run", flow_run.id),
        engine={
            "flow_run_id": str(flow_run.id),
            "flow_run_name": flow_run.name,
            "deployment_id": str(flow_run.deployment_id or ""),
        },
    )
    workspace = open_workspace(settings, remote=True)
    session = _Session(manifest, workspace, code_root, run)
    if (flow_run.run_count or 0) > 1:
        session.done = _completed_steps(workspace, run)
    return session


def _give_back_module_name(flow_file: str) -> None:
    """Prefect loads `churn.py` as the module `churn`, which is often what the user's own module is called, too."""
    name = Path(flow_file).stem
    if getattr(sys.modules.get(name), "__file__", None) == flow_file:
        sys.modules[f"zen_flow_{name}"] = sys.modules.pop(name)


def _completed_steps(workspace: Workspace, run: RunRecord) -> Mapping[str, StepRunState]:
    """What need not be done again in a flow run that Prefect starts again; nothing while the store is away."""
    lineage = workspace.lineage_if_there
    if lineage is None:
        return {}
    try:
        states = lineage.get_step_runs(run.run_id)
        # The elements of a map are found one by one when their task runs.
        return {
            state.step_run.step: state
            for state in states
            if state.status in _DONE and state.step_run.map_index is None and state.step_run.kind != "hook"
        }
    except StoreError as error:
        _log.warning("what this run has done before is not known: %s", error.message)
        return {}


def _read_secret(block: str) -> str:
    from prefect.blocks.system import Secret

    try:
        return str(Secret.load(block, _sync=True).get())
    except ValueError as error:
        raise MissingCredentialError(f"Prefect has no Secret block {block!r}") from error


def _completed(name: str, why: str, refs: Mapping[str, Any]) -> Any:
    """A completed state under a name that Prefect shows."""
    from prefect.states import Completed

    return Completed(name=name, message=why, data=dict(refs))


def _page(kind: str, identifier: Any) -> str:
    """The page of a run in Prefect's UI; "" where Prefect does not know its own address."""
    from prefect.settings import get_current_settings

    url = get_current_settings().ui_url
    return f"{url}/runs/{kind}/{identifier}" if url else ""
