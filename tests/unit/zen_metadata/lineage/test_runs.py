"""Runs and their documents, the outbox, links, replayed events, digests of files."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import ErrorRecord, MetricRecord

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_run_comes_back_as_it_was_stored(story: Any) -> None:
    run = story.run(
        tags=("churn", "daily"),
        scheduled_at=NOON,
        started_at=NOON + timedelta(microseconds=1),
        run_url="https://engine/run",
        parent_run_id="parent",
        engine={"dag_run": "x", "try": 1},
        parameters={"day": {"$zen": "datetime", "value": "2026"}, "ü": [1, None, 0.1]},
    )
    assert story.store.find_run(run.run_id) == [run]


def test_the_first_task_stores_the_run_and_the_others_adopt_it(story: Any) -> None:
    run = story.run(run_url="first")
    assert story.store.open_run(replace(run, run_url="second", parameters={}), {}) == run
    assert story.store.get_ir("shop", "sha256:ir") == {"steps": [{"name": "fit"}]}


def test_a_run_whose_steps_came_first_still_gets_its_documents(story: Any) -> None:
    known = story.run()
    run = replace(known, run_id="00000000-0000-4000-8000-000000000000", ir_digest="sha256:later")
    step_run = story.step_run(run)
    story.complete(run, step_run, story.attempt(step_run))
    assert story.store.get_ir("shop", "sha256:later") is None
    story.store.open_run(run, {"steps": []})
    assert story.store.get_ir("shop", "sha256:later") == {"steps": []}


def test_times_must_have_a_zone(story: Any) -> None:
    with pytest.raises(ValueError, match=r"2026-05-01T12:00:00 has no time zone"):
        story.run(started_at=NOON.replace(tzinfo=None))
    story.run()  # and the store goes on


def test_times_in_other_zones_come_back_in_utc(story: Any) -> None:
    berlin = NOON.astimezone(datetime.strptime("+0200", "%z").tzinfo)
    (run,) = story.store.find_run(story.run(started_at=berlin).run_id)
    assert run.started_at.isoformat() == "2026-05-01T12:00:00+00:00"


def test_runs_are_listed_newest_first(story: Any) -> None:
    old = story.run(started_at=NOON)
    new = story.run(started_at=NOON + timedelta(hours=1))
    other = story.run(started_at=NOON + timedelta(hours=2), pipeline="score")
    foreign = story.run(started_at=NOON + timedelta(hours=3), project="other")
    assert story.store.find_runs() == [foreign, other, new, old]
    assert story.store.find_runs("shop") == [other, new, old]
    assert story.store.find_runs("shop", pipeline="train") == [new, old]
    assert story.store.find_runs("shop", limit=1) == [other]


def test_runs_are_paged_by_the_run_at_the_edge(story: Any) -> None:
    """Also those that began at the same moment."""
    made = [story.run(started_at=NOON + timedelta(hours=hour // 2)) for hour in range(6)]
    ordered = sorted(made, key=lambda run: (run.started_at, run.run_id), reverse=True)
    store = story.store
    assert store.find_runs("shop", limit=2, before=ordered[1]) == ordered[2:4]
    assert store.find_runs("shop", pipeline="train", limit=9, before=ordered[2]) == ordered[3:]
    assert store.find_runs("shop", limit=2, after=ordered[4]) == ordered[2:4]
    assert store.find_runs("shop", limit=1, skip=3) == [ordered[3]]


def test_the_pipelines_that_have_runs_are_told(story: Any) -> None:
    for pipeline in ("train", "score", "train"):
        story.run(pipeline=pipeline)
    story.run(pipeline="elsewhere", project="other")
    assert story.store.find_pipelines("shop") == ["score", "train"]
    assert story.store.find_pipelines("none") == []


def test_a_run_is_found_by_the_beginning_of_its_id(story: Any) -> None:
    first = story.run(run_id="aaaa0000-0000-4000-8000-000000000000")
    second = story.run(run_id="aaab0000-0000-4000-8000-000000000000")
    assert story.store.find_run("aaa") == [first, second]
    assert story.store.find_run("aaab") == [second]
    assert story.store.find_run("aaab", "other") == []
    assert story.store.find_run("aa%") == []
    assert story.store.find_run("AAA") == []


def test_documents_are_stored_once_per_content(story: Any) -> None:
    for text in ("first", "second"):
        story.store.save_environment("shop", "sha256:e", {"python": text})
        story.store.save_ir("shop", "sha256:i", {"name": text})
    assert story.store.get_environment("shop", "sha256:e") == {"python": "first"}
    assert story.store.get_ir("shop", "sha256:i") == {"name": "first"}
    assert story.store.get_environment("other", "sha256:e") is None


def test_the_first_closing_call_wins_but_failed_beats_completed(story: Any) -> None:
    run = story.run()
    story.store.end_run(run.run_id, "completed", NOON)
    story.store.end_run(run.run_id, "completed", NOON + timedelta(hours=1))
    story.store.end_run(run.run_id, "cancelled")
    (closed,) = story.store.find_run(run.run_id)
    assert (closed.closed_status, closed.ended_at) == ("completed", NOON)
    story.store.end_run(run.run_id, "failed", NOON + timedelta(hours=2))
    story.store.end_run(run.run_id, "completed")
    (closed,) = story.store.find_run(run.run_id)
    assert (closed.closed_status, closed.ended_at) == ("failed", NOON + timedelta(hours=2))
    assert [row.event for row in story.store.pending_outbox()] == ["run_ended", "run_ended"]


def test_closing_an_unknown_run_is_refused_because_the_fact_would_be_lost(story: Any) -> None:
    with pytest.raises(NotFoundError, match=r"run nowhere cannot be closed[\s\S]*zen sync"):
        story.store.end_run("nowhere", "completed")


def test_the_outbox_keeps_what_is_not_projected(story: Any) -> None:
    first, second = story.run(), story.run()
    for run in (first, second):
        story.execute(run)
        story.store.end_run(run.run_id, "completed")
    rows = story.store.pending_outbox()
    assert [(row.run_id, row.event) for row in rows] == [
        (first.run_id, "attempt_ended"),
        (first.run_id, "run_ended"),
        (second.run_id, "attempt_ended"),
        (second.run_id, "run_ended"),
    ]
    assert story.store.pending_outbox(limit=1) == rows[:1]
    assert story.store.pending_outbox(run_id=second.run_id) == rows[2:]
    story.store.fail_outbox([rows[0].outbox_id], "MLflow\x00 is down")
    story.store.fail_outbox([rows[0].outbox_id], "still")
    story.store.finish_outbox([row.outbox_id for row in rows[1:]])
    assert story.store.pending_outbox() == [replace(rows[0], tries=2)]


def test_a_link_is_made_by_one_and_read_by_the_others(story: Any) -> None:
    store = story.store
    assert store.claim_link("mlflow", "run", claimant="a") is None
    assert store.claim_link("mlflow", "run", claimant="a") is None  # the same process, after a crash of its own
    answers: list[str | None] = []
    waiting = threading.Thread(target=lambda: answers.append(store.claim_link("mlflow", "run", claimant="b")))
    waiting.start()
    store.save_link("mlflow", "run", "external")
    waiting.join(timeout=10)
    assert answers == ["external"]
    store.save_link("mlflow", "run", "too late")
    store.save_link("mlflow", "attempt", "unclaimed")
    assert store.find_links("mlflow", ["run", "attempt", "unknown"]) == {"run": "external", "attempt": "unclaimed"}
    assert store.find_links("openlineage", ["run"]) == {}


def test_a_claim_whose_owner_died_expires(story: Any) -> None:
    assert story.store.claim_link("mlflow", "run", claimant="a", expires_seconds=60) is None
    story.let_pass(61)
    assert story.store.claim_link("mlflow", "run", claimant="b") is None


def test_an_event_is_applied_once(story: Any) -> None:
    calls: list[str] = []
    assert story.store.apply_once("event", lambda: calls.append("a"))
    assert not story.store.apply_once("event", lambda: calls.append("b"))
    assert calls == ["a"]


def test_an_event_that_failed_to_apply_is_applied_again(story: Any) -> None:
    def fail() -> None:
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        story.store.apply_once("event", fail)
    assert story.store.apply_once("event", lambda: None)


def test_the_digest_of_a_file_is_remembered_for_one_version_of_it(story: Any) -> None:
    assert story.store.find_file_digest("s3://b/f", "10:1") is None
    story.store.remember_file_digest("s3://b/f", "10:1", "sha256:a")
    assert story.store.find_file_digest("s3://b/f", "10:1") == "sha256:a"
    story.store.remember_file_digest("s3://b/f", "11:2", "sha256:b")
    assert story.store.find_file_digest("s3://b/f", "10:1") is None
    assert story.store.find_file_digest("s3://b/f", "11:2") == "sha256:b"


def test_a_step_run_shows_its_latest_attempt_with_all_that_hangs_on_it(story: Any) -> None:
    run = story.run()
    first, second = story.step_run(run, "first"), story.step_run(run, "second")
    broken = story.attempt(first, engine={"try": 1}, log_url="https://log/1")
    story.start(first, broken)
    error = ErrorRecord("pkg.Oops", "null \x00 and half \ud83d of a pair", "Traceback …")
    story.end(run, first, broken, "failed", error=error, log_location="logs/1")
    attempt = story.attempt(second, "other")
    metrics = tuple(
        MetricRecord(name, value, step, NOON)
        for name, value, step in (("loss", 0.5, 1), ("loss", 0.25, 2), ("gain", float("inf"), None))
    )
    made = story.artifact()
    story.complete(
        run,
        second,
        attempt,
        start=story.start(second, attempt),
        outputs={"result": made},
        metrics=metrics,
        params={"rate": 0.1, "none": None},
        mlflow_run_id="m1",
    )
    states = story.store.get_step_runs(run.run_id)
    assert [state.step_run for state in states] == [first, second]
    failed, completed = states
    assert (failed.status, failed.log_location, failed.attempt.log_url) == ("failed", "logs/1", "https://log/1")
    assert failed.attempt == replace(broken, started_at=failed.started_at)
    assert failed.error == ErrorRecord("pkg.Oops", "null \ufffd and half \ufffd of a pair", "Traceback …")
    assert completed.metrics == metrics
    assert completed.params == {"none": None, "rate": 0.1}
    assert completed.mlflow_run_id == "m1"
    assert completed.outputs["result"].artifact_id == made.artifact_id
    assert story.store.get_step_run_records([first.step_run_id, "unknown"]) == {first.step_run_id: first}
    assert story.store.get_step_runs("unknown") == []


def test_a_metric_that_is_not_a_number_stays_one(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    story.complete(run, step_run, story.attempt(step_run), metrics=(MetricRecord("loss", float("nan"), None, NOON),))
    (metric,) = story.state(step_run).metrics
    assert metric.value != metric.value


def test_a_step_run_with_other_code_than_its_run_is_mixed(story: Any) -> None:
    run = story.run()
    same, other = story.step_run(run, "same"), story.step_run(run, "other")
    story.complete(run, same, story.attempt(same, "a"))
    story.complete(run, other, story.attempt(other, "b", code_digest="sha256:newer"))
    assert [state.mixed for state in story.store.get_step_runs(run.run_id)] == [False, True]


def test_the_statuses_of_many_runs_come_at_once(story: Any) -> None:
    runs = [story.run() for _ in range(3)]
    for run in runs[:2]:
        story.execute(run, "fit")
    assert story.store.find_step_statuses([run.run_id for run in runs]) == {
        runs[0].run_id: {"fit": "completed"},
        runs[1].run_id: {"fit": "completed"},
        runs[2].run_id: {},
    }


def test_datetimes_of_another_library_are_stored_as_they_are(story: Any) -> None:
    class Moment(datetime):
        """A subclass whose arithmetic gives something that the standard library cannot divide."""

        def __sub__(self, other: Any) -> Any:
            return object()

    moment = Moment(2026, 5, 1, 12, 0, 0, 5, tzinfo=UTC)
    (run,) = story.store.find_run(story.run(scheduled_at=moment).run_id)
    assert run.scheduled_at == datetime(2026, 5, 1, 12, 0, 0, 5, tzinfo=UTC)
