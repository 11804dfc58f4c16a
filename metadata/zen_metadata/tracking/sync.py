"""Projects what is pending to MLflow: now (`sync`), or in a process of its own (`start_background_sync`).

Imports neither MLflow nor SQLAlchemy until there is something to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from zen_core.contract.settings import Settings, load_settings
from zen_core.errors import TrackingError
from zen_metadata.tracking.locks import drain_lock, take_file_lock

_LOCK_FILE = "sync.lock"
_LOG_FILE = "sync.log"


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did. Rows are facts (an attempt or a run ended) that MLflow is to show.

    Attributes:
        projected: rows that MLflow shows now.
        pending: rows that are still to be projected.
        failed: those among them that MLflow refused.
        error: why rows are left, for people; "" when nothing is wrong.
    """

    projected: int
    pending: int
    failed: int = 0
    error: str = ""


def sync(settings: Settings, *, run_id: str | None = None, wait: bool = True) -> SyncReport:
    """Project all pending facts, or those of one run, exactly once, whoever else does the same.

    An MLflow that is not installed, not set or not reachable is no error: the report says so, and the rows
    stay.

    Args:
        settings: `lineage_url`, `mlflow_tracking_uri` and `project` count.
        run_id: only this run's facts.
        wait: wait for another process that projects at the moment; else leave the work to it.

    Raises:
        StoreError: the lineage store cannot be read.
    """
    from zen_metadata.lineage.sql import open_lineage_store
    from zen_metadata.tracking.drain import Drain, find_pending
    from zen_metadata.tracking.mlflow import MlflowTracker

    with closing(open_lineage_store(settings.lineage_url)) as store:
        pending = len(find_pending(store, settings.project, run_id))
        obstacle = find_obstacle(settings)
        if pending == 0 or obstacle:
            return SyncReport(0, pending, error=obstacle if pending else "")
        with drain_lock(settings.lineage_url, settings.project, wait=wait) as is_ours:
            if not is_ours:
                return SyncReport(0, pending)
            drain = Drain(store, MlflowTracker(settings.mlflow_tracking_uri, settings.project))
            error = ""
            try:
                drain.run(run_id)
            except TrackingError as failure:
                error = str(failure)
        left = len(find_pending(store, settings.project, run_id))
    return SyncReport(drain.projected, left, len(drain.refused), error or next(iter(drain.refused.values()), ""))


def start_background_sync(settings: Settings) -> bool:
    """Start a process that projects what is pending and then ends; answer whether one was started.

    At most one per project is at work: it looks again after its last fact, so that a run which ends meanwhile
    needs none of its own. It belongs to no terminal, inherits nothing but its lock, and writes to
    `.zen/sync.log`.
    """
    lock = take_file_lock(settings.state_folder / _LOCK_FILE, wait=False)
    if lock is None:
        return False
    try:
        with (settings.state_folder / _LOG_FILE).open("wb") as log:
            process = subprocess.Popen(
                # -P: a module of the project that is called like one of the standard library is not imported.
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "zen_metadata.tracking.sync",
                    str(lock),
                    str(settings.state_folder),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
                env={
                    **os.environ,
                    "ZEN_PROJECT": settings.project,
                    "ZEN_LINEAGE_URL": settings.lineage_url,
                    "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
                },
            )
    finally:
        os.close(lock)  # the child holds it from here on
    # Waited for, so that a session which lives long (a notebook) leaves no dead process behind.
    threading.Thread(target=process.wait, daemon=True, name="zen-background-sync").start()
    return True


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


def _main(arguments: Sequence[str]) -> int:
    """The background process: `LOCK_DESCRIPTOR STATE_FOLDER`, all else from the environment."""
    lock: int | None = int(arguments[0])
    settings = load_settings(None, environ={**os.environ, "ZEN_STACK": ""})
    report = SyncReport(0, 0)
    while lock is not None:
        report = sync(settings)
        os.close(lock)
        # A run that ended while the lock was held started no process: its facts are left to this one.
        lock = take_file_lock(Path(arguments[1]) / _LOCK_FILE, wait=False) if _has_more(settings, report) else None
    print(report)
    return 1 if report.error else 0


def _has_more(settings: Settings, report: SyncReport) -> bool:
    from zen_metadata.lineage.sql import open_lineage_store
    from zen_metadata.tracking.drain import find_pending

    with closing(open_lineage_store(settings.lineage_url)) as store:
        return not report.error and bool(find_pending(store, settings.project))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
