"""Maps: each element its own step run, collections that are never handed on, and what becomes of failures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zen_core.contract.bindings import ConstantBinding, ListBinding
from zen_core.contract.canonical import digest_json
from zen_core.errors import MapError, MissingInputError
from zen_core.ir.specs import CacheSpec
from zen_core.testing.cases.build import (
    above,
    collect,
    element,
    make_expander,
    make_gate,
    mapped_by,
    parameter,
    read,
    taken,
)
from zen_core.testing.lineage import canonical_lineage, first_difference
from zen_metadata.shim.inputs import UpstreamFailedError
from zen_metadata.shim.mapping import run_elements, tasks_of
from zen_metadata.shim.run_step import run_step
from zen_metadata.shim.workspace import open_workspace

CACHED = CacheSpec(enabled=True)


@pytest.fixture
def mapped(make_code):
    """A list, a map over it, and the collector; `fit` and `values` may be replaced."""

    def make(values, fit=lambda x: x * 10, **options) -> tuple[Any, ...]:
        options = {"chunk": 1, **options}
        return (
            make_code("load", lambda: values),
            make_expander("expand_fit", {"x": read("load")}),
            make_code("fit", fit, x=element("expand_fit", "x"), _map=mapped_by("expand_fit", **options)),
            make_code("pick", lambda xs: xs, xs=read("fit")),
        )

    return make


def value(run, step, index=None):
    return run.step(step, index).output("result").load()


def test_each_element_is_a_step_run_and_the_collector_gets_all_in_order(engine, mapped) -> None:
    run = engine.run(*mapped([3, "two", None], fit=lambda x: [x]))
    assert run.status == "completed"
    assert [step.label for step in run.steps] == ["load", "expand_fit", "fit[0]", "fit[1]", "fit[2]", "pick"]
    assert value(run, "pick") == [[3], ["two"], [None]]
    assert run.step("expand_fit").outputs["count"].record.inline_value == 3


def test_an_element_has_the_digest_that_its_value_has_anywhere(engine, mapped, make_code) -> None:
    run = engine.run(
        *mapped([1.5, {"a": (1, 2)}], fit=lambda x: x),
        make_code("same", lambda: {"a": (1, 2)}),
        make_code("listed", lambda xs: xs, xs=collect(read("load"), read("same"))),
    )
    same = run.step("same").output().digest
    assert run.step("fit", 1).inputs["x"].digest == same == run.step("fit", 1).output().digest
    one = run.step("fit", 0).output().digest
    assert run.step("pick").inputs["xs"].digest == digest_json("list", [one, same])


def test_the_index_is_not_in_the_key(engine, mapped, make_code) -> None:
    calls: list[int] = []

    def fit(x: int) -> int:
        calls.append(x)
        return x

    steps = list(mapped([7, 7, 8], fit=fit))
    steps[2] = steps[2].model_copy(update={"cache": CACHED})
    run = engine.run(*steps)
    assert calls == [7, 8]
    assert [run.step("fit", index).status for index in range(3)] == ["completed", "cached", "completed"]
    assert value(run, "pick") == [7, 7, 8]


def test_zipped_lists_go_together_and_shared_inputs_are_the_same_for_all(engine, make_code) -> None:
    run = engine.run(
        make_code("load", lambda: (1, 2)),
        make_code("names", lambda: ["a", "b"]),
        make_expander("expand_fit", {"x": read("load"), "name": read("names")}),
        make_code(
            "fit",
            lambda x, name, depth: f"{name}{x + depth}",
            x=element("expand_fit", "x"),
            name=element("expand_fit", "name"),
            depth=parameter("depth"),
            _map=mapped_by("expand_fit"),
        ),
        make_code("pick", lambda xs: xs, xs=read("fit")),
        parameters={"depth": 10},
    )
    assert value(run, "pick") == ["a11", "b12"]


def test_a_chain_goes_on_element_by_element_past_a_failure(engine, mapped, make_code) -> None:
    def fit(x: int) -> int:
        if x == 2:
            raise ValueError("2 is wrong")
        return x

    load, expander, first, _ = mapped([1, 2, 3], fit=fit)
    run = engine.run(
        load,
        expander,
        first,
        make_code("score", lambda y: y + 100, y=element("fit", "result"), _map=mapped_by("expand_fit")),
        make_code("pick", lambda xs: xs, xs=read("score")),
    )
    assert run.status == "failed"
    assert engine.statuses == {
        "load": "completed",
        "expand_fit": "completed",
        "fit[0]": "completed",
        "fit[1]": "failed",
        "fit[2]": "completed",
        "score[0]": "completed",
        "score[1]": "upstream_failed",
        "score[2]": "completed",
        "pick": "upstream_failed",
    }
    assert value(run, "score", 2) == 103
    assert isinstance(engine.failures["fit"], ValueError)
    assert isinstance(engine.failures["score"], UpstreamFailedError)
    assert isinstance(engine.failures["pick"], UpstreamFailedError)
    assert "there is no element 1 (did not run)" in str(engine.failures["pick"])


def test_an_empty_list_completes_and_its_collector_gets_nothing(engine, mapped) -> None:
    run = engine.run(*mapped([]))
    assert run.status == "completed"
    assert engine.statuses == {"load": "completed", "expand_fit": "completed", "fit": "completed", "pick": "completed"}
    assert run.step("fit").map_index is None
    assert value(run, "pick") == []


def test_a_map_over_what_a_map_made_takes_the_elements_over(engine, mapped, make_code) -> None:
    run = engine.run(
        *mapped([1, 2])[:3],
        make_expander("expand_score", {"y": read("fit")}),
        make_code("score", lambda y: y + 1, y=element("expand_score", "y"), _map=mapped_by("expand_score")),
    )
    assert run.step("score", 1).inputs["y"].artifact_id == run.step("fit", 1).output().artifact_id
    assert value(run, "score", 1) == 21


def test_outputs_of_several_steps_are_mapped_as_they_are(engine, make_code) -> None:
    run = engine.run(
        make_code("one", lambda: 1),
        make_code("two", lambda: 2),
        make_expander("expand_fit", {"x": ListBinding((read("one"), read("two"), ConstantBinding(3)))}),
        make_code("fit", lambda x: x * 2, x=element("expand_fit", "x"), _map=mapped_by("expand_fit")),
        make_code("pick", lambda xs: xs, xs=read("fit")),
    )
    assert value(run, "pick") == [2, 4, 6]
    assert run.step("fit", 0).inputs["x"].artifact_id == run.step("one").output().artifact_id


@pytest.mark.parametrize("chunk", [1, 2, 5, 9])
def test_a_task_runs_as_many_elements_as_its_chunk_says(engine, mapped, chunk) -> None:
    run = engine.run(*mapped([1, 2, 3, 4, 5], chunk=chunk))
    assert value(run, "pick") == [10, 20, 30, 40, 50]
    assert len(tasks_of(engine.refs["expand_fit"], chunk)) == -(-5 // chunk)


def test_a_further_attempt_keeps_what_is_done(engine, mapped) -> None:
    calls: list[int] = []

    def fit(x: int) -> int:
        calls.append(x)
        if x in (2, 3) and calls.count(x) == 1:
            raise ValueError(f"{x} is wrong")
        return x

    steps = mapped([1, 2, 3], fit=fit, chunk=3)
    engine.run(*steps[:3], close=False)
    failure = engine.failures["fit"]
    assert str(failure) == "2 is wrong"
    assert "zen: of this task's elements, 2 failed too" in failure.__notes__
    run_elements(engine.call("fit", number=2), engine.workspace, chunk=0)
    assert calls == [1, 2, 3, 2, 3]
    run_elements(engine.call("fit", number=3, look_up=False), engine.workspace, chunk=0)
    assert calls == [1, 2, 3, 2, 3, 1, 2, 3]
    assert engine.shown.step("fit", 1).attempts == 3


def test_a_retry_with_a_shorter_list_leaves_nothing_over(engine, mapped) -> None:
    lists = [[1, 2, 3], [5]]
    steps = mapped(None)
    engine.begin(*steps)
    for values in lists:
        engine.refs.clear()
        engine.start("load", function=lambda values=values: values)
        for step in steps[1:]:
            engine.start(step.name)
    engine.close()
    assert engine.shown.status == "completed"
    assert value(engine.shown, "pick") == [50]


def test_lists_must_be_lists_and_equally_long(engine, make_code) -> None:
    engine.run(
        make_code("load", lambda: {"a": 1}),
        make_expander("expand_fit", {"x": read("load")}),
        make_code("fit", lambda x: x, x=element("expand_fit", "x"), _map=mapped_by("expand_fit")),
    )
    error = engine.failures["expand_fit"]
    assert isinstance(error, MapError)
    assert error.message == "'x' is a dict, and only a list or a tuple can be mapped"
    assert "broadcast(" in str(error)
    assert engine.statuses["fit"] == "upstream_failed"

    engine.run(
        make_code("load", lambda: [1, 2]),
        make_expander("expand_fit", {"x": read("load"), "y": ConstantBinding([1]), "z": ConstantBinding([])}),
        make_code("fit", lambda x: x, x=element("expand_fit", "x"), _map=mapped_by("expand_fit")),
    )
    told = engine.failures["expand_fit"].message
    assert told == "the lists that are mapped together differ in length: x has 2, y has 1, z has 0"


def test_above_a_target_s_limit_nothing_is_begun(engine, mapped) -> None:
    steps = mapped(list(range(10)), chunk=2)
    engine.begin(*steps)
    engine.start("load")
    with pytest.raises(MapError) as caught:
        run_step(engine.call("expand_fit", max_elements=8, limit_name="core.max_map_length"), engine.workspace)
    message = "the list has 10 elements, and core.max_map_length lets 8 run at most: map with chunk=3"
    assert caught.value.message == message
    assert "core.max_map_length is 4 tasks of 2 elements" in str(caught.value)
    assert ".map(..., chunk=3), or raise core.max_map_length" in str(caught.value)
    run_step(engine.call("expand_fit", max_elements=10), engine.workspace)


def test_a_map_that_did_not_begin_and_an_element_that_is_not_there(engine, mapped) -> None:
    engine.begin(*mapped([1]))
    with pytest.raises(MissingInputError, match="the map of step 'fit' has not begun"):
        run_elements(engine.call("fit"), engine.workspace, chunk=0)
    engine.start("load")
    engine.start("expand_fit")
    with pytest.raises(MissingInputError, match="is element 4, and the list has no more"):
        run_step(engine.call("fit", map_index=4), engine.workspace)
    with pytest.raises(MissingInputError, match="the task says no index"):
        run_step(engine.call("fit"), engine.workspace)
    with pytest.raises(MissingInputError, match=r"no element 0 \(did not run\)"):
        run_step(engine.call("pick"), engine.workspace)


def test_nothing_of_a_map_need_be_handed_over(engine, mapped) -> None:
    engine.begin(*mapped([1, 2]))
    for step in ("load", "expand_fit"):
        engine.start(step)
    other = engine.open()
    try:
        for index in range(2):
            run_step(engine.call("fit", map_index=index, upstream={}), other)
        result = run_step(engine.call("pick", upstream={}), other)
        assert result.status == "completed"
    finally:
        other.close()
    assert value(engine.shown, "pick") == [10, 20]


def test_a_collection_is_read_once_in_a_process(engine, mapped) -> None:
    engine.begin(*mapped([1, 2, 3]))
    engine.start("load")
    engine.start("expand_fit")
    collection = engine.client.run(engine.record.run_id).step("expand_fit").outputs["x"]
    path = engine.workspace.artifacts.local_path(collection.record.location)
    run_step(engine.call("fit", map_index=0), engine.workspace)
    path.chmod(0o600)
    path.write_bytes(b"[]")
    for index in (1, 2):
        run_step(engine.call("fit", map_index=index), engine.workspace)
    assert value(engine.shown, "fit", 2) == 30


def test_elements_survive_a_store_that_is_away(engine, mapped, make_code) -> None:
    """What later steps ask for by name lies in the spool, until it is replayed."""
    steps = (
        *mapped([1, 2])[:3],
        make_code("score", lambda y: y + 1, y=element("fit"), _map=mapped_by("expand_fit")),
        make_code("pick", lambda xs: xs, xs=read("score")),
    )
    there = engine.workspace
    away = replace(engine.settings, lineage_url="postgresql://zen@127.0.0.1:1/zen")
    engine.workspace = open_workspace(away, remote=False)
    engine.begin(*steps)
    for step in steps:
        engine.start(step.name)
    engine.workspace.close()
    engine.workspace = there
    assert engine.failures == {}
    engine.close()
    assert engine.shown.status == "completed"
    assert value(engine.shown, "pick") == [11, 21]
    assert engine.workspace.artifacts.list("spool") == []


def test_the_graph_goes_through_collections(engine, mapped, make_code) -> None:
    run = engine.run(
        *mapped([1, 2]),
        make_expander("expand_score", {"y": read("fit")}),
        make_code("score", lambda y: y + 1, y=element("expand_score", "y"), _map=mapped_by("expand_score")),
    )
    listed = run.step("load").output()
    fits = [run.step("fit", index).output().artifact_id for index in range(2)]
    scores = [run.step("score", index).output().artifact_id for index in range(2)]

    up = engine.client.lineage(run.step("score", 1).output(), "up").nodes
    assert {listed.artifact_id, fits[1], scores[1]} <= up.keys()
    assert up.keys().isdisjoint({fits[0], scores[0]})
    down = engine.client.lineage(listed, "down")
    assert {*fits, *scores, run.step("pick").output().artifact_id} <= down.nodes.keys()
    whole = engine.client.lineage(run, "both")
    named = {node["label"].partition(" in run")[0] for node in whole.nodes.values()}
    assert {"fit[1]", "score[0]", "expand_fit", "pick"} <= named
    assert {"demo/shapes/expand_fit.x", "demo/shapes/expand_fit.count"} <= named


def test_what_zen_makes_itself_has_no_versions_and_is_not_listed(engine, mapped) -> None:
    engine.run(*mapped([1, 2]))
    names = [artifact.full_name for artifact in engine.client.artifacts()]
    assert sorted(names) == ["demo/shapes/fit", "demo/shapes/fit", "demo/shapes/load", "demo/shapes/pick"]
    check = engine.workspace.lineage
    assert check.find_artifact_names("demo") == [("shapes", "fit"), ("shapes", "load"), ("shapes", "pick")]


def test_the_canonical_lineage_knows_no_expander(engine, mapped) -> None:
    first = canonical_lineage(engine.run(*mapped([1, 2])).to_json())
    assert list(first["steps"]) == ["fit[0]", "fit[1]", "load", "pick"]
    assert first["steps"]["fit[1]"]["inputs"]["x"]["from"] == ["load.result"]
    assert first["steps"]["pick"]["inputs"]["xs"]["items"]["[1]"]["from"] == ["fit[1].result"]
    second = canonical_lineage(engine.run(*mapped([1, 2])).to_json())
    assert first_difference(first, second) == ""


def test_runs_are_listed_with_the_status_that_they_are_shown_with(engine, mapped, make_code) -> None:
    engine.run(*mapped([]))
    engine.run(
        make_code("load", lambda: 1),
        make_gate("when", above("load", 2), {"load": read("load")}),
        make_code("yes", lambda: 1, _when=taken("when")),
    )
    engine.run(*mapped([1, 2]), close=False)
    listed = engine.client.runs()
    assert [run.status for run in listed] == ["completed"] * 3
    assert [run.status for run in listed] == [engine.client.run(run.run_id).status for run in listed]
