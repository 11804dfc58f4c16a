"""Maps, branches and hooks as Prefect itself shows them, and what waits for what while they run.

What they mean is tested for all engines alike (`integration_tests/equivalence/test_meaning.py`); here is what is
Prefect's own: task runs and their states, threads, retries of a flow run. All flows run in one process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from integration_tests.airflow.zen import Project, statuses
from integration_tests.equivalence.test_one_truth import fresh_stores
from integration_tests.services.prefect import Prefect

PIPELINES = '''
import threading
import time
from pathlib import Path

from zen_core import broadcast, current, either, pipeline, step, when


def mark(folder: str, name: str) -> None:
    Path(folder, name).touch()


def wait_for(folder: str, *names: str) -> None:
    """What never comes ends the test, not the machine's patience."""
    deadline = time.monotonic() + 90
    while not all(Path(folder, name).exists() for name in names):
        if time.monotonic() > deadline:
            raise TimeoutError(f"held up: of {names} there is {[path.name for path in Path(folder).iterdir()]}")
        time.sleep(0.02)


@step
def number(value: int) -> int:
    return value


@step
def several(count: int) -> list[int]:
    return list(range(count))


@step(cache=False)
def when_seen(folder: str, names: list[str], value: int) -> int:
    wait_for(folder, *names)
    return value


@step(cache=False)
def list_when_seen(folder: str, names: list[str]) -> list[int]:
    wait_for(folder, *names)
    return [1]


@step(cache=False)
def tell(folder: str, name: str, value: int = 0) -> int:
    mark(folder, name)
    return value


@step(cache=False)
def add(left: int, right: int = 1) -> int:
    return left + right


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def side_by_side(folder: str):
    """Two conditions and two maps: what they ask comes last for those that stand first."""
    slow = when_seen.with_options(name="slow")(folder, ["in_branch", "in_map", "aside"], 10)
    slow_list = list_when_seen.with_options(name="slow_list")(folder, ["in_branch", "in_map", "aside"])
    with when(slow > 5) as first:
        after_slow = add.with_options(name="after_slow")(slow)
    with first.otherwise():
        not_slow = add.with_options(name="not_slow")(slow, 100)
    late = add.with_options(name="late").map(left=slow_list)
    fast = number.with_options(name="fast")(10)
    with when(fast > 5):
        tell.with_options(name="in_branch")(folder, "in_branch")
    tell.with_options(name="in_map").map(value=several.with_options(name="fast_list")(2), folder=folder, name="in_map")
    tell.with_options(name="aside")(folder, "aside")
    total.with_options(name="all")([either(after_slow, not_slow), total.with_options(name="late_sum")(late)])


@step(cache=False)
def work(folder: str, value: int) -> int:
    """At most two of these are there at a time; the first two wait for the other map to end."""
    own = Path(folder, f"working-{value}")
    own.touch()
    assert len(list(Path(folder).glob("working-*"))) <= 2
    wait_for(folder, "others")
    time.sleep(0.01)
    own.unlink()
    return value


@pipeline
def limited(folder: str):
    """Elements that wait for their turn, and those after them, take no thread from others."""
    done = work.map(value=several.with_options(name="values")(40), folder=folder, max_parallel=2)
    more = add.with_options(name="more").map(left=done)
    total.with_options(name="sum")(more)
    others = add.with_options(name="others").map(left=several.with_options(name="other_values")(40))
    tell.with_options(name="others_done")(folder, "others", total.with_options(name="others_sum")(others))


@step
def threads(value: int) -> int:
    return threading.active_count()


@step
def highest(values: list[int]) -> int:
    return max(values)


@pipeline
def many():
    """More elements than anyone wants threads."""
    highest(threads.map(value=several.with_options(name="values")(200)))


@step
def refuse_one(value: int) -> int:
    if value == 1:
        raise ValueError("one is wrong")
    return value


@step
def notify_failure() -> None:
    print("failed:", [(failure.step, failure.map_index) for failure in current().failures])


@step
def notify_success() -> None:
    print("completed")


@pipeline(on_failure=notify_failure)
def partly(limit: int = 100):
    """An element fails; a branch is not taken."""
    values = several.with_options(name="values")(4)
    checked = refuse_one.with_options(name="checked").map(value=values, chunk=2)
    more = add.with_options(name="more").map(left=checked)
    total.with_options(name="sum")(more)
    count = total.with_options(name="count")(values)
    with when(count > limit) as large:
        yes = add.with_options(name="yes")(count)
        inner = add.with_options(name="inner").map(left=values)
        add.with_options(name="yes_then")(yes)
    with large.otherwise():
        no = add.with_options(name="no")(count, 2000)
    add.with_options(name="chosen")(either(yes, no))
    number.with_options(name="after_yes")(0).after(yes)


@step(cache=False)
def once(folder: str, name: str, value: int = 0) -> int:
    """Leaves a trace of each time that it runs."""
    with Path(folder, f"ran-{name}-{value}").open("a") as file:
        file.write("x")
    return value


@step(cache=False)
def third_breaks(folder: str, value: int) -> int:
    with Path(folder, f"ran-element-{value}").open("a") as file:
        file.write("x")
    if value == 2 and not Path(folder, "mended").exists():
        mark(folder, "mended")
        raise ConnectionError("not yet")
    return value


@pipeline(on_failure=notify_failure, on_success=notify_success)
def mended(folder: str):
    """The first time an element fails; then Prefect starts the flow run again."""
    start = once.with_options(name="start")(folder, "start", 4)
    with when(start > 3):
        values = several.with_options(name="values")(start)
        parts = third_breaks.with_options(name="parts").map(value=values, folder=folder, chunk=2)
        once.with_options(name="sum")(folder, "sum", total(parts))
'''
CALL_FLOWS = """
import importlib.util, json, sys

for file, name, parameters, retries in json.loads(sys.argv[1]):
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    getattr(module, name).with_options(retries=retries)(**parameters, return_state=True)
"""
FLOWS = ("side_by_side", "limited", "many", "partly", "mended")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project; each flow that leaves traces has a folder of its own name in it."""
    folder = tmp_path_factory.mktemp("graphs")
    (folder / "zen.toml").write_text('project = "graphs"\n')
    (folder / "flows.py").write_text(PIPELINES)
    for name in FLOWS:
        (folder / name).mkdir()
    return folder


@pytest.fixture(scope="module")
def documents(prefect: Prefect, folder: Path) -> Mapping[str, Any]:
    """What Zen shows of each flow's run, by pipeline; only `mended` is started again after a failure."""
    project = Project(folder, fresh_stores(folder))
    project.zen_each([["compile", f"flows.py:{name}", "--for", "prefect", "--out", f"build/{name}"] for name in FLOWS])
    parameters: dict[str, dict[str, Any]] = {name: {"folder": str(folder / name)} for name in FLOWS}
    parameters["many"], parameters["partly"] = {}, {}
    wanted = [
        (str(folder / "build" / name / f"{name}.py"), name, parameters[name], int(name == "mended")) for name in FLOWS
    ]
    prefect.run("python", "-P", "-c", CALL_FLOWS, json.dumps(wanted), variables=project.variables, timeout=240)
    texts = project.zen_each([["show", run["run_id"], "--json"] for run in project.json("runs")])
    return {document["pipeline"]: document for document in map(json.loads, texts)}


def states(prefect: Prefect, document: Mapping[str, Any]) -> dict[str, set[str]]:
    """The states of a flow run's task runs, by the task run's name."""
    wanted = {"flow_runs": {"id": {"any_": [document["run_key"]]}}, "limit": 200}
    expected = {"COMPLETED": "completed", "FAILED": "failed"}[prefect.flow_run(document["run_key"])["state_type"]]
    assert expected == document["status"]

    def read() -> list[dict[str, Any]]:
        return list(prefect.call("POST", "/task_runs/filter", wanted))

    # Prefect's server hears of its task runs a while after they have ended.
    open_ = ("Pending", "Running")
    prefect.wait_until(lambda: not any(run["state_name"] in open_ for run in read()), 60, "the tasks' states")
    found: dict[str, set[str]] = {}
    for run in read():
        found.setdefault(run["name"], set()).add(run["state_name"])
    return found


def value_of(document: Mapping[str, Any], name: str) -> Any:
    (step,) = (step for step in document["steps"] if step["name"] == name)
    return step["outputs"]["result"]["value"]


def test_no_decision_holds_up_what_does_not_depend_on_it(documents: Mapping[str, Any]) -> None:
    document = documents["side_by_side"]
    assert document["status"] == "completed"
    assert value_of(document, "all") == 11 + 2


def test_elements_that_wait_for_their_turn_hold_up_nothing_else(documents: Mapping[str, Any]) -> None:
    document = documents["limited"]
    assert document["status"] == "completed"
    assert value_of(document, "sum") == sum(range(40)) + 40


def test_a_map_takes_no_more_threads_than_may_work(documents: Mapping[str, Any]) -> None:
    document = documents["many"]
    assert document["status"] == "completed"
    # 8 elements and 3 single tasks may hold one; the rest are Prefect's own and those that Zen keeps stores with
    assert value_of(document, "highest") < 40


def test_what_prefect_shows_of_a_failed_element_and_of_an_untaken_branch(
    prefect: Prefect, documents: Mapping[str, Any]
) -> None:
    document = documents["partly"]
    shown = states(prefect, document)
    assert shown == {
        **{name: {"Completed"} for name in ("values", "expand_checked", "count", "when", "no", "chosen")},
        "checked[0]": {"Failed"},
        "checked[1]": {"Completed"},
        "more[0]": {"NotReady"},  # its element 0 ran all the same
        "more[1]": {"Completed"},
        "sum": {"NotReady"},
    }
    by_label = {(step["name"], step["map_index"]): step["status"] for step in document["steps"]}
    assert [by_label["more", index] for index in range(4)] == ["completed", "upstream_failed", "completed", "completed"]
    assert by_label["inner", None] == by_label["yes_then", None] == by_label["after_yes", None] == "skipped"
    assert value_of(document, "chosen") == 6 + 2000 + 1


def test_a_hook_runs_in_the_flow_s_process_and_prints_to_its_log(
    prefect: Prefect, documents: Mapping[str, Any]
) -> None:
    document = documents["partly"]
    assert statuses(document)["notify_failure"] == "completed"
    line = "notify_failure: failed: [('checked', 1)]"
    prefect.wait_until(lambda: line in prefect.logs(document["run_key"]), 30, "the hook's line in the flow's log")


def test_a_flow_run_that_is_started_again_keeps_elements_and_answers(
    prefect: Prefect, documents: Mapping[str, Any], folder: Path
) -> None:
    document = documents["mended"]
    assert document["status"] == "completed"
    assert prefect.flow_run(document["run_key"])["run_count"] == 2
    ran = {path.name.removeprefix("ran-"): path.read_text() for path in (folder / "mended").glob("ran-*")}
    assert ran == {
        "start-4": "x",
        **{f"element-{value}": "xx" if value == 2 else "x" for value in range(4)},
        "sum-6": "x",
    }
    shown = states(prefect, document)
    assert {name for name, found in shown.items() if "Cached" in found} == {
        *("start", "when", "values", "expand_parts"),
    }
    hooks = [step["name"] for step in document["steps"] if step["kind"] == "hook"]
    assert hooks == ["notify_success"]
