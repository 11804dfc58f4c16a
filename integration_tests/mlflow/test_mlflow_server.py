"""Runs of the local engine, projected to a real MLflow server, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration_tests.services.mlflow_server import MlflowServer
from integration_tests.services.processes import wait_until
from zen_core.contract.settings import Settings
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.tracking.locks import take_file_lock

PIPELINES = """
from typing import Annotated
from zen_core import log_metric, log_params, pipeline, step

@step(cache=False)
def make(size: int) -> list[int]:
    log_params({"seed": 7})
    return list(range(size))

@step(cache=False)
def add(numbers: list[int]) -> int:
    log_metric("total", sum(numbers))
    return sum(numbers)

@pipeline
def totals(size: int = 3):
    for number in range(10):
        add.with_options(name=f"add_{number}")(make.with_options(name=f"make_{number}")(size))
"""

TRACKED_PIPELINES = """
import subprocess, sys
import mlflow
from zen_core import pipeline, step

@step
def plain(alpha: float) -> float:
    mlflow.log_metric("loss", alpha)
    return alpha

@step
def own_run(alpha: float) -> float:
    with mlflow.start_run():
        mlflow.log_param("note", "mine")
    return alpha

@step
def autologged(alpha: float) -> float:
    from sklearn.linear_model import Ridge
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    Ridge(alpha=alpha).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    return alpha

@step
def in_child(alpha: float) -> float:
    assert mlflow.active_run() is None
    subprocess.run([sys.executable, "-c", "import mlflow; mlflow.log_metric('child', 1)"], check=True)
    return alpha

@step
def failing(alpha: float) -> float:
    mlflow.log_metric("loss", 9)
    raise ValueError("diverged")

@pipeline
def tracked(alpha: float = 0.5):
    plain(alpha), own_run(alpha), autologged(alpha), in_child(alpha), failing(alpha)
"""

# Runs a pipeline several times in one process, as a notebook does.
MANY_RUNS = """
import sys
from pipelines import totals
for _ in range(int(sys.argv[1])):
    totals.run()
"""

SYNC = """
import os
from zen_core.contract.settings import load_settings
from zen_metadata.tracking.sync import sync
print(sync(load_settings(None)))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pipelines.py").write_text(PIPELINES)
    (tmp_path / "tracked.py").write_text(TRACKED_PIPELINES)
    (tmp_path / "zen.toml").write_text("")
    return tmp_path


@pytest.fixture
def settings(project: Path, mlflow_server: MlflowServer) -> Settings:
    """A project of its own, so an experiment of its own in the server."""
    return Settings(root=project, project=project.name, mlflow_tracking_uri=mlflow_server.url).with_local_defaults()


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The same, with its lineage store on each database."""
    if request.param == "sqlite":
        return settings
    database = f"mlflow_{uuid.uuid4().hex[:8]}"
    return replace(settings, lineage_url=request.getfixturevalue("postgres").create_database(database))


def variables(settings: Settings, **more: str) -> Mapping[str, str]:
    return {
        **os.environ,
        "ZEN_PROJECT": settings.project,
        "ZEN_LINEAGE_URL": settings.lineage_url,
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "ZEN_MLFLOW_SYNC": "off",
        **more,
    }


def start(settings: Settings, *arguments: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=settings.root,
        env=variables(settings, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, code: int = 0) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


def run_many(settings: Settings, times: int = 1, **more: str) -> str:
    return finish(start(settings, "-c", MANY_RUNS, str(times), **more))


def pending(settings: Settings) -> int:
    with closing(open_lineage_store(settings.lineage_url)) as store:
        return len(store.pending_outbox(limit=10_000))


def runs_by_name(settings: Settings) -> dict[str, list[Any]]:
    from mlflow import MlflowClient

    client = MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name(settings.project)
    found: dict[str, list[Any]] = {}
    if experiment is not None:
        for run in client.search_runs([experiment.experiment_id], max_results=1000):
            found.setdefault(run.info.run_name, []).append(run)
    return found


def test_what_happened_while_the_server_was_down_is_shown_later(
    settings: Settings, mlflow_server: MlflowServer
) -> None:
    mlflow_server.pause()
    try:
        run_many(settings)
        report = finish(start(settings, "-c", SYNC))
        assert "projected=0, pending=21" in report
        assert "MLflow cannot be reached" in report
    finally:
        mlflow_server.start()
    assert "projected=21, pending=0" in finish(start(settings, "-c", SYNC))
    found = runs_by_name(settings)
    assert len(found) == 21
    assert found["add_0"][0].data.metrics == {"total": 3.0}
    assert found["make_0"][0].data.params == {"size": "3", "seed": "7"}


def test_two_processes_at_once_and_one_that_is_killed_show_everything_once(stored: Settings) -> None:
    settings = stored
    run_many(settings, times=3)
    killed = start(settings, "-c", SYNC)
    wait_until(lambda: len(runs_by_name(settings)) > 3, 120, what="the first projections")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert pending(settings) > 0

    processes = [start(settings, "-c", SYNC) for _ in range(2)]
    for process in processes:
        finish(process)

    assert pending(settings) == 0
    counts = Counter({name: len(found) for name, found in runs_by_name(settings).items()})
    assert counts == Counter(
        {name: 3 for number in range(10) for name in (f"make_{number}", f"add_{number}")}
        | {name: 1 for name in counts if name.startswith("totals ")}
    )
    assert sum(counts.values()) == 63


def test_quick_runs_are_all_shown_by_a_process_that_ends_by_itself(settings: Settings) -> None:
    run_many(settings, times=5, ZEN_MLFLOW_SYNC="background")
    wait_until(lambda: pending(settings) == 0, 120, what="the background sync")
    assert sum(len(found) for found in runs_by_name(settings).values()) == 5 * 21
    held = take_file_lock(settings.state_folder / "sync.lock", wait=True)  # free once the process has ended
    assert held is not None
    os.close(held)


def test_the_codes_own_calls_land_in_the_run_of_their_step(settings: Settings) -> None:
    output = finish(start(settings, "-m", "zen_core.cli", "run", "tracked.py:tracked", ZEN_MLFLOW_SYNC="wait"), code=1)
    assert "ValueError: diverged" in output

    found = runs_by_name(settings)
    (parent,) = [run for group in found.values() for run in group if run.data.tags["zen.kind"] == "run"]
    assert parent.info.status == "FAILED"
    steps = {name: runs for name, runs in found.items() if name != parent.info.run_name}
    assert {name: len(runs) for name, runs in steps.items()} == dict.fromkeys(
        ("plain", "own_run", "autologged", "in_child", "failing"), 1
    )
    data = {name: runs[0].data for name, runs in steps.items()}
    assert data["plain"].metrics == {"loss": 0.5}
    assert data["own_run"].params["note"] == "mine"
    assert data["autologged"].params["fit_intercept"] == "True"
    assert data["in_child"].metrics == {"child": 1.0}
    assert data["failing"].metrics == {"loss": 9.0}
    assert {item.tags["mlflow.parentRunId"] for item in data.values()} == {parent.info.run_id}
    statuses = {name: runs[0].info.status for name, runs in steps.items()}
    assert statuses.pop("failing") == "FAILED"
    assert set(statuses.values()) == {"FINISHED"}
