"""MLflow on PostgreSQL, in the database that holds the lineage store too: reached directly and by a server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from integration_tests.services.mlflow_server import MlflowServer, quiet_mlflow
from integration_tests.services.postgres import PostgresServer

PIPELINE = """
import mlflow
from zen_core import log_metric, pipeline, step

@step(cache=False)
def fit(alpha: float) -> float:
    mlflow.log_metric("loss", alpha)
    return alpha

@step(cache=False)
def score(model: float) -> float:
    log_metric("accuracy", 1 - model)
    return 1 - model

@pipeline
def trained(alpha: float = 0.25):
    score(fit(alpha))
"""


def test_one_database_holds_lineage_and_mlflow(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create_database("mlflow_backend")
    (tmp_path / "zen.toml").write_text('project = "shared"\n')
    (tmp_path / "training.py").write_text(PIPELINE)

    _run(tmp_path, url, tracking=url)
    _check(_runs(url), runs=1)
    with MlflowServer(backend_store_uri=url) as server:
        _run(tmp_path, url, tracking=server.url)
        _check(_runs(server.url), runs=2)
    assert "sound" in _zen(tmp_path, ["store", "check", "--json"], url, tracking=url)


def _run(project: Path, lineage: str, *, tracking: str) -> None:
    _zen(project, ["run", "training.py:trained"], lineage, tracking=tracking)


def _zen(project: Path, arguments: list[str], lineage: str, *, tracking: str) -> str:
    variables = {"ZEN_LINEAGE_URL": lineage, "MLFLOW_TRACKING_URI": tracking, "ZEN_MLFLOW_SYNC": "wait"}
    command = [sys.executable, "-m", "zen_core.cli", *arguments]
    environment = {**os.environ, **quiet_mlflow(), **variables}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _runs(tracking: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking)
    experiment = client.get_experiment_by_name("shared")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def _check(found: list[Any], *, runs: int) -> None:
    """Each pipeline run once, with its two steps below it."""
    by_name: dict[str, list[Any]] = {}
    for run in found:
        by_name.setdefault(run.info.run_name, []).append(run)
    assert {name: len(by_name[name]) for name in ("fit", "score")} == {"fit": runs, "score": runs}
    assert len(found) == 3 * runs
    assert all(run.data.metrics == {"loss": 0.25} for run in by_name["fit"])
    assert all(run.data.metrics == {"accuracy": 0.75} for run in by_name["score"])
    assert {run.info.status for run in found} == {"FINISHED"}
