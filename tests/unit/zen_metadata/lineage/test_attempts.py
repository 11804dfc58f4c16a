"""One execution per key, one result per step run: numbers, leases, fencing, idempotent commits."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from zen_metadata.lineage.records import ErrorRecord, InputRecord, Lease, MetricRecord
from zen_metadata.lineage.store import LEASE_SECONDS, LOST_AFTER_SECONDS

ERROR = ErrorRecord("ValueError", "no", "Traceback …")


def test_attempts_of_a_step_run_are_numbered_from_one(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    for number in (1, 2, 3):
        attempt = story.attempt(step_run)
        assert story.start(step_run, attempt).number == number
        story.end(run, step_run, attempt, "failed", error=ERROR)
    assert story.state(step_run).attempts == 3


def test_mapped_elements_are_numbered_apart(story: Any) -> None:
    run = story.run()
    for index in (0, 1):
        step_run = story.step_run(run, map_index=index)
        assert story.start(step_run, story.attempt(step_run, f"key{index}")).number == 1
    assert story.store.find_step_statuses([run.run_id]) == {run.run_id: {"fit[0]": "running", "fit[1]": "running"}}


def test_starting_the_same_attempt_twice_changes_nothing(story: Any) -> None:
    step_run = story.step_run(story.run())
    attempt = story.attempt(step_run)
    first = story.start(step_run, attempt)
    assert story.start(step_run, attempt) == first
    assert story.state(step_run).attempts == 1


def test_a_live_holder_is_named_and_nothing_is_recorded(story: Any) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    attempt = story.attempt(mine)
    story.start(mine, attempt)
    answer = story.start(yours, story.attempt(yours))
    assert (answer.number, answer.lease, answer.hit) == (None, None, None)
    assert (answer.holder.step_run_id, answer.holder.attempt_id) == (mine.step_run_id, attempt.attempt_id)
    assert story.store.find_step_statuses([run.run_id]) == {run.run_id: {"mine": "running"}}


def test_another_project_has_leases_of_its_own(story: Any) -> None:
    mine = story.step_run(story.run())
    story.start(mine, story.attempt(mine))
    yours = replace(story.step_run(story.run()), project="other")
    assert story.start(yours, story.attempt(yours)).lease == Lease("key", 1, "other")


def test_without_lease_the_work_starts_beside_the_holder(story: Any) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    story.start(mine, story.attempt(mine))
    answer = story.start(yours, story.attempt(yours), lease=False)
    assert (answer.number, answer.lease) == (1, None)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_the_lease_of_a_failed_holder_is_free_at_once(story: Any, status: str) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    attempt = story.attempt(mine)
    start = story.start(mine, attempt)
    story.end(run, mine, attempt, status, lease=start.lease)
    assert story.start(yours, story.attempt(yours)).lease.token == 2


def test_a_failed_holder_that_lost_its_lease_record_holds_nothing(story: Any) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    attempt = story.attempt(mine)
    story.start(mine, attempt)
    story.end(run, mine, attempt, "failed", lease=None)
    assert story.start(yours, story.attempt(yours)).lease.token == 2


def test_an_expired_lease_is_free(story: Any) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    story.start(mine, story.attempt(mine))
    story.let_pass(LEASE_SECONDS - 5)
    assert story.start(yours, story.attempt(yours)).holder is not None
    story.let_pass(10)
    assert story.start(yours, story.attempt(yours)).lease.token == 2


def test_a_heartbeat_extends_the_lease(story: Any) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    attempt = story.attempt(mine)
    lease = story.start(mine, attempt).lease
    story.let_pass(LEASE_SECONDS - 5)
    story.store.heartbeat([attempt.attempt_id], [lease])
    story.let_pass(LEASE_SECONDS - 5)
    assert story.start(yours, story.attempt(yours)).holder is not None
    assert story.state(mine).status == "lost"  # the lease outlives the heartbeat's three periods


def test_a_heartbeat_with_an_old_token_extends_nothing(story: Any) -> None:
    run = story.run()
    mine, yours, third = (story.step_run(run, name) for name in ("mine", "yours", "third"))
    attempt = story.attempt(mine)
    old = story.start(mine, attempt).lease
    story.let_pass(LEASE_SECONDS + 1)
    story.start(yours, story.attempt(yours))
    story.let_pass(LEASE_SECONDS - 5)
    story.store.heartbeat([attempt.attempt_id], [old])
    story.let_pass(10)
    assert story.start(third, story.attempt(third)).lease.token == 3


def test_a_new_attempt_of_the_step_run_takes_the_lease_over_at_once(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    first, second = story.attempt(step_run), story.attempt(step_run)
    old = story.start(step_run, first)
    new = story.start(step_run, second)
    assert (new.number, new.lease.token) == (2, old.lease.token + 1)
    assert [state.status for state in story.store.get_attempts(step_run.step_run_id)] == ["lost", "running"]

    late = story.complete(run, step_run, first, start=old)
    assert late.superseded
    assert not late.versions
    assert story.store.find_cached("shop", "key") is None
    assert story.store.find_artifacts("shop") == []

    assert story.complete(run, step_run, second, start=new).versions == {"result": 1}
    state = story.state(step_run)
    assert (state.status, state.attempts, state.attempt.attempt_id) == ("completed", 2, second.attempt_id)


def test_a_late_failure_of_an_earlier_attempt_does_not_hide_the_newer_one(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    first, second = story.attempt(step_run), story.attempt(step_run)
    story.start(step_run, first)
    new = story.start(step_run, second)
    story.complete(run, step_run, second, start=new)
    assert story.end(run, step_run, first, "failed", error=ERROR).superseded
    assert story.state(step_run).status == "completed"
    assert story.store.get_attempts(step_run.step_run_id)[0].error == ERROR


def test_a_holder_that_was_taken_for_dead_cannot_commit(story: Any) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    slow, quick = story.attempt(mine), story.attempt(yours)
    old = story.start(mine, slow)
    story.let_pass(LEASE_SECONDS + 1)
    new = story.start(yours, quick)
    assert story.complete(run, yours, quick, start=new).versions == {"result": 1}
    assert story.complete(run, mine, slow, start=old).superseded
    assert [item.version for item in story.store.find_artifacts("shop")] == [1]
    assert story.state(mine).status == "lost"
    assert not story.state(mine).outputs


def test_a_failure_counts_although_the_lease_was_taken_over(story: Any) -> None:
    run = story.run()
    mine, yours, third = (story.step_run(run, name) for name in ("mine", "yours", "third"))
    slow = story.attempt(mine)
    old = story.start(mine, slow)
    story.let_pass(LEASE_SECONDS + 1)
    story.start(yours, story.attempt(yours))
    assert not story.end(run, mine, slow, "failed", error=ERROR, lease=old.lease).superseded
    assert story.state(mine).status == "failed"
    assert story.start(third, story.attempt(third)).holder is not None


def test_an_expired_lease_that_nobody_took_still_commits(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    start = story.start(step_run, attempt)
    story.let_pass(10 * LEASE_SECONDS)
    assert story.state(step_run).status == "lost"
    assert not story.complete(run, step_run, attempt, start=start).superseded
    assert story.state(step_run).status == "completed"


def test_an_attempt_without_heartbeat_reads_lost(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    story.start(step_run, attempt)
    story.let_pass(LOST_AFTER_SECONDS - 5)
    assert story.state(step_run).status == "running"
    story.let_pass(10)
    assert story.state(step_run).status == "lost"
    assert story.store.find_step_statuses([run.run_id]) == {run.run_id: {"fit": "lost"}}
    story.store.heartbeat([attempt.attempt_id], [])
    assert story.state(step_run).status == "running"


def test_the_lease_of_an_attempt_that_is_known_to_be_gone_is_free_at_once(story: Any) -> None:
    run = story.run()
    mine, yours = story.step_run(run, "mine"), story.step_run(run, "yours")
    attempt = story.attempt(mine)
    story.start(mine, attempt)
    story.store.lose_attempt(attempt.attempt_id)
    assert story.state(mine).status == "lost"
    assert story.start(yours, story.attempt(yours)).lease.token == 2


def test_an_attempt_that_was_wrongly_given_up_still_commits(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    start = story.start(step_run, attempt)
    story.store.lose_attempt(attempt.attempt_id)
    assert story.complete(run, step_run, attempt, start=start).versions == {"result": 1}
    story.store.lose_attempt(attempt.attempt_id)
    assert story.state(step_run).status == "completed"


def test_ending_the_same_attempt_twice_changes_nothing(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    start = story.start(step_run, attempt)
    outputs = {"result": story.artifact()}
    first = story.complete(run, step_run, attempt, start=start, outputs=outputs)
    before = story.state(step_run)
    assert story.complete(run, step_run, attempt, start=start, outputs=outputs) == first
    assert story.end(run, step_run, attempt, "failed", error=ERROR) == first
    assert story.state(step_run) == before
    assert len(story.store.pending_outbox()) == 1


def test_a_superseded_commit_is_told_again_when_it_comes_again(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    first = story.attempt(step_run)
    old = story.start(step_run, first)
    story.start(step_run, story.attempt(step_run))
    assert story.complete(run, step_run, first, start=old).superseded
    assert story.complete(run, step_run, first, start=old).superseded


def test_an_attempt_that_never_started_here_is_recorded_as_a_whole(story: Any) -> None:
    run = replace(story.run(), run_id="6a3a7d8e-0000-4000-8000-000000000001")  # of which the store knows nothing
    step_run = story.step_run(run)
    began = story.store.find_runs()[0].started_at - timedelta(hours=2)
    attempt = story.attempt(step_run, started_at=began)
    result = story.complete(
        run,
        step_run,
        attempt,
        inputs=(InputRecord("x", "sha256:x"),),
        metrics=(MetricRecord("loss", 0.5, 1, began),),
        params={"rate": [1, None]},
        ended_at=began + timedelta(hours=1),
    )
    assert result.versions == {"result": 1}
    assert story.store.find_run(run.run_id) == [replace(run, started_at=story.store.find_run(run.run_id)[0].started_at)]
    state = story.state(step_run)
    assert (state.status, state.attempts) == ("completed", 1)
    assert (state.started_at, state.ended_at) == (began, began + timedelta(hours=1))
    assert state.inputs == (InputRecord("x", "sha256:x"),)
    assert state.metrics == (MetricRecord("loss", 0.5, 1, began),)
    assert state.params == {"rate": [1, None]}
    assert story.store.find_cached("shop", "key").created_at == began + timedelta(hours=1)


def test_a_spooled_attempt_that_is_older_than_a_recorded_one_is_superseded(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    newer = story.attempt(step_run)
    start = story.start(step_run, newer)
    spooled = story.attempt(step_run, started_at=run.started_at - timedelta(hours=1))
    assert story.complete(run, step_run, spooled).superseded
    assert not story.complete(run, step_run, newer, start=start).superseded
    assert story.state(step_run).attempt.attempt_id == newer.attempt_id
    assert story.store.find_step_statuses([run.run_id]) == {run.run_id: {"fit": "completed"}}


def test_a_spooled_attempt_that_is_newer_takes_the_next_number(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    dead = story.attempt(step_run)
    story.start(step_run, dead)
    spooled = story.attempt(step_run, started_at=run.started_at + timedelta(hours=1))
    assert not story.complete(run, step_run, spooled).superseded
    assert [state.status for state in story.store.get_attempts(step_run.step_run_id)] == ["lost", "completed"]


def test_every_end_leaves_one_row_in_the_outbox(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    first, second = story.attempt(step_run), story.attempt(step_run)
    story.start(step_run, first)
    story.end(run, step_run, first, "failed", error=ERROR)
    story.start(step_run, second)
    story.complete(run, step_run, second)
    assert [(row.event, row.attempt_id) for row in story.store.pending_outbox()] == [
        ("attempt_ended", first.attempt_id),
        ("attempt_ended", second.attempt_id),
    ]
