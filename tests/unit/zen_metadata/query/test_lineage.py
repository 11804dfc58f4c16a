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
    assert document.keys() == {"nodes", "edges"}
    assert all(node.keys() >= {"id", "kind", "label"} for node in document["nodes"])
    assert {node["kind"] for node in document["nodes"]} == {"artifact", "step_run"}
    assert all(len(edge) == 2 for edge in document["edges"])
    assert repr(graph) == "<LineageGraph of demo/churn/model@1: 6 nodes, 5 edges>"
