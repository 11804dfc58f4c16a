"""The engines that must agree. Another one is a class here and a line in ENGINES."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from integration_tests.airflow.zen import Project
from integration_tests.services.airflow_offline import AirflowOffline
from integration_tests.services.dagster import Dagster
from integration_tests.services.kfp import Kfp
from integration_tests.services.prefect import Prefect


@dataclass(frozen=True)
class PipelineRun:
    """A run that is asked for."""

    reference: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.reference.rpartition(":")[2]


class Engine(Protocol):
    """What runs pipelines of a project to their end, on the stores that the project's variables name."""

    @property
    def orchestrator(self) -> str:
        """What the lineage store calls it."""
        ...

    @property
    def target(self) -> str:
        """The name of its adapter."""
        ...

    def run(self, project: Project, runs: Sequence[PipelineRun]) -> None:
        """Run them one after another in this order, whether they complete or fail."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """`zen run`."""

    orchestrator: str = "local"
    target: str = "local"

    def run(self, project: Project, runs: Sequence[PipelineRun]) -> None:
        """As a person types it."""
        commands = []
        for run in runs:
            parameters = [part for name, value in run.parameters.items() for part in ("--param", f"{name}={value}")]
            commands.append(["run", run.reference, *parameters])
        project.zen_each(commands, expect=(0, 1))


@dataclass(frozen=True)
class AirflowEngine:
    """The emitted DAGs by `dag.test()`: Airflow's own task runner, retries and XCom, without servers."""

    airflow: AirflowOffline
    orchestrator: str = "airflow"
    target: str = "airflow"

    def run(self, project: Project, runs: Sequence[PipelineRun]) -> None:
        """In one process of Airflow's environment."""
        with compiled(project, runs, self.target) as folder:
            wanted = [(run.pipeline, run.parameters) for run in runs]
            self.airflow.dag_tests(folder, wanted, variables=project.variables)


@dataclass(frozen=True)
class PrefectEngine:
    """The emitted flows, called in a process of Prefect's environment, with their runs on Prefect's server."""

    prefect: Prefect
    orchestrator: str = "prefect"
    target: str = "prefect"

    def run(self, project: Project, runs: Sequence[PipelineRun]) -> None:
        """Each hands back its state, failed or not."""
        with compiled(project, runs, self.target) as folder:
            wanted = [(f"{folder}/{run.pipeline}/{run.pipeline}.py", run.pipeline, run.parameters) for run in runs]
            self.prefect.run("python", "-P", "-c", CALL_FLOWS, json.dumps(wanted), variables=project.variables)


CALL_FLOWS = """
import importlib.util, json, sys

for file, name, parameters in json.loads(sys.argv[1]):
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    getattr(module, name)(**parameters, return_state=True)
"""


@dataclass(frozen=True)
class DagsterEngine:
    """The emitted jobs by `execute_in_process`: Dagster's own executor, retries and skips, without servers."""

    dagster: Dagster
    orchestrator: str = "dagster"
    target: str = "dagster"

    def run(self, project: Project, runs: Sequence[PipelineRun]) -> None:
        """In one process of Dagster's environment."""
        with compiled(project, runs, self.target) as folder:
            wanted = [(f"{folder}/{run.pipeline}/{run.pipeline}.py", run.pipeline, run.parameters) for run in runs]
            self.dagster.run("python", "-P", "-c", EXECUTE_JOBS, json.dumps(wanted), variables=project.variables)


EXECUTE_JOBS = """
import importlib.util, json, sys
import dagster as dg

for file, name, parameters in json.loads(sys.argv[1]):
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[f"{name}_defs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = {"resources": {"parameters": {"config": parameters}}} if parameters else {}
    job = module.defs.resolve_job_def(name)
    job.execute_in_process(run_config=config, instance=dg.DagsterInstance.get(), raise_on_error=False)
"""


@dataclass(frozen=True)
class KfpEngine:
    """The emitted pipelines by `kfp.local`, each task in a container of its own.

    A container costs more than what most cases do in it, so that `cases` names those that tell something of KFP.
    """

    kfp: Kfp
    orchestrator: str = "kfp"
    target: str = "kfp"
    cases: frozenset[str] = frozenset(
        {
            "branch_in_branch",
            "element_fails",
            "hooks_after_failure",
            "inputs_of_all_kinds",
            "map_in_untaken_branch",
            "map_of_nothing",
        }
    )

    def run(self, project: Project, runs: Sequence[PipelineRun]) -> None:
        """In one process of KFP's environment; manifest and code from the artifact store."""
        with compiled(project, runs, self.target) as folder:
            project.zen("push", str(folder))
            wanted = [
                (
                    folder / run.pipeline / f"{run.pipeline}.py",
                    run.pipeline,
                    {name: json.dumps(value) for name, value in run.parameters.items()},
                )
                for run in runs
            ]
            # Handing a run on to MLflow is the same code everywhere, and takes longer than all of a run's steps.
            variables = {name: text for name, text in project.variables.items() if not name.startswith("MLFLOW_")}
            self.kfp.run(wanted, variables=variables, folders=[project.folder.parent])


@contextmanager
def compiled(project: Project, runs: Sequence[PipelineRun], target: str) -> Iterator[Path]:
    """What `zen compile` makes of the pipelines, each in a folder of its own, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix=f"zen-{target}-") as folder:
        pipelines = {run.reference: run.pipeline for run in runs}
        project.zen_each(
            [
                ["compile", reference, "--for", target, "--out", f"{folder}/{name}"]
                for reference, name in pipelines.items()
            ]
        )
        yield Path(folder)


ENGINES: dict[str, Callable[[pytest.FixtureRequest], Engine]] = {
    "local": lambda request: LocalEngine(),
    "airflow 3.3": lambda request: AirflowEngine(request.getfixturevalue("airflow3_offline")),
    "prefect": lambda request: PrefectEngine(request.getfixturevalue("prefect")),
    "dagster": lambda request: DagsterEngine(request.getfixturevalue("dagster")),
    "kfp": lambda request: KfpEngine(request.getfixturevalue("kfp")),
    "airflow 2.11": lambda request: AirflowEngine(request.getfixturevalue("airflow211_offline")),
}


def engines_here(request: pytest.FixtureRequest) -> dict[str, Engine]:
    """All engines that this machine can run; where CI is set, the fixture of a missing one fails.

    While one of them is worked on, `ZEN_TEST_ENGINES="prefect,airflow 3.3"` leaves the others out.
    """
    found = {}
    wanted = os.environ.get("ZEN_TEST_ENGINES", ",".join(ENGINES)).split(",")
    for name, make in ENGINES.items():
        if name not in ("local", *wanted):
            continue
        try:
            found[name] = make(request)
        except pytest.skip.Exception:
            continue  # the fixture has noted why; the others are compared all the same
    return found


def run_on(engine: Engine, project: Project, runs: Sequence[PipelineRun]) -> list[Any]:
    """Run the pipelines; for each the document of `zen show --json` of the one run that came of it.

    Pipelines that are not asked for twice may end in any order.
    """
    before = {run["run_id"] for run in _listed(project)}
    engine.run(project, runs)
    made = [run for run in _listed(project) if run["run_id"] not in before]
    made.sort(key=lambda run: str(run["started_at"]))
    texts = project.zen_each([["show", run["run_id"], "--json"] for run in made])
    by_pipeline: dict[str, list[Any]] = {}
    for document in map(json.loads, texts):
        assert document["orchestrator"] == engine.orchestrator
        by_pipeline.setdefault(document["pipeline"], []).append(document)
    assert {name: len(found) for name, found in by_pipeline.items()} == Counter(run.pipeline for run in runs)
    return [by_pipeline[run.pipeline].pop(0) for run in runs]


def _listed(project: Project) -> list[dict[str, Any]]:
    listed = project.zen("runs", "--json", "--limit", "1000", expect=(0, 2))  # 2: there is none yet
    found: list[dict[str, Any]] = json.loads(listed or "[]")
    return found
