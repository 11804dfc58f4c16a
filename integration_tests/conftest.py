"""Servers for the whole session, started when the first test asks for them.

A tier whose prerequisite is missing is skipped and named at the end; where CI is set it fails.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.services.airflow import Airflow
from integration_tests.services.airflow_offline import AirflowOffline
from integration_tests.services.airflow_release import AIRFLOW_3, AIRFLOW_211
from integration_tests.services.dagster import Dagster
from integration_tests.services.docker import Docker
from integration_tests.services.kfp import Kfp
from integration_tests.services.mlflow_server import MlflowServer
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.prefect import Prefect
from integration_tests.services.s3 import S3Server

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
def s3() -> Iterator[S3Server]:
    """An S3 server; create_bucket() gives each test a bucket of its own."""
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def zen_variables(mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Zen's settings for stores that all tasks share; a test reads them with the same variables."""
    return _zen_variables(mlflow_server, tmp_path_factory.mktemp("zen"))


@pytest.fixture(scope="session")
def airflow3(request: pytest.FixtureRequest) -> Iterator[Airflow]:
    """Airflow 3 with a real scheduler on PostgreSQL; its tasks have the `zen_variables`."""
    require(request, "airflow", AIRFLOW_3.missing() or PostgresServer.missing())
    variables = request.getfixturevalue("zen_variables")
    with Airflow(AIRFLOW_3, request.getfixturevalue("postgres"), variables=variables) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def airflow211(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow 2.11 with a real scheduler on PostgreSQL, and stores that nobody else uses: its `variables`."""
    require(request, "airflow 2.11", AIRFLOW_211.missing() or PostgresServer.missing())
    variables = _zen_variables(request.getfixturevalue("mlflow_server"), tmp_path_factory.mktemp("zen"))
    with Airflow(AIRFLOW_211, request.getfixturevalue("postgres"), variables=variables) as airflow:
        yield airflow


@pytest.fixture(scope="session", params=["airflow3", "airflow211"])
def airflow(request: pytest.FixtureRequest) -> Airflow:
    """Each release of Airflow in turn, with a real scheduler."""
    found: Airflow = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def airflow3_offline(request: pytest.FixtureRequest) -> Iterator[AirflowOffline]:
    """Airflow 3 without servers: its loader, and dag.test() on SQLite."""
    require(request, "airflow", AIRFLOW_3.missing())
    with AirflowOffline(AIRFLOW_3) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def airflow211_offline(request: pytest.FixtureRequest) -> Iterator[AirflowOffline]:
    """Airflow 2.11 without servers."""
    require(request, "airflow 2.11", AIRFLOW_211.missing())
    with AirflowOffline(AIRFLOW_211) as airflow:
        yield airflow


@pytest.fixture(scope="session", params=["airflow3_offline", "airflow211_offline"])
def airflow_offline(request: pytest.FixtureRequest) -> AirflowOffline:
    """Each release of Airflow in turn, without servers."""
    found: AirflowOffline = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def prefect(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """Prefect's server and a worker of a process pool; its flow runs have its `variables`, on stores of their own."""
    require(request, "prefect", Prefect.missing())
    variables = _zen_variables(request.getfixturevalue("mlflow_server"), tmp_path_factory.mktemp("zen"))
    with Prefect(variables=variables) as prefect:
        yield prefect


@pytest.fixture(scope="session")
def dagster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    """An instance of Dagster; its ops have its `variables`, on stores of their own."""
    require(request, "dagster", Dagster.missing())
    variables = _zen_variables(request.getfixturevalue("mlflow_server"), tmp_path_factory.mktemp("zen"))
    with Dagster(variables=variables) as dagster:
        yield dagster


@pytest.fixture(scope="session")
def docker(request: pytest.FixtureRequest) -> Iterator[Docker]:
    """A Docker daemon of the tests' own."""
    require(request, "docker", Docker.missing())
    with Docker() as docker:
        yield docker


@pytest.fixture(scope="session")
def kfp(request: pytest.FixtureRequest) -> Kfp:
    """KFP's compiler, and `kfp.local`, which runs each task in a container."""
    require(request, "kfp", Kfp.missing() or Docker.missing())
    return Kfp(request.getfixturevalue("docker"))


@pytest.fixture(scope="session")
def kfp_sdk(request: pytest.FixtureRequest) -> Kfp:
    """KFP's compiler and client alone."""
    require(request, "kfp", Kfp.missing())
    return Kfp()


def _zen_variables(mlflow_server: MlflowServer, folder: Path) -> dict[str, str]:
    shutil.copytree(ROOT / "examples" / "breast_cancer" / "data", folder / "root" / "data")
    return {
        "ZEN_LINEAGE_URL": f"sqlite:///{folder / 'zen.db'}",
        "ZEN_ARTIFACT_URL": str(folder / "artifacts"),
        "ZEN_DATA_ROOT": str(folder / "root"),
        "ZEN_SHARED_FILESYSTEM": "true",
        "ZEN_DEPLOYMENT": "integration-tests",
        "MLFLOW_TRACKING_URI": mlflow_server.url,
    }


def require(request: pytest.FixtureRequest, tier: str, missing: str | None) -> None:
    """Skip the test when something is missing, so that a laptop can run the rest; CI must run all."""
    if missing is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{tier} tests did not run: {missing}", pytrace=False)
    request.config.stash[NOT_RUN][tier] = missing
    pytest.skip(f"{tier}: {missing}")
