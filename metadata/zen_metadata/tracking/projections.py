"""All projections of the lineage store, each with an outbox, a lock and a report of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from zen_core.contract.settings import Settings
from zen_metadata.tracking import sync as mlflow
from zen_metadata.tracking.outbox import Stop, SyncReport

CLOSING_SECONDS = 30.0
"""How long a closing task projects, unless `mlflow_sync = "wait"`: others wait for its worker."""


class Sync(Protocol):
    """Projects what is pending: see `zen_metadata.tracking.sync.sync`."""

    def __call__(
        self,
        settings: Settings,
        *,
        run_id: str | None = None,
        wait: bool = True,
        only_due: bool = False,
        stop: Stop | None = None,
    ) -> SyncReport:
        """Project all pending facts, or those of one run."""


def projections_of(settings: Settings) -> Mapping[str, Sync]:
    """Those of a project, by their name in the outbox: MLflow, and what its settings name besides."""
    found: dict[str, Sync] = {"mlflow": mlflow.sync}
    if settings.openlineage:
        from zen_metadata.tracking.openlineage.sync import sync as openlineage

        found["openlineage"] = openlineage
    return found


def has_projections(settings: Settings) -> bool:
    """Whether anything can be projected under these settings; `zen sync` says what is in the way."""
    return settings.openlineage or not mlflow.find_obstacle(settings)


def sync_projections(settings: Settings, *, only_due: bool = False, stop: Stop | None = None) -> dict[str, SyncReport]:
    """Bring all projections up to date; one that is away, or refuses, holds up no other.

    Raises StoreError when the lineage store cannot be read.
    """
    return {name: project(settings, only_due=only_due, stop=stop) for name, project in projections_of(settings).items()}


def hand_on(settings: Settings, run_id: str) -> dict[str, SyncReport]:
    """Project a run that has ended, and with the time that is left what an outage left of others.

    For a closing task: it takes at most `CLOSING_SECONDS` and one call that nobody answers, and leaves the rest to the
    next one or to `zen sync`. Raises StoreError.
    """
    stop = Stop(None if settings.mlflow_sync == "wait" else CLOSING_SECONDS)
    reports = {}
    for name, project in projections_of(settings).items():
        if name == "mlflow" and not settings.mlflow_tracking_uri:
            continue  # a task takes no MLflow of its own
        report = project(settings, run_id=run_id, stop=stop)
        if not report.error and not stop.requested:
            rest = project(settings, only_due=True, stop=stop)
            report = SyncReport(
                report.projected + rest.projected, rest.pending, rest.failed, rest.error, report.note or rest.note
            )
        reports[name] = report
    return reports
