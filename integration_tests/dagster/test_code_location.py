"""Several jobs in one code location beside what is others', and re-executions of maps: Dagster without servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.zen import Project
from integration_tests.services.dagster import Dagster

PIPELINES = """
from pathlib import Path

from zen_core import Schedule, pipeline, step


@step(cache=False)
def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))


@step(cache=False)
def check(value: int, folder: str) -> int:
    if value == 2 and not Path(folder, "mended").exists():
        raise ValueError("two is wrong")
    with open(Path(folder, "checked"), "a") as file:
        file.write(f"{value} ")
    return value * 10


@step(cache=False)
def more(value: int) -> int:
    return value + 1


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline(schedule=Schedule(cron="0 6 * * *", timezone="Europe/Berlin", overlap="skip"))
def singles(folder: str = "", count: int = 4):
    total(more.map(value=check.map(value=numbers(count), folder=folder)))


@pipeline(schedule=Schedule(cron="0 7 * * *", overlap="allow"))
def chunks(folder: str = "", count: int = 5):
    total(check.map(value=numbers(count), folder=folder, chunk=2))


@pipeline
def work(count: int = 2):
    total(numbers(count))
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
RUN_UNTIL_DONE = """
import json, sys
from pathlib import Path
import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob

file, name, folder = sys.argv[1:]
job = ReconstructableJob.for_file(file, name)
config = {
    "execution": {"config": {"in_process": {}}},
    "resources": {"parameters": {"config": {"folder": folder}}},
}
runs, options = [], None
with dg.DagsterInstance.get() as instance:
    for attempt in range(3):
        if attempt == 2:
            Path(folder, "mended").touch()
        with dg.execute_job(job, instance, run_config=config, reexecution_options=options) as result:
            succeeded = [event.step_key for event in result.all_events if event.is_step_success]
            runs.append((result.run_id, result.success, sorted(succeeded)))
        options = dg.ReexecutionOptions.from_failure(result.run_id, instance)
print("RUNS", json.dumps(runs))
"""


@pytest.fixture
def project(dagster: Dagster, tmp_path: Path) -> Project:
    """A project whose module and one of its pipelines are both called `work`."""
    (tmp_path / "work.py").write_text(PIPELINES)
    variables = {
        **dagster.variables,
        "ZEN_LINEAGE_URL": f"sqlite:///{tmp_path / 'zen.db'}",
        "ZEN_ARTIFACT_URL": str(tmp_path / "artifacts"),
    }
    return Project(tmp_path, variables)


def test_a_defs_folder_holds_several_jobs_beside_what_is_others(dagster: Dagster, project: Project) -> None:
    package = project.folder / "code" / "team"
    (package / "defs").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "definitions.py").write_text(DEFINITIONS)
    (package / "defs" / "__init__.py").touch()
    (package / "defs" / "theirs.py").write_text(
        "import dagster as dg\n\n\n@dg.op\ndef total():\n    return 1\n\n\n@dg.job\ndef theirs():\n    total()\n"
    )
    (package.parent / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "team"\n'
    )
    (project.folder / "zen.toml").write_text(
        f'project = "dagster"\n[adapters.dagster]\ndefs_folder = {json.dumps(str(package / "defs"))}\n'
    )
    for name in ("singles", "chunks", "work"):  # each with steps called `numbers` and `total`
        project.zen("deploy", f"work.py:{name}", "--for", "dagster")
    listed = dagster.run("dagster", "job", "list", "-m", "team.definitions", "-d", str(package.parent))
    assert {"Job: chunks", "Job: singles", "Job: theirs", "Job: work"} <= set(listed.splitlines())


def test_a_pipeline_may_be_called_like_the_users_own_module(dagster: Dagster, project: Project) -> None:
    out = project.folder / "out"
    project.zen("compile", "work.py:work", "--for", "dagster", "--out", str(out))
    (project.folder / "run.yaml").write_text("execution: {config: {in_process: {}}}\n")
    command = ("dagster", "job", "execute", "-f", str(out / "work.py"), "-j", "work")
    dagster.run(*command, "-c", str(project.folder / "run.yaml"), variables=project.variables)
    assert project.json("show", "latest")["status"] == "completed"


@pytest.mark.parametrize(
    ("name", "checked", "reused", "result"),
    [
        ("singles", "1 3 4 2 ", {"check[0]", "check[2]", "check[3]", "more[0]", "more[2]", "more[3]"}, 104),
        ("chunks", "1 3 4 5 1 1 2 ", {"check[2]", "check[3]", "check[4]"}, 150),  # a part runs as a whole
    ],
)
def test_a_map_goes_on_where_it_failed(
    dagster: Dagster, project: Project, name: str, checked: str, reused: set[str], result: int
) -> None:
    """Twice: after the second run, which fails again, the third takes over what the second had taken over."""
    out = project.folder / "out"
    project.zen("compile", f"work.py:{name}", "--for", "dagster", "--out", str(out))
    arguments = ("-c", RUN_UNTIL_DONE, str(out / f"{name}.py"), name, str(project.folder))
    printed = dagster.run("python", *arguments, variables=project.variables)
    runs = json.loads(next(line for line in printed.splitlines() if line.startswith("RUNS "))[5:])
    assert [success for _, success, _ in runs] == [False, False, True]

    assert (project.folder / "checked").read_text() == checked
    documents = [_run_of(project, run_id) for run_id, _, _ in runs]
    assert [document["status"] for document in documents] == ["failed", "failed", "completed"]
    assert [document["parent_run_id"] for document in documents] == [
        None,
        documents[0]["run_id"],
        documents[1]["run_id"],
    ]
    statuses = {_label(step): step["status"] for step in documents[2]["steps"]}
    assert {label for label, status in statuses.items() if status == "cached"} == {
        "numbers",
        "expand_check",
        *reused,
    }
    assert set(statuses.values()) == {"cached", "completed"}
    (last,) = (step for step in documents[2]["steps"] if step["name"] == "total")
    assert last["outputs"]["result"]["value"] == result


def _run_of(project: Project, run_key: str) -> Any:
    shown = (project.json("show", run["run_id"]) for run in project.json("runs"))
    return next(document for document in shown if document["run_key"] == run_key)


def _label(step: Any) -> str:
    return str(step["name"]) if step["map_index"] is None else f"{step['name']}[{step['map_index']}]"
