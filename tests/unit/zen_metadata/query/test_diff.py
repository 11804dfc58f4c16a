"""What differs between two runs: values, metrics, steps, environments."""

import json
import math
import time
from datetime import UTC, datetime

import pytest

from zen_core.contract.bindings import ConstantBinding
from zen_core.errors import NotFoundError
from zen_core.ir.specs import CacheSpec, InputSpec, OutputSpec, PipelineSpec, RetrySpec, StepSpec
from zen_metadata.lineage.records import MetricRecord
from zen_metadata.query import Client


def steps_named(*names, **facts):
    return PipelineSpec(
        name="churn",
        steps=tuple(
            StepSpec(
                name=name,
                entry_point=f"demo:{name}",
                outputs=(OutputSpec(name="result", type="Any"),),
                cache=CacheSpec(enabled=True),
                **facts,
            )
            for name in names
        ),
    )


def logged(**metrics):
    return tuple(MetricRecord(name, value, None, datetime.now(UTC)) for name, value in metrics.items())


def run_one(history, key, *, value=1, facts=None, spec=None, **end):
    """A run of one step `load` that made a value; `facts` are those of the run."""
    run = history.run(key, spec=spec or steps_named("load"), **(facts or {}))
    history.end(run, history.begin(run, "load"), outputs=[("result", value)], **end)
    return run.run_id


def run_elements(history, key, values, metrics=()):
    run = history.run(key, spec=steps_named("fit"))
    for index, value in enumerate(values):
        noted = logged(loss=metrics[index]) if metrics else ()
        history.end(run, history.begin(run, "fit", index), outputs=[("result", value)], metrics=noted)
    return run.run_id


def test_two_runs_that_did_the_same_are_equal(history):
    first, second = history.run("1"), history.run("2")
    history.complete(first)
    history.complete(second)
    diff = history.client.diff(first.run_id, second.run_id)
    assert diff.equal
    assert repr(diff) == f"<RunDiff {first.run_id[:8]} {second.run_id[:8]}: equal>"
    document = diff.to_json()
    assert document["equal"] is True
    for section in ("parameters", "code", "environment", "artifacts", "metrics"):
        assert {part: document[section][part] for part in ("added", "removed", "changed")} == {
            "added": {},
            "removed": {},
            "changed": {},
        }
    assert [step["name"] for step in document["steps"]] == ["load", "train", "score"]
    assert document["notes"] == []


def test_runs_are_named_as_everywhere(history):
    history.complete(history.run("1"))
    run = history.client.run()
    assert history.client.diff(run, "latest").equal
    assert history.client.diff(run.run_id[:6], run).equal
    with pytest.raises(NotFoundError, match=r"there is no run 'nonsense'(.|\n)*the nearest: "):
        history.client.diff("latest", "nonsense")


def test_parameters_are_told_apart_by_type_too(history):
    first = run_one(history, "1", facts={"parameters": {"depth": 1, "name": "a", "same": 1, "limit": 2}})
    second = run_one(history, "2", facts={"parameters": {"depth": "1", "name": "b", "same": 1, "day": "monday"}})
    diff = history.client.diff(first, second)
    assert diff.parameters.to_json() == {
        "added": {"day": "monday"},
        "removed": {"limit": 2},
        "changed": {"depth": {"before": 1, "after": "1"}, "name": {"before": "a", "after": "b"}},
    }
    assert not diff.equal


def test_constants_of_the_pipeline_and_what_steps_logged_count_as_parameters(history):
    runs = []
    for key, depth, unit in (("1", 2, "cm"), ("2", 3, "inch")):
        inputs = (InputSpec(name="depth", type="int", binding=ConstantBinding(depth)),)
        runs.append(run_one(history, key, spec=steps_named("load", inputs=inputs), params={"unit": unit}))
    diff = history.client.diff(*runs)
    assert diff.parameters.changed == {
        "load.depth": {"before": 2, "after": 3},
        "load.params.unit": {"before": "cm", "after": "inch"},
    }
    assert diff.steps[0].same, "the constant is told once"


def test_metrics_have_a_difference(history):
    first = run_one(history, "1", metrics=logged(loss=0.5, gone=1.0, same=2.0, wild=1.0, odd=math.nan))
    second = run_one(history, "2", metrics=logged(loss=0.25, new=3.0, same=2.0, wild=math.inf, odd=math.nan))
    assert history.client.diff(first, second).metrics.to_json() == {
        "added": {"load.new": 3.0},
        "removed": {"load.gone": 1.0},
        "changed": {
            "load.loss": {"before": 0.5, "after": 0.25, "difference": -0.25},
            "load.wild": {"before": 1.0, "after": {"$zen": "float", "value": "inf"}, "difference": None},
        },
    }


def test_metrics_of_the_elements_of_a_map_are_told_by_their_mean(history):
    first = run_elements(history, "1", [1, 2, 3], [0.1, 0.2, 0.3])
    second = run_elements(history, "2", [1, 2, 3], [0.1, 0.3, 0.2])
    third = run_elements(history, "3", [1, 2, 3, 4], [0.1, 0.2, 0.3, 0.6])
    assert history.client.diff(first, second).metrics.changed["fit.loss"] == {
        "before": pytest.approx(0.2),
        "after": pytest.approx(0.2),
        "difference": pytest.approx(0.0),
        "elements": {"before": 3, "after": 3},
        "elements_changed": 2,
    }
    longer = history.client.diff(first, third).metrics.changed["fit.loss"]
    assert (longer["elements"], longer["elements_changed"]) == ({"before": 3, "after": 4}, 0)
    assert longer["difference"] == pytest.approx(0.1)


def test_steps_stand_side_by_side_with_status_and_duration(history):
    first, second = history.run("1"), history.run("2")
    history.complete(first)
    history.do(second, "load", outputs=[("result", [1, 2])])
    history.fail(second, "train")
    diff = history.client.diff(first.run_id, second.run_id)
    sides = {pair.name: (pair.before.status, pair.after.status, pair.same) for pair in diff.steps}
    assert sides == {
        "load": ("completed", "completed", True),
        "train": ("completed", "failed", False),
        "score": ("completed", "upstream_failed", False),
    }
    load = diff.to_json()["steps"][0]
    assert load["before"] == {"status": "completed", "seconds": pytest.approx(0.01), "attempts": 1}
    assert diff.to_json()["steps"][2]["after"] == {"status": "upstream_failed", "seconds": None, "attempts": 0}
    assert set(diff.artifacts.removed) == {"train.model", "score.result"}
    assert not diff.equal


def test_a_result_that_was_reused_is_no_difference(history):
    first, second = history.run("1"), history.run("2")
    rows, _, _ = history.complete(first)
    load = history.client.run(first.run_id).step("load").state.attempt.attempt_id
    history.do(second, "load", "cached", reused={"result": rows}, reused_attempt_id=load)
    history.do(second, "train", outputs=[("model", {"depth": 2})], inputs=[("rows", rows)])
    history.do(second, "score", outputs=[("result", 0.5)])
    diff = history.client.diff(first.run_id, second.run_id)
    assert diff.steps[0].after.status == "cached"
    assert diff.equal


def test_steps_of_one_run_only_and_other_definitions_are_told(history):
    first = history.run("1", spec=steps_named("load", "old"))
    history.do(first, "load", outputs=[("result", 1)])
    history.do(first, "old", outputs=[("result", 2)])
    second = history.run("2", spec=steps_named("load", "new", retry=RetrySpec(times=2, delay_seconds=1)))
    history.do(second, "load", outputs=[("result", 1)])
    history.do(second, "new", outputs=[("result", 3)])
    diff = history.client.diff(first.run_id, second.run_id)
    pairs = {pair.name: pair for pair in diff.steps}
    assert list(pairs) == ["load", "new", "old"]
    assert pairs["old"].after is None
    assert pairs["new"].before is None
    assert pairs["load"].definition["retry"]["before"] is None
    assert pairs["load"].definition["retry"]["after"]["times"] == 2
    assert list(pairs["load"].definition) == ["retry"]
    assert (set(diff.artifacts.added), set(diff.artifacts.removed)) == ({"new.result"}, {"old.result"})


def test_runs_of_two_pipelines_are_compared_by_step_with_a_note(history, other_pipeline):
    first, second = history.run("1"), history.run("2", spec=other_pipeline)
    history.complete(first)
    history.complete(second)
    diff = history.client.diff(first.run_id, second.run_id)
    assert diff.notes == ("the runs are of two pipelines, churn and fraud: steps are compared by name",)
    assert all(pair.same for pair in diff.steps)
    assert not diff.equal


def test_a_run_that_goes_on_is_compared_as_far_as_it_is(history):
    first, second = history.run("1"), history.run("2")
    history.complete(first)
    history.do(second, "load", outputs=[("result", [1, 2, 3])])
    diff = history.client.diff(first.run_id, second.run_id)
    assert diff.notes[0] == f"run {second.run_id[:8]} is still running: what is there so far is compared"
    assert "load.result" in diff.artifacts.changed
    assert {pair.name for pair in diff.steps if pair.after is None} == {"train", "score"}


# -- environments ----------------------------------------------------------------------------------------------------


def environment(history, digest, **packages):
    history.store.save_environment("demo", digest, {"python": "3.11.9", "packages": packages})
    return digest


def run_in(history, key, **environments):
    run = history.run(key, spec=steps_named(*environments))
    for step, digest in environments.items():
        history.end(run, history.begin(run, step, environment_digest=digest), outputs=[("result", 1)])
    return run.run_id


def test_an_environment_that_all_steps_share_is_told_once(history):
    old, new = environment(history, "sha256:1", pandas="2.2.3"), environment(history, "sha256:2", pandas="2.3.0", x="1")
    first, second = run_in(history, "1", load=old, train=old), run_in(history, "2", load=new, train=new)
    assert history.client.diff(first, second).to_json()["environment"] == {
        "added": {"package:x": "1"},
        "removed": {},
        "changed": {"package:pandas": {"before": "2.2.3", "after": "2.3.0"}},
    }


def test_an_environment_of_some_steps_names_them(history):
    old, new = environment(history, "sha256:1", pandas="2.2.3"), environment(history, "sha256:2", pandas="2.3.0")
    newest = environment(history, "sha256:3", pandas="3.0.0")
    first = run_in(history, "1", load=old, train=old, score=old)
    second = run_in(history, "2", load=old, train=new, score=newest)
    assert history.client.diff(first, second).environment.changes.changed == {
        "package:pandas (score)": {"before": "2.2.3", "after": "3.0.0"},
        "package:pandas (train)": {"before": "2.2.3", "after": "2.3.0"},
    }


def test_an_environment_that_is_not_recorded_is_said(history):
    new = environment(history, "sha256:2", pandas="2.3.0")
    first, second = run_in(history, "1", load="sha256:lost"), run_in(history, "2", load=new)
    diff = history.client.diff(first, second)
    assert not diff.environment.changes
    assert diff.notes == (f"the environment of load in run {first[:8]} is not recorded",)


# -- whole -----------------------------------------------------------------------------------------------------------


def test_the_same_two_runs_give_the_same_document(history):
    first = run_one(history, "1", value={"a": 1, "b": [1]}, facts={"parameters": {"b": 1, "a": 2}})
    second = run_one(history, "2", value={"a": 2, "c": [1]}, facts={"parameters": {"b": 2, "c": 2}})
    texts = set()
    for _ in range(2):
        with Client(history.settings) as client:
            texts.add(json.dumps(client.diff(first, second).to_json(), allow_nan=False))
    assert len(texts) == 1


def test_two_hundred_steps_take_less_than_a_second(history):
    names = [f"step_{number}" for number in range(200)]
    spec = steps_named(*names)
    runs = [history.run(key, spec=spec) for key in ("1", "2")]
    for number, name in enumerate(names):
        for place, run in enumerate(runs):
            # A finished attempt is one transaction: the store's own calls, without a heartbeat in between.
            history.end(run, history.begin(run, name), outputs=[("result", number * place)], metrics=logged(m=place))
    with Client(history.settings) as client:
        client.runs()
        started = time.process_time()
        diff = client.diff(*(run.run_id for run in runs))
        document = diff.to_json()
        seconds = time.process_time() - started
    assert len(document["steps"]) == 200
    assert len(diff.artifacts.changed) == 199
    assert len(diff.metrics.changed) == 200
    assert seconds < 1.0
