"""Runs on the embedded engine: what is executed, what is taken from the cache, what fails and how it is told."""

from __future__ import annotations

from typing import Any

import pytest

from zen_core.authoring.loading import load_pipeline
from zen_core.errors import (
    MissingInputError,
    NotFoundError,
    OutputError,
    ParameterError,
    UsageError,
)

CHAIN = """
@step
def begin(seed: int) -> dict[str, int]:
    mark("begin")
    return {"count": seed}

@step
def count(previous: dict[str, int], by: int = 1) -> Annotated[dict[str, int], "counted"]:
    mark("count")
    return {"count": previous["count"] + by}

@step
def tell(counted: dict[str, int]) -> None:
    mark("tell")

@pipeline
def chain(seed: int = 1, by: int = 1):
    tell(count(begin(seed), by))
"""


def test_what_was_done_is_not_done_again(bench: Any) -> None:
    bench.write(CHAIN)
    first = bench.run("chain")
    assert first["status"] == "completed"
    assert {name: step["status"] for name, step in first["steps"].items()} == {
        "begin": "completed",
        "count": "completed",
        "tell": "completed",
    }
    second = bench.run("chain")
    assert second["steps"]["count"]["status"] == "cached"
    assert second["steps"]["count"]["reused_from"] == first["run_id"]
    assert second["steps"]["count"]["outputs"] == first["steps"]["count"]["outputs"]
    assert second["steps"]["tell"]["status"] == "completed", "a step without outputs runs each time"
    assert (bench.marks("begin"), bench.marks("count"), bench.marks("tell")) == (1, 1, 2)


def test_a_changed_parameter_is_done_again_with_what_hangs_on_it(bench: Any) -> None:
    bench.write(CHAIN)
    bench.run("chain")
    assert bench.statuses("chain", by=2) == {"begin": "cached", "count": "completed", "tell": "completed"}


def test_the_same_result_upstream_stops_what_follows_from_being_done_again(bench: Any) -> None:
    bench.write(CHAIN.replace('return {"count": seed}', 'return {"count": abs(seed)}'))
    bench.run("chain", seed=1)
    assert bench.statuses("chain", seed=-1)["begin"] == "completed"
    assert bench.marks("count") == 1


def test_another_comment_or_docstring_is_no_other_code_but_another_line_is(bench: Any) -> None:
    bench.write(CHAIN)
    bench.run("chain")
    bench.edit(CHAIN.replace('mark("count")', '"""Count on."""  # why not\n    mark("count")'))
    assert bench.statuses("chain")["count"] == "cached"
    bench.edit(CHAIN.replace('previous["count"] + by', 'by + previous["count"]'))
    assert bench.statuses("chain")["count"] == "completed"


def test_no_cache_and_refresh_execute_what_is_there(bench: Any) -> None:
    bench.write(CHAIN)
    bench.run("chain")
    assert set(bench.statuses("chain", {"no_cache": True}).values()) == {"completed"}
    refreshed = bench.statuses("chain", {"refresh": frozenset({"count"})})
    assert refreshed == {"begin": "cached", "count": "completed", "tell": "completed"}


def test_a_part_of_the_pipeline_runs_on_what_the_latest_run_left(bench: Any) -> None:
    bench.write(CHAIN)
    with pytest.raises(NotFoundError, match="run the whole pipeline once"):
        bench.execute("chain", {"only": "count"})
    whole = bench.run("chain", seed=5)
    only = bench.run("chain", {"only": "count", "no_cache": True}, by=3)
    assert list(only["steps"]) == ["begin", "count"] or "tell" in only["steps"]
    assert only["status"] == "completed"
    assert only["steps"]["count"]["status"] == "completed"
    assert only["steps"]["begin"]["reused_from"] == whole["run_id"]
    rest = bench.run("chain", {"from_step": "count", "no_cache": True})
    assert [rest["steps"][name]["status"] for name in ("begin", "count", "tell")] == [
        "cached",
        "completed",
        "completed",
    ]
    assert bench.marks("begin") == 1


def test_a_failed_step_is_told_with_the_users_own_exception(bench: Any) -> None:
    bench.write("""
    class Unlucky(Exception):
        pass

    @step
    def fail(number: int) -> int:
        log_metric("tried", number)
        print("about to fail")
        raise Unlucky(f"{number} is unlucky")

    @step
    def after(number: int) -> int:
        return number

    @step
    def beside(number: int) -> int:
        return number

    @pipeline
    def failing(number: int = 13):
        after(fail(number))
        beside(number)
    """)
    outcome = bench.execute("failing")
    assert outcome.status == "failed"
    assert type(outcome.error).__name__ == "Unlucky"
    assert str(outcome.error) == "13 is unlucky"
    assert outcome.error.__notes__ == [f"zen: run {outcome.run_id}, step 'fail', attempt 1"]
    shown = bench.show(outcome.run_id)
    assert shown["status"] == "failed"
    assert {name: step["status"] for name, step in shown["steps"].items()} == {
        "fail": "failed",
        "after": "upstream_failed",
        "beside": "completed",
    }
    failed = shown["steps"]["fail"]
    assert failed["error"]["message"] == "13 is unlucky"
    assert "raise Unlucky" in failed["error"]["traceback"]
    assert "zen_metadata" not in failed["error"]["traceback"]
    assert failed["metrics"], "what was logged before the failure is kept"
    with pytest.raises(Exception, match="13 is unlucky") as caught:
        load_pipeline(f"{bench.module}:failing", bench.settings).run()
    assert type(caught.value).__name__ == "Unlucky"


def test_a_step_is_tried_again_after_its_delay(bench: Any) -> None:
    bench.write("""
    @step(retry=Retry(times=2, delay=0.01, backoff=2))
    def flaky(number: int) -> int:
        mark("flaky")
        if current().attempt < 3:
            raise OSError("not yet")
        return current().attempt

    @pipeline
    def retrying(number: int = 1):
        flaky(number)
    """)
    flaky = bench.run("retrying")["steps"]["flaky"]
    assert (flaky["status"], flaky["attempts"], flaky["outputs"]["result"]["value"]) == ("completed", 3, 3)
    assert bench.marks("flaky") == 3


def test_files_count_by_their_content(bench: Any) -> None:
    bench.write("""
    @step
    def read(data: File) -> str:
        mark("read")
        return Path(data).read_text()

    @pipeline
    def reading(data: File = File("a.txt")):
        read(data)
    """)
    (bench.folder / "a.txt").write_text("one")
    (bench.folder / "b.txt").write_text("one")
    first = bench.run("reading")
    assert bench.statuses("reading", data="b.txt") == {"read": "cached"}
    (bench.folder / "a.txt").write_text("two")
    assert bench.statuses("reading") == {"read": "completed"}
    assert bench.marks("read") == 2
    source = first["steps"]["read"]["inputs"]["data"]
    assert source["artifact_id"] is not None, "the raw file is part of the lineage"
    outcome = bench.execute("reading", data="nowhere/a.txt")
    assert isinstance(outcome.error, MissingInputError)
    assert "nowhere/a.txt" in str(outcome.error)
    assert bench.show(outcome.run_id)["steps"]["read"]["status"] == "failed"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("return 1", "declares 2 outputs (left, right) and returned a int"),
        ("return 1, 2, 3", "declares 2 outputs (left, right) and returned 3 values"),
        ("return 1, (item for item in 'ab')", "output 'right' of step 'bad' of pipeline 'outputs'"),
    ],
)
def test_an_output_that_is_not_as_declared_or_cannot_be_stored(bench: Any, body: str, problem: str) -> None:
    bench.write(f"""
    @step
    def bad(number: int) -> tuple[Annotated[int, "left"], Annotated[object, "right"]]:
        {body}

    @pipeline
    def outputs(number: int = 1):
        bad(number)
    """)
    outcome = bench.execute("outputs")
    assert isinstance(outcome.error, OutputError)
    assert problem in str(outcome.error)
    step = bench.show(outcome.run_id)["steps"]["bad"]
    assert (step["status"], step["outputs"]) == ("failed", {})


def test_none_is_a_value(bench: Any) -> None:
    bench.write("""
    @step
    def nothing(number: int) -> Annotated[int | None, "maybe"]:
        return None

    @step
    def check(maybe: int | None) -> bool:
        return maybe is None

    @pipeline
    def optional(number: int = 1):
        check(nothing(number))
    """)
    steps = bench.run("optional")["steps"]
    assert steps["nothing"]["outputs"]["maybe"]["value"] is None
    assert steps["check"]["outputs"]["result"]["value"] is True


def test_what_is_wrong_before_the_first_step_is_raised_and_nothing_is_recorded(bench: Any) -> None:
    bench.write(CHAIN)
    with pytest.raises(ParameterError, match="did you mean 'seed'"):
        bench.execute("chain", sead=1)
    with pytest.raises(UsageError, match="did you mean 'count'"):
        bench.execute("chain", {"refresh": frozenset({"cout"})})
    with pytest.raises(NotFoundError):
        bench.show("latest")


def test_lineage_runs_from_a_raw_file_to_the_answer(bench: Any) -> None:
    from zen_metadata.query import Client

    bench.write("""
    @step
    def read(data: File) -> Annotated[str, "text"]:
        return Path(data).read_text()

    @step
    def count(text: str) -> Annotated[int, "answer"]:
        return len(text)

    @pipeline
    def counting(data: File = File("raw/a.txt")):
        count(read(data))
    """)
    (bench.folder / "raw").mkdir()
    (bench.folder / "raw" / "a.txt").write_text("four")
    bench.run("counting")
    with Client(bench.settings) as client:
        down = client.lineage("raw/a.txt", "down").to_json()
        up = client.lineage("answer", "up").to_json()
    for graph in (down, up):
        artifacts = [node["label"] for node in graph["nodes"] if node["kind"] == "artifact"]
        assert any("raw/a.txt" in label for label in artifacts)
        assert any("answer" in label for label in artifacts)


def test_a_reused_result_keeps_what_was_logged_while_it_was_made(bench: Any) -> None:
    bench.write("""
    @step
    def measure(number: int) -> int:
        log_metric("half", number / 2)
        log_params({"kind": "even"})
        return number

    @pipeline
    def measuring(number: int = 4):
        measure(number)
    """)
    first = bench.run("measuring")["steps"]["measure"]
    again = bench.run("measuring")["steps"]["measure"]
    assert (first["status"], again["status"]) == ("completed", "cached")
    assert again["metrics"] == first["metrics"] == {"half": 2.0}
    assert again["params"] == first["params"] == {"kind": "even"}
