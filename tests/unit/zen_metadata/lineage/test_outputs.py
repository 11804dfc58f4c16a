"""What later steps of a run ask for by name: elements, answers, pins; and what is claimed once."""

from dataclasses import replace
from typing import Any

from zen_metadata.lineage.records import ErrorRecord

ERROR = ErrorRecord("ValueError", "no", "Traceback …")


def fit(story: Any, run: Any, index: int, *statuses: str) -> Any:
    """Attempts at one element, each with its status; the artifact of the last one that completed."""
    step_run = story.step_run(run, "fit", index)
    made = None
    for number, status in enumerate(statuses):
        attempt = story.attempt(step_run, f"{index}-{number}", cache_enabled=False)
        story.start(step_run, attempt, lease=False, look_up=False)
        if status == "completed":
            made = story.artifact("fit", f"sha256:{index}-{number}")
            story.complete(run, step_run, attempt, outputs={"result": made})
        elif status != "running":
            story.end(run, step_run, attempt, status, error=ERROR)
    return made


def answer(story: Any, run: Any, step: str, kind: str, **outputs: Any) -> None:
    step_run = replace(story.step_run(run, step), kind=kind)
    attempt = story.attempt(step_run, "", cache_enabled=False)
    story.start(step_run, attempt, lease=False, look_up=False)
    records = {
        name: story.artifact(f"{step}.{name}", kind="internal", has_inline_value=True, inline_value=value)
        for name, value in outputs.items()
    }
    assert story.complete(run, step_run, attempt, outputs=records).versions == {}


def test_elements_are_found_by_index_as_their_latest_attempt_left_them(story: Any) -> None:
    run, other = story.run(), story.run()
    first = fit(story, run, 0, "completed")
    second = fit(story, run, 1, "failed", "completed")
    fit(story, run, 2, "completed", "failed")
    fit(story, run, 3, "running")
    fit(story, other, 0, "completed")
    found = story.store.find_outputs(run.run_id, "fit")
    assert {index: item.status for index, item in found.items()} == {
        0: "completed",
        1: "completed",
        2: "failed",
        3: "running",
    }
    assert {index: [artifact.artifact_id for artifact in item.outputs.values()] for index, item in found.items()} == {
        0: [first.artifact_id],
        1: [second.artifact_id],
        2: [],
        3: [],
    }
    assert found[1].outputs["result"].digest == "sha256:1-1"
    assert list(story.store.find_outputs(run.run_id, "fit", map_index=1)) == [1]
    assert story.store.find_outputs(run.run_id, "fit", map_index=9) == {}
    assert story.store.find_outputs(run.run_id, "load") == {}


def test_a_step_that_is_not_mapped_has_no_index(story: Any) -> None:
    run = story.run()
    made = story.execute(run, "load")
    found = story.store.find_outputs(run.run_id, "load")
    assert found[None].outputs["result"].artifact_id == made.artifact_id


def test_answers_of_many_runs_at_once(story: Any) -> None:
    first, second = story.run(), story.run()
    answer(story, first, "when", "gate", taken=True)
    answer(story, first, "expand_fit", "expander", count=3, taken=7)
    answer(story, second, "when", "gate", taken=True)
    answer(story, second, "when", "gate", taken=False)
    answer(story, second, "fit", "step", count=5)
    assert story.store.find_answers([first.run_id, second.run_id, "unknown"]) == {
        first.run_id: {"when": True, "expand_fit": 3},
        second.run_id: {"when": False},
        "unknown": {},
    }


def test_hooks_are_no_part_of_how_a_run_stands(story: Any) -> None:
    run = story.run()
    answer(story, run, "when", "gate", taken=True)
    answer(story, run, "notify", "hook")
    assert story.store.find_step_statuses([run.run_id]) == {run.run_id: {"when": "completed"}}
    assert [state.step_run.kind for state in story.store.get_step_runs(run.run_id)] == ["gate", "hook"]


def test_what_zen_made_itself_is_found_by_its_id_and_never_listed(story: Any) -> None:
    run = story.run()
    answer(story, run, "when", "gate", taken=True)
    made = story.store.find_outputs(run.run_id, "when")[None].outputs["taken"]
    assert (made.kind, made.version, made.inline_value) == ("internal", None, True)
    assert story.store.get_artifacts([made.artifact_id]) == {made.artifact_id: made}
    assert story.store.find_artifacts(run.project) == []
    assert story.store.find_artifact_names(run.project) == []


def test_names_and_versions(story: Any) -> None:
    run = story.run()
    first, second = story.execute(run, "model", digest="sha256:1"), story.execute(run, "model", digest="sha256:2")
    story.execute(run, "score")
    assert story.store.find_artifact_names(run.project) == [("train", "model"), ("train", "score")]
    assert story.store.find_artifact_names(run.project, name="model") == [("train", "model")]
    assert story.store.find_artifact_names("elsewhere") == []

    def version(number: int | None) -> str | None:
        found = story.store.find_version(run.project, "train", "model", number)
        return found and found.artifact_id

    assert (version(None), version(1), version(2), version(3)) == (
        second.artifact_id,
        first.artifact_id,
        second.artifact_id,
        None,
    )
    story.delete(second)
    assert version(None) == first.artifact_id
    assert version(2) == second.artifact_id, "who names a version is told that it was deleted"
    story.delete(first)
    assert version(None) is None


def test_the_first_pin_stands(story: Any) -> None:
    run, other = story.run(), story.run()
    assert story.store.find_pins(run.run_id, ["model", "score"]) == {}
    assert story.store.pin_artifact(run.run_id, "model", "a1") == "a1"
    assert story.store.pin_artifact(run.run_id, "model", "a2") == "a1"
    assert story.store.pin_artifact(other.run_id, "model", "a2") == "a2"
    assert story.store.find_pins(run.run_id, ["model", "score"]) == {"model": "a1"}


def test_one_of_several_claims_an_event(story: Any, in_processes: Any) -> None:
    assert story.store.claim_once("hook r notify")
    assert not story.store.claim_once("hook r notify")
    assert story.store.claim_once("hook s notify")
    program = """
from zen_metadata.lineage.sql import open_lineage_store

def work(url):
    store = open_lineage_store(url)
    print(*[number for number in range(20) if store.claim_once(f"hook {number}")])
"""
    told = in_processes(program, [[story.url]] * 3)
    assert sorted(int(number) for line in told for number in line.split()) == list(range(20))
