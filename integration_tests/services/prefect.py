"""Prefect's server, a process work pool and a worker, driven by REST.

The test process never imports Prefect: it runs in another environment, with other versions of what both use.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from integration_tests.services.processes import Server, ServiceError, free_port, wait_until
from integration_tests.services.rest import HttpError, Json, answers, request_json

ROOT = Path(__file__).resolve().parents[2]
PREFIX = ROOT / ".venvs" / "prefect"
POOL = "zen-pool"
START_TIMEOUT = 180  # 8 s on an idle machine with two cores
FINISHED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
AUTH = "admin:s3cret-of-the-server"


class Prefect:
    """A server that asks for a password, and a worker; `variables` are in the environment of every flow run."""

    def __init__(self, *, variables: Mapping[str, str] | None = None) -> None:
        self.variables = dict(variables or {})
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.servers: list[Server] = []
        self._home: Path | None = None

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks, as a sentence part; None when it has all."""
        return None if (PREFIX / "bin" / "prefect").exists() else "needs .venvs/prefect: make .venvs/prefect/ready"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def home(self) -> Path:
        """PREFECT_HOME: the server's database, and the logs."""
        if self._home is None:
            raise ServiceError("Prefect is not started")
        return self._home

    @property
    def flows_folder(self) -> Path:
        """Where deployments go; the worker reads it."""
        return self.home / "flows"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process of Prefect's: the address and password of the server, no usage data."""
        own = {name: text for name, text in os.environ.items() if not name.startswith(("PREFECT", "PYTEST", "PYTHON"))}
        own.pop("VIRTUAL_ENV", None)
        return own | {
            "PATH": f"{PREFIX / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "NO_PROXY": "127.0.0.1,localhost",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.url,
            "PREFECT_API_AUTH_STRING": AUTH,
            "PREFECT_SERVER_API_AUTH_STRING": AUTH,
            "PREFECT_CLI_PROMPT": "false",
            # shorter than the defaults: a test waits for each of these
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
        }

    def start(self) -> None:
        """Start the server, make the pool, start its worker."""
        self._home = Path(tempfile.mkdtemp(prefix="zen-prefect-"))
        try:
            self.flows_folder.mkdir()
            server = self._serve("server", "server", "start", "--host", "127.0.0.1", "--port", str(self.port))
            server.wait_until(lambda: answers(f"{self.url}/health"), START_TIMEOUT)
            self.run("prefect", "work-pool", "create", POOL, "--type", "process")
            self._serve("worker", "worker", "start", "--pool", POOL, "--type", "process", "--name", "one")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop worker and server with all flow runs, and remove their files."""
        for server in reversed(self.servers):
            server.stop(timeout=10)
        self.servers.clear()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
        self._home = None

    def serve(self, entrypoint: Path, flow: str, name: str) -> Server:
        """`prefect flow serve`: a process that runs a flow's runs by itself."""
        return self._serve(f"serve-{name}", "flow", "serve", f"{entrypoint}:{flow}", "--name", name)

    def run(
        self,
        *command: str,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
        expect: int = 0,
        timeout: float = 120,
    ) -> str:
        """Run a command of Prefect's environment; answer with what it printed, both streams."""
        done = subprocess.run(
            [str(PREFIX / "bin" / command[0]), *command[1:]],
            cwd=cwd or self.home,
            env={**self.environment, **self.variables, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert done.returncode == expect, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}"
        return done.stdout

    # Deployments and flow runs

    def deployment(self, name: str) -> Json:
        """A deployment by FLOW/NAME."""
        return dict(self.call("GET", f"/deployments/name/{name}"))

    def trigger(self, name: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Start a run of a deployment; the id of the flow run."""
        body = {"parameters": dict(parameters or {})}
        return str(self.call("POST", f"/deployments/{self.deployment(name)['id']}/create_flow_run", body)["id"])

    def flow_run(self, flow_run_id: str) -> Json:
        """A flow run now."""
        return dict(self.call("GET", f"/flow_runs/{flow_run_id}"))

    def wait(self, flow_run_id: str, timeout: float = 120) -> str:
        """Wait for the end of a flow run; its state: COMPLETED, FAILED, CRASHED or CANCELLED."""
        self.wait_until(lambda: self.flow_run(flow_run_id)["state_type"] in FINISHED, timeout, f"{flow_run_id} to end")
        # The states of its tasks, and its artifacts, arrive a while after its own.
        self.wait_until(lambda: "Pending" not in self._task_states(flow_run_id), 60, "the tasks' states")
        return str(self.flow_run(flow_run_id)["state_type"])

    def _task_states(self, flow_run_id: str) -> set[str]:
        return {state for state, _ in self.task_runs(flow_run_id).values()}

    def flow_runs(self, name: str) -> list[Json]:
        """The runs of a deployment, the oldest first."""
        body = {"deployments": {"id": {"any_": [self.deployment(name)["id"]]}}, "sort": "START_TIME_ASC"}
        return list(self.call("POST", "/flow_runs/filter", body))

    def task_runs(self, flow_run_id: str) -> dict[str, tuple[str, int]]:
        """State name and attempts of each task, by its task's name."""
        body = {"flow_runs": {"id": {"any_": [flow_run_id]}}, "limit": 200}
        found = self.call("POST", "/task_runs/filter", body)
        return {
            run["task_key"].rpartition("-")[0] or run["name"]: (run["state_name"], run["run_count"]) for run in found
        }

    def set_state(self, flow_run_id: str, kind: str, name: str) -> None:
        """What the buttons of the UI do: CANCELLING, or SCHEDULED for a retry."""
        self.call("POST", f"/flow_runs/{flow_run_id}/set_state", {"state": {"type": kind, "name": name}})

    def logs(self, flow_run_id: str) -> str:
        """What Prefect has of a flow run's logs."""
        body = {"logs": {"flow_run_id": {"any_": [flow_run_id]}}, "limit": 200}
        return "\n".join(line["message"] for line in self.call("POST", "/logs/filter", body))

    def artifacts(self, flow_run_id: str) -> list[Json]:
        """The artifacts that a flow run made."""
        body = {"artifacts": {"flow_run_id": {"any_": [flow_run_id]}}}
        self.wait_until(lambda: bool(self.call("POST", "/artifacts/filter", body)), 60, "the artifacts")
        return list(self.call("POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [flow_run_id]}}}))

    def save_secret(self, name: str, value: str) -> None:
        """Make a Secret block, as a person does in the UI."""
        code = f"from prefect.blocks.system import Secret; Secret(value={value!r}).save({name!r}, overwrite=True)"
        self.run("python", "-c", code)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask the server's API."""
        headers = {"Authorization": f"Basic {base64.b64encode(AUTH.encode()).decode()}"}
        deadline = time.monotonic() + 30
        while True:
            try:
                return request_json(method, f"{self.url}{path}", body, headers=headers)
            except HttpError as error:  # 503 means that its SQLite file is busy: its own client tries again too
                if error.status != 503 or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def wait_until(self, condition: Any, timeout: float, what: str) -> None:
        """Wait for a condition; the error has the ends of the logs."""
        try:
            wait_until(condition, timeout, what=what)
        except TimeoutError as error:
            tails = "\n".join(server.tail() for server in self.servers)
            raise ServiceError(f"{error}\n{tails}") from None

    def _serve(self, name: str, *command: str) -> Server:
        server = Server(
            f"Prefect {name}",
            [PREFIX / "bin" / "prefect", *command],
            log=self.home / f"{name}.log",
            environment={**self.environment, **self.variables},
        )
        self.servers.append(server)
        return server
