"""What goes wrong in a step, a worker or a person's input, as Airflow and Zen both see it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from integration_tests.airflow.conftest import Deploy
from integration_tests.airflow.test_same_lineage import zen_run_of
from integration_tests.airflow.zen import Project, statuses
from integration_tests.services.airflow import Airflow
from integration_tests.services.processes import wait_until

PIPELINES = """
import os
import time
from pathlib import Path

from zen_core import Retry, pipeline, step


@step
def begin(number: int = 1) -> int:
    return number


@step(retry=Retry(times=2, delay="1s", backoff=2))
def break_down(number: int) -> int:
    raise ValueError(f"the number {number} is unlucky")


@step
def never(number: int) -> int:
    return number


@pipeline
def breaking(number: int = 13):
    never(break_down(begin(number)))


@step(retry=Retry(times=2, delay="1s"))
def long_work(folder: str, number: int) -> bytes:
    marker = Path(folder, "pid")
    if not marker.exists():
        marker.write_text(str(os.getpid()))
        time.sleep(600)
    return bytes([number]) * 1000


@step
def after_work(data: bytes) -> int:
    return len(data)


@pipeline
def killed(folder: str, number: int = 7):
    after_work(long_work(folder, number))


@step
def echo(text: str, items: dict[str, list[float]]) -> str:
    return text


@pipeline
def echoing(text: str = "{{ 1 + 1 }}", items: dict[str, list[float]] = {"a'\\\\": [0.1, 2]}):
    echo(text, items)
"""


@pytest.fixture
def project(tmp_path: Path, airflow: Airflow) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "zen.toml").write_text('project = "failures"\n')
    (folder / "work.py").write_text(PIPELINES)
    return Project(folder, airflow.variables)


def test_a_step_that_fails_stays_failed_after_its_retries(project: Project, airflow: Airflow, deploy: Deploy) -> None:
    dag_id = deploy(project, "work.py:breaking")
    run_id, state = airflow.run(dag_id, {})
    assert state == "failed"
    assert airflow.tries(dag_id, run_id, "break_down") == [(1, "failed"), (2, "failed"), (3, "failed")]
    assert airflow.states(dag_id, run_id)["never"] == "upstream_failed"
    shown = zen_run_of(project, run_id)
    assert shown["status"] == "failed"
    assert statuses(shown) == {"begin": "completed", "break_down": "failed", "never": "upstream_failed"}
    failed = next(step for step in shown["steps"] if step["name"] == "break_down")
    assert failed["attempts"] == 3
    assert failed["error"]["type"] == "ValueError"
    assert failed["error"]["message"] == "the number 13 is unlucky"
    assert "work.py" in failed["error"]["traceback"]
    assert "zen_metadata" not in failed["error"]["traceback"]
    assert "the number 13 is unlucky" in airflow.logs(dag_id, run_id, "break_down", attempt=3)


def test_a_killed_worker_costs_one_attempt_and_no_wait(
    project: Project, airflow: Airflow, deploy: Deploy, tmp_path: Path
) -> None:
    dag_id = deploy(project, "work.py:killed")
    folder = tmp_path / "marker"
    folder.mkdir()
    folder.chmod(0o777)
    run_id = airflow.trigger(dag_id, {"folder": str(folder)})
    marker = folder / "pid"
    wait_until(lambda: marker.exists() and marker.read_text() != "", 120, what="the step to begin")
    os.kill(int(marker.read_text()), signal.SIGKILL)
    killed_at = time.monotonic()
    assert airflow.wait(dag_id, run_id) == "success"
    assert time.monotonic() - killed_at < 100, "the second attempt waited for the dead worker's lease of 120 seconds"
    assert [state for _, state in airflow.tries(dag_id, run_id, "long_work")] == ["failed", "success"]
    shown = zen_run_of(project, run_id)
    assert shown["status"] == "completed"
    steps = {step["name"]: step for step in shown["steps"]}
    assert len(shown["steps"]) == 2
    assert steps["long_work"]["attempts"] == 2
    assert steps["long_work"]["status"] == "completed"
    assert steps["after_work"]["outputs"]["result"]["value"] == 1000
    artifacts = project.json("artifacts", "long_work")
    assert [artifact["version"] for artifact in artifacts] == [1]


def test_no_value_passes_through_airflows_templates(project: Project, airflow: Airflow, deploy: Deploy) -> None:
    dag_id = deploy(project, "work.py:echoing")
    hostile = "{{ ds }} {% raw %} 'quotes' \"and\" \\ back\u2028slashes .sql"
    for conf, arguments in (
        ({}, ()),
        ({"text": hostile}, ("--param", f"text={hostile}")),
        ({"text": "123"}, ("--param", "text=123")),
    ):
        run_id, state = airflow.run(dag_id, dict(conf))
        assert state == "success"
        under_airflow = zen_run_of(project, run_id)
        output = under_airflow["steps"][0]["outputs"]["result"]
        assert output["value"] == conf.get("text", "{{ 1 + 1 }}")
        project.zen("run", "work.py:echoing", *arguments)
        local = project.json("show", "latest")
        assert local["steps"][0]["status"] == "cached", "an override in the form gives the key of --param"
        assert local["parameters"] == under_airflow["parameters"]


def test_a_cleared_task_is_executed_again(project: Project, airflow: Airflow, deploy: Deploy) -> None:
    dag_id = deploy(project, "work.py:echoing")
    run_id, _ = airflow.run(dag_id, {"text": "once more"})
    airflow.clear(dag_id, run_id, ["echo"])
    assert airflow.wait(dag_id, run_id) == "success"
    step = zen_run_of(project, run_id)["steps"][0]
    assert step["attempts"] == 2
    assert step["status"] == "completed"
    assert step["cache_reason"] == "cleared"
