"""The engines that must agree. Another one is a class here and a line in ENGINES."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from integration_tests.airflow.zen import Project
from integration_tests.services.airflow_offline import AirflowOffline
from integration_tests.services.prefect import Prefect


class Engine(Protocol):
    """What runs a pipeline of a project to its end, on the stores that the project's variables name."""

    @property
    def orchestrator(self) -> str:
        """What the lineage store calls it."""
        ...

    def run(self, project: Project, reference: str, parameters: Mapping[str, Any]) -> None:
        """Run the pipeline, whether it completes or fails."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """`zen run`."""

    orchestrator: str = "local"

    def run(self, project: Project, reference: str, parameters: Mapping[str, Any]) -> None:
        """In a process of its own; exit code 1 is a run that failed."""
        arguments = [part for name, value in parameters.items() for part in ("--param", f"{name}={value}")]
        project.zen("run", reference, *arguments, expect=(0, 1))


@dataclass(frozen=True)
class AirflowEngine:
    """The emitted DAG by `dag.test()`: Airflow's own task runner, retries and XCom, without servers."""

    airflow: AirflowOffline
    orchestrator: str = "airflow"

    def run(self, project: Project, reference: str, parameters: Mapping[str, Any]) -> None:
        """Compile, and run in Airflow's environment."""
        dag_id = reference.rpartition(":")[2]
        with tempfile.TemporaryDirectory(prefix="zen-dags-") as folder:
            project.zen("compile", reference, "--for", "airflow", "--out", folder)
            self.airflow.dag_test(Path(folder, f"{dag_id}.py"), dag_id, parameters, variables=project.variables)


@dataclass(frozen=True)
class PrefectEngine:
    """The emitted flow, called in a process of Prefect's environment, with its runs on Prefect's server."""

    prefect: Prefect
    orchestrator: str = "prefect"

    def run(self, project: Project, reference: str, parameters: Mapping[str, Any]) -> None:
        """Compile, and call the flow; it hands back its state, failed or not."""
        name = reference.rpartition(":")[2]
        with tempfile.TemporaryDirectory(prefix="zen-flows-") as folder:
            project.zen("compile", reference, "--for", "prefect", "--out", folder)
            call = ("python", "-P", "-c", CALL_FLOW, f"{folder}/{name}.py", name, json.dumps(parameters))
            self.prefect.run(*call, variables=project.variables)


CALL_FLOW = """
import importlib.util, json, sys

file, name, parameters = sys.argv[1:]
spec = importlib.util.spec_from_file_location(name, file)
module = sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
getattr(module, name)(**json.loads(parameters), return_state=True)
"""
ENGINES: dict[str, Callable[[pytest.FixtureRequest], Engine]] = {
    "local": lambda request: LocalEngine(),
    "airflow 3.3": lambda request: AirflowEngine(request.getfixturevalue("airflow3_offline")),
    "prefect": lambda request: PrefectEngine(request.getfixturevalue("prefect")),
    "airflow 2.11": lambda request: AirflowEngine(request.getfixturevalue("airflow211_offline")),
}


def engines_here(request: pytest.FixtureRequest) -> dict[str, Engine]:
    """All engines that this machine can run; where CI is set, the fixture of a missing one fails."""
    found = {}
    for name, make in ENGINES.items():
        try:
            found[name] = make(request)
        except pytest.skip.Exception:
            continue  # the fixture has noted why; the others are compared all the same
    return found


def run_on(engine: Engine, project: Project, reference: str, parameters: Mapping[str, Any]) -> Any:
    """Run the pipeline; the document of `zen show --json` of the one run that came of it."""
    before = _run_ids(project)
    engine.run(project, reference, parameters)
    (run_id,) = _run_ids(project) - before
    document = project.json("show", run_id)
    assert document["orchestrator"] == engine.orchestrator
    return document


def _run_ids(project: Project) -> set[str]:
    listed = project.zen("runs", "--json", expect=(0, 2))  # 2: there is none yet
    return {run["run_id"] for run in json.loads(listed or "[]")}
