import copy

import pytest

from zen_core.testing.lineage import canonical_lineage, first_difference

SHOW = {
    "run_id": "r1",
    "pipeline": "churn",
    "project": "shop",
    "orchestrator": "local",
    "status": "completed",
    "ir_digest": "sha256:ir",
    "parameters": {"depth": 4},
    "started_at": "2026-01-31T06:00:00+00:00",
    "steps": [
        {
            "name": "load",
            "map_index": None,
            "kind": "step",
            "status": "completed",
            "attempts": 1,
            "cache_key": "k1",
            "reused_from": None,
            "inputs": {},
            "outputs": {"result": {"artifact_id": "a1", "digest": "d1", "type": "int", "uri": "x", "value": 3}},
            "metrics": {"rows": 3},
            "environment_digest": "e1",
        },
        {
            "name": "join",
            "map_index": None,
            "kind": "step",
            "status": "completed",
            "attempts": 2,
            "cache_key": "k2",
            "inputs": {
                "left": {"artifact_id": "a1", "digest": "d1"},
                "many": {"artifact_id": None, "digest": "d9", "items": {"[0]": {"artifact_id": "a1", "digest": "d1"}}},
            },
            "outputs": {},
            "metrics": {},
        },
    ],
}


def on_another_engine():
    show = copy.deepcopy(SHOW)
    show.update(run_id="r2", orchestrator="airflow", started_at="2026-02-01T00:00:00+00:00", run_url="http://x")
    show["steps"].reverse()
    load = show["steps"][1]
    load.update(status="cached", reused_from="r1", attempts=3, environment_digest="e2", log_url="http://y")
    load["outputs"]["result"].update(artifact_id="b1", uri="y")
    show["steps"][0]["inputs"]["left"]["artifact_id"] = "b1"
    show["steps"][0]["inputs"]["many"]["items"]["[0]"]["artifact_id"] = "b1"
    gate = {"name": "gate", "kind": "gate", "map_index": None, "status": "completed", "cache_key": "", "inputs": {}}
    show["steps"].append({**gate, "outputs": {}})
    return show


def test_runs_on_two_engines_are_equal():
    left, right = canonical_lineage(SHOW), canonical_lineage(on_another_engine())
    assert first_difference(left, right) == ""
    assert left == right


def test_edges_name_the_step_and_the_output_that_was_read():
    inputs = canonical_lineage(SHOW)["steps"]["join"]["inputs"]
    assert inputs["left"] == {"digest": "d1", "from": ["load.result"]}
    assert inputs["many"]["items"]["[0]"]["from"] == ["load.result"]


def test_reuse_is_told_only_where_it_is_asked_for():
    left, right = (canonical_lineage(show, tell_cached=True) for show in (SHOW, on_another_engine()))
    assert first_difference(left, right) == "steps.load.status: 'completed' and 'cached'"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda show: show["steps"][0].update(cache_key="other"), "steps.load.cache_key"),
        (lambda show: show["steps"][0]["outputs"]["result"].update(digest="other"), "steps.load.outputs.result.digest"),
        (lambda show: show["steps"][0]["outputs"]["result"].update(value=True), "steps.load.outputs.result.value"),
        (lambda show: show["steps"][1]["inputs"]["left"].update(artifact_id="?"), "steps.join.inputs.left.from"),
        (lambda show: show["parameters"].update(depth=4.0), "parameters.depth"),
        (lambda show: show["steps"].pop(), "steps.join is only on the left"),
    ],
)
def test_a_difference_that_matters_is_found(change, where):
    other = copy.deepcopy(SHOW)
    change(other)
    assert first_difference(canonical_lineage(SHOW), canonical_lineage(other)).startswith(where)


def test_elements_of_a_fan_out_are_told_apart():
    show = copy.deepcopy(SHOW)
    show["steps"] = [{**SHOW["steps"][0], "map_index": index} for index in (1, 0)]
    assert list(canonical_lineage(show)["steps"]) == ["load[0]", "load[1]"]
