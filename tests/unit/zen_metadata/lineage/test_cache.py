"""Which result stands for a cache key."""

from typing import Any

from sqlalchemy import update

from zen_metadata.lineage.records import LookUp
from zen_metadata.lineage.sql.tables import cache_entries


def commit(story: Any, run: Any, digest: str, *, step: str, max_age_seconds: float | None = None, **facts: Any) -> Any:
    """An execution of the same work by another step run; its result and what it made."""
    step_run = story.step_run(run, step)
    attempt = story.attempt(step_run, **facts)
    story.start(step_run, attempt, lease=False, look_up=False, max_age_seconds=max_age_seconds)
    made = story.artifact(name=step, digest=digest)
    return story.complete(run, step_run, attempt, outputs={"result": made}), made


def stands(story: Any, **options: Any) -> Any:
    found = story.store.find_cached("shop", "key", **options)
    return None if found is None else found.outputs["result"].artifact_id


def test_a_committed_result_is_found_with_its_artifacts(story: Any) -> None:
    run = story.run()
    _, made = commit(story, run, "sha256:1", step="fit")
    found = story.store.find_cached("shop", "key")
    assert (found.cache_key, found.run_id, found.nondeterministic) == ("key", run.run_id, False)
    (artifact,) = found.outputs.values()
    assert (artifact.artifact_id, artifact.digest, artifact.version) == (made.artifact_id, "sha256:1", 1)
    assert (artifact.attempt_id, artifact.step_run_id) == (found.attempt_id, found.step_run_id)


def test_other_keys_and_other_projects_find_nothing(story: Any) -> None:
    commit(story, story.run(), "sha256:1", step="fit")
    assert story.store.find_cached("shop", "other") is None
    assert story.store.find_cached("elsewhere", "key") is None


def test_a_result_without_outputs_can_be_cached(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    story.complete(run, step_run, attempt, start=story.start(step_run, attempt), outputs={})
    assert story.store.find_cached("shop", "key").outputs == {}


def test_starting_answers_a_result_that_is_there_by_now(story: Any) -> None:
    run = story.run()
    _, made = commit(story, run, "sha256:1", step="first")
    second = story.step_run(run, "second")
    answer = story.start(second, story.attempt(second))
    assert (answer.number, answer.lease, answer.holder) == (None, None, None)
    assert answer.hit.outputs["result"].artifact_id == made.artifact_id
    assert story.store.find_step_statuses([run.run_id]) == {run.run_id: {"first": "completed"}}
    third = story.step_run(run, "third")  # the hit left no lease behind
    assert story.start(third, story.attempt(third), look_up=False).lease.token == 1


def test_a_reused_result_refers_to_what_was_made_and_makes_no_version(story: Any) -> None:
    run, later = story.run(), story.run()
    _, made = commit(story, run, "sha256:1", step="fit")
    found = story.store.find_cached("shop", "key")
    step_run = story.step_run(later)
    result = story.end(
        later,
        step_run,
        story.attempt(step_run),
        "cached",
        outputs=found.outputs,
        reused_attempt_id=found.attempt_id,
    )
    assert (result.versions, result.superseded) == ({}, False)
    state = story.state(step_run)
    assert (state.status, state.attempts, state.reused_from) == ("cached", 1, run.run_id)
    assert state.reused_attempt_id == found.attempt_id
    assert state.outputs["result"].artifact_id == made.artifact_id
    assert len(story.store.find_artifacts("shop")) == 1


def test_the_first_commit_wins_and_the_same_result_is_no_news(story: Any) -> None:
    run = story.run()
    _, first = commit(story, run, "sha256:1", step="first")
    again, _ = commit(story, run, "sha256:1", step="second")
    assert (again.nondeterministic, again.versions) == (False, {"result": 1})
    assert stands(story) == first.artifact_id
    assert not story.store.find_cached("shop", "key").nondeterministic


def test_another_result_marks_the_work_nondeterministic_and_counts_for_its_own_step(story: Any) -> None:
    run = story.run()
    _, first = commit(story, run, "sha256:1", step="first")
    again, second = commit(story, run, "sha256:2", step="second")
    assert again.nondeterministic
    assert stands(story) == first.artifact_id
    assert story.store.find_cached("shop", "key").nondeterministic
    by_step = {state.step_run.step: state for state in story.store.get_step_runs(run.run_id)}
    assert by_step["second"].outputs["result"].artifact_id == second.artifact_id


def test_a_deleted_artifact_is_no_hit_and_the_next_commit_takes_its_place(story: Any) -> None:
    run = story.run()
    _, first = commit(story, run, "sha256:1", step="first")
    story.delete(first)
    assert stands(story) is None
    step_run = story.step_run(run, "waiting")
    assert story.start(step_run, story.attempt(step_run)).hit is None
    again, second = commit(story, run, "sha256:2", step="second")
    assert not again.nondeterministic
    assert stands(story) == second.artifact_id


def test_an_old_result_is_no_hit_and_the_next_commit_refreshes_it(story: Any) -> None:
    run = story.run()
    _, first = commit(story, run, "sha256:1", step="first", max_age_seconds=60)
    story.let_pass(50)
    assert stands(story, max_age_seconds=60) == first.artifact_id
    story.let_pass(20)
    assert stands(story, max_age_seconds=60) is None
    assert stands(story, max_age_seconds=100) == first.artifact_id
    assert stands(story) == first.artifact_id
    again, second = commit(story, run, "sha256:2", step="second", max_age_seconds=60)
    assert not again.nondeterministic
    assert stands(story, max_age_seconds=60) == second.artifact_id


def test_executing_again_keeps_a_result_that_is_still_good(story: Any) -> None:
    run = story.run()
    _, first = commit(story, run, "sha256:1", step="first", max_age_seconds=60)
    commit(story, run, "sha256:1", step="second", max_age_seconds=60)
    assert stands(story) == first.artifact_id


def test_an_invalidated_result_is_no_hit_and_is_replaced(story: Any) -> None:
    run = story.run()
    commit(story, run, "sha256:1", step="first")
    story.change(update(cache_entries).values(invalidated_at=run.started_at))
    assert stands(story) is None
    _, second = commit(story, run, "sha256:1", step="second")
    assert stands(story) == second.artifact_id


def test_a_step_that_is_not_cached_leaves_no_entry(story: Any) -> None:
    commit(story, story.run(), "sha256:1", step="fit", cache_enabled=False)
    assert stands(story) is None


def test_a_failure_leaves_no_entry(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    story.start(step_run, attempt)
    story.end(run, step_run, attempt, "failed")
    assert stands(story) is None


def test_a_look_up_says_why_an_entry_may_not_be_used(story: Any) -> None:
    run = story.run()
    assert story.store.look_up("shop", "key") == LookUp()
    _, made = commit(story, run, "sha256:1", step="fit")
    assert story.store.look_up("shop", "key").hit.run_id == run.run_id
    story.let_pass(20)
    assert story.store.look_up("shop", "key", max_age_seconds=10.0) == LookUp(reason="expired")
    story.delete(made)
    assert story.store.look_up("shop", "key") == LookUp(reason="deleted")
    story.change(update(cache_entries).values(invalidated_at=run.started_at))
    assert story.store.look_up("shop", "key") == LookUp(reason="invalidated")


def test_a_result_from_the_future_has_no_age_and_expires(story: Any) -> None:
    commit(story, story.run(), "sha256:1", step="fit")
    story.let_pass(-7200)
    assert story.store.look_up("shop", "key", max_age_seconds=86_400.0).reason == "expired"
    assert story.store.look_up("shop", "key").hit is not None


def test_what_was_asked_for_anew_takes_the_place_of_what_was_there(story: Any) -> None:
    run = story.run()
    commit(story, run, "sha256:1", step="first")
    again, second = commit(story, run, "sha256:2", step="second", cache_reason="refresh")
    assert again.nondeterministic
    assert stands(story) == second.artifact_id
    assert story.store.find_cached("shop", "key").nondeterministic
    same, third = commit(story, run, "sha256:2", step="third", cache_reason="gone")
    assert not same.nondeterministic
    assert stands(story) == third.artifact_id
    assert story.store.find_cached("shop", "key").nondeterministic, "what is known of the work stays known"


def test_starting_passes_over_a_result_that_is_known_to_be_gone(story: Any) -> None:
    run = story.run()
    commit(story, run, "sha256:1", step="first")
    gone = story.store.find_cached("shop", "key").attempt_id
    waiting = story.step_run(run, "waiting")
    working = story.step_run(run, "working")
    attempt = story.attempt(working, cache_reason="gone")
    start = story.start(working, attempt, but_not=gone)
    assert start.lease is not None
    assert start.hit is None
    assert story.start(waiting, story.attempt(waiting), but_not=gone).holder is not None
    made = story.artifact(name="second")
    story.complete(run, working, attempt, start=start, outputs={"result": made})
    assert (
        story.start(waiting, story.attempt(waiting), but_not=gone).hit.outputs["result"].artifact_id == made.artifact_id
    )
