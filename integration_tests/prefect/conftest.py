"""What the Prefect tests share: projects, and deployments made by `zen deploy`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from integration_tests.airflow.zen import Project, copy_example
from integration_tests.services.prefect import POOL, Prefect

Deploy = Callable[[Project, str], str]


@pytest.fixture
def example(tmp_path: Path, prefect: Prefect) -> Project:
    """The example project, on the stores that Prefect's flow runs use."""
    return copy_example("breast_cancer", tmp_path, prefect.variables)


@pytest.fixture
def own_stores(tmp_path: Path) -> dict[str, str]:
    """Settings for fresh stores that nobody else uses."""
    return {
        "ZEN_LINEAGE_URL": f"sqlite:///{tmp_path / 'fresh.db'}",
        "ZEN_ARTIFACT_URL": str(tmp_path / "fresh-artifacts"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'fresh-mlflow.db'}",
    }


@pytest.fixture
def deploy(prefect: Prefect) -> Deploy:
    """Deploy a pipeline with `zen deploy`; gives the deployment's FLOW/NAME."""

    def deploy(project: Project, reference: str) -> str:
        settings = (project.folder / "zen.toml").read_text()
        if "[adapters.prefect]" not in settings:
            settings += f'\n[adapters.prefect]\nwork_pool = "{POOL}"\nflows_folder = "{prefect.flows_folder}"\n'
            (project.folder / "zen.toml").write_text(settings)
        prefect.run("zen", "deploy", reference, "--for", "prefect", cwd=project.folder)
        return f"{reference.rpartition(':')[2]}/zen"

    return deploy
