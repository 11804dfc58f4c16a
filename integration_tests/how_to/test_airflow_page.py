"""The commands of "Put Zen onto the Airflow you have", typed against a real Airflow."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.zen import Project, copy_example, statuses
from integration_tests.how_to.page import follow
from integration_tests.services.airflow import Airflow
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import wait_until

PIPELINE = "breast_cancer"


@pytest.fixture
def dags_folder(airflow3: Airflow) -> Iterator[Path]:
    """Airflow's DAGs folder, without this pipeline before and after."""
    _remove(airflow3.dags_folder)
    yield airflow3.dags_folder
    _remove(airflow3.dags_folder)


def _remove(folder: Path) -> None:
    (folder / f"{PIPELINE}.py").unlink(missing_ok=True)
    shutil.rmtree(folder / f"{PIPELINE}.zen", ignore_errors=True)


def test_page_leads_to_a_run_with_its_lineage(
    airflow3: Airflow, dags_folder: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.create_database("page_airflow", driver="psycopg")
    project = copy_example(PIPELINE, tmp_path, {})
    shutil.copytree(project.folder / "data", tmp_path / "data" / "data")
    variables = {"ZEN_LINEAGE_URL": url, "ZEN_ARTIFACT_URL": str(tmp_path / "artifacts"), "ZEN_STACK": "airflow"}
    reader = Project(project.folder, variables)

    def started_by_hand() -> Any:
        """The reader's run; the schedule starts one of its own."""
        shown = (reader.json("show", run["run_id"]) for run in reader.json("runs"))
        return next((run for run in shown if run["scheduled_at"] is None), None)

    def finished() -> bool:
        run = started_by_hand()
        return run is not None and run["status"] in ("completed", "failed")

    printed = follow(
        "run-on-airflow.md",
        project.folder,
        instead={
            "postgresql://zen:secret@db.example.com/zen": url,
            "/srv/zen/artifacts": str(tmp_path / "artifacts"),
            "/srv/data": str(tmp_path / "data"),
            "/srv/airflow/dags": str(dags_folder),
        },
        environment=_reader_environment(airflow3),
        after={"dags trigger": lambda: wait_until(finished, 180, what="the run to end")},
    )

    document = started_by_hand()
    assert document["orchestrator"] == "airflow"
    assert document["deployment"] == "integration-tests"  # what the workers are told wins
    assert document["status"] == "completed"
    assert set(statuses(document).values()) <= {"completed", "cached"}
    assert document["run_url"]
    assert "unchanged: it was deployed already" in printed
    assert "connection:zen_lineage" in (dags_folder / f"{PIPELINE}.py").read_text()
    for place in (dags_folder / f"{PIPELINE}.py", dags_folder / f"{PIPELINE}.zen" / "manifest.json"):
        assert url not in place.read_text()


def _reader_environment(airflow: Airflow) -> dict[str, str]:
    """A shell that has both `zen` and `airflow`, and none of Zen's settings."""
    own = {
        name: value for name, value in airflow.environment.items() if not name.startswith(("ZEN_", "MLFLOW_TRACKING"))
    }
    zen = Path(sys.executable).parent
    return {**own, "PATH": f"{zen}{os.pathsep}{own['PATH']}", "ZEN_MLFLOW_SYNC": "off"}
