"""The one MLflow run of a pipeline run, which any of its tasks may be the first to need."""

from __future__ import annotations

import uuid

from zen_metadata.lineage.records import RunRecord
from zen_metadata.lineage.store import LineageStore
from zen_metadata.tracking.mlflow import MlflowTracker
from zen_metadata.tracking.projection import Projection

LINK = "mlflow"
"""The tracker's name in the store's links: a run id or step run id leads to the MLflow run's id."""
_CLAIM_SECONDS = 30.0


def ensure_parent(
    tracker: MlflowTracker,
    store: LineageStore | None,
    run: RunRecord,
    projection: Projection,
    *,
    claimant: str | None = None,
) -> tuple[str, bool]:
    """The MLflow run of a pipeline run, and whether it was made just now.

    Parallel tasks get the same one. Without a store (it is down) MLflow alone is asked, and two tasks that
    come at the same instant may make one each; the projection then takes the earlier.

    Args:
        claimant: who asks; the same one may ask again at once, where it does not know what became of its first try.
    """
    tracker.experiment_id  # noqa: B018 - a server that is down is noticed before anything is claimed
    known = None
    if store:
        claimant = claimant or uuid.uuid4().hex
        known = store.claim_link(LINK, run.run_id, claimant=claimant, expires_seconds=_CLAIM_SECONDS)
    if known:
        return known, False
    # An earlier claim may have ended between MLflow's answer and its record.
    found = tracker.find_run(run.run_id)
    mlflow_run_id = found or tracker.create(projection)
    if store:
        store.save_link(LINK, run.run_id, mlflow_run_id)
    if found is None:
        tracker.fill(mlflow_run_id, projection)
    return mlflow_run_id, found is None
