"""Maps on the embedded engine: what waits for what, how many at once, and what runs again."""

import os
import signal
import subprocess
from typing import Any

import pytest

from zen_core.errors import NotFoundError

MAPPING = """
@step
def numbers(count: int) -> list[int]:
    return list(range(count))

@step
def work(value: int) -> int:
    mark(f"work_{value}")
    if (STAGE / "broken").exists() and value == 2:
        raise ValueError("two is wrong")
    return value * 10

@step
def then(value: int) -> int:
    mark(f"then_{value}")
    return value + 1

@step
def total(values: list[int]) -> int:
    return sum(values)

@pipeline
def mapping(count: int = 4):
    total(then.map(value=work.map(value=numbers(count))))
"""


def elements(step: str, *statuses: str) -> dict[str, str]:
    return {f"{step}[{index}]": status for index, status in enumerate(statuses)}


def test_an_element_goes_on_while_others_are_at_the_step_before(bench: Any) -> None:
    bench.write("""
    @step
    def numbers() -> list[int]:
        return [0, 1]

    @step
    def first(value: int) -> int:
        if value == 1:
            wait_for("second_0")
        return value

    @step
    def second(value: int) -> int:
        mark(f"second_{value}")
        return value

    @pipeline
    def chained():
        second.map(value=first.map(value=numbers()))
    """)
    assert bench.run("chained")["status"] == "completed"


def test_a_failed_element_is_told_with_the_users_own_exception(bench: Any) -> None:
    bench.write(MAPPING)
    (bench.stage / "broken").touch()
    outcome = bench.execute("mapping")
    assert bench.labels(outcome.run_id) == {
        "numbers": "completed",
        **elements("work", "completed", "completed", "failed", "completed"),
        **elements("then", "completed", "completed", "upstream_failed", "completed"),
        "total": "upstream_failed",
    }
    assert (type(outcome.error), str(outcome.error)) == (ValueError, "two is wrong")
    assert "step 'work[2]'" in outcome.error.__notes__[0]
    assert "raise ValueError(" in outcome.traceback
    assert "zen_metadata" not in outcome.traceback


def test_what_was_done_is_not_done_again_wherever_in_the_list_it_stands(bench: Any) -> None:
    bench.write(MAPPING)
    bench.run("mapping", count=3)
    assert bench.labelled("mapping", count=4) == {
        "numbers": "completed",
        **elements("work", "cached", "cached", "cached", "completed"),
        **elements("then", "cached", "cached", "cached", "completed"),
        "total": "completed",
    }
    assert bench.labelled("mapping", {"refresh": frozenset({"work"})}, count=2) == {
        "numbers": "completed",
        **elements("work", "completed", "completed"),
        **elements("then", "cached", "cached"),
        "total": "completed",
    }
    assert set(bench.labelled("mapping", {"no_cache": True}, count=2).values()) == {"completed"}
    assert bench.marks("work_0") == 3


def test_each_element_is_tried_again_for_itself(bench: Any, recorder: Any) -> None:
    bench.write("""
    @step
    def numbers() -> list[int]:
        return [0, 1, 2, 3]

    @step(retry=Retry(times=2))
    def work(value: int) -> int:
        mark(f"work_{value}")
        if value == 2 and current().attempt < 3:
            raise ConnectionError("not yet")
        return value

    @pipeline
    def retrying():
        work.map(value=numbers(), chunk=3)
    """)
    document = bench.document(bench.execute("retrying", {"observer": recorder}).run_id)
    attempts = [step["attempts"] for step in document["steps"] if step["name"] == "work"]
    assert (document["status"], attempts) == ("completed", [1, 1, 3, 1])
    assert [bench.marks(f"work_{value}") for value in range(4)] == [1, 1, 3, 1]
    assert recorder.of("step_retrying") == [
        ["work[2]", 2, 0.0, "ConnectionError: not yet"],
        ["work[2]", 3, 0.0, "ConnectionError: not yet"],
    ]


@pytest.mark.parametrize(
    ("options", "of_pipeline"),
    [("max_parallel=1", ""), ("", "max_parallel=1"), ("chunk=2, max_parallel=1", "")],
    ids=["of the map", "of the pipeline", "of the map in chunks"],
)
def test_a_limit_keeps_elements_apart(bench: Any, options: str, of_pipeline: str) -> None:
    bench.write(f"""
    @step
    def work(value: int) -> int:
        alone()
        return value

    @step
    def numbers() -> list[int]:
        return [0, 1, 2, 3]

    @pipeline({of_pipeline})
    def limited():
        work.map(value=numbers(), {options})
    """)
    assert set(bench.labelled("limited").values()) == {"completed"}


def test_each_task_of_a_map_takes_the_resources_of_its_step(bench: Any) -> None:
    bench.write("""
    from zen_local.lowering import this_machine

    @step
    def numbers() -> list[int]:
        return [0, 1, 2]

    @step(resources=Resources(cpu=this_machine().cpu))
    def work(value: int) -> int:
        alone()
        return value

    @pipeline
    def heavy():
        work.map(value=numbers())
    """)
    assert set(bench.labelled("heavy").values()) == {"completed"}


def test_a_part_of_a_map_runs_on_what_the_latest_run_left(bench: Any) -> None:
    bench.write(MAPPING)
    for options in ({"only": "then"}, {"only": "total"}, {"from_step": "total"}):
        with pytest.raises(NotFoundError, match="run the whole pipeline once"):
            bench.execute("mapping", options)
    with pytest.raises(NotFoundError):  # nothing was recorded
        bench.show("latest")
    bench.run("mapping", count=2)
    only = bench.labelled("mapping", {"only": "then", "no_cache": True}, count=2)
    assert only["work[1]"] == "cached"
    assert only["then[1]"] == "completed"
    assert (bench.marks("work_1"), bench.marks("then_10")) == (1, 2)
    outcome = bench.execute("mapping", {"only": "total", "no_cache": True})
    assert bench.show(outcome.run_id)["steps"]["total"]["outputs"]["result"]["value"] == 12
    rest = bench.labelled("mapping", {"from_step": "then", "no_cache": True})
    assert rest == {
        "numbers": "cached",
        **elements("work", "cached", "cached"),
        **elements("then", "completed", "completed"),
        "total": "completed",
    }


def test_a_collector_does_not_run_on_elements_that_failed(bench: Any) -> None:
    bench.write(MAPPING)
    (bench.stage / "broken").touch()
    bench.execute("mapping")
    with pytest.raises(NotFoundError, match="'mapping' has all that this needs: expand_work, then") as caught:
        bench.execute("mapping", {"only": "total"})
    assert "the latest run has no results of then\n" in str(caught.value)


def test_a_map_is_told_as_one_step_with_elements(bench: Any, recorder: Any) -> None:
    bench.write(MAPPING)
    (bench.stage / "broken").touch()
    bench.execute("mapping", {"observer": recorder}, count=3)
    assert recorder.of("map_started") == [["work", 3], ["then", 3]]
    ended = {step: (status, why) for step, status, _, why in recorder.of("step_finished")}
    assert ended["work[0]"] == ("completed", "")
    assert ended["work[2]"] == ("failed", "ValueError: two is wrong")
    assert ended["then[2]"] == ("upstream_failed", "")
    assert ended["total"] == ("upstream_failed", "")
    recorder.heard.clear()
    bench.execute("mapping", {"observer": recorder}, count=0)
    assert recorder.of("map_started") == [["work", 0], ["then", 0]]
    ended = {step: (status, why) for step, status, _, why in recorder.of("step_finished")}
    assert ended["then"] == ("completed", "the list is empty")
    assert ended["total"] == ("completed", "")


class Leaving:
    """Fails as soon as an element has ended."""

    def step_finished(self, step: str, *facts: Any) -> None:
        if step.startswith("work["):
            raise BrokenPipeError("nobody listens")

    def __getattr__(self, name: str) -> Any:
        return lambda *facts: None


def test_an_observer_that_fails_at_an_element_ends_the_run(bench: Any) -> None:
    bench.write(MAPPING)
    with pytest.raises(BrokenPipeError, match="nobody listens"):
        bench.execute("mapping", {"observer": Leaving()})


def test_a_map_that_is_interrupted_is_cancelled(bench: Any, ended: list[subprocess.Popen[str]]) -> None:
    bench.write("""
    @step
    def numbers() -> list[int]:
        return list(range(50))

    @step
    def work(value: int) -> int:
        if value:
            mark("waiting")
            print("waiting", flush=True)
            wait_for("go")
        return value

    @pipeline(on_failure=numbers, max_parallel=1)
    def long():
        work.map(value=numbers(), chunk=5)
    """)
    process = bench.command("run", f"{bench.module}.py:long")
    ended.append(process)
    assert process.stdout is not None
    for line in process.stdout:
        if "| waiting" in line:
            break
    os.kill(process.pid, signal.SIGINT)
    process.wait(20)
    assert process.returncode == 130
    shown = bench.labels("latest")
    assert shown["work[0]"] == "completed"
    assert shown["work[1]"] == "cancelled"
    assert bench.document("latest")["status"] == "cancelled"
    assert "numbers_2" not in shown, "a hook ran for a run that somebody stopped"
    assert shown["work[2]"] == "skipped"
