"""The graph around an artifact or a run."""

import json
from itertools import pairwise

import pytest

from zen_core.errors import UsageError
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.query import LineageGraph


def labels(graph):
    """The edges by label, without the run ids."""
    named = {key: node["label"].split(" in run ")[0] for key, node in graph.nodes.items()}
    return sorted((named[start], named[end]) for start, end in graph.edges)


CHAIN = [
    ("demo/churn/load@1", "train"),
    ("demo/churn/model@1", "score"),
    ("load", "demo/churn/load@1"),
    ("score", "demo/churn/score@1"),
    ("train", "demo/churn/model@1"),
]


def test_both_ways_from_the_middle(history):
    history.complete(history.run())
    assert labels(history.client.lineage("model")) == CHAIN


def test_up_and_down(history):
    history.complete(history.run())
    assert labels(history.client.lineage("model", "up")) == [CHAIN[0], CHAIN[2], CHAIN[4]]
    assert labels(history.client.lineage("model", "down")) == [CHAIN[1], CHAIN[3]]
    with pytest.raises(UsageError, match="write up, down or both"):
        history.client.lineage("model", "sideways")


def test_raw_data_is_where_the_way_up_begins(history):
    run = history.run()
    source = ArtifactRecord(
        artifact_id="11111111-1111-5111-8111-111111111111",
        project="demo",
        pipeline="",
        name="data/churn.csv",
        digest="sha256:raw",
        stored_digest="sha256:raw",
        type="File",
        serializer="",
        serializer_version=0,
        location="data/churn.csv",
        size_bytes=9,
        kind="source",
    )
    read = [("data", source)]
    history.do(run, "load", outputs=[("result", [1])], inputs=read, sources=(source,))
    graph = history.client.lineage("load")
    assert [graph.nodes[root]["label"] for root in graph.roots] == ["data/churn.csv"]
    assert graph.nodes[graph.roots[0]]["source"] is True
    assert labels(graph) == [("data/churn.csv", "load"), ("load", "demo/churn/load@1")]
    assert labels(history.client.lineage(source.artifact_id, "down")) == labels(graph)


def test_a_step_that_reused_a_result_reads_but_does_not_make(history):
    rows, model, _ = history.complete(history.run("1"))
    second = history.run("2")
    begun = history.begin(second, "train")
    history.end(
        second, begun, "cached", inputs=[("rows", rows)], reused={"model": model}, reused_attempt_id=model.attempt_id
    )
    graph = history.client.lineage("load", "down")
    node = graph.nodes[begun[0].step_run_id]
    assert node["reused"] is True
    assert node["run_id"] == second.run_id
    assert graph.successors(node["id"]) == ()
    assert set(labels(graph)) == set(CHAIN) - {CHAIN[2]}


def test_a_diamond_has_each_node_once(history):
    run = history.run()
    rows = history.do(run, "load", outputs=[("result", [1])])["result"]
    model = history.do(run, "train", outputs=[("model", 1)], inputs=[("rows", rows)])["model"]
    history.do(run, "score", outputs=[("result", 1)], inputs=[("model", model), ("rows", rows)])
    graph = history.client.lineage("score", "up")
    assert len(graph.nodes) == 6
    assert len(graph.edges) == 6
    assert len(graph.roots) == 1


def test_the_graph_of_a_run(history):
    history.complete(history.run())
    run = history.client.run()
    graph = history.client.lineage(run)
    assert graph.subject == run.run_id
    assert graph.nodes[run.run_id]["kind"] == "run"
    steps = {end for start, end in graph.edges if start == run.run_id}
    assert {graph.nodes[step]["step"] for step in steps} == {"load", "train", "score"}
    assert {edge for edge in labels(graph) if not edge[0].startswith("run ")} == set(CHAIN)


def test_a_long_history_can_be_walked():
    names = [f"node_{number:05}" for number in range(5000)]
    graph = LineageGraph(names[-1], {name: {"label": name} for name in names}, tuple(pairwise(names)))
    assert [(node, depth) for node, depth, _ in graph.walk()] == [(name, depth) for depth, name in enumerate(names)]


def test_the_document_has_the_promised_shape(history):
    history.complete(history.run())
    graph = history.client.lineage("model")
    document = json.loads(json.dumps(graph.to_json()))
    assert document.keys() == {"nodes", "edges", "cut"}
    assert document["cut"] is None
    assert all(node.keys() >= {"id", "kind", "label"} for node in document["nodes"])
    assert {node["kind"] for node in document["nodes"]} == {"artifact", "step_run"}
    assert all(len(edge) == 2 for edge in document["edges"])
    assert repr(graph) == "<LineageGraph of demo/churn/model@1: 6 nodes, 5 edges>"


def test_the_depth_is_counted_in_steps_and_a_cut_is_told(history):
    history.complete(history.run())
    graph = history.client.lineage("score", "up", depth=1)
    assert labels(graph) == [CHAIN[1], CHAIN[3]]
    assert graph.to_json()["cut"] == {"by": "depth", "at": 1}
    whole = history.client.lineage("score", "up", depth=3)
    assert (labels(whole), whole.cut) == (labels(history.client.lineage("score", "up")), None)
    down = history.client.lineage("load", "down", depth=1)
    assert labels(down) == [CHAIN[0], CHAIN[4]]
    assert down.to_json()["cut"] == {"by": "depth", "at": 1}
    assert history.client.lineage("load", "down", depth=2).cut is None


def test_the_nearest_artifacts_are_in_the_limit_and_a_cut_is_told(history):
    history.complete(history.run())
    up = history.client.lineage("score", "up", limit=1)
    assert labels(up) == [CHAIN[1], CHAIN[3], CHAIN[4]]
    assert up.to_json()["cut"] == {"by": "limit", "at": 1}
    down = history.client.lineage("load", "down", limit=1)
    assert labels(down) == [CHAIN[0], CHAIN[1], CHAIN[4]]
    assert down.to_json()["cut"] == {"by": "limit", "at": 1}
    assert history.client.lineage("score", "up", limit=2).cut is None
    assert history.client.lineage("load", "down", limit=None).cut is None
    with pytest.raises(UsageError, match=r"depth is 0(.|\n)*write 1 or more"):
        history.client.lineage("score", depth=0)


def test_uses_of_one_artifact_are_limited_too(history):
    rows = history.complete(history.run("0"))[0]
    for key in range(1, 15):
        run = history.run(str(key))
        history.do(run, "train", outputs=[("model", key)], inputs=[("rows", rows)])
    graph = history.client.lineage(rows.artifact_id, "down", limit=1)
    assert graph.cut is not None
    assert len(graph.nodes) < 15


def test_results_that_were_reused_in_a_circle_end(history):
    """A step that gives back what it was given: what was made of its result is what its result was made of."""
    run = history.run("1")
    first = history.do(run, "load", outputs=[("result", [1])])["result"]
    second = history.do(run, "train", outputs=[("model", [1])], inputs=[("rows", first)])["model"]
    again = history.run("2")
    begun = history.begin(again, "train")
    reused = {"model": first}
    history.end(again, begun, "cached", inputs=[("rows", second)], reused=reused, reused_attempt_id=first.attempt_id)
    graph = history.client.lineage(first.artifact_id, "down")
    assert {"demo/churn/load@1", "demo/churn/model@1"} <= {node["label"] for node in graph.nodes.values()}
    assert graph.cut is None


def test_a_circle_is_walked_once():
    names = {name: {"label": name} for name in "abc"}
    graph = LineageGraph("a", names, (("a", "b"), ("b", "c"), ("c", "a")))
    assert [(node, repeated) for node, _, repeated in graph.walk()] == [
        ("a", False),
        ("b", False),
        ("c", False),
        ("a", True),
    ]


def test_the_store_is_asked_as_often_however_deep_the_graph(history, statements):
    def ask(depth):
        run = history.run(f"deep {depth}")
        made = history.do(run, "load", outputs=[("result", [depth])])["result"]
        for step in range(depth):
            run = history.run(f"deep {depth} {step}")
            made = history.do(run, "train", outputs=[("model", step)], inputs=[("rows", made)])["model"]
        history.client.close()  # the next question opens a connection that is listened to
        statements.clear()
        graph = history.client.lineage(made.artifact_id, "up")
        assert len(graph.nodes) == 2 * depth + 2
        return len([statement for statement in statements if statement.startswith(("SELECT", "WITH"))])

    assert ask(3) == ask(30)
