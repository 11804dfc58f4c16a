"""The releases of Airflow that the tests run, each from its own environment, and what differs between them.

The test process never imports Airflow: it runs in another environment, with other versions of what both use.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_tests.services.processes import ServiceError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class AirflowRelease:
    """One release, and how its servers are started and asked.

    Attributes:
        version: as a person says it.
        environment: the folder below .venvs/ that holds it.
        servers: the commands that together are an Airflow, the one that answers HTTP first.
        api: the path of its REST interface.
        health: the path that says how its components are.
        components: those that must be healthy before a DAG runs.
        web_settings: the settings of the server that answers HTTP at a port and URL.
        trigger_body: what a request for a run must hold besides the parameters.
        backfills_by_api: whether a run of a past tick is asked for by REST; else by a command, which runs it.
    """

    version: str
    environment: str
    servers: tuple[str, ...]
    api: str
    health: str
    components: tuple[str, ...]
    web_settings: Callable[[int, str], Mapping[str, str]]
    trigger_body: Mapping[str, Any]
    backfills_by_api: bool

    @property
    def prefix(self) -> Path:
        """The environment."""
        return ROOT / ".venvs" / self.environment

    def missing(self) -> str | None:
        """What this machine lacks to run this release, as a sentence part; None when it has all."""
        needs = f"needs .venvs/{self.environment}: make .venvs/{self.environment}/ready"
        return None if (self.prefix / "bin" / "airflow").exists() else needs

    def variables(self, home: Path) -> dict[str, str]:
        """The variables of an Airflow process: those of this process, its environment's PATH, no usage data."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        own.pop("VIRTUAL_ENV", None)
        return own | {
            "PATH": f"{self.prefix / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "NO_PROXY": "127.0.0.1,localhost",
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # all processes must agree on these
            "AIRFLOW__API_AUTH__JWT_SECRET": "integration-tests-" * 4,
            "AIRFLOW__API__SECRET_KEY": "a-key-that-airflow-masks-in-logs",
        }

    def run(self, arguments: Sequence[str | Path], variables: Mapping[str, str], timeout: float = 600) -> str:
        """Run this release's interpreter and return what it printed; its failure holds the end of that."""
        started = time.monotonic()
        done = subprocess.run(
            [str(self.prefix / "bin" / "python"), *map(str, arguments)],
            check=False,
            env=dict(variables),
            cwd=variables["AIRFLOW_HOME"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        if done.returncode:
            took = time.monotonic() - started
            tail = "\n".join(done.stdout.splitlines()[-60:])
            raise ServiceError(f"{' '.join(map(str, arguments))}: code {done.returncode} after {took:.0f} s\n{tail}")
        return done.stdout


def _settings_of_3(port: int, url: str) -> Mapping[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        # whoever asks is an administrator, as webserver_config.py says it for 2.11
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
    }


def _settings_of_2(port: int, url: str) -> Mapping[str, str]:
    return {
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
        "AIRFLOW__WEBSERVER__BASE_URL": url,
        "AIRFLOW__WEBSERVER__WORKERS": "1",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "a-key-that-airflow-masks-in-logs",
        "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "1",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "30",
    }


_NOT_INHERITED = ("AIRFLOW", "PYTEST", "PYTHON")
AIRFLOW_3 = AirflowRelease(
    version="3.3",
    environment="airflow3",
    servers=("api-server", "scheduler", "dag-processor"),
    api="/api/v2",
    health="/api/v2/monitor/health",
    components=("metadatabase", "scheduler", "dag_processor"),
    web_settings=_settings_of_3,
    trigger_body={"logical_date": None},
    backfills_by_api=True,
)
AIRFLOW_211 = AirflowRelease(
    version="2.11",
    environment="airflow211",
    servers=("webserver", "scheduler"),
    api="/api/v1",
    health="/health",
    components=("metadatabase", "scheduler"),
    web_settings=_settings_of_2,
    trigger_body={},
    backfills_by_api=False,
)
RELEASES = (AIRFLOW_3, AIRFLOW_211)
