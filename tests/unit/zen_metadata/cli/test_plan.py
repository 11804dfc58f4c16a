"""`zen plan`: what a run would do, foreseen without running anything; and the run then does it."""

import json
import os
from pathlib import Path

import pytest

FLOW = """
    from zen_core import File, Secret, broadcast, either, pipeline, step, when
    import features

    @step
    def load(data: File, n: int) -> list:
        (features.STAGE / "load").touch()
        return [int(x) for x in data.path.read_text().split()][:n]

    @step
    def scaled(rows: list) -> list:
        return [features.scale(row) for row in rows]

    @step
    def square(x: int, offset: int) -> int:
        return x * x + offset

    @step
    def root(y: int) -> int:
        return y

    @step
    def total(rows: list) -> int:
        return sum(rows)

    @step
    def publish(score: int) -> str:
        return "published"

    @step
    def explain(score: int) -> str:
        return "not published"

    @step
    def archive(note: str) -> str:
        return note

    @pipeline
    def flow(data: File = File("numbers.txt"), n: int = 3, offset: int = 0, limit: int = 10):
        score = total(root.map(y=square.map(x=scaled(load(data, n)), offset=offset)))
        with when(score > limit) as good:
            page = publish(score)
        with good.otherwise():
            note = explain(score)
        archive(either(page, note))
"""
FEATURES = """
    from pathlib import Path

    STAGE = Path("stage")
    FACTOR = 2

    def scale(x):
        return x * FACTOR
"""


@pytest.fixture
def flow(project):
    (project.root / "numbers.txt").write_text("1 2 3 4")
    (project.root / "stage").mkdir()
    project.write(flow=FLOW, features=FEATURES)
    project.ref = "flow.py:flow"
    return project


def label(step):
    return step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]"


def planned(project, *arguments):
    """The plan: action and reason of each step that is no condition and no beginning of a map."""
    document = project.json("plan", project.ref, *arguments)
    return {label(step): (step["action"], step["reason"]) for step in document["steps"] if step["kind"] == "step"}


def ran(project, *arguments):
    """Run the pipeline; the statuses by label."""
    result = project.zen("run", project.ref, "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return {label(step): step["status"] for step in json.loads(result.stdout)["steps"] if step["kind"] == "step"}


def snapshot(folder):
    """Every file below a folder, with its size and time."""
    return {
        str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in Path(folder).rglob("*") if file.is_file()
    }


def test_before_the_first_run_nothing_is_there_and_nothing_is_made(flow):
    found = planned(flow)
    assert found["load"] == ("run", "first run")
    assert found["square"] == ("depends", "as many elements as scaled will make")
    assert found["publish"] == ("depends", "only if total > limit")
    assert found["explain"] == ("depends", "only if not (total > limit)")
    assert not (flow.root / ".zen").exists()
    assert not (flow.root / "stage" / "load").exists(), "no step was run"


def test_what_will_be_reused_is_foreseen_through_conditions_and_maps(flow):
    ran(flow)
    (flow.root / "stage" / "load").unlink()
    before = snapshot(flow.root / ".zen")
    document = flow.json("plan", flow.ref)
    steps = {label(step): step for step in document["steps"]}
    assert {step["action"] for step in steps.values() if step["kind"] == "step"} == {"cached", "skipped"}
    assert steps["explain"]["reason"] == "total > limit is true"
    assert (steps["expand_square"]["action"], steps["expand_square"]["reason"]) == ("run", "3 elements")
    assert (steps["when"]["action"], steps["when"]["reason"]) == ("run", "true")
    assert document["counts"] == {"cached": 11, "skipped": 1}
    assert document["parameters"]["n"] == 3
    shown = flow.json("show")
    keys = {label(step): step["cache_key"] for step in shown["steps"]}
    assert all(step["cache_key"] == keys[name] for name, step in steps.items() if step["action"] == "cached")
    assert {step["reused_from"] for step in steps.values() if step["action"] == "cached"} == {shown["run_id"]}
    assert snapshot(flow.root / ".zen") == before
    assert not (flow.root / "stage" / "load").exists()
    assert set(ran(flow).values()) == {"cached", "skipped"}


def test_behind_a_step_that_will_run_its_result_decides(flow):
    ran(flow)
    (flow.root / "numbers.txt").write_text("1 2 3 9")
    found = planned(flow)
    assert found["load"] == ("run", "input data changed")
    assert found["scaled"] == ("depends", "depends on load: cached if it yields the same")
    assert found["square"] == ("depends", "as many elements as scaled will make")
    assert found["total"] == ("depends", "depends on root: cached if it yields the same")
    assert found["publish"] == ("depends", "only if total > limit")
    assert found["archive"][0] == "depends"
    # It does: the fourth number is not read.
    statuses = ran(flow)
    assert statuses.pop("load") == "completed"
    assert set(statuses.values()) == {"cached", "skipped"}


def test_what_is_sure_to_run_is_told_whatever_comes_before_it(flow):
    ran(flow)
    (flow.root / "numbers.txt").write_text("5 6 7 8")
    flow.edit("features", "FACTOR = 2", "FACTOR = 3")
    found = planned(flow)
    assert found["load"] == ("run", "input data changed")
    assert found["scaled"] == ("run", "code changed: features.FACTOR")


def test_elements_are_foreseen_one_by_one_and_conditions_asked(flow):
    ran(flow)
    ran(flow, "--param", "n=2")
    found = planned(flow, "--param", "limit=1000")
    assert found["root[2]"] == ("cached", "nothing changed")
    assert found["publish"] == ("skipped", "total > limit is false")
    assert found["explain"] == ("run", "first run")
    assert found["archive"] == ("depends", "depends on explain: cached if it yields the same")
    found = planned(flow, "--param", "offset=1")
    assert [found[f"square[{index}]"] for index in range(3)] == [("run", "input offset changed")] * 3
    assert found["root[0]"] == ("depends", "depends on square: cached if it yields the same")
    text = flow.zen("plan", flow.ref, "--param", "offset=1").stdout
    assert "square[0..2]" in text
    assert "3 would run, 7 may run, 2 cached" in text


def test_what_is_told_to_execute_runs(flow):
    ran(flow)
    found = planned(flow, "--refresh", "scaled", "--refresh", "publish")
    assert found["load"] == ("cached", "nothing changed")
    assert found["scaled"] == ("run", "refresh")
    assert found["publish"][0] == "depends"
    assert {action for action, _ in planned(flow, "--no-cache").values()} == {"run", "depends"}
    result = flow.zen("plan", flow.ref, "--refresh", "scald")
    assert result.exit_code == 2
    assert "did you mean 'scaled'?" in result.stderr
    result = flow.zen("plan", flow.ref, "--param", "limt=3")
    assert "did you mean 'limit'?" in result.stderr


def test_bytes_that_are_gone_or_damaged_are_foreseen_and_left_alone(flow):
    ran(flow)
    uri = Path(flow.json("show")["steps"][1]["outputs"]["result"]["uri"])
    os.chmod(uri, 0o600)
    uri.write_bytes(b"[")
    assert planned(flow)["scaled"] == ("run", "artifact was damaged")
    assert uri.read_bytes() == b"["
    uri.unlink()
    assert planned(flow)["scaled"] == ("run", "artifact is gone")


def test_what_would_fail_is_told(flow):
    ran(flow)
    (flow.root / "numbers.txt").unlink()
    found = planned(flow)
    assert found["load"][0] == "fails"
    assert "numbers.txt" in found["load"][1]
    assert found["scaled"] == ("fails", "load would fail")
    assert "would fail" in flow.zen("plan", flow.ref).stdout


def test_a_step_that_is_not_cached_always_runs(project):
    project.ref = "off.py:off"
    project.write(
        off="""
        from zen_core import Environment, pipeline, step

        @step(cache=False)
        def ask(n: int) -> int:
            return n

        @step
        def use(n: int) -> int:
            return n

        @step(environment=Environment(requirements=["no-such-package>=3"]), cache=False)
        def lacking(n: int) -> int:
            return n

        @pipeline
        def off(n: int = 1):
            use(ask(n))
            lacking(n)
        """
    )
    found = planned(project)
    assert found["ask"] == ("run", "cache off")
    assert found["use"] == ("run", "first run")
    assert found["lacking"][0] == "fails"
    assert "no-such-package" in found["lacking"][1]
