"""Branches on the embedded engine: what is told of them, and parts of a pipeline that has some. No secret is told."""

from typing import Any

import pytest

BRANCHES = """
@step
def score(value: int) -> int:
    return value

@step
def publish(value: int) -> str:
    mark("publish")
    return f"published {value}"

@step
def sign(page: str) -> str:
    return page + ", signed"

@step
def explain(value: int) -> str:
    mark("explain")
    return f"kept {value}"

@step
def archive(note: str) -> str:
    mark("archive")
    return note

@pipeline
def choosing(value: int = 5, limit: int = 3):
    result = score(value)
    with when((result > limit) & (result < 100)) as good:
        page = sign(publish(result))
    with good.otherwise():
        note = explain(result)
    archive(either(page, note))
"""


def result_of(bench: Any, run_id: str, step: str) -> Any:
    return bench.show(run_id)["steps"][step]["outputs"]["result"]["value"]


def test_what_is_skipped_says_why(bench: Any, recorder: Any) -> None:
    bench.write(BRANCHES)
    bench.execute("choosing", {"observer": recorder}, value=2)
    ended = {step: (status, why) for step, status, _, why in recorder.of("step_finished")}
    assert ended["publish"] == ("skipped", "(score > limit) & (score < 100) is false")
    assert ended["sign"] == ("skipped", "(score > limit) & (score < 100) is false")
    assert ended["explain"] == ("completed", "")
    recorder.heard.clear()
    bench.execute("choosing", {"observer": recorder}, value=5)
    ended = {step: (status, why) for step, status, _, why in recorder.of("step_finished")}
    assert ended["explain"] == ("skipped", "(score > limit) & (score < 100) is true")


def test_a_step_after_a_skipped_one_names_it(bench: Any, recorder: Any) -> None:
    bench.write("""
    @step
    def one(value: int) -> int:
        return value

    @pipeline
    def nested(value: int = 1):
        start = one.with_options(name="start")(value)
        with when(start > 1):
            inner = one.with_options(name="inner")(start)
            with when(inner > 2):
                one.with_options(name="deep")(inner)
        one.with_options(name="last")(either(inner))
    """)
    bench.execute("nested", {"observer": recorder})
    ended = {step: (status, why) for step, status, _, why in recorder.of("step_finished")}
    assert ended["inner"] == ("skipped", "start > 1 is false")
    assert ended["deep"] == ("skipped", "when_2 was skipped")
    assert ended["last"] == ("skipped", "inner was skipped")


def test_a_part_of_branches_runs_on_what_the_latest_run_left(bench: Any) -> None:
    bench.write(BRANCHES)
    bench.execute("choosing", value=2)
    only = bench.execute("choosing", {"only": "archive", "no_cache": True})
    assert only.status == "completed"
    assert result_of(bench, only.run_id, "archive") == "kept 2"
    assert bench.marks("explain") == 1
    assert bench.marks("archive") == 2
    rest = bench.execute("choosing", {"from_step": "archive", "no_cache": True})
    assert result_of(bench, rest.run_id, "archive") == "kept 2"
    again = bench.execute("choosing", {"from_step": "when", "no_cache": True}, limit=1)
    assert result_of(bench, again.run_id, "archive") == "published 2, signed"


def test_a_step_of_a_branch_that_was_not_taken_is_skipped_alone_too(bench: Any, recorder: Any) -> None:
    bench.write(BRANCHES)
    bench.execute("choosing", value=2)
    outcome = bench.execute("choosing", {"only": "publish", "observer": recorder})
    assert outcome.status == "completed"
    assert bench.marks("publish") == 0
    ended = {step: (status, why) for step, status, _, why in recorder.of("step_finished")}
    assert ended["publish"] == ("skipped", "(score > limit) & (score < 100) is false")


def test_refresh_of_a_branch_executes_it(bench: Any) -> None:
    bench.write(BRANCHES)
    bench.execute("choosing")
    assert bench.labelled("choosing", {"refresh": frozenset({"publish"})}) == {
        "score": "cached",
        "publish": "completed",
        "sign": "cached",
        "explain": "skipped",
        "archive": "cached",
    }


@pytest.mark.parametrize("debug", [False, True])
def test_no_secret_is_told(bench: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "hunter2hunter2")
    bench.write("""
    @step(retry=Retry(times=1))
    def connect(password: str) -> None:
        print("with", password)
        raise OSError(f"{password} is refused")

    @step
    def tell() -> None:
        first, = current().failures
        print(first.step, first.message)

    @pipeline(on_failure=tell)
    def leaking():
        connect(Secret("STORE_PASSWORD"))
    """)
    outcome = bench.execute("leaking", {"observer": recorder, "debug": debug})
    assert str(outcome.error) == "hunter2hunter2 is refused", "the user's exception passes through unchanged"
    assert "OSError: *** is refused" in outcome.traceback
    assert ["connect", 2, 0.0, "OSError: *** is refused"] in recorder.of("step_retrying")
    assert recorder.of("step_finished")[-1][3] == "OSError: *** is refused"
    assert ["tell", "connect *** is refused"] in recorder.of("step_output")
    assert "hunter2" not in str(recorder.heard)
