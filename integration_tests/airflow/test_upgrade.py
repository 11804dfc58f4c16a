"""A deployed pipeline gets new code in place, and goes back to the old, in an Airflow that goes on running."""

from __future__ import annotations

import shutil
from pathlib import Path

from integration_tests.airflow.zen import Project, cache_keys, statuses
from integration_tests.services.airflow import Airflow

PIPELINE = """
from zen_core import Schedule, pipeline, step

@step
def measure(size: int) -> list:
    return list(range(size))

@step
def judge(numbers: list) -> str:
    return f"{sum(numbers)} by VERSION"

@pipeline(schedule=Schedule(cron="0 6 1 1 *", timezone="Europe/Berlin"))
def upgraded(size: int = 5):
    judge(measure(size))
"""


def test_new_code_and_then_the_older_files_again(airflow3: Airflow, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", airflow3.variables)
    project.folder.mkdir()
    (project.folder / "zen.toml").write_text(
        f'project = "upgrades"\n[adapters.airflow]\ndags_folder = "{airflow3.dags_folder}"\n'
    )
    first = deploy_and_run(airflow3, project, "the first")
    older = tmp_path / "older"
    copy_deployed(airflow3.dags_folder, older)
    timetable = airflow3.dag("upgraded")["timetable_description"]

    second = deploy_and_run(airflow3, project, "the second")
    assert airflow3.dag("upgraded")["timetable_description"] == timetable
    assert statuses(second) == {"measure": "cached", "judge": "completed"}
    assert cache_keys(first)["measure"] == cache_keys(second)["measure"]
    assert result(second) == "10 by the second"

    copy_deployed(older, airflow3.dags_folder)
    third = run(airflow3, project)
    assert statuses(third) == {"measure": "cached", "judge": "cached"}
    assert result(third) == result(first) == "10 by the first"
    assert cache_keys(third) == cache_keys(first)


def deploy_and_run(airflow: Airflow, project: Project, version: str) -> dict[str, object]:
    (project.folder / "flows.py").write_text(PIPELINE.replace("VERSION", version))
    printed = project.zen("deploy", "flows.py:upgraded", "--for", "airflow")
    assert "start it: airflow dags trigger upgraded" in printed
    airflow.wait_for_dag("upgraded")
    airflow.unpause("upgraded")
    return run(airflow, project)


def run(airflow: Airflow, project: Project) -> dict[str, object]:
    _, state = airflow.run("upgraded")
    assert state == "success"
    document: dict[str, object] = project.json("show", "latest")
    return document


def result(document: dict[str, object]) -> object:
    (judge,) = (step for step in document["steps"] if step["name"] == "judge")  # type: ignore[attr-defined]
    return judge["outputs"]["result"]["value"]


def copy_deployed(source: Path, target: Path) -> None:
    """The files of the pipeline, as a person keeps them and puts them back."""
    shutil.copytree(source / "upgraded.zen", target / "upgraded.zen", dirs_exist_ok=True)
    shutil.copy(source / "upgraded.py", target / "upgraded.py")
