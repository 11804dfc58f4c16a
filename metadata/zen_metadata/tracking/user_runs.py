"""An MLflow run for a step whose own code uses MLflow, open while that code runs.

    with open_user_run(settings, store, run, step="train", attempt_id=..., attempt_number=1) as mlflow_run_id:
        outputs = function(**inputs)

Used inside the process that runs the user's code, and only where that process runs nothing else at the time:
the run is announced in the environment (MLFLOW_RUN_ID), so that `mlflow.log_metric`, `with
mlflow.start_run():` and autologging resume it, in this thread or another, or in a child process. MLflow
forgets it once it has ended (at the end of the first `with mlflow.start_run():`, or of an autologged fit): a
run that the code starts afterwards is a new one, shown below the attempt's run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from zen_core.contract.identity import step_run_id as step_run_id_of
from zen_core.contract.settings import Settings, without_credentials
from zen_core.errors import StoreUnavailableError, TrackingError
from zen_metadata.lineage.records import RunRecord
from zen_metadata.lineage.store import LineageStore
from zen_metadata.tracking.mlflow import QUIET, MlflowTracker, RunGoneError, bounded_requests, environment
from zen_metadata.tracking.parent_run import LINK, ensure_parent
from zen_metadata.tracking.projection import Projection, attempt_tags, project_run, step_label


@contextmanager
def open_user_run(
    settings: Settings,
    store: LineageStore | None,
    run: RunRecord,
    *,
    step: str,
    attempt_id: str,
    attempt_number: int,
    map_index: int | None = None,
) -> Iterator[str | None]:
    """Open the attempt's MLflow run, make it the one that MLflow resumes, and end it with the user's code.

    Args:
        settings: `mlflow_tracking_uri` counts; without one, nothing is done and None is yielded: the user's
        code
            uses MLflow as it is set up itself.
        store: links the runs; None while it is down.
        run: the run as it is stored.

    Yields:
        The MLflow run's id, for `AttemptEnd.mlflow_run_id`.

    Raises:
        MlflowException: MLflow's own, within seconds, when it is down: the step could not log what it is to
        log.
    """
    if not settings.mlflow_tracking_uri:
        yield None
        return
    tracker = MlflowTracker(settings.mlflow_tracking_uri, run.project)
    label = step_label(step, map_index)
    tags = {
        **attempt_tags(run, step, step_run_id_of(run.run_id, step, map_index), attempt_id, map_index),
        "zen.kind": "attempt",
        "zen.attempt": str(attempt_number),
    }
    name = label if attempt_number == 1 else f"{label} (attempt {attempt_number})"
    try:
        mlflow_run_id = _create(tracker, store, run, name, tags, is_retry=attempt_number > 1)
    except TrackingError as error:
        raise (error.__cause__ or error) from None
    if store:
        store.save_link(LINK, attempt_id, mlflow_run_id)
    with _announced(tracker, mlflow_run_id):
        yield mlflow_run_id


def _create(
    tracker: MlflowTracker,
    store: LineageStore | None,
    run: RunRecord,
    name: str,
    tags: dict[str, str],
    *,
    is_retry: bool,
) -> str:
    parent_projection = project_run(run, "running", None)
    try:
        parent_id, _ = ensure_parent(tracker, store, run, parent_projection)
    except StoreUnavailableError:
        parent_id, _ = ensure_parent(tracker, None, run, parent_projection)
    if is_retry:
        # An attempt whose process was killed could not end its run.
        for earlier in tracker.find_running_attempts(tags["zen.step_run_id"]):
            tracker.set_terminated(earlier, "KILLED")
    projection = Projection(name, "RUNNING", {**tags, "zen.status": "running"}, {}, (), datetime.now(UTC), None)
    return tracker.create(projection, parent_id=parent_id)


@contextmanager
def _announced(tracker: MlflowTracker, mlflow_run_id: str) -> Iterator[None]:
    """Make it the run that MLflow resumes, and afterwards put everything back."""
    import mlflow
    from mlflow.exceptions import MlflowException

    variables = {
        **QUIET,
        "MLFLOW_TRACKING_URI": tracker.tracking_uri,
        "MLFLOW_EXPERIMENT_ID": tracker.experiment_id,
        "MLFLOW_EXPERIMENT_NAME": None,
        "MLFLOW_RUN_ID": mlflow_run_id,
        # Tags of every run that the code makes besides: they belong below this one.
        "MLFLOW_RUN_CONTEXT": json.dumps({"mlflow.parentRunId": mlflow_run_id}),
    }
    status = "FAILED"
    with environment(variables):
        mlflow.set_tracking_uri(tracker.tracking_uri)
        try:
            yield
            status = "FINISHED"
        except MlflowException as error:
            error.add_note(
                f"Zen opened the MLflow run {mlflow_run_id} in the experiment {tracker.experiment!r} at "
                f"{without_credentials(tracker.tracking_uri)} for this step: its code needs neither "
                "set_tracking_uri nor set_experiment"
            )
            raise
        except (KeyboardInterrupt, SystemExit):
            status = "KILLED"
            raise
        finally:
            _end(tracker, mlflow_run_id, status)
            mlflow.set_tracking_uri(None)


def _end(tracker: MlflowTracker, mlflow_run_id: str, status: str) -> None:
    """End what the code left open, and the attempt's run as the attempt ended, whatever the code made of it.

    MLflow may have gone away meanwhile: the attempt's own outcome stands, and the projection ends the run
    later.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    with environment(bounded_requests()):
        while mlflow.active_run() is not None:
            with suppress(MlflowException):
                mlflow.end_run(status)
    with suppress(TrackingError, RunGoneError):
        tracker.set_terminated(mlflow_run_id, status)
