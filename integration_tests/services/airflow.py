"""Airflow's real servers, driven by REST."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from integration_tests.services.airflow_release import AirflowRelease
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import Server, ServiceError, free_port, wait_until
from integration_tests.services.rest import HttpError, Json, answers, request_json

START_TIMEOUT = 180  # 15 s on an idle machine with two cores
FINISHED = ("success", "failed")


class Airflow:
    """The servers of a release, with the LocalExecutor, on a database of a PostgreSQL server.

    `variables` are in the environment of every task, as are those of the test process. A DAG runs when its
    file is put into `dags_folder`; wait_for_dag() then waits until Airflow has read it.
    """

    def __init__(
        self,
        release: AirflowRelease,
        postgres: PostgresServer,
        *,
        variables: Mapping[str, str] | None = None,
        parallelism: int = 4,
    ) -> None:
        self.release = release
        self.variables = dict(variables or {})
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.servers: dict[str, Server] = {}
        self._postgres = postgres
        self._parallelism = parallelism
        self._home: Path | None = None
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME: the logs of the tasks lie under it."""
        if self._home is None:
            raise ServiceError("Airflow is not started")
        return self._home

    @property
    def dags_folder(self) -> Path:
        """Where the files with DAGs go."""
        return self.home / "dags"

    def start(self) -> None:
        """Make the database, start the servers and wait until all of them are healthy."""
        release = self.release
        self._home = Path(tempfile.mkdtemp(prefix=f"zen-{release.environment}-"))
        try:
            self.dags_folder.mkdir()
            (self.home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\n')
            database = self._postgres.create_database(f"airflow_{self.port}", driver="psycopg2")
            self.environment = {**release.variables(self.home), **self._settings(database), **self.variables}
            release.run(["-m", "airflow", "db", "migrate"], self.environment)
            for name in release.servers:
                log = self.home / f"{name}.log"
                command: list[str | Path] = [release.prefix / "bin" / "airflow", name]
                self.servers[name] = Server(f"Airflow {name}", command, log=log, environment=self.environment)
            self.servers[release.servers[0]].wait_until(lambda: answers(f"{self.url}{release.health}"), START_TIMEOUT)
            self.wait_until_healthy()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the servers and all their tasks, and remove their files and database."""
        for server in self.servers.values():  # ask all, then wait for each: they need seconds to end
            if server.is_running:
                server.process.terminate()
        for server in self.servers.values():
            server.stop(timeout=10)
        if self._home is not None:
            self._postgres.drop_database(f"airflow_{self.port}")
            shutil.rmtree(self._home, ignore_errors=True)
        self.servers, self._home = {}, None

    def health(self) -> Json:
        """What each component says of itself: {"scheduler": {"status": "healthy", ...}, ...}."""
        return dict(request_json("GET", f"{self.url}{self.release.health}"))

    def wait_until_healthy(self, timeout: float = START_TIMEOUT) -> None:
        """Wait for all that a DAG needs to run."""

        def healthy() -> bool:
            for server in self.servers.values():
                if not server.is_running:
                    raise ServiceError(f"{server.name} ended.\n{server.tail()}")
            health = self.health()
            return all((health.get(part) or {}).get("status") == "healthy" for part in self.release.components)

        self._wait(healthy, timeout, "Airflow to be healthy")

    # DAGs

    def import_errors(self) -> dict[str, str]:
        """File -> traceback of the files in the DAGs folder that Airflow could not load."""
        found = self._call("GET", "/importErrors?limit=100")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in found}

    def wait_for_dag(self, dag_id: str, timeout: float = 120) -> None:
        """Wait until Airflow has read the DAG; a file that it cannot load fails with its traceback."""

        def known() -> bool:
            try:
                self._call("GET", f"/dags/{quote(dag_id)}")
            except HttpError as error:
                if error.status != 404:
                    raise
                if errors := self.import_errors():
                    raise ServiceError(f"Airflow could not load {errors}") from None
                return False
            return True

        self._wait(known, timeout, f"Airflow to read the DAG {dag_id}")

    def dag(self, dag_id: str) -> Json:
        """What Airflow says of a DAG."""
        return dict(self._call("GET", f"/dags/{quote(dag_id)}"))

    def task_ids(self, dag_id: str) -> set[str]:
        """The tasks of a DAG, as Airflow has read it last."""
        return {str(task["task_id"]) for task in self._call("GET", f"/dags/{quote(dag_id)}/tasks")["tasks"]}

    def read_again(self, dag_id: str) -> None:
        """Ask for the DAG's file to be read now, as the button on its page does; else it is when its turn comes."""
        self._call("PUT", f"/parseDagFile/{self.dag(dag_id)['file_token']}")

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run. New DAGs are not paused here."""
        self._call("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let the DAG start no further runs."""
        self._call("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": True})

    # What Airflow keeps for its tasks

    def add_connection(self, connection_id: str, url: str) -> None:
        """Make a Connection of the address of a PostgreSQL database."""
        address = urlsplit(url)
        body = {
            "connection_id": connection_id,
            "conn_type": "postgres",
            "host": address.hostname,
            "port": address.port,
            "login": address.username,
            "schema": address.path.removeprefix("/"),
        }
        if address.password:
            body["password"] = address.password
        self._call("POST", "/connections", body)

    def set_variable(self, key: str, value: str) -> None:
        """Make a Variable."""
        self._call("POST", "/variables", {"key": key, "value": value})

    # Runs

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run with parameters; its run id."""
        body = {**self.release.trigger_body, "conf": dict(conf or {})}
        return str(self._call("POST", f"/dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def wait(self, dag_id: str, run_id: str, timeout: float = 180) -> str:
        """Wait for the end of a run; its state: success or failed."""
        self._wait(
            lambda: self.run_state(dag_id, run_id) in FINISHED,
            timeout,
            f"the end of run {run_id} of {dag_id}",
            detail=lambda: str(self.states(dag_id, run_id)),
        )
        return self.run_state(dag_id, run_id)

    def run(self, dag_id: str, conf: Mapping[str, Any] | None = None, timeout: float = 180) -> tuple[str, str]:
        """Wait for the DAG, start a run and wait for its end; the run id and the state."""
        self.wait_for_dag(dag_id)
        run_id = self.trigger(dag_id, conf)
        return run_id, self.wait(dag_id, run_id, timeout)

    def backfill(self, dag_id: str, tick: datetime) -> None:
        """Ask for the run of one past tick of a schedule; where a command does it, wait for its end."""
        if self.release.backfills_by_api:
            body = {"dag_id": dag_id, "from_date": tick.isoformat(), "to_date": tick.isoformat()}
            self._call("POST", "/backfills", body)
        else:
            command = ["-m", "airflow", "dags", "backfill", "-s", tick.isoformat(), "-e", tick.isoformat(), dag_id]
            # A LocalExecutor would be forked from the command with its connections open; one was seen to be lost so.
            self.release.run(command, {**self.environment, "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor"})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run now."""
        return str(self._call("GET", run_path(dag_id, run_id))["state"])

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None, *, downstream: bool = False
    ) -> None:
        """Clear tasks of a run (without task_ids: all), so that they run again."""
        body: Json = {
            "dag_run_id": run_id,
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        if task_ids is not None:
            body["task_ids"] = list(task_ids)
        self._call("POST", f"/dags/{quote(dag_id)}/clearTaskInstances", body)

    # Tasks of a run

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """All task instances: task_id, map_index, state, try_number, max_tries, start_date, duration, ..."""
        return list(self._call("GET", f"{run_path(dag_id, run_id)}/taskInstances?limit=1000")["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State by task, with the index for elements of a mapped one: {"train": ..., "score[0]": ...}."""
        return {task_key(found): found["state"] for found in self.task_instances(dag_id, run_id)}

    def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> list[tuple[int, str | None]]:
        """(number, state) of each try of a task, in order."""
        mapped = "" if map_index < 0 else f"/{map_index}"
        found = self._call("GET", f"{task_path(dag_id, run_id, task_id)}{mapped}/tries")["task_instances"]
        return sorted((attempt["try_number"], attempt["state"]) for attempt in found)

    def logs(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1, map_index: int = -1) -> str:
        """The log of one try, with tracebacks; where Airflow keeps events, a line for each."""
        query = f"map_index={map_index}&full_content=true"
        found = self._call("GET", f"{task_path(dag_id, run_id, task_id)}/logs/{attempt}?{query}")["content"]
        return found if isinstance(found, str) else "\n".join(log_line(event) for event in found)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task handed over; KeyError when it handed over nothing."""
        path = f"{task_path(dag_id, run_id, task_id)}/xcomEntries/{quote(key)}?map_index={map_index}&stringify=false"
        try:
            return self._call("GET", path)["value"]
        except HttpError as error:
            if error.status != 404:
                raise
            raise KeyError(f"{task_id} has no XCom {key!r}") from None

    def tail(self) -> str:
        """The ends of the logs of all servers, to be read in an error."""
        return "\n".join(server.tail() for server in self.servers.values())

    def _call(self, method: str, path: str, body: object = None) -> Any:
        return request_json(method, f"{self.url}{self.release.api}{path}", body)

    def _wait(
        self,
        condition: Callable[[], bool],
        timeout: float,
        what: str,
        *,
        detail: Callable[[], str] = str,
    ) -> None:
        try:
            wait_until(condition, timeout, what=what)
        except TimeoutError as error:
            raise ServiceError(f"{error}\n{detail()}\n{self.tail()}") from None

    def _settings(self, database: str) -> dict[str, str]:
        return {
            **self.release.web_settings(self.port, self.url),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(self._parallelism),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            # shorter than the defaults: a test waits for each of these
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        }


def run_path(dag_id: str, run_id: str) -> str:
    """The REST path of a run, whose id holds `+` and `:`."""
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def task_path(dag_id: str, run_id: str, task_id: str) -> str:
    """The REST path of a task of a run."""
    return f"{run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"


def task_key(found: Json) -> str:
    """task or task[3]."""
    return str(found["task_id"]) + ("" if found["map_index"] < 0 else f"[{found['map_index']}]")


def log_line(event: Any) -> str:
    """The text of an event of a task's log; the frames and messages of an exception below it."""
    if isinstance(event, str):
        return event
    lines = [str(event.get("event", ""))]
    for error in event.get("error_detail") or []:
        lines += [f"  {frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in error.get("frames", [])]
        lines += [f"  {error.get('exc_type')}: {error.get('exc_value')}"]
    return "\n".join(lines)
