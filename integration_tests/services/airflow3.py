"""Airflow 3 from its own environment: real servers driven by REST, and a fast way without servers.

The test process never imports Airflow: it runs in another environment, with other versions of what both use.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import Server, ServiceError, free_port, wait_until
from integration_tests.services.rest import HttpError, Json, answers, request_json

ROOT = Path(__file__).resolve().parents[2]
PREFIX = ROOT / ".venvs" / "airflow3"
DRIVER = Path(__file__).with_name("airflow3_driver.py")
START_TIMEOUT = 180  # 15 s on an idle machine with two cores
FINISHED = ("success", "failed")


def missing_airflow3() -> str | None:
    """What this machine lacks to run Airflow, as a sentence part; None when it has all."""
    return None if (PREFIX / "bin" / "airflow").exists() else "needs .venvs/airflow3: make .venvs/airflow3/ready"


class Airflow3:
    """API server, scheduler and dag processor with the LocalExecutor, on a database of a PostgreSQL server.

    `variables` are in the environment of every task, as are those of the test process. A DAG runs when its
    file is put into `dags_folder`; wait_for_dag() then waits until Airflow has read it.
    """

    def __init__(
        self, postgres: PostgresServer, *, variables: Mapping[str, str] | None = None, parallelism: int = 4
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.servers: dict[str, Server] = {}
        self._postgres = postgres
        self._variables = dict(variables or {})
        self._parallelism = parallelism
        self._home: Path | None = None
        self._token: str | None = None

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
        """Make the database, start the three servers and wait until all of them are healthy."""
        self._home = Path(tempfile.mkdtemp(prefix="zen-airflow3-"))
        try:
            self.dags_folder.mkdir()
            (self.home / "passwords.json").write_text('{"admin": "admin"}')
            database = self._postgres.create_database(f"airflow_{self.port}", driver="psycopg2")
            environment = {**airflow_environment(self.home), **self._settings(database), **self._variables}
            run_airflow(["db", "migrate"], environment)
            for name in ("api-server", "scheduler", "dag-processor"):
                log = self.home / f"{name}.log"
                command = [PREFIX / "bin" / "airflow", name]
                self.servers[name] = Server(f"Airflow {name}", command, log=log, environment=environment)
            self.servers["api-server"].wait_until(lambda: answers(f"{self.url}/api/v2/monitor/health"), START_TIMEOUT)
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
        self.servers, self._home, self._token = {}, None, None

    def health(self) -> Json:
        """What each component says of itself: {"scheduler": {"status": "healthy", ...}, ...}."""
        return dict(request_json("GET", f"{self.url}/api/v2/monitor/health"))

    def wait_until_healthy(self, timeout: float = START_TIMEOUT) -> None:
        """Wait for the database, the scheduler and the dag processor."""

        def healthy() -> bool:
            for server in self.servers.values():
                if not server.is_running:
                    raise ServiceError(f"{server.name} ended.\n{server.tail()}")
            health = self.health()
            needed = ("metadatabase", "scheduler", "dag_processor")
            return all((health.get(part) or {}).get("status") == "healthy" for part in needed)

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

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run. New DAGs are not paused here."""
        self._call("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let the DAG start no further runs."""
        self._call("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": True})

    # Runs

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run with parameters; its run id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
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
        """The log of one try, a line for each event, with tracebacks."""
        query = f"map_index={map_index}&full_content=true"
        found = self._call("GET", f"{task_path(dag_id, run_id, task_id)}/logs/{attempt}?{query}")["content"]
        return "\n".join(log_line(event) for event in found)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task handed over; KeyError when it handed over nothing."""
        path = f"{task_path(dag_id, run_id, task_id)}/xcomEntries/{quote(key)}?map_index={map_index}"
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
        if self._token is None:
            login = {"username": "admin", "password": "admin"}
            self._token = request_json("POST", f"{self.url}/auth/token", login)["access_token"]
        headers = {"Authorization": f"Bearer {self._token}"}
        return request_json(method, f"{self.url}/api/v2{path}", body, headers=headers)

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
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(self._parallelism),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            # shorter than the defaults of minutes: a test waits for each of these
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        }


@dataclass(frozen=True)
class DagTestResult:
    """What a run by dag.test() came to."""

    state: str
    states: dict[str, str | None]
    tries: dict[str, int]
    output: str


@dataclass(frozen=True)
class LoadedDags:
    """What Airflow's own loader made of a file or a folder."""

    errors: dict[str, str]
    dags: dict[str, dict[str, Json]]  # dag id -> task id -> {"upstream": [...], "type", "trigger_rule", "retries", ...}
    output: str


class Airflow3Offline:
    """Airflow without servers, on SQLite: for tests that need the engine but not its scheduler."""

    def __init__(self, *, variables: Mapping[str, str] | None = None) -> None:
        self._variables = dict(variables or {})
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="zen-airflow3-offline-"))
        template = self._folder / "template"
        template.mkdir()
        run_airflow(["db", "migrate"], airflow_environment(template))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def load(self, path: Path) -> LoadedDags:
        """Load a file or a folder of DAGs as Airflow does, and return tasks and edges."""
        answer, output = self._drive(["load", path], path if path.is_dir() else path.parent, {})
        return LoadedDags(answer["errors"], answer["dags"], output)

    def dag_test(
        self,
        file: Path,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        variables: Mapping[str, str] | None = None,
    ) -> DagTestResult:
        """Run a DAG in one process, with its retries and their delays. The state says whether it failed."""
        arguments: list[str | Path] = ["test", file, dag_id, json.dumps(dict(conf or {}))]
        answer, output = self._drive(arguments, file.parent, dict(variables or {}))
        return DagTestResult(answer["state"], answer["states"], answer["tries"], output)

    def _drive(self, arguments: Sequence[str | Path], dags: Path, variables: dict[str, str]) -> tuple[Any, str]:
        if self._folder is None:
            raise ServiceError("Airflow3Offline is a context manager: enter it first")
        home = Path(tempfile.mkdtemp(prefix="home-", dir=self._folder))
        shutil.copytree(self._folder / "template", home, dirs_exist_ok=True)
        environment = {**airflow_environment(home), **self._variables, **variables}
        environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
        answer = home / "answer.json"
        output = run_python(["-P", DRIVER, answer, *arguments], environment)
        return json.loads(answer.read_text()), output


def airflow_environment(home: Path) -> dict[str, str]:
    """The variables of an Airflow process: those of this process, its environment's PATH, no usage data."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "PYTHON"))}
    own.pop("VIRTUAL_ENV", None)
    return own | {
        "PATH": f"{PREFIX / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
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
        "AIRFLOW__API__SECRET_KEY": "integration-tests",
    }


def run_airflow(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command of Airflow's CLI and return what it printed."""
    return run_python(["-m", "airflow", *arguments], environment)


def run_python(arguments: Sequence[str | Path], environment: Mapping[str, str], timeout: float = 600) -> str:
    """Run Airflow's interpreter and return what it printed; its failure holds the end of that."""
    started = time.monotonic()
    done = subprocess.run(
        [str(PREFIX / "bin" / "python"), *map(str, arguments)],
        check=False,
        env=dict(environment),
        cwd=environment["AIRFLOW_HOME"],
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
