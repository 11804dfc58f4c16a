"""What it costs to show a run in MLflow, beside MLflow's own calls for the same: create a run, log a batch, end it."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from pathlib import Path

from benchmarks.local_engine import STEPS, run_chain
from benchmarks.report import Figure
from zen_core.contract.settings import Settings
from zen_metadata.tracking.sync import sync

ALLOWED_RATIO = 1.3
_TAGS = 15
"""As many as a step has."""


def measure() -> list[Figure]:
    """Milliseconds a step, on a tracking database of SQLite; the better of two."""
    warnings.simplefilter("ignore")  # MLflow uses an option of SQLAlchemy that 2.1 deprecates
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    drained, bare = [], []
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as name:
        folder = Path(name)
        tracking = f"sqlite:///{folder}/mlflow.db"
        _bare(tracking, steps=1)  # makes MLflow's schema, which takes seconds
        for number in range(2):
            bare.append(_bare(tracking, STEPS))
            drained.append(_drained(folder / str(number), tracking))
    return [
        Figure("bare: MLflow's three calls for a step, SQLite", min(bare), "ms"),
        Figure("a step shown by MLflow, SQLite", min(drained), "ms", ALLOWED_RATIO * min(bare), against=min(bare)),
    ]


def _drained(folder: Path, tracking: str) -> float:
    """A chain that is recorded, projected as a whole."""
    (folder / ".zen").mkdir(parents=True)
    lineage = f"sqlite:///{folder}/.zen/zen.db"
    run_chain(folder, lineage)
    settings = Settings(root=folder, project=folder.name, lineage_url=lineage, mlflow_tracking_uri=tracking)
    started = time.perf_counter()
    report = sync(settings)
    seconds = time.perf_counter() - started
    if report.error or report.pending or report.projected < STEPS:
        raise RuntimeError(f"not all was projected: {report}")
    return seconds / STEPS * 1000


def _bare(tracking: str, steps: int) -> float:
    from mlflow import MlflowClient
    from mlflow.entities import Param

    client = MlflowClient(tracking)
    experiment = client.get_experiment_by_name("bare")
    experiment_id = experiment.experiment_id if experiment else client.create_experiment("bare")
    tags = {f"zen.tag_{number}": "x" * 40 for number in range(_TAGS)}
    started = time.perf_counter()
    parent = client.create_run(experiment_id, run_name="run").info.run_id
    for number in range(steps):
        made = client.create_run(experiment_id, run_name=f"step_{number}", tags={**tags, "mlflow.parentRunId": parent})
        client.log_batch(made.info.run_id, params=[Param("number", "1")])
        client.set_terminated(made.info.run_id)
    client.set_terminated(parent)
    return (time.perf_counter() - started) / steps * 1000
