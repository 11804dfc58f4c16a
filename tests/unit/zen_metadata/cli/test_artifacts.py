"""`zen artifacts`, `zen lineage`."""

import json

from zen_metadata.cli.artifact_commands import print_graph
from zen_metadata.query import Client


def test_artifacts_are_listed_with_their_versions(project):
    project.run()
    run = project.run("--param", "depth=5")
    listed = project.json("artifacts")
    assert len(listed) == 6
    models = project.json("artifacts", "model")
    assert [(model["version"], model["step"]) for model in models] == [(2, "train"), (1, "train")]
    assert models[0]["run_id"] == run["run_id"]
    assert models[0].keys() >= {"name", "version", "artifact_id", "digest", "type", "uri", "size_bytes"}
    head, *lines = project.zen("artifacts", "churn/model").stdout.splitlines()
    assert head.split() == ["ARTIFACT", "VERSION", "TYPE", "SIZE", "DIGEST", "RUN", "STEP", "CREATED"]
    assert lines[0].split()[:4] == ["churn/model", "2", "current", "dict"]
    assert lines[1].split()[:3] == ["churn/model", "1", "dict"]
    assert project.json("artifacts", "model@1")[0]["version"] == 1


def test_an_unknown_artifact_names_the_nearest(project):
    project.run()
    result = project.zen("lineage", "modle")
    assert result.exit_code == 2
    assert "did you mean 'model'?" in result.stderr


def test_the_tree_begins_at_the_raw_data(project):
    run = project.run()["run_id"][:8]
    lines = project.zen("lineage", "model").stdout.splitlines()
    assert lines[0].startswith("rows.txt  File ")
    assert lines[1] == f"  load in run {run}"
    assert lines[2].startswith("    demo/churn/load@1  list ")
    assert lines[3] == f"      train in run {run}"
    assert lines[4].startswith("        demo/churn/model@1  dict ")
    assert lines[5] == f"          score in run {run}"
    assert lines[6].startswith("            demo/churn/score@1  float ")


def test_up_and_down_are_parts_of_it(project):
    project.run()
    up = project.zen("lineage", "model", "--up").stdout
    assert "rows.txt" in up
    assert "score" not in up
    down = project.zen("lineage", "model", "--down").stdout.splitlines()
    assert down[0].startswith("demo/churn/model@1")
    assert len(down) == 3


def test_the_graph_as_json(project):
    project.run()
    document = project.json("lineage", "model")
    ids = {node["id"] for node in document["nodes"]}
    assert all(start in ids and end in ids for start, end in document["edges"])
    assert len(document["edges"]) == 6


def test_on_a_terminal_it_is_drawn(project, terminal):
    project.run()
    with Client(root=project.root) as client, terminal() as screen:
        print_graph(client.lineage("model"))
    assert "└── \x1b[36mload in run" in screen.getvalue()


def test_a_list_that_is_cut_says_how_it_goes_on(project):
    project.run()
    project.run("--param", "depth=5")
    first = project.zen("artifacts", "--limit", "4", "--json")
    listed = json.loads(first.stdout)
    assert len(listed) == 4
    assert first.stderr == f"there are more: zen artifacts --before {listed[-1]['artifact_id']}\n"
    rest = project.zen("artifacts", "--before", listed[-1]["artifact_id"], "--json")
    assert [*listed, *json.loads(rest.stdout)] == project.json("artifacts", "--limit", "0")
    assert rest.stderr == ""
    assert [model["version"] for model in project.json("artifacts", "model", "--before", "model@2")] == [1]
    assert [model["version"] for model in project.json("artifacts", "model", "--after", "model@1")] == [2]


def test_a_graph_that_is_cut_says_so(project):
    project.run()
    result = project.zen("lineage", "score", "--up", "--depth", "1")
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "cut at --depth 1: there is more\n"
    assert project.json("lineage", "score", "--depth", "1")["cut"] == {"by": "depth", "at": 1}
    assert "cut at --limit 1: there is more" in project.zen("lineage", "score", "--limit", "1").stderr
    assert project.json("lineage", "score", "--limit", "0")["cut"] is None
