"""Dagster: its commands on an instance of its own, and `dagster dev`, driven by GraphQL.

The test process never imports Dagster: it runs in another environment, with other versions of what both use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from integration_tests.services.processes import Server, ServiceError, free_port, wait_until
from integration_tests.services.rest import Json, answers, request_json

ROOT = Path(__file__).resolve().parents[2]
PREFIX = ROOT / ".venvs" / "dagster"
START_TIMEOUT = 180  # 22 s on a busy machine with two cores
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")
INSTANCE = """
telemetry: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
    tag_concurrency_limits:
      - {key: zen/pipeline, value: {applyLimitPerUniqueValue: true}, limit: 1}
"""
LAUNCH = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
RUN = """
query($id: ID!) {
  runOrError(runId: $id) { ... on Run { status stepStats { stepKey status attempts { startTime } } } }
}
"""
REEXECUTE = """
mutation($params: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
EVENTS = """
query($id: ID!) {
  logsForRun(runId: $id, limit: 1000) {
    ... on EventConnection {
      events {
        ... on ExecutionStepOutputEvent { stepKey metadataEntries { label ... on TextMetadataEntry { text } } }
      }
    }
  }
}
"""
LOCATION = """
query($name: String!) {
  workspaceLocationEntryOrError(name: $name) { ... on WorkspaceLocationEntry { updatedTimestamp } }
}
"""
TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


class Dagster:
    """An instance with its own home; `variables` are in the environment of every op."""

    def __init__(self, *, variables: Mapping[str, str] | None = None) -> None:
        self.variables = dict(variables or {})
        self.port = free_port()
        self.server: Server | None = None
        self._home: Path | None = None

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks, as a sentence part; None when it has all."""
        return None if (PREFIX / "bin" / "dagster").exists() else "needs .venvs/dagster: make .venvs/dagster/ready"

    def __enter__(self) -> Self:
        self._home = Path(tempfile.mkdtemp(prefix="zen-dagster-"))
        (self._home / "dagster.yaml").write_text(INSTANCE)
        self.defs_folder.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.server is not None:
            self.server.stop(timeout=10)
            self.server = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
        self._home = None

    @property
    def home(self) -> Path:
        """DAGSTER_HOME: runs and events."""
        if self._home is None:
            raise ServiceError("Dagster is a context manager: enter it first")
        return self._home

    @property
    def defs_folder(self) -> Path:
        """A folder for definitions."""
        return self.home / "defs"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process of Dagster's."""
        own = {name: text for name, text in os.environ.items() if not name.startswith(("DAGSTER", "PYTEST", "PYTHON"))}
        own.pop("VIRTUAL_ENV", None)
        return own | {
            "PATH": f"{PREFIX / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "NO_PROXY": "127.0.0.1,localhost",
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def run(
        self, *command: str, variables: Mapping[str, str] | None = None, expect: int | None = 0, timeout: float = 300
    ) -> str:
        """Run a command of Dagster's environment; answer with what it printed, both streams."""
        done = subprocess.run(
            [str(PREFIX / "bin" / command[0]), *command[1:]],
            cwd=self.home,
            env={**self.environment, **self.variables, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert expect is None or done.returncode == expect, (
            f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}"
        )
        return done.stdout

    # `dagster dev`

    @property
    def url(self) -> str:
        """The webserver's address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *files: Path) -> None:
        """`dagster dev` with these files: webserver, daemon and a code location for each."""
        command = [str(PREFIX / "bin" / "dagster"), "dev", "-h", "127.0.0.1", "-p", str(self.port)]
        command += [part for file in files for part in ("-f", str(file))]
        environment = {**self.environment, **self.variables, "ZEN_DAGSTER_URL": self.url}
        self.server = Server("dagster", command, log=self.home / "dev.log", environment=environment)
        self.server.wait_until(lambda: answers(f"{self.url}/server_info"), START_TIMEOUT)

    def ask(self, query: str, **variables: Any) -> Json:
        """The answer to a GraphQL query."""
        answer = request_json("POST", f"{self.url}/graphql", {"query": query, "variables": variables})
        assert not answer.get("errors"), answer["errors"]
        found: Json = answer["data"]
        return found

    def launch(self, job: str, location: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Start a run; answer with its id."""
        config = {"resources": {"parameters": {"config": dict(parameters)}}} if parameters else {}
        selector = {"repositoryLocationName": location, "repositoryName": "__repository__", "jobName": job}
        launched = self.ask(LAUNCH, params={"selector": selector, "runConfigData": config})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def reexecute(self, run_id: str) -> str:
        """Re-execute a run from its failure; answer with the new one's id."""
        params = {"parentRunId": run_id, "strategy": "FROM_FAILURE"}
        launched = self.ask(REEXECUTE, params=params)["launchRunReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        """Cancel a run."""
        self.ask(TERMINATE, id=run_id)

    def wait(self, run_id: str, timeout: float = 300) -> tuple[str, dict[str, str]]:
        """Wait for the end of a run; its status, and the steps' by their keys."""
        found: dict[str, Any] = {}

        def is_over() -> bool:
            found.update(self.ask(RUN, id=run_id)["runOrError"])
            return bool(found["status"] in FINISHED)

        wait_until(is_over, timeout, what=f"the end of the run {run_id}")
        return found["status"], {step["stepKey"]: step["status"] for step in found["stepStats"]}

    def loaded_at(self, location: str) -> float:
        """When a code location was loaded."""
        found = self.ask(LOCATION, name=location)["workspaceLocationEntryOrError"]
        return float(found["updatedTimestamp"])

    def metadata(self, run_id: str) -> dict[str, dict[str, str]]:
        """What the outputs of each step say, by step key and label."""
        events = self.ask(EVENTS, id=run_id)["logsForRun"]["events"]
        return {
            event["stepKey"]: {entry["label"]: entry.get("text", "") for entry in event["metadataEntries"]}
            for event in events
            if "stepKey" in event
        }
