"""Artifacts: versions, tombstones, and the walks up and down the lineage."""

from dataclasses import replace
from typing import Any

from zen_metadata.lineage.records import InputRecord


def test_versions_count_up_within_project_pipeline_and_name(story: Any) -> None:
    run, other = story.run(), story.run(pipeline="score")
    for digest in ("sha256:1", "sha256:2", "sha256:3"):
        story.execute(run, "fit", digest=digest)
    story.execute(other, "fit", pipeline="score")
    story.execute(run, "evaluate")
    versions = [(item.pipeline, item.name, item.version) for item in story.store.find_artifacts("shop")]
    assert sorted(versions) == [
        ("score", "fit", 1),
        ("train", "evaluate", 1),
        ("train", "fit", 1),
        ("train", "fit", 2),
        ("train", "fit", 3),
    ]


def test_two_outputs_of_one_step_have_versions_of_their_own(story: Any) -> None:
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    outputs = {"b": story.artifact("test"), "a": story.artifact("train"), "c": story.artifact("train")}
    result = story.complete(run, step_run, attempt, start=story.start(step_run, attempt), outputs=outputs)
    assert result.versions == {"a": 1, "b": 1, "c": 2}


def test_versions_are_found_by_name_pipeline_and_version_newest_first(story: Any) -> None:
    run = story.run()
    first, second = story.execute(run, "fit"), story.execute(run, "fit")
    third = story.execute(story.run(pipeline="score"), "fit", pipeline="score")
    story.execute(run, "evaluate")

    def ids(**wanted: Any) -> list[str]:
        return [item.artifact_id for item in story.store.find_artifacts("shop", **wanted)]

    assert ids(name="fit") == [third.artifact_id, second.artifact_id, first.artifact_id]
    assert ids(name="fit", pipeline="train") == [second.artifact_id, first.artifact_id]
    assert ids(name="fit", pipeline="train", version=1) == [first.artifact_id]
    assert ids(pipeline="score") == [third.artifact_id]
    assert ids(name="absent") == []
    assert story.store.find_artifacts("elsewhere") == []


def test_versions_are_paged_by_the_one_at_the_edge(story: Any) -> None:
    """Also those that one step made at once."""
    run = story.run()
    for step in ("one", "two"):
        step_run = story.step_run(run, step)
        outputs = {name: story.artifact(name) for name in "bca"}
        story.complete(run, step_run, story.attempt(step_run, step), outputs=outputs)
    whole = story.store.find_artifacts("shop")
    assert [(item.name, item.version) for item in whole] == [(name, version) for version in (2, 1) for name in "abc"]
    for edge in range(6):
        assert story.store.find_artifacts("shop", limit=2, before=whole[edge]) == whole[edge + 1 : edge + 3]
        assert story.store.find_artifacts("shop", limit=2, after=whole[edge]) == whole[max(edge - 2, 0) : edge]
    of_name = {"name": "b", "pipeline": "train"}
    newest, oldest = story.store.find_artifacts("shop", **of_name)
    assert story.store.find_artifacts("shop", limit=1, before=newest, **of_name) == [oldest]
    assert story.store.find_artifacts("shop", limit=1, after=oldest, **of_name) == [newest]
    assert story.store.find_newest([newest.artifact_id, oldest.artifact_id]) == {newest.artifact_id}


def test_what_lies_behind_an_artifact_is_found_the_nearest_first(story: Any) -> None:
    run = story.run()
    first = story.execute(run, "one")
    second = story.execute(run, "two", reads=(first,))
    third = story.execute(run, "three", reads=(second, first))
    ids = [item.artifact_id for item in (first, second, third)]
    assert story.store.find_ancestors([ids[2]], limit=9)[0] == ids[2]
    assert sorted(story.store.find_ancestors([ids[2]], limit=9)) == sorted(ids)
    assert story.store.find_ancestors([ids[1]], limit=2) == [ids[1], ids[0]]
    assert story.store.find_ancestors([ids[1]], limit=1) == [ids[1]]
    assert sorted(story.store.find_descendants([ids[0]], limit=9)) == sorted(ids)
    assert story.store.find_descendants([ids[1]], limit=9) == [ids[1], ids[2]]
    assert story.store.find_consumers([ids[0]], limit=1)[ids[0]]


def test_an_artifact_comes_back_as_it_was_stored(story: Any) -> None:
    run = story.run()
    inline = story.execute(run, "score", has_inline_value=True, inline_value=None, metadata={"rows": 3, "ü": [1.5]})
    found = story.store.get_artifacts([inline.artifact_id, "unknown"])
    (stored,) = found.values()
    assert (stored.version, stored.kind, stored.deleted_at) == (1, "value", None)
    blank = {"version": None, "created_at": None, "step_run_id": None, "attempt_id": None}
    assert replace(stored, **blank) == inline


def test_more_artifacts_than_one_list_holds_are_found(story: Any) -> None:
    made = story.execute(story.run())
    wanted = [f"unknown-{index}" for index in range(1500)] + [made.artifact_id] * 2
    assert list(story.store.get_artifacts(wanted)) == [made.artifact_id]
    assert story.store.get_artifacts([]) == {}
    assert len(story.store.find_producers(wanted)) == 1501


def test_a_deleted_artifact_keeps_its_place(story: Any) -> None:
    run = story.run()
    first = story.execute(run, "load")
    second = story.execute(run, "fit", reads=(first,))
    story.delete(first)
    stored = story.store.get_artifacts([first.artifact_id])[first.artifact_id]
    assert (stored.deleted_by, stored.deleted_reason) == ("me", "asked")
    assert stored.deleted_at is not None
    assert story.store.find_producers([second.artifact_id]) == {second.artifact_id: (first.artifact_id,)}


def test_a_source_file_is_stored_once_and_has_no_version(story: Any) -> None:
    run = story.run()
    source = story.artifact("data.csv", kind="source", location="data.csv")
    made = []
    for step in ("one", "two"):
        step_run = story.step_run(run, step)
        attempt = story.attempt(step_run, step)
        read = InputRecord("data", source.digest, artifact_id=source.artifact_id)
        made.append(story.artifact(step))
        story.complete(run, step_run, attempt, outputs={"result": made[-1]}, inputs=(read,), sources=(source,))
    assert story.store.get_artifacts([source.artifact_id])[source.artifact_id].version is None
    assert {item.name for item in story.store.find_artifacts("shop")} == {"one", "two"}
    assert story.store.find_producers([made[0].artifact_id]) == {made[0].artifact_id: (source.artifact_id,)}
    assert len(story.store.find_consumers([source.artifact_id])[source.artifact_id]) == 2


def test_producers_are_what_the_maker_read_each_once(story: Any) -> None:
    run = story.run()
    left, right = story.execute(run, "left"), story.execute(run, "right")
    made = story.execute(run, "join", reads=(left, right, left))
    assert story.store.find_producers([made.artifact_id, left.artifact_id]) == {
        made.artifact_id: (left.artifact_id, right.artifact_id),
        left.artifact_id: (),
    }


def test_consumers_are_the_step_runs_that_read_it_with_what_they_have(story: Any) -> None:
    run = story.run()
    source = story.execute(run, "load")
    made = story.execute(run, "fit", key="fit", reads=(source,))
    later = story.step_run(story.run(), "fit")
    found = story.store.find_cached("shop", "fit")
    read = (InputRecord("x0", source.digest, artifact_id=source.artifact_id),)
    story.end(
        story.run(),
        later,
        story.attempt(later, "fit"),
        "cached",
        outputs=found.outputs,
        reused_attempt_id=found.attempt_id,
        inputs=read,
    )
    failed = story.step_run(run, "broken")
    story.end(run, failed, story.attempt(failed, "broken"), "failed", inputs=read)
    assert story.store.find_consumers([source.artifact_id, made.artifact_id]) == {
        source.artifact_id: (
            (found.step_run_id, (made.artifact_id,)),
            (later.step_run_id, (made.artifact_id,)),
            (failed.step_run_id, ()),
        ),
        made.artifact_id: (),
    }
