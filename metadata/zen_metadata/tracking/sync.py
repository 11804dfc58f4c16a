"""Projects what is pending to MLflow. A server that is away ends the pass with the first call that it does not answer.

Imports neither MLflow nor SQLAlchemy until there is something to do.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from zen_core.contract.settings import Settings
from zen_core.errors import TrackingError
from zen_metadata.tracking.locks import drain_turn
from zen_metadata.tracking.outbox import Stop, SyncReport, count_pending

if TYPE_CHECKING:
    from zen_metadata.tracking.drain import Drain


def sync(
    settings: Settings,
    *,
    run_id: str | None = None,
    wait: bool = True,
    only_due: bool = False,
    stop: Stop | None = None,
) -> SyncReport:
    """Project all pending facts, or those of one run, exactly once, whoever else does the same.

    An MLflow that is not installed, not set or not reachable is no error: the report says so, and the rows
    stay.

    Args:
        settings: `lineage_url`, `mlflow_tracking_uri` and `project` count.
        run_id: only this run's facts.
        wait: wait for another process that projects at the moment; else leave the work to it.
        only_due: leave out what MLflow refused lately: it is tried again when its age has doubled.
        stop: ends the work between two steps, and the waiting.

    Raises:
        StoreError: the lineage store cannot be read.
    """
    from zen_metadata.lineage.sql import open_lineage_store
    from zen_metadata.tracking.drain import MLFLOW, Drain
    from zen_metadata.tracking.mlflow import MlflowTracker

    stop = stop or Stop()
    with closing(open_lineage_store(settings.lineage_url)) as store:
        pending = count_pending(store, MLFLOW, settings.project, run_id)
        obstacle = find_obstacle(settings) if pending else ""
        if not pending or obstacle:
            is_trouble = obstacle and _is_asked_for(settings)
            return SyncReport(0, pending, error=obstacle if is_trouble else "", note="" if is_trouble else obstacle)
        tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.project)
        drain = Drain(store, tracker, only_due, stop)
        started, error = store.read_clock(), ""
        with drain_turn(settings.lineage_url, settings.project, MLFLOW, wait=wait, stop=stop) as is_ours:
            if is_ours:
                try:
                    drain.run(run_id)
                except TrackingError as failure:
                    error = str(failure)
        lost = tracker.made_experiment and store.has_projected(settings.project, MLFLOW, before=started)
        left = count_pending(store, MLFLOW, settings.project, run_id)
    error = error or next(iter(drain.refused.values()), "")
    return SyncReport(drain.projected, left, len(drain.refused), error, _describe(drain, lost=lost))


def find_obstacle(settings: Settings) -> str:
    """Why nothing can be projected under these settings, for people; "" when it can be tried."""
    from zen_metadata.tracking.mlflow import mlflow_is_installed

    if not settings.mlflow_tracking_uri:
        return "no MLflow is set: give MLFLOW_TRACKING_URI, or mlflow_tracking_uri in zen.toml"
    if not mlflow_is_installed():
        return "MLflow is not installed here: pip install 'zen-core[mlflow]'"
    own = replace(settings, mlflow_tracking_uri="").with_local_defaults().mlflow_tracking_uri
    if settings.mlflow_tracking_uri == own and not settings.lineage_url.startswith("sqlite"):
        return (
            "no MLflow is set, and the runs of a shared lineage store are not projected to this machine's own: "
            "give MLFLOW_TRACKING_URI, or mlflow_tracking_uri in zen.toml"
        )
    return ""


def _is_asked_for(settings: Settings) -> bool:
    """Whether somebody set an MLflow, so that not reaching it is a failure; else it is only worth saying."""
    own = replace(settings, mlflow_tracking_uri="").with_local_defaults().mlflow_tracking_uri
    return settings.mlflow_tracking_uri not in ("", own)


def _describe(drain: Drain, *, lost: bool) -> str:
    """What was found in MLflow that people should know."""
    said = []
    if drain.remade:
        said.append(f"MLflow did not know {len(drain.remade)} runs that it had shown: they were made again, whole")
    if lost:
        said.append(
            "the MLflow experiment was not there, although it had shown runs: those that ended are not made again by "
            "themselves; `zen sync --again all` does it"
        )
    if drain.deleted:
        said.append(
            f"{len(drain.deleted)} runs were deleted in MLflow and stay so: `mlflow runs restore --run-id ID` first"
        )
    return "; ".join(said)
