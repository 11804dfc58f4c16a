"""Maps and branches, as Airflow's own pages show them: states of tasks and of the DAG run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from integration_tests.airflow.conftest import Deploy
from integration_tests.airflow.test_same_lineage import zen_run_of
from integration_tests.airflow.zen import Project
from integration_tests.services.airflow import Airflow
from integration_tests.services.airflow_offline import AirflowOffline
from zen_core.testing.meaning import PIPELINES

SETTINGS = 'project = "maps"\n'
WORK = """
from zen_core import current, either, pipeline, step, when


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def check(value: int, unlucky: int) -> int:
    if value == unlucky:
        raise ValueError(f"{value} is unlucky")
    return value


@step
def double(value: int) -> int:
    return value * 2


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def say(text: str, value: int) -> str:
    return f"{text} {value}"


@step
def tell() -> list[str]:
    return [f"{failure.step}[{failure.map_index}]" for failure in current().failures]


@pipeline(on_failure=tell)
def mixing(count: int = 3, unlucky: int = 1):
    values = numbers(count)
    with when(total.with_options(name="size")(values) > 1000) as large:
        first = say.with_options(name="much")("much", 1)
    with large.otherwise():
        second = say.with_options(name="little")("little", 2)
    say.with_options(name="chosen")(either(first, second), 3)
    total(double.map(check.map(values, unlucky=unlucky)))
"""


def test_the_scheduler_draws_what_happened(airflow: Airflow, deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "zen.toml").write_text(SETTINGS)
    (tmp_path / "work.py").write_text(WORK)
    project = Project(tmp_path, airflow.variables)
    dag_id = deploy(project, "work.py:mixing")
    run_id, state = airflow.run(dag_id, {})
    assert state == "failed"
    instances = {(task["task_id"], task["map_index"]): task["state"] for task in airflow.task_instances(dag_id, run_id)}
    assert {index: instances["check", index] for index in range(3)} == {0: "success", 1: "failed", 2: "success"}
    assert {index: instances["double", index] for index in range(3)} == {
        0: "success",
        1: "upstream_failed",
        2: "success",
    }
    assert instances["total", -1] == "upstream_failed"
    assert instances["much", -1] == "skipped"
    assert instances["little", -1] == instances["chosen", -1] == "success"
    shown = zen_run_of(project, run_id)
    assert shown["status"] == "failed"
    told = next(step for step in shown["steps"] if step["kind"] == "hook")
    assert told["name"] == "tell"
    assert told["status"] == "completed"

    run_id, state = airflow.run(dag_id, {"unlucky": 7})
    assert state == "success"
    shown = zen_run_of(project, run_id)
    assert shown["status"] == "completed"
    outcomes = {step["name"]: step["status"] for step in shown["steps"] if step["map_index"] is None}
    assert outcomes["total"] == "completed"
    assert outcomes["much"] == "skipped"
    assert not any(step["kind"] == "hook" for step in shown["steps"])


def test_a_failed_run_is_a_failed_dag_run_also_behind_what_was_skipped(
    airflow_offline: AirflowOffline, tmp_path: Path
) -> None:
    project = meaning(tmp_path)
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("failure_wins_over_skip", {}),
        ("map_of_nothing", {}),
        ("nothing_to_choose", {}),
        ("hooks_after_failure", {}),
    ]
    for name, _ in wanted:
        project.zen("compile", f"meaning.py:{name}", "--for", "airflow", "--out", str(tmp_path / "dags"))
    hidden, empty, unchosen, hooked = airflow_offline.dag_tests(tmp_path / "dags", wanted, variables=project.variables)
    assert hidden.state == "failed"
    assert hidden.states["both"] == "skipped"  # Airflow skips it before it looks at what failed
    assert hidden.states["zen_end"] == "failed"
    assert empty.state == "success"
    assert empty.states["doubled"] == empty.states["again"] == "skipped"
    assert empty.states["sum"] == "success"
    assert unchosen.state == "success"
    assert unchosen.states["chosen"] == unchosen.states["then"] == "skipped"
    assert hooked.state == "failed"
    assert hooked.states["zen_end"] == "success"  # the hook changes nothing


def test_more_elements_than_airflow_maps_are_refused_before_the_first(
    airflow_offline: AirflowOffline, tmp_path: Path
) -> None:
    project = meaning(tmp_path)
    for name in ("map_collects", "map_in_chunks"):
        project.zen("compile", f"meaning.py:{name}", "--for", "airflow", "--out", str(tmp_path / "dags"))
    wanted = [("map_collects", {"count": 5}), ("map_in_chunks", {})]
    variables = {**project.variables, "AIRFLOW__CORE__MAX_MAP_LENGTH": "3"}
    many, chunked = airflow_offline.dag_tests(tmp_path / "dags", wanted, variables=variables)
    assert many.state == "failed"
    assert many.states["expand_added"] == "failed"
    assert not any(task.startswith("added[") for task in many.states)
    failed = next(run for run in project.json("runs") if run["pipeline"] == "map_collects")
    expander = next(step for step in project.json("show", failed["run_id"])["steps"] if step["name"] == "expand_added")
    told = "the list has 5 elements, and [core] max_map_length lets 3 run at most: map with chunk=2"
    assert expander["error"]["message"] == told
    assert chunked.state == "success"  # five elements in three tasks


def meaning(folder: Path) -> Project:
    """The cases of the conformance suite as a project, with stores of its own."""
    (folder / "zen.toml").write_text(SETTINGS)
    (folder / "meaning.py").write_bytes(PIPELINES.read_bytes())
    variables = {
        "ZEN_LINEAGE_URL": f"sqlite:///{folder / 'zen.db'}",
        "ZEN_ARTIFACT_URL": str(folder / "artifacts"),
        "ZEN_SHARED_FILESYSTEM": "true",
        "ZEN_DEPLOYMENT": "offline",
    }
    return Project(folder, variables)
