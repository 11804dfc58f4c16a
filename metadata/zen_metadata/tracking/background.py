"""Projects what is pending in a process of its own, so that nobody waits for it.

A projection that is away costs little: after a pass that found it so no process is started for a while, which doubles
with each failure. `zen sync` does not ask for that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from zen_core.contract.settings import Settings, load_settings
from zen_metadata.tracking.locks import take_file_lock
from zen_metadata.tracking.outbox import SyncReport, backoff_seconds, pending_batches
from zen_metadata.tracking.projections import sync_projections

_AWAY_FILE = "sync.away"
"""Holds how many passes in a row found a projection away; its time is the last one's."""
_FIRST_BACKOFF_SECONDS = 15.0
_LOCK_FILE = "sync.lock"
_LOG_FILE = "sync.log"


def start_background_sync(settings: Settings) -> bool:
    """Start a process that projects what is pending and then ends; answer whether one was started.

    At most one per project is at work: it looks again after its last fact, so that a run which ends meanwhile
    needs none of its own. None while a projection was found away shortly before. It belongs to no terminal, inherits
    nothing but its lock, and writes to `.zen/sync.log`.
    """
    if _is_away(settings.state_folder):
        return False
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
                    "zen_metadata.tracking.background",
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
                    "ZEN_ARTIFACT_URL": settings.artifact_url,
                    "ZEN_DATA_ROOT": settings.data_root,
                    "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
                    **({"OPENLINEAGE_URL": settings.openlineage_url} if settings.openlineage_url else {}),
                },
            )
    finally:
        os.close(lock)  # the child holds it from here on
    # Waited for, so that a session which lives long (a notebook) leaves no dead process behind.
    threading.Thread(target=process.wait, daemon=True, name="zen-background-sync").start()
    return True


def _is_away(state_folder: Path) -> bool:
    """Whether a background pass found something away, too short a time ago to look again."""
    path = state_folder / _AWAY_FILE
    try:
        failures, last = int(path.read_text(encoding="ascii")), path.stat().st_mtime
    except (OSError, ValueError):
        return False
    return 0 <= time.time() - last < backoff_seconds(failures, _FIRST_BACKOFF_SECONDS)


def _note_away(state_folder: Path, *, is_away: bool) -> None:
    """Remember that something is away, or forget it."""
    path = state_folder / _AWAY_FILE
    if not is_away:
        path.unlink(missing_ok=True)
        return
    try:
        failures = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        failures = 0
    path.write_text(str(failures + 1), encoding="ascii")


def _main(arguments: Sequence[str]) -> int:
    """The background process: `LOCK_DESCRIPTOR STATE_FOLDER`, all else from the environment."""
    lock: int | None = int(arguments[0])
    state_folder = Path(arguments[1])
    settings = load_settings(None, environ={**os.environ, "ZEN_STACK": ""})
    reports: Mapping[str, SyncReport] = {}
    while lock is not None:
        reports = sync_projections(settings, only_due=True)
        _note_away(state_folder, is_away=any(report.error and not report.failed for report in reports.values()))
        os.close(lock)
        # A run that ended while the lock was held started no process: its facts are left to this one.
        lock = take_file_lock(state_folder / _LOCK_FILE, wait=False) if _has_more(settings, reports) else None
    print(*reports.values(), sep="\n")
    return 1 if any(report.error for report in reports.values()) else 0


def _has_more(settings: Settings, reports: Mapping[str, SyncReport]) -> bool:
    from zen_metadata.lineage.sql import open_lineage_store

    well = [name for name, report in reports.items() if not report.error and not report.note]
    with closing(open_lineage_store(settings.lineage_url)) as store:
        return any(any(pending_batches(store, name, settings.project, only_due=True)) for name in well)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
