"""The MLflow run of an attempt whose step calls MLflow itself, opened around the user's code."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from zen_core.contract.settings import Settings
from zen_metadata.lineage.records import RunRecord
from zen_metadata.shim.work import Work

if TYPE_CHECKING:
    from zen_metadata.lineage.store import LineageStore


def user_run_of(
    settings: Settings, store: LineageStore | None, run: RunRecord, work: Work, attempt_id: str
) -> AbstractContextManager[str | None]:
    """A context in which the user's `mlflow.start_run()`, `log_metric` and autolog land in the attempt's run.

    Gives the run's id; without a tracking address it does nothing, and MLflow is what it would be without Zen.
    """
    if not settings.mlflow_tracking_uri:
        return nullcontext()
    from zen_metadata.tracking.user_runs import open_user_run

    return open_user_run(
        settings,
        store,
        run,
        step=work.step.name,
        attempt_id=attempt_id,
        attempt_number=work.attempt_number,
        map_index=work.map_index,
    )
