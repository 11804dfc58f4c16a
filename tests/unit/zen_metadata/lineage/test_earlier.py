"""Which earlier attempts a step is compared with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from zen_metadata.lineage.store import COMPARED_ATTEMPTS


def done(story: Any, run: Any, step: str = "fit", map_index: int | None = None, **facts: Any) -> str:
    """A step run that completed; its attempt's id."""
    step_run = story.step_run(run, step, map_index)
    attempt = story.attempt(step_run, key=f"key-{run.run_id}-{step}-{map_index}", **facts)
    story.complete(run, step_run, attempt, start=story.start(step_run, attempt))
    return attempt.attempt_id


def earlier(story: Any, run: Any, *steps: str) -> list[Any]:
    return story.store.find_earlier_attempts(
        "shop", "train", steps or ("fit",), before=story.store.read_clock(), but_run=run.run_id
    )


def test_attempts_of_earlier_runs_are_found_newest_first_with_all_that_is_compared(story: Any) -> None:
    first = story.run(zen_version="0.0.9")
    old = done(story, first, key_parts={"code": "sha256:1", "input:x": "sha256:2"})
    newer = done(story, story.run())
    run = story.run()
    done(story, run)
    found = earlier(story, run)
    assert [item.attempt_id for item in found] == [newer, old]
    assert (found[1].run_id, found[1].step, found[1].map_index, found[1].status) == (
        first.run_id,
        "fit",
        None,
        "completed",
    )
    assert found[1].key_parts == {"code": "sha256:1", "input:x": "sha256:2"}
    assert found[1].zen_version == "0.0.9"
    assert found[1].environment_digest == "sha256:env"


def test_only_what_ended_well_in_this_pipeline_before_that_time_counts(story: Any) -> None:
    run = story.run()
    failed = story.step_run(story.run())
    attempt = story.attempt(failed)
    story.start(failed, attempt)
    story.end(run, failed, attempt, "failed")
    done(story, story.run(pipeline="other"))
    done(story, story.run(project="elsewhere"))
    done(story, story.run(), step="another")
    assert earlier(story, run) == []
    done(story, story.run())
    assert len(earlier(story, run)) == 1
    before = run.started_at - timedelta(days=1)
    assert story.store.find_earlier_attempts("shop", "train", ["fit"], before=before, but_run=run.run_id) == []


@pytest.mark.parametrize("runs", [1, 2])
def test_of_a_map_the_newest_and_each_elements_own_are_found(story: Any, runs: int) -> None:
    elements = COMPARED_ATTEMPTS + 4
    for _ in range(runs):
        past = story.run()
        for index in range(elements):
            done(story, past, map_index=index)
    run = story.run()
    found = earlier(story, run)
    assert {item.map_index for item in found} == set(range(elements))
    assert len(found) == elements
    assert len({item.run_id for item in found}) == 1


def test_several_steps_are_asked_for_at_once(story: Any) -> None:
    past = story.run()
    for step in ("load", "fit", "score"):
        done(story, past, step=step)
    found = earlier(story, story.run(), "fit", "load", "fit")
    assert sorted(item.step for item in found) == ["fit", "load"]
