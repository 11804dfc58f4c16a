"""Which version a name stands for, and which files a code bundle lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any


def versions(story: Any, count: int, step: str = "model") -> list[Any]:
    run = story.run()
    return [story.execute(run, step, digest=f"sha256:{number}") for number in range(1, count + 1)]


def test_the_latest_rollback_holds_until_a_later_version_is_made(story: Any) -> None:
    first, second, third = versions(story, 3)
    project = first.project

    def current() -> str:
        return str(story.store.find_version(project, "train", "model", None).artifact_id)

    assert story.store.find_rolled_back(project) == {}
    moved = story.store.roll_back(project, "train", "model", 1, by="anna", reason="worse")
    assert (moved.version, moved.last_version, moved.moved_by, moved.reason) == (1, 3, "anna", "worse")
    assert current() == first.artifact_id
    story.store.roll_back(project, "train", "model", 2, by="ben", reason="")
    assert current() == second.artifact_id
    assert story.store.find_rolled_back(project) == {("train", "model"): 2}
    assert story.store.find_rolled_back("elsewhere") == {}
    history = story.store.find_rollbacks(project, "train", "model")
    assert [(item.version, item.moved_by) for item in history] == [(2, "ben"), (1, "anna")]
    assert history[1] == moved
    assert history[0].moved_at >= moved.moved_at
    later = story.execute(story.run(), "model", digest="sha256:4")
    assert current() == later.artifact_id
    assert story.store.find_rolled_back(project) == {}
    assert story.store.find_version(project, "train", "model", 3).artifact_id == third.artifact_id


def test_names_are_rolled_back_one_by_one(story: Any) -> None:
    model, score = versions(story, 2), versions(story, 2, "score")
    project = model[0].project
    story.store.roll_back(project, "train", "score", 1, by="anna", reason="")
    assert story.store.find_version(project, "train", "model", None).artifact_id == model[1].artifact_id
    assert story.store.find_version(project, "train", "score", None).artifact_id == score[0].artifact_id
    assert story.store.find_rollbacks(project, "train", "model") == []


def test_a_version_that_is_deleted_leaves_the_name_to_the_latest_that_is_not(story: Any) -> None:
    first, second = versions(story, 2)
    story.store.roll_back(first.project, "train", "model", 1, by="anna", reason="")
    story.delete(first)
    assert story.store.find_version(first.project, "train", "model", None).artifact_id == second.artifact_id


def test_many_roll_back_at_once_and_all_are_in_the_history(story: Any, in_processes: Any) -> None:
    first, *_ = versions(story, 2)
    program = f"""
from zen_metadata.lineage.sql import open_lineage_store

def work(url):
    store = open_lineage_store(url)
    for number in range(5):
        store.roll_back({first.project!r}, "train", "model", 1 + number % 2, by="p", reason=str(number))
"""
    in_processes(program, [[story.url]] * 4)
    assert len(story.store.find_rollbacks(first.project, "train", "model")) == 20


def test_an_artifact_of_another_store_is_adopted_with_its_id_and_version(story: Any) -> None:
    [made] = versions(story, 1)
    foreign = replace(
        made,
        artifact_id="00000000-0000-0000-0000-0000000000aa",
        pipeline="far",
        version=7,
        created_at=datetime.now(UTC),
    )
    story.store.adopt_artifacts([foreign])
    story.store.adopt_artifacts([foreign])
    found = story.store.get_artifacts([foreign.artifact_id])[foreign.artifact_id]
    assert (found.version, found.digest, found.step_run_id, found.attempt_id) == (7, made.digest, None, None)


def test_what_a_code_bundle_lacks_is_recorded_once(story: Any) -> None:
    run = story.run()
    lacks = [{"file": "a.bin", "reason": "large"}]
    assert story.store.find_left_out(run.project, run.code_digest) == ()
    story.store.save_left_out(run.project, run.code_digest, lacks)
    story.store.save_left_out(run.project, run.code_digest, [{"file": "b.bin", "reason": "large"}])
    assert story.store.find_left_out(run.project, run.code_digest) == lacks
    story.store.save_left_out(run.project, "sha256:unseen", lacks)
    assert story.store.find_left_out(run.project, "sha256:unseen") == lacks
