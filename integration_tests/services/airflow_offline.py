"""Airflow without servers: its loader, and dag.test()."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from integration_tests.services.airflow_release import AirflowRelease
from integration_tests.services.processes import ServiceError
from integration_tests.services.rest import Json

DRIVER = Path(__file__).with_name("airflow_driver.py")


@dataclass(frozen=True)
class DagTestResult:
    """What a run by dag.test() came to."""

    run_id: str
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


class AirflowOffline:
    """A release of Airflow without servers, on SQLite: for tests that need the engine but not its scheduler."""

    def __init__(self, release: AirflowRelease, *, variables: Mapping[str, str] | None = None) -> None:
        self.release = release
        self._variables = dict(variables or {})
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix=f"zen-{self.release.environment}-offline-"))
        template = self._folder / "template"
        template.mkdir()
        self.release.run(["-m", "airflow", "db", "migrate"], self.release.variables(template))
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
        (result,) = self.dag_tests(file, [(dag_id, conf or {})], variables=variables)
        return result

    def dag_tests(
        self,
        path: Path,
        runs: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        variables: Mapping[str, str] | None = None,
    ) -> list[DagTestResult]:
        """Run DAGs of a file or a folder one after another in one process; the same DAG may come several times."""
        folder = path if path.is_dir() else path.parent
        arguments: list[str | Path] = ["test", path, json.dumps([[dag_id, dict(conf)] for dag_id, conf in runs])]
        answers, output = self._drive(arguments, folder, dict(variables or {}))
        return [DagTestResult(**answer, output=output) for answer in answers]

    def _drive(self, arguments: Sequence[str | Path], dags: Path, variables: dict[str, str]) -> tuple[Any, str]:
        if self._folder is None:
            raise ServiceError("AirflowOffline is a context manager: enter it first")
        home = Path(tempfile.mkdtemp(prefix="home-", dir=self._folder))
        shutil.copytree(self._folder / "template", home, dirs_exist_ok=True)
        environment = {**self.release.variables(home), **self._variables, **variables}
        environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
        answer = home / "answer.json"
        output = self.release.run(["-P", DRIVER, answer, *arguments], environment)
        return json.loads(answer.read_text()), output
