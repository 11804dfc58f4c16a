"""Servers for the whole session, started when the first test asks for them.

A tier whose prerequisite is missing is skipped and named at the end; where CI is set it fails.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.services.airflow3 import Airflow3, Airflow3Offline, missing_airflow3
from integration_tests.services.mlflow_server import MlflowServer
from integration_tests.services.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[1]
NOT_RUN = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = {}


def pytest_unconfigure(config: pytest.Config) -> None:
    tiers = [f"{tier} ({reason})" for tier, reason in sorted(config.stash.get(NOT_RUN, {}).items())]
    if tiers:
        print(f"tiers not run: {', '.join(tiers)}")


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A PostgreSQL server; create_database() gives each test its own database."""
    require(request, "postgresql", PostgresServer.missing())
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[MlflowServer]:
    """An MLflow tracking server."""
    with MlflowServer() as server:
        yield server


@pytest.fixture(scope="session")
def zen_variables(mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Zen's settings for stores that all tasks share; a test reads them with the same variables."""
    shared = tmp_path_factory.mktemp("zen")
    shutil.copytree(ROOT / "examples" / "breast_cancer" / "data", shared / "root" / "data")
    return {
        "ZEN_LINEAGE_URL": f"sqlite:///{shared / 'zen.db'}",
        "ZEN_ARTIFACT_URL": str(shared / "artifacts"),
        "ZEN_DATA_ROOT": str(shared / "root"),
        "ZEN_SHARED_FILESYSTEM": "true",
        "ZEN_DEPLOYMENT": "integration-tests",
        "MLFLOW_TRACKING_URI": mlflow_server.url,
    }


@pytest.fixture(scope="session")
def airflow3(request: pytest.FixtureRequest) -> Iterator[Airflow3]:
    """Airflow 3 with a real scheduler on PostgreSQL; its tasks have the `zen_variables`."""
    require(request, "airflow", missing_airflow3() or PostgresServer.missing())
    variables = request.getfixturevalue("zen_variables")
    with Airflow3(request.getfixturevalue("postgres"), variables=variables) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def airflow3_offline(request: pytest.FixtureRequest) -> Iterator[Airflow3Offline]:
    """Airflow 3 without servers: its loader, and dag.test() on SQLite."""
    require(request, "airflow", missing_airflow3())
    with Airflow3Offline() as airflow:
        yield airflow


def require(request: pytest.FixtureRequest, tier: str, missing: str | None) -> None:
    """Skip the test when something is missing, so that a laptop can run the rest; CI must run all."""
    if missing is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{tier} tests did not run: {missing}", pytrace=False)
    request.config.stash[NOT_RUN][tier] = missing
    pytest.skip(f"{tier}: {missing}")
