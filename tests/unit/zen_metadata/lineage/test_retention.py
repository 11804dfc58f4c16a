"""What cleaning up asks of a lineage store, and the tombstones that it makes."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from zen_metadata.lineage.records import AttemptEnd, InputRecord
from zen_metadata.lineage.retention import InUse, Tombstone
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.tables import attempts, cache_entries, runs

GC = Tombstone("ana", "gc")


def in_use(story: Any, *over: str, days: float = 30) -> InUse:
    return InUse(story.store.read_clock() - timedelta(days=days), over)


def close(story: Any, run: Any) -> None:
    story.store.end_run(run.run_id, "completed")


def two_versions(story: Any) -> tuple[Any, Any]:
    """Two versions of one name, each made by a run that is over."""
    made = []
    for digest in ("sha256:1", "sha256:2"):
        run = story.run()
        made.append(story.execute(run, digest=digest, has_inline_value=True, inline_value=7))
        close(story, run)
    return made[0], made[1]


def get(story: Any, artifact: Any) -> Any:
    return story.store.get_artifacts([artifact.artifact_id])[artifact.artifact_id]


def bury(story: Any, *artifacts: Any, use: InUse | None = None) -> set[str]:
    ids = [artifact.artifact_id for artifact in artifacts]
    return set(story.store.bury_unused(ids, GC, use or in_use(story)))


def test_a_tombstone_keeps_the_record_and_loses_the_value(story: Any) -> None:
    old, _ = two_versions(story)
    assert bury(story, old) == {old.artifact_id}
    found = get(story, old)
    assert (found.deleted_by, found.deleted_reason, found.digest, found.version) == ("ana", "gc", "sha256:1", 1)
    assert found.deleted_at is not None
    assert (found.has_inline_value, found.inline_value) == (False, None)


def test_the_newest_version_that_lives_stays(story: Any) -> None:
    old, new = two_versions(story)
    assert bury(story, old, new) == {old.artifact_id}
    assert bury(story, new) == set()
    story.delete(new)
    assert bury(story, new) == set()  # not twice


def test_what_is_rolled_back_to_stays_until_there_is_a_newer_version(story: Any) -> None:
    old, _ = two_versions(story)
    story.store.roll_back("shop", "train", "fit", 1, by="ana", reason="")
    assert bury(story, old) == set()
    story.execute(story.run(), digest="sha256:3")
    assert bury(story, old) == {old.artifact_id}


def test_what_an_open_run_made_read_or_reused_stays(story: Any) -> None:
    old, _ = two_versions(story)
    reader = story.run()
    story.execute(reader, step="read", reads=(old,))
    assert story.store.find_used([old.artifact_id], in_use(story)) == {old.artifact_id}
    assert bury(story, old) == set()
    close(story, reader)
    assert story.store.find_used([old.artifact_id], in_use(story)) == set()

    reuser = story.run()
    assert reuse(story, reuser, old) is False
    assert bury(story, old) == set()
    assert bury(story, old, use=in_use(story, reuser.run_id)) == {old.artifact_id}  # known to be over


def test_a_run_that_is_opened_again_and_one_that_is_still_in_a_spool_are_open(story: Any) -> None:
    old, _ = two_versions(story)
    run = story.run()
    close(story, run)
    story.change(update(runs).where(runs.c.run_id == run.run_id).values(ended_at=run.started_at))
    reuse(story, run, old)
    assert bury(story, old) == set()

    other, newest = two_versions(story)
    spooled = replace(run, run_id="10000000-0000-0000-0000-000000000000")
    reader = story.step_run(spooled, "read")
    attempt = story.attempt(reader)
    story.start(reader, attempt, look_up=False)
    story.store.heartbeat([attempt.attempt_id], [])
    open_runs = {item.run_id: item.is_recorded for item in story.store.find_open_runs(since=in_use(story).since)}
    assert open_runs[spooled.run_id] is False
    assert open_runs[run.run_id] is True
    assert bury(story, other) == {other.artifact_id}
    assert bury(story, newest) == set()


def test_a_run_that_is_silent_for_long_is_not_open(story: Any) -> None:
    old, _ = two_versions(story)
    reuse(story, story.run(), old)
    assert bury(story, old, use=InUse(story.store.read_clock() + timedelta(seconds=1))) == {old.artifact_id}


def test_a_pinned_version_stays_and_a_deleted_one_is_not_pinned(story: Any) -> None:
    old, _ = two_versions(story)
    run = story.run()
    assert story.store.pin_artifact(run.run_id, "fit", old.artifact_id) == old.artifact_id
    assert bury(story, old) == set()
    close(story, run)
    assert bury(story, old) == {old.artifact_id}
    late = story.run()
    assert story.store.pin_artifact(late.run_id, "fit", old.artifact_id) is None
    assert story.store.find_pins(late.run_id, ["fit"]) == {}
    assert story.store.pin_artifact(run.run_id, "fit", old.artifact_id) == old.artifact_id  # it has one already


def reuse(story: Any, run: Any, artifact: Any, store: Any = None, **facts: Any) -> bool:
    """A step run that takes an artifact as its result; whether it was told that the artifact is deleted."""
    step_run = story.step_run(run, f"again_{artifact.artifact_id[:8]}")
    attempt = story.attempt(step_run, **facts)
    end = AttemptEnd(
        attempt.attempt_id,
        step_run.step_run_id,
        "cached",
        inputs=(InputRecord("x", "sha256:0"),),
        outputs={"result": artifact},
        reused_attempt_id="made",
    )
    deleted: bool = (store or story.store).end_attempt(run, step_run, attempt, end).deleted
    return deleted


def test_a_result_that_was_deleted_just_now_is_not_reused_and_nothing_is_recorded(story: Any) -> None:
    old, _ = two_versions(story)
    bury(story, old)
    run = story.run()
    assert reuse(story, run, old) is True
    assert story.store.get_step_runs(run.run_id) == []
    # What was spooled has happened: it is recorded as it was.
    assert reuse(story, run, old, started_at=run.started_at) is False
    assert [state.status for state in story.store.get_step_runs(run.run_id)] == ["cached"]


def test_of_a_reuse_and_a_deletion_at_once_the_one_knows_of_the_other(story: Any, store_url: str) -> None:
    stores = [open_lineage_store(store_url) for _ in range(2)]
    for _ in range(15):
        old, _ = two_versions(story)
        run = story.run()
        answers: list[Any] = []
        use = in_use(story)

        def take(old: Any = old, run: Any = run, answers: list[Any] = answers) -> None:
            answers.append(("refused", reuse(story, run, old, stores[0])))

        def drop(old: Any = old, use: InUse = use, answers: list[Any] = answers) -> None:
            answers.append(("buried", bool(stores[1].bury_unused([old.artifact_id], GC, use))))

        at_once(take, drop)
        found = dict(answers)
        assert found["refused"] == found["buried"] == (get(story, old).deleted_at is not None)
    for store in stores:
        store.close()


def at_once(*actions: Callable[[], None]) -> None:
    barrier = threading.Barrier(len(actions))

    def act(action: Callable[[], None]) -> None:
        barrier.wait()
        action()

    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_burying_takes_what_is_known_of_the_content_too(story: Any) -> None:
    run = story.run()
    made = story.execute(run, metadata={"rows": 3}, has_inline_value=True, inline_value=7)
    story.store.bury([made.artifact_id], Tombstone("ana", "asked to"))  # though the run is open, and it is the newest
    found = get(story, made)
    assert (dict(found.metadata), found.inline_value, found.deleted_reason) == ({}, None, "asked to")


def test_the_same_content_is_found_by_value_and_by_bytes_while_it_lives(story: Any) -> None:
    run = story.run()
    made = story.execute(run, "a", digest="sha256:1")
    by_value = story.execute(run, "b", digest="sha256:1", location="objects/other")
    by_bytes = story.execute(run, "c", digest="sha256:9", location=made.location)
    gone = story.execute(run, "d", digest="sha256:1")
    story.execute(run, "e", digest="sha256:2")
    story.delete(gone)
    found = story.store.find_same_content([get(story, made)])
    assert [item.name for item in found] == ["a", "b", "c"]
    assert {item.artifact_id for item in found} == {made.artifact_id, by_value.artifact_id, by_bytes.artifact_id}


def test_artifacts_are_listed_page_by_page(story: Any, monkeypatch: Any) -> None:
    run = story.run()
    made = {story.execute(run, f"step_{index}").artifact_id for index in range(3)}
    page = story.store.list_artifacts()
    assert {item.artifact_id for item in page} == made
    assert {item.run_id for item in page} == {run.run_id}
    assert story.store.list_artifacts(after=page[-1].artifact_id) == []
    assert story.store.list_artifacts(after=page[0].artifact_id) == page[1:]


def test_the_oldest_attempt_that_runs(story: Any) -> None:
    since = story.store.read_clock() - timedelta(hours=1)
    assert story.store.find_oldest_running(since=since) is None
    run = story.run()
    begun = []
    for name in ("first", "second"):
        step_run = story.step_run(run, name)
        begun.append(story.attempt(step_run, name))
        story.start(step_run, begun[-1], look_up=False)
    first = story.store.find_oldest_running(since=since)
    assert since < first <= story.store.read_clock()
    story.change(update(attempts).where(attempts.c.attempt_id == begun[0].attempt_id).values(status="lost"))
    assert story.store.find_oldest_running(since=since) > first
    assert story.store.find_oldest_running(since=story.store.read_clock() + timedelta(seconds=1)) is None


def test_what_is_known_of_attempts_runs_code_and_events(story: Any) -> None:
    run = story.run(code_digest="sha256:run")
    made = story.execute(run)
    attempt_id = get(story, made).attempt_id
    assert story.store.find_known_attempts([attempt_id, "other"]) == {attempt_id}
    assert story.store.find_known_runs([run.run_id, "other"]) == {run.run_id}
    assert story.store.find_code_digests() == {"sha256:run", "sha256:code"}
    story.store.apply_once("event", lambda: None)
    assert story.store.find_applied_events(["event", "other"]) == {"event"}


# -- the cache -----------------------------------------------------------------------------------------------------


def test_entries_are_listed_with_hits_size_and_state(story: Any) -> None:
    run = story.run()
    made = story.execute(run, "fit", key="sha256:aa", size_bytes=40)
    story.execute(run, "score", key="sha256:bb")
    other = story.run(pipeline="other")
    reuse(story, other, made)
    story.change(
        update(attempts).where(attempts.c.status == "cached").values(reused_attempt_id=get(story, made).attempt_id)
    )
    newest, oldest = story.store.list_cache_entries("shop")
    assert (newest.step, newest.hits) == ("score", 0)
    assert (oldest.pipeline, oldest.step, oldest.run_id, oldest.hits) == ("train", "fit", run.run_id, 1)
    assert (oldest.size_bytes, oldest.is_deleted, oldest.nondeterministic) == (40, False, False)
    assert story.store.list_cache_entries("shop", limit=1) == [newest]
    assert story.store.list_cache_entries("shop", step="fit") == [oldest]
    assert story.store.list_cache_entries("shop", key="sha256:b") == [newest]
    assert story.store.list_cache_entries("shop", pipeline="other") == []
    assert story.store.list_cache_entries("elsewhere") == []
    story.delete(made)
    assert story.store.list_cache_entries("shop", step="fit")[0].is_deleted is True


def test_an_invalidated_entry_is_not_found_until_an_attempt_that_began_later_replaces_it(story: Any) -> None:
    run = story.run()
    story.execute(run, "fit", key="key")
    step_run = story.step_run(run, "late")
    attempt = story.attempt(step_run)
    start = story.start(step_run, attempt, look_up=False)
    assert story.store.invalidate_cache_entries("elsewhere", ["key"]) == 0
    assert story.store.invalidate_cache_entries("shop", ["key", "other"]) == 1
    assert story.store.invalidate_cache_entries("shop", ["key"]) == 0
    assert story.store.look_up("shop", "key").reason == "invalidated"
    story.complete(run, step_run, attempt, start=start)
    assert story.store.look_up("shop", "key").reason == "invalidated"  # it began before
    story.execute(run, "again", key="key")
    assert story.store.look_up("shop", "key").hit is not None


def test_what_the_cache_saved(story: Any) -> None:
    run = story.run()
    made = story.execute(run, "fit", key="key", size_bytes=40)
    attempt_id = get(story, made).attempt_id
    story.change(
        update(attempts)
        .where(attempts.c.attempt_id == attempt_id)
        .values(started_at=run.started_at, ended_at=run.started_at + timedelta(seconds=90))
    )
    for _ in range(2):
        later = story.run()
        step_run = story.step_run(later, "fit")
        attempt = story.attempt(step_run)
        story.end(later, step_run, attempt, "cached", outputs={"result": made}, reused_attempt_id=attempt_id)
    told = story.step_run(story.run(), "fit")
    attempt = story.attempt(told, "other", cache_reason="refresh")
    story.complete(run, told, attempt, start=story.start(told, attempt, look_up=False))
    [use] = story.store.find_cache_use("shop", since=run.started_at - timedelta(hours=1))
    assert (use.pipeline, use.step, use.hits, use.misses) == ("train", "fit", 2, 1)
    assert (use.seconds_saved, use.bytes_saved) == (180.0, 80)
    assert story.store.find_cache_use("shop", since=story.store.read_clock() + timedelta(hours=1)) == []
    story.change(update(cache_entries).values(nondeterministic=True))
    assert story.store.list_cache_entries("shop", step="fit")[-1].nondeterministic is True
