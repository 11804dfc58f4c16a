"""What the Airflow tests share: projects, and DAGs that Airflow has read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.zen import Project, copy_example
from integration_tests.services.airflow import Airflow

Deploy = Callable[[Project, str], str]


@pytest.fixture
def example(tmp_path: Path, airflow: Airflow) -> Project:
    """The example project, on the stores that Airflow's tasks use."""
    return copy_example("breast_cancer", tmp_path, airflow.variables)


@pytest.fixture
def own_stores(tmp_path: Path) -> dict[str, str]:
    """Settings for fresh stores that nobody else uses."""
    return {
        "ZEN_LINEAGE_URL": f"sqlite:///{tmp_path / 'fresh.db'}",
        "ZEN_ARTIFACT_URL": str(tmp_path / "fresh-artifacts"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'fresh-mlflow.db'}",
    }


@pytest.fixture
def deploy(airflow: Airflow) -> Deploy:
    """Compile a pipeline into Airflow's DAGs folder, and wait until Airflow has read it; gives the DAG's id."""

    def deploy(project: Project, reference: str) -> str:
        project.zen("compile", reference, "--for", "airflow", "--out", str(airflow.dags_folder))
        dag_id = reference.rpartition(":")[2]
        airflow.wait_for_dag(dag_id)
        airflow.unpause(dag_id)
        return dag_id

    return deploy


@pytest.fixture
def mlflow_client(airflow: Airflow) -> Any:
    """A client of the MLflow server that Airflow's tasks log to."""
    from mlflow import MlflowClient

    return MlflowClient(airflow.variables["MLFLOW_TRACKING_URI"])
