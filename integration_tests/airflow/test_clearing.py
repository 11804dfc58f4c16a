"""A person clears tasks of a run in which things have changed: conditions and maps mean what they mean now."""

from __future__ import annotations

from pathlib import Path

from integration_tests.airflow.conftest import Deploy
from integration_tests.airflow.test_same_lineage import zen_run_of
from integration_tests.airflow.zen import Project
from integration_tests.services.airflow import Airflow

WORK = """
from pathlib import Path

from zen_core import either, pipeline, step, when


@step(cache=False)
def look(folder: str) -> int:
    return int(Path(folder, "count").read_text())


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def double(value: int) -> int:
    return value * 2


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def say(text: str, value: object) -> str:
    return f"{text} {value}"


@pipeline
def turning(folder: str):
    count = look(folder)
    with when(count < 4) as small:
        first = say.with_options(name="few")("few:", count)
    with small.otherwise():
        second = say.with_options(name="many")("many:", count)
    say.with_options(name="chosen")("chosen", either(first, second))
    total(double.map(numbers(count)))
"""


def test_what_is_cleared_runs_again_by_what_holds_now(airflow: Airflow, deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "zen.toml").write_text('project = "clearing"\n')
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "count").write_text("3")
    project = Project(tmp_path, airflow.variables)
    dag_id = deploy(project, "work.py:turning")
    run_id, state = airflow.run(dag_id, {"folder": str(tmp_path)})
    assert state == "success"
    assert outcomes(project, run_id) == {
        "few": "few: 3",
        "many": "skipped",
        "chosen": "chosen few: 3",
        "double[0]": 0,
        "double[1]": 2,
        "double[2]": 4,
        "total": 6,
    }

    airflow.clear(dag_id, run_id, ["double"])
    assert airflow.wait(dag_id, run_id) == "success"
    steps = {(step["name"], step["map_index"]): step for step in zen_run_of(project, run_id)["steps"]}
    assert [steps["double", index]["attempts"] for index in range(3)] == [2, 2, 2]
    assert {steps["double", index]["status"] for index in range(3)} == {"completed"}  # executed, not looked up

    (tmp_path / "count").write_text("4")
    airflow.clear(dag_id, run_id, ["look"], downstream=True)
    ended, states = airflow.wait(dag_id, run_id), airflow.states(dag_id, run_id)
    assert ended == "success", states
    assert (states["few"], states["many"], states["chosen"]) == ("skipped", "success", "success")
    assert states["zen_end"] == "success"
    assert outcomes(project, run_id) == {
        "few": "skipped",
        "many": "many: 4",
        "chosen": "chosen many: 4",
        "double[0]": 0,
        "double[1]": 2,
        "double[2]": 4,
        "double[3]": 6,
        "total": 12,
    }
    assert zen_run_of(project, run_id)["status"] == "completed"


def outcomes(project: Project, airflow_run_id: str) -> dict[str, object]:
    """What the steps that can change made, or their status where they made nothing."""
    found: dict[str, object] = {}
    for step in zen_run_of(project, airflow_run_id)["steps"]:
        if step["name"] in ("many", "few", "chosen", "double", "total"):
            label = step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]"
            done = step["status"] in ("completed", "cached")
            found[label] = step["outputs"]["result"]["value"] if done else step["status"]
    return found
