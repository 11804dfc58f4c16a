"""The servers themselves: what every other integration test relies on."""

import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from integration_tests.services.airflow import Airflow
from integration_tests.services.airflow_offline import AirflowOffline
from integration_tests.services.mlflow_server import MlflowServer, quiet_mlflow
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import Server, ServiceError, session_members, wait_until
from integration_tests.services.rest import request_json

DAG = '''
"""Two tasks, the first of which fails once."""
import os
from datetime import datetime, timedelta

try:
    from airflow.sdk import Param, dag, get_current_context, task
except ImportError:
    from airflow.decorators import dag, task
    from airflow.models.param import Param
    from airflow.operators.python import get_current_context


@dag(dag_id="services", schedule=None, start_date=datetime(2026, 1, 1), catchup=False, params={"n": Param(1)})
def services():
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def flaky():
        context = get_current_context()
        if context["ti"].try_number == 1:
            raise ValueError("the first try fails")
        print(os.environ["ZEN_DEPLOYMENT"])
        return context["params"]["n"]

    @task
    def double(n):
        print(f"doubling {n}")
        return n * 2

    double.expand(n=[1, 2]) << double.override(task_id="after")(flaky())


services()
'''


FORKING = """
import os, time
if os.fork() == 0:
    os.setpgid(0, 0)
print(os.getpid(), flush=True)
time.sleep(600)
"""


def test_a_server_ends_with_the_process_groups_that_it_made(tmp_path: Path) -> None:
    server = Server("forking", [sys.executable, "-c", FORKING], log=tmp_path / "log")
    server.wait_until(lambda: len(server.log.read_text().split()) == 2, timeout=30)
    assert sorted(session_members(server.pid)) == sorted(map(int, server.log.read_text().split()))
    server.stop()
    assert session_members(server.pid) == []


def test_a_server_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    server = Server("broken", [sys.executable, "-c", "raise SystemExit('no such luck')"], log=tmp_path / "log")
    with pytest.raises(ServiceError, match="no such luck"):
        server.wait_until(lambda: False, timeout=30)
    server.stop()


def test_postgres_creates_a_database(postgres: PostgresServer) -> None:
    postgres.create_database("some")
    with psycopg.connect(postgres.url(None, "some")) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("some",)
    postgres.drop_database("some")


def test_postgres_keeps_its_data_while_it_is_down(postgres: PostgresServer) -> None:
    with PostgresServer() as server:
        server.create_database("some")
        server.pause()
        server.start()
        psycopg.connect(server.url(None, "some")).close()


def test_mlflow_keeps_a_metric(mlflow_server: MlflowServer) -> None:
    script = """
import mlflow
with mlflow.start_run() as run:
    mlflow.log_metric("score", 0.5)
print(run.info.run_id)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**quiet_mlflow(), "MLFLOW_TRACKING_URI": mlflow_server.url},
        check=True,
        capture_output=True,
        text=True,
    )
    run_id = done.stdout.split()[-1]
    found = request_json("GET", f"{mlflow_server.url}/api/2.0/mlflow/runs/get?run_id={run_id}")
    assert [(metric["key"], metric["value"]) for metric in found["run"]["data"]["metrics"]] == [("score", 0.5)]


def test_airflow_runs_a_dag_with_a_retry_and_clears_a_task(airflow: Airflow) -> None:
    (airflow.dags_folder / "services.py").write_text(DAG)
    run_id, state = airflow.run("services", {"n": 21})
    assert state == "success", airflow.tail()
    assert airflow.states("services", run_id) == {
        "flaky": "success", "after": "success", "double[0]": "success", "double[1]": "success",
    }  # fmt: skip
    assert airflow.tries("services", run_id, "flaky") == [(1, "failed"), (2, "success")]
    assert "ValueError: the first try fails" in airflow.logs("services", run_id, "flaky", 1)
    assert "integration-tests" in airflow.logs("services", run_id, "flaky", 2)
    assert "doubling 2" in airflow.logs("services", run_id, "double", 1, map_index=1)
    assert airflow.xcom("services", run_id, "after") == 42
    assert airflow.xcom("services", run_id, "double", map_index=1) == 4

    airflow.clear("services", run_id, ["after"], downstream=True)
    assert airflow.wait("services", run_id) == "success"
    assert len(airflow.tries("services", run_id, "after")) == 2
    assert len(airflow.tries("services", run_id, "double", 1)) == 2
    assert airflow.import_errors() == {}


def test_airflow_names_a_file_that_it_cannot_load(airflow: Airflow) -> None:
    broken = airflow.dags_folder / "broken.py"
    broken.write_text("from airflow import DAG\nraise RuntimeError('broken on purpose')\n")
    try:
        wait_until(lambda: bool(airflow.import_errors()), 120, what="the import error")
        [(name, trace)] = airflow.import_errors().items()
    finally:
        broken.unlink()
    assert name.endswith("broken.py")
    assert "broken on purpose" in trace


def test_airflow_offline_loads_and_tests_a_dag(airflow_offline: AirflowOffline, tmp_path: Path) -> None:
    file = tmp_path / "services.py"
    file.write_text(textwrap.dedent(DAG))
    loaded = airflow_offline.load(file)
    assert loaded.errors == {}
    assert loaded.dags["services"]["double"]["upstream"] == ["after"]
    result = airflow_offline.dag_test(file, "services", {"n": 3}, variables={"ZEN_DEPLOYMENT": "offline"})
    assert result.state == "success", result.output
    assert result.tries["flaky"] == 2


def test_airflow_offline_reports_a_file_that_it_cannot_load(airflow_offline: AirflowOffline, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from airflow import DAG\nraise RuntimeError('broken on purpose')\n")
    [trace] = airflow_offline.load(tmp_path).errors.values()
    assert "broken on purpose" in trace
