"""`zen deploy` into an Airflow that is there already: beside the DAGs of others, with credentials that Airflow keeps,
and again while a run is going on."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.test_same_lineage import zen_run_of
from integration_tests.airflow.zen import Project, cache_keys, statuses
from integration_tests.services.airflow import Airflow
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import wait_until

# A DAG each: Airflow remembers for a while that a file is gone.
BESIDE_OTHERS, REPLACED = "beside_others", "replaced"
PIPELINE = """
import os
import time
from pathlib import Path

from zen_core import Schedule, pipeline, step


@step(cache=False)
def hold(folder: str, size: int) -> int:
    if folder:
        Path(folder, "begun").touch()
        while Path(folder, "hold").exists():
            time.sleep(0.2)
    return size


@step
def judge(size: int) -> str:
    print("the password is", os.environ.get("TEAM_PASSWORD", "nowhere"))
    return f"{size} by the first"


@pipeline
def NAME(folder: str = "", size: int = 5):
    judge(hold(folder, size))
"""
SCHEDULED = PIPELINE.replace("@pipeline", '@pipeline(schedule=Schedule(cron="0 6 1 1 *", timezone="Europe/Berlin"))')
FOREIGN = """
try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task


@dag(dag_id="theirs", schedule=None)
def of_another_team():
    @task
    def work():
        return 1

    work()


of_another_team()
"""
SECRET = "a-password-of-the-team"


@pytest.fixture
def dags_folder(airflow: Airflow) -> Iterator[Path]:
    """Airflow's DAGs folder with DAGs of others in it, and afterwards as it was."""
    folder = airflow.dags_folder
    (folder / "team").mkdir()
    (folder / "team" / "theirs.py").write_text(FOREIGN)
    with zipfile.ZipFile(folder / "packaged.zip", "w") as archive:
        archive.writestr("packaged.py", FOREIGN.replace('"theirs"', '"packaged"'))
    yield folder
    shutil.rmtree(folder / "team")
    (folder / "packaged.zip").unlink()
    for name in (BESIDE_OTHERS, REPLACED):
        (folder / f"{name}.py").unlink(missing_ok=True)
        shutil.rmtree(folder / f"{name}.zen", ignore_errors=True)


@pytest.fixture
def project(airflow: Airflow, dags_folder: Path, tmp_path: Path) -> Project:
    made = Project(tmp_path / "project", airflow.variables)
    made.folder.mkdir()
    write_settings(made, dags_folder)
    (tmp_path / "markers").mkdir()
    return made


def test_beside_the_dags_of_others_with_credentials_that_airflow_keeps(
    airflow: Airflow, dags_folder: Path, project: Project, postgres: PostgresServer, tmp_path: Path
) -> None:
    """The lineage goes where the Connection says, not where the workers' environment does."""
    theirs = digests(dags_folder)
    (project.folder / "flows.py").write_text(PIPELINE.replace("NAME", BESIDE_OTHERS))
    url = postgres.create_database(f"deployed_{airflow.port}", driver=None)
    airflow.add_connection("team_lineage", url)
    airflow.set_variable("team_password", SECRET)
    write_settings(
        project,
        dags_folder,
        ZEN_LINEAGE_URL="connection:team_lineage",
        TEAM_PASSWORD="variable:team_password",
    )
    document = deploy(project, BESIDE_OTHERS)
    assert document["changed"] == [f"{BESIDE_OTHERS}.py", *(f"{BESIDE_OTHERS}.zen/{name}" for name in BESIDE)]
    assert document["start"] == f"airflow dags trigger {BESIDE_OTHERS}"
    assert not deploy(project, BESIDE_OTHERS)["changed"]
    assert digests(dags_folder).items() >= theirs.items()

    run_id, state = airflow.run(BESIDE_OTHERS, {"folder": str(tmp_path / "markers")})
    assert state == "success", airflow.logs(BESIDE_OTHERS, run_id, "hold")
    recorded = zen_run_of(project.with_variables(ZEN_LINEAGE_URL=url), run_id)
    assert statuses(recorded) == {"hold": "completed", "judge": "completed"}
    assert recorded["status"] == "completed"
    log = airflow.logs(BESIDE_OTHERS, run_id, "judge")
    assert "the password is ***" in log
    written = [path.read_bytes() for path in dags_folder.rglob("*") if path.is_file()]
    assert SECRET not in log
    assert not any(SECRET.encode() in content or url.encode() in content for content in written)

    write_settings(project, dags_folder, ZEN_LINEAGE_URL="connection:nobodys")
    assert deploy(project, BESIDE_OTHERS)["changed"] == [
        f"{BESIDE_OTHERS}.py",
        f"{BESIDE_OTHERS}.zen/code.zip",
        f"{BESIDE_OTHERS}.zen/manifest.json",
    ]
    run_id, state = airflow.run(BESIDE_OTHERS, {"folder": str(tmp_path / "markers")})
    assert state == "failed"
    log = airflow.logs(BESIDE_OTHERS, run_id, "hold")
    assert "the value of ZEN_LINEAGE_URL is not there: Airflow has no Connection" in log
    assert "nobodys" in log

    (project.folder / "flows.py").write_text(PIPELINE.replace("NAME", "theirs"))
    refused = project.zen("deploy", "flows.py:theirs", "--for", "airflow", "--dry-run", expect=3)
    assert refused == ""
    assert digests(dags_folder).items() >= theirs.items()


def test_new_code_while_a_run_is_going_on_and_the_older_files_again(
    airflow: Airflow, dags_folder: Path, project: Project, tmp_path: Path
) -> None:
    markers = tmp_path / "markers"
    conf = {"folder": str(markers)}
    (project.folder / "flows.py").write_text(SCHEDULED.replace("NAME", REPLACED))
    deploy(project, REPLACED)
    before_run, state = airflow.run(REPLACED, conf)
    assert state == "success"
    schedule = airflow.dag(REPLACED)["timetable_description"]
    older = tmp_path / "older"
    copy_deployed(REPLACED, dags_folder, older)

    (markers / "begun").unlink()
    (markers / "hold").touch()
    between_run = airflow.trigger(REPLACED, conf)
    wait_until((markers / "begun").exists, 120, what="the step to begin")
    upgraded = (
        SCHEDULED.replace("NAME", REPLACED)
        .replace("by the first", "by the second")
        .replace("    judge(hold(folder, size))", "    archive(judge(hold(folder, size)))")
    )
    (project.folder / "flows.py").write_text(
        f"{upgraded}\n\n@step\ndef archive(text: str) -> int:\n    return len(text)\n"
    )
    assert f"{REPLACED}.zen/before/manifest.json" in deploy(project, REPLACED)["changed"]
    airflow.read_again(REPLACED)
    wait_until(lambda: "archive" in airflow.task_ids(REPLACED), 120, what="Airflow to read the new DAG")
    (markers / "hold").unlink()
    assert airflow.wait(REPLACED, between_run) == "success"
    after_run, state = airflow.run(REPLACED, conf)
    assert state == "success"
    assert airflow.dag(REPLACED)["timetable_description"] == schedule

    copy_deployed(REPLACED, older, dags_folder)
    airflow.read_again(REPLACED)
    wait_until(lambda: "archive" not in airflow.task_ids(REPLACED), 120, what="Airflow to read the older DAG")
    back_run, state = airflow.run(REPLACED, conf)
    assert state == "success"

    before, between, after, back = (
        zen_run_of(project, run_id) for run_id in (before_run, between_run, after_run, back_run)
    )
    assert verdict(before) == verdict(back) == "5 by the first"
    assert verdict(between) == verdict(after) == "5 by the second"
    assert [run["mixed"] for run in (before, between, after, back)] == [False, True, False, False]
    assert statuses(after) == {
        "hold": "completed",
        "judge": "cached",
        "archive": "completed" if "archive" not in statuses(between) else "cached",
    }
    assert statuses(back) == {"hold": "completed", "judge": "cached"}
    assert cache_keys(back) == cache_keys(before)


BESIDE = (".airflowignore", "code.zip", "manifest.json")


def write_settings(project: Project, dags_folder: Path, **credentials: str) -> None:
    lines = [f"{variable} = {json.dumps(name)}" for variable, name in credentials.items()]
    table = ["[adapters.airflow.credentials]", *lines] if lines else []
    settings = [
        'project = "deployments"',
        "[adapters.airflow]",
        f"dags_folder = {json.dumps(str(dags_folder))}",
        *table,
    ]
    (project.folder / "zen.toml").write_text("\n".join([*settings, ""]))


def deploy(project: Project, name: str) -> dict[str, Any]:
    document: dict[str, Any] = project.json("deploy", f"flows.py:{name}", "--for", "airflow")
    return document


def digests(folder: Path) -> dict[Path, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def copy_deployed(name: str, source: Path, target: Path) -> None:
    """The files of the pipeline, as a person keeps them and puts them back."""
    shutil.copytree(source / f"{name}.zen", target / f"{name}.zen", dirs_exist_ok=True)
    shutil.copy(source / f"{name}.py", target / f"{name}.py")


def verdict(document: dict[str, Any]) -> Any:
    (judge,) = (step for step in document["steps"] if step["name"] == "judge")
    return judge["outputs"]["result"]["value"]
