"""What an emitted Airflow task calls: reads Airflow's context, and takes the step down the shim's road.

Imported inside task functions only. Works in Airflow 2.11 and 3.x.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from zen_airflow.versions import TESTED
from zen_core.adapter.versions import find_untested, is_tested
from zen_core.contract.bindings import EitherBinding, iter_leaves
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import Settings, load_settings
from zen_core.errors import StepSkipped
from zen_metadata.lineage.records import RunRecord
from zen_metadata.shim.mapping import run_elements, tasks_of
from zen_metadata.shim.run_step import StepCall
from zen_metadata.shim.run_step import run_step as run_in_shim
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.sidecar import open_sidecar
from zen_metadata.shim.standing import UpstreamFailedError
from zen_metadata.shim.workspace import Workspace, open_workspace

_log = logging.getLogger("zen")
_TICKING = frozenset({"scheduled", "backfill"})
"""The types of runs that stand for a tick of the schedule."""
_BROKEN = frozenset({"failed", "upstream_failed"})

Refs = Mapping[str, Mapping[str, Any]]
"""What the upstream tasks returned, by step; None for one that was skipped."""


def run_step(
    dag_file: str, ir_digest: str, step: str, upstream: Refs, credentials: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run one step of the run that this Airflow task belongs to.

    Args:
        dag_file: the emitted DAG file; manifest and code lie in the folder beside it.
        ir_digest: the IR that it was made from.
        step: the step's name.
        upstream: what the upstream tasks returned, by step.
        credentials: the Connection or Variable that holds the value of an environment variable, by variable.

    Returns:
        The refs by output name: what goes into the XCom.

    Raises:
        AirflowSkipException: by the rules of the pipeline the step does not run.
    """
    with _opened(dag_file, ir_digest, step, upstream, credentials) as (call, workspace):
        result = run_in_shim(call, workspace)
    return {name: dict(ref) for name, ref in result.refs.items()}


def ask(dag_file: str, ir_digest: str, gate: str, upstream: Refs, credentials: Mapping[str, str] | None = None) -> bool:
    """Whether a condition holds. Arguments as those of `run_step`."""
    return bool(run_step(dag_file, ir_digest, gate, upstream, credentials)["taken"]["value"])


def expand(
    dag_file: str, ir_digest: str, expander: str, upstream: Refs, credentials: Mapping[str, str] | None = None
) -> list[int]:
    """Begin a map: the numbers of its parts, which Airflow maps over. Arguments as those of `run_step`.

    Raises:
        MapError: what is mapped is no list, the lists differ in length, or there are more parts than Airflow takes.
    """
    with _opened(dag_file, ir_digest, expander, upstream, credentials) as (call, workspace):
        steps = call.manifest.steps.values()
        chunk = next(step.chunk for step in steps if step.expander == expander)
        limited = replace(call, max_elements=_max_map_length() * chunk, limit_name="[core] max_map_length")
        return list(tasks_of(run_in_shim(limited, workspace).refs, chunk))


def run_part(
    dag_file: str,
    ir_digest: str,
    step: str,
    part: int,
    upstream: Refs,
    credentials: Mapping[str, str] | None = None,
) -> None:
    """Run the elements of one part of a map, each a step run of its own. Arguments as those of `run_step`."""
    with _opened(dag_file, ir_digest, step, upstream, credentials) as (call, workspace):
        run_elements(call, workspace, chunk=part)


@contextmanager
def _opened(
    dag_file: str, ir_digest: str, step: str, upstream: Refs, credentials: Mapping[str, str] | None
) -> Iterator[tuple[StepCall, Workspace]]:
    """The call of a step, and the stores that it runs on. That a step does not run is said in Airflow's words."""
    context = _current_context()
    task_instance = context["ti"]
    manifest, settings, code_root = _prepare(dag_file, ir_digest, credentials)
    workspace = open_workspace(settings, remote=True)
    try:
        yield (
            StepCall(
                manifest=manifest,
                step=step,
                run=_run_record(manifest, settings, context),
                upstream=_handed_over(manifest, step, upstream, context),
                look_up=not _is_cleared(task_instance),
                executes_for="cleared",
                own_process=True,
                number=task_instance.try_number,
                code_root=code_root,
                log_url=_log_url(task_instance),
                engine={
                    "dag_id": task_instance.dag_id,
                    "run_id": task_instance.run_id,
                    "task_id": task_instance.task_id,
                    "try_number": task_instance.try_number,
                },
                pass_output=True,
            ),
            workspace,
        )
    except StepSkipped as skipped:
        raise _airflow_exception("AirflowSkipException")(str(skipped)) from None
    except UpstreamFailedError as error:  # no further attempt could mend it
        raise _airflow_exception("AirflowFailException")(str(error)) from error
    finally:
        workspace.close()


def _handed_over(
    manifest: PipelineManifest, step: str, upstream: Refs, context: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """What the upstream tasks returned, without what is left of an earlier attempt at one that is skipped by now.

    When a cleared gate answers the other way round, Airflow keeps the XComs of the branch that ran before.
    """
    found = {name: refs for name, refs in upstream.items() if refs is not None}
    leaves = (leaf for item in manifest.steps[step].inputs for _, leaf in iter_leaves(item.binding))
    options = {option.step for leaf in leaves if isinstance(leaf, EitherBinding) for option in leaf.options}
    if not (asked := sorted(options & found.keys())):
        return found
    skipped = {task for task, state in _task_states(context, asked).items() if state == "skipped"}
    return {name: refs for name, refs in found.items() if name not in skipped}


def _task_states(context: Mapping[str, Any], tasks: Sequence[str] | None = None) -> dict[str, str]:
    """The states of this run's tasks, of all or of some; those of a mapped one under any names."""
    task_instance = context["ti"]
    if hasattr(task_instance, "get_task_states"):  # Airflow 3
        answer = task_instance.get_task_states(
            dag_id=task_instance.dag_id, task_ids=tasks, run_ids=[task_instance.run_id]
        )
        return {task: str(state) for task, state in answer.get(task_instance.run_id, {}).items()}
    found = context["dag_run"].get_task_instances()
    return {
        f"{item.task_id}[{item.map_index}]" if item.map_index >= 0 else item.task_id: str(item.state) for item in found
    }


def _airflow_exception(name: str) -> type[Exception]:
    from airflow import exceptions

    found: type[Exception] = getattr(exceptions, name)
    return found


def _max_map_length() -> int:
    from airflow.configuration import conf

    return int(conf.getint("core", "max_map_length", fallback=1024))


def end_run(dag_file: str, ir_digest: str, credentials: Mapping[str, str] | None = None, *, fail: bool = False) -> None:
    """Close the run: replay what was spooled, record how it ended, run the hooks, and hand it on to MLflow.

    Args:
        fail: fail when the run failed. Airflow looks at the last tasks alone, and where these were skipped it would
            call the run a success.
    """
    from zen_metadata.shim.closing import close_run

    context = _current_context()
    manifest, settings, code_root = _prepare(dag_file, ir_digest, credentials)
    workspace = open_workspace(settings, remote=True)
    try:
        status = close_run(
            workspace,
            _run_record(manifest, settings, context),
            manifest,
            code_root=code_root,
            log_url=_log_url(context["ti"]),
        )
    finally:
        workspace.close()
    if status is None and fail:  # the lineage store is away: Airflow's word counts
        status = "completed" if _BROKEN.isdisjoint(_task_states(context).values()) else "failed"
    if status == "failed" and fail:
        told = "a step of this run failed, or could not run because of one that did"
        raise _airflow_exception("AirflowFailException")(told)


def _prepare(
    dag_file: str, ir_digest: str, credentials: Mapping[str, str] | None
) -> tuple[PipelineManifest, Settings, Path | None]:
    _warn_of_untested_version()
    if credentials:
        from zen_airflow.credentials import read_credential
        from zen_metadata.shim.credentials import apply_credentials

        apply_credentials(credentials, read_credential)
    # The address of the artifact store is needed before the bundle with the project's settings, and so the stacks, is
    # there: it can only come from the environment.
    beside, artifact_url = Path(dag_file).with_suffix(".zen"), os.environ.get("ZEN_ARTIFACT_URL", "")
    manifest, code_root = open_sidecar(beside, ir_digest, artifact_url)
    settings = load_settings(code_root)
    return manifest, settings, code_root


@cache
def _warn_of_untested_version() -> None:
    """Say it in the task's log, once in a process."""
    import airflow

    if is_tested(TESTED, airflow.__version__):
        return
    from zen_airflow.adapter import AirflowAdapter  # brings what only compiling needs

    if (warning := find_untested(AirflowAdapter(), "Airflow", airflow.__version__)) is not None:
        _log.warning("%s", warning.message)


def _run_record(manifest: PipelineManifest, settings: Settings, context: Mapping[str, Any]) -> RunRecord:
    dag_run, task_instance = context["dag_run"], context["ti"]
    scheduled = str(getattr(dag_run.run_type, "value", dag_run.run_type)) in _TICKING
    # A manual run stands for the moment it was asked for: Airflow 3's run_after, and in Airflow 2, where every run has
    # one, the logical date. The start of the run is no such moment, since clearing a task sets it again.
    given = (context.get("logical_date") if scheduled else None) or getattr(dag_run, "run_after", None)
    # Airflow's times are pendulum's, whose arithmetic does not go with the standard library's.
    tick = datetime.fromisoformat((given or context["logical_date"]).isoformat())
    params = context["params"]
    return new_run(
        manifest,
        settings,
        orchestrator="airflow",
        run_key=task_instance.run_id,
        overrides={name: params[name] for name in manifest.parameters if name in params},
        tick=tick,
        scheduled_at=tick if scheduled else None,
        run_url=_run_url(_log_url(task_instance)),
        engine={"dag_id": task_instance.dag_id, "run_id": task_instance.run_id},
    )


def _log_url(task_instance: Any) -> str:
    return str(getattr(task_instance, "log_url", "") or "")


def _run_url(log_url: str) -> str:
    """The page of the run that a task's log is on: `…/runs/RUN/tasks/…` in Airflow 3, `…?dag_run_id=RUN&…` in 2."""
    page, found, _ = log_url.partition("/tasks/" if "/tasks/" in log_url else "&task_id=")
    return page if found else ""


def _is_cleared(task_instance: Any) -> bool:
    """Whether a person cleared the task: Airflow then grants further tries, and wants the step executed."""
    return bool(task_instance.max_tries > (task_instance.task.retries or 0))


def _current_context() -> Mapping[str, Any]:
    try:
        from airflow.sdk import get_current_context
    except ImportError:  # Airflow 2
        from airflow.operators.python import get_current_context
    context: Mapping[str, Any] = get_current_context()
    return context
