"""Jobs on a real Dagster: its multiprocess executor, `dagster dev`, GraphQL, re-execution, cancellation, deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.zen import Project, copy_example, statuses
from integration_tests.services.dagster import Dagster
from integration_tests.services.processes import wait_until
from zen_core.testing.lineage import canonical_lineage, first_difference

EXAMPLE = "pipelines/training.py:breast_cancer"
PIPELINES = """
import time
from datetime import datetime
from pathlib import Path

from zen_core import Retry, Schedule, ScheduledTime, current, either, pipeline, step, when


@step(cache=False)
def begin(text: str) -> int:
    return min(len(text), 3)


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def double(value: int) -> int:
    return value * 2


@step(retry=Retry(times=1, delay="1s"))
def break_down(values: list[int], folder: str) -> int:
    if not Path(folder, "mended").exists():
        raise ValueError("out of order")
    return sum(values)


@step
def high(value: int) -> str:
    return f"high {value}"


@step
def low(value: int) -> str:
    return f"low {value}"


@step
def publish(text: str) -> str:
    return text.upper()


@step
def tell(folder: str) -> None:
    with open(Path(folder, "told"), "a") as file:
        file.write(",".join(failure.step for failure in current().failures) + "\\n")


@pipeline(on_failure=tell)
def mending(folder: str, text: str = "abc"):
    doubled = double.map(value=numbers(begin(text)))
    total = break_down(doubled, folder)
    with when(total > 5) as much:
        first = high(total)
    with much.otherwise():
        second = low(total)
    publish(either(first, second))


@step
def long_work(folder: str) -> int:
    Path(folder, "started").write_text("")
    time.sleep(600)
    return 1


@pipeline
def stopping(folder: str):
    double(long_work(folder))


@step(cache=False)
def tick(day: datetime) -> str:
    return day.isoformat()


@pipeline(schedule=Schedule(cron="* * * * *", timezone="Europe/Berlin", overlap="skip"))
def ticking(day: datetime = ScheduledTime()):
    tick(day)
"""
HOSTILE = 'it\'s "{{ x }}" ${HOME}\n{"env": "HOME"} größe'


@pytest.fixture(scope="module")
def project(dagster: Dagster, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that deploys into the folder that `dagster dev` reads."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "zen.toml").write_text(
        f"""project = "dagster"
[adapters.dagster]
defs_folder = {json.dumps(str(dagster.defs_folder))}
"""
    )
    (folder / "work.py").write_text(PIPELINES)
    return Project(folder, dagster.variables)


@pytest.fixture(scope="module")
def dev(dagster: Dagster, project: Project) -> Iterator[Dagster]:
    """`dagster dev` with the jobs of the project, put there by `zen deploy`."""
    names = ("mending", "stopping", "ticking")
    for name in names:
        project.zen("deploy", f"work.py:{name}", "--for", "dagster")
    dagster.start(*(dagster.defs_folder / f"{name}.py" for name in names))
    return dagster


def test_the_multiprocess_executor_draws_what_the_embedded_engine_draws(dagster: Dagster, tmp_path: Path) -> None:
    variables = {
        **dagster.variables,
        "ZEN_LINEAGE_URL": f"sqlite:///{tmp_path / 'zen.db'}",
        "ZEN_ARTIFACT_URL": str(tmp_path / "artifacts"),
        "ZEN_MLFLOW_SYNC": "off",
    }
    example = copy_example("breast_cancer", tmp_path, variables)
    out = tmp_path / "out"
    example.zen("compile", EXAMPLE, "--for", "dagster", "--out", str(out))
    (tmp_path / "run.yaml").write_text("execution: {config: {in_process: {}}}\n")
    for options in ((), ("-c", str(tmp_path / "run.yaml"))):  # the second finds all of it done, in any executor
        command = ("dagster", "job", "execute", "-f", str(out / "breast_cancer.py"), "-j", "breast_cancer", *options)
        dagster.run(*command, variables=variables)
    second, first = (example.json("show", run["run_id"]) for run in example.json("runs"))
    assert set(statuses(first).values()) == {"completed"}
    assert set(statuses(second).values()) == {"cached"}
    local = example.json("run", EXAMPLE)
    assert set(statuses(local).values()) == {"cached"}
    assert first_difference(canonical_lineage(first), canonical_lineage(local)) == ""


def test_a_failed_run_goes_on_in_a_re_execution(dev: Dagster, project: Project, tmp_path: Path) -> None:
    run_id = dev.launch("mending", "mending.py", {"folder": str(tmp_path), "text": HOSTILE})
    status, steps = dev.wait(run_id)
    assert status == "FAILURE"
    assert steps["break_down"] == "FAILURE"
    failed = _run_of(project, run_id)
    assert failed["status"] == "failed"
    assert failed["parameters"]["text"] == HOSTILE
    assert failed["run_url"] == f"{dev.url}/runs/{run_id}"
    found = _outcomes(failed)
    assert found["break_down"] == ("failed", 2)
    assert found["publish"] == ("upstream_failed", 0)
    assert found["double[2]"] == ("completed", 1)
    assert (tmp_path / "told").read_text() == "break_down\n"

    (tmp_path / "mended").write_text("")
    again = dev.reexecute(run_id)
    status, steps = dev.wait(again)
    assert status == "SUCCESS", steps
    assert steps["low"] == "SKIPPED"
    assert not any(key.startswith(("begin", "numbers", "double")) for key in steps)
    document = _run_of(project, again)
    assert document["status"] == "completed"
    begun = {step["name"]: step for step in document["steps"] if step["name"] == "begin"}["begin"]
    assert begun["reused_from"] == failed["run_id"]  # although it is never cached: Dagster did not run it again
    found = _outcomes(document)
    assert found["break_down"] == ("completed", 1)
    assert found["low"] == ("skipped", 0)
    assert found["publish"] == ("completed", 1)
    assert dev.metadata(again)["publish"]["zen/cache"] == "miss"
    assert dev.metadata(again)["publish"]["zen/result"].startswith("sha256:")
    assert (tmp_path / "told").read_text() == "break_down\n"  # the run that completed has told nobody


def test_a_run_that_is_stopped_is_cancelled(dev: Dagster, project: Project, tmp_path: Path) -> None:
    run_id = dev.launch("stopping", "stopping.py", {"folder": str(tmp_path)})
    wait_until((tmp_path / "started").exists, 120, what="the step to begin")
    dev.terminate(run_id)
    status, _ = dev.wait(run_id)
    assert status == "CANCELED"
    document = _run_of(project, run_id)
    assert document["status"] == "cancelled"
    assert statuses(document)["long_work"] == "cancelled"


def test_a_wrong_parameter_is_told_in_the_op(dev: Dagster, project: Project, tmp_path: Path) -> None:
    run_id = dev.launch("mending", "mending.py", {"folder": 7, "text": "a"})
    status, _ = dev.wait(run_id)
    assert status == "FAILURE"
    runs = project.json("runs")
    assert not any(run["run_id"] == run_id for run in runs)


def test_a_code_location_is_loaded_again_and_must_be_there(dev: Dagster, project: Project) -> None:
    settings = (project.folder / "zen.toml").read_text()
    files = {path: path.read_bytes() for path in dev.defs_folder.rglob("*") if path.is_file()}
    try:
        (project.folder / "zen.toml").write_text(f'{settings}webserver = "{dev.url}"\ncode_location = "nowhere.py"\n')
        project.zen("deploy", "work.py:stopping", "--for", "dagster", expect=3)
        assert {path: path.read_bytes() for path in files} == files
        (project.folder / "zen.toml").write_text(f'{settings}webserver = "{dev.url}"\ncode_location = "stopping.py"\n')
        loaded = dev.loaded_at("stopping.py")
        project.zen("deploy", "work.py:stopping", "--for", "dagster")
        assert dev.loaded_at("stopping.py") > loaded
    finally:
        (project.folder / "zen.toml").write_text(settings)


def test_the_schedule_fires_and_the_run_stands_for_its_tick(dev: Dagster, project: Project) -> None:
    def finished() -> list[Any]:
        return [run for run in project.json("runs") if run["pipeline"] == "ticking" and run["status"] == "completed"]

    wait_until(lambda: bool(finished()), 180, what="the schedule to fire")
    document = project.json("show", finished()[-1]["run_id"])
    tick = datetime.fromisoformat(document["scheduled_at"])
    assert (tick.second, tick.microsecond) == (0, 0)
    (step,) = document["steps"]
    assert datetime.fromisoformat(step["outputs"]["result"]["value"]) == tick


def _run_of(project: Project, dagster_run: str) -> Any:
    """The document of the one run of Zen's that belongs to a run of Dagster's."""
    for run in project.json("runs"):
        document = project.json("show", run["run_id"])
        if dagster_run in document.get("run_url", ""):
            return document
    raise AssertionError(f"no run of Zen's is of {dagster_run}")


def _outcomes(document: Any) -> dict[str, tuple[str, int]]:
    """Status and number of attempts of each step run."""
    return {
        step["name"] + ("" if step["map_index"] is None else f"[{step['map_index']}]"): (
            step["status"],
            step["attempts"],
        )
        for step in document["steps"]
    }
