"""`zen why`, and the reasons in `zen show`: what is said of a hit, and of what changed."""

import json

import pytest

from zen_metadata.query import Client

# -- a first run, and hits -------------------------------------------------------------------------------------------


def test_a_first_run_says_so(flow):
    assert flow.reasons() == {
        "load": "first run",
        "scaled": "first run",
        "expand_square": None,
        "square[0]": "first run",
        "square[1]": "first run",
        "square[2]": "first run",
        "total": "first run",
    }
    answer = flow.why("scaled")
    assert (answer["result"], answer["compared_to"], answer["changed"]) == ("miss", None, [])
    assert answer["summary"].startswith("first run: none of the last 20 runs of flow")
    assert set(answer["parts"]) == {"code", "input:rows", "output:result"}


def test_a_hit_names_the_run_that_made_the_result(flow):
    first = flow.ran()
    assert set(filter(None, flow.reasons().values())) == {"nothing changed"}
    answer = flow.why("scaled")
    assert (answer["result"], answer["changed"], answer["compared_to"]) == ("hit", [], None)
    assert answer["reused"]["run_id"] == first["run_id"]
    assert answer["reused"]["step"] == "scaled"
    assert answer["reused"]["created_at"]
    assert answer["cache_key"] == first["steps"]["scaled"]["cache_key"]
    assert f"the result of run {first['run_id'][:8]} (" in answer["summary"]
    assert "hit" in flow.zen("why", "latest", "scaled").stdout


def test_a_result_of_another_step_is_named_with_its_step(flow):
    first = flow.ran()
    flow.edit("flow", "rows = scaled(load(data, n))", "rows = scaled.with_options(name='enlarged')(load(data, n))")
    assert flow.reasons()["enlarged"] == "nothing changed"
    answer = flow.why("enlarged")
    assert answer["reused"] == {**answer["reused"], "run_id": first["run_id"], "step": "scaled", "pipeline": "flow"}
    assert "step scaled of flow" in answer["summary"]


# -- what changed ----------------------------------------------------------------------------------------------------


def test_a_constant_two_calls_away_is_named_with_its_place(flow):
    first = flow.ran()
    flow.edit("features", "FACTOR = 2", "FACTOR = 3")
    found = flow.reasons()
    assert found["load"] == "nothing changed"
    assert found["scaled"] == "code changed: features.FACTOR"
    assert found["total"] == "input rows changed; input squares changed"
    answer = flow.why("scaled")
    assert answer["compared_to"] == first["run_id"]
    (change,) = answer["changed"]
    assert (change["part"], change["what"], change["where"]) == ("code", "features.FACTOR changed", "features.py:2")
    assert change["before"] != change["after"]
    text = flow.zen("why", "latest", "scaled").stdout
    assert "features.FACTOR changed (features.py:2)" in text
    (rows, squares) = flow.why("total")["changed"]
    assert rows["what"] == "input rows differs: [2, 4, 6] -> [3, 6, 9]"
    assert rows["upstream"] == "made by scaled, which ran: code changed: features.FACTOR"
    assert squares["what"] == "input squares differs: [0], [1], [2] changed"


def test_a_change_that_the_step_does_not_reach_is_none(flow):
    flow.ran()
    flow.edit("features", "def unused(x):\n    return x", "def unused(x):\n    return x + 1")
    assert flow.reasons()["scaled"] == "nothing changed"


def test_definitions_that_appear_and_go_are_told(flow):
    flow.ran()
    flow.edit("features", "    return x * FACTOR", "    return twice(x)\n\ndef twice(x):\n    return x + x")
    assert flow.reasons()["scaled"] == "code changed: features.scale, +2"
    texts = [f"{change['what']} ({change['where']})" for change in flow.why("scaled")["changed"]]
    assert texts == [
        "features.scale changed (features.py:4-5)",
        "features.FACTOR is not used any more (features.py:2)",
        "features.twice is used now (features.py:7-8)",
    ]


def test_a_parameter_is_told_with_both_values(flow):
    flow.ran()
    assert flow.reasons("--param", "n=2")["load"] == "input n changed"
    (change,) = flow.why("load")["changed"]
    assert change == {"part": "input:n", "what": "input n: 3 -> 2 (parameter n)", "before": 3, "after": 2}


def test_a_file_with_other_content_is_told(flow):
    flow.ran()
    (flow.root / "numbers.txt").write_text("1 2 3 4 5")
    document = flow.ran()
    assert document["steps"]["load"]["cache_reason"] == "input data changed"
    (change,) = flow.why("load")["changed"]
    assert change["what"] == "input data differs: the file numbers.txt has other content, 7 -> 9 bytes"
    # The first three numbers are the same: early cut-off.
    assert document["steps"]["load"]["status"] == "completed"
    assert {document["steps"][name]["status"] for name in ("scaled", "square[0]", "total")} == {"cached"}


def test_of_an_element_the_same_element_is_compared(flow):
    flow.ran()
    (flow.root / "numbers.txt").write_text("1 7 3")
    document = flow.ran()
    assert [document["steps"][f"square[{index}]"]["status"] for index in range(3)] == ["cached", "completed", "cached"]
    answer = flow.why("square[1]")
    assert answer["map_index"] == 1
    (change,) = answer["changed"]
    assert (change["what"], change["before"], change["after"]) == ("input x: 4 -> 14", 4, 14)
    assert change["upstream"].startswith("made by scaled, which ran: input rows changed")
    assert "nothing changed (2), input x changed (1)" in flow.zen("show").stdout


def test_a_table_is_told_by_its_rows_and_columns(project):
    pytest.importorskip("pandas")
    project.ref = "tables.py:tables"
    project.write(
        tables="""
        import pandas as pd
        from zen_core import pipeline, step

        @step
        def load(rows: int, kind: str) -> pd.DataFrame:
            return pd.DataFrame({"id": range(rows), "value": pd.Series(range(rows), dtype=kind)})

        @step
        def count(frame: pd.DataFrame) -> int:
            return len(frame)

        @pipeline
        def tables(rows: int = 5, kind: str = "int64"):
            count(load(rows, kind))
        """
    )
    project.ran()
    assert project.reasons("--param", "rows=8")["count"] == "input frame changed"
    (change,) = project.why("count")["changed"]
    assert change["what"] == "input frame differs: 3 rows added"
    project.ran("--param", "rows=8", "--param", "kind=float64")
    (change,) = project.why("count")["changed"]
    assert change["what"] == "input frame differs: column value int64 -> float64"
    assert "made by load, which ran: input kind changed" in change["upstream"]


def test_plain_values_are_told_by_their_items(project):
    project.ref = "plain.py:plain"
    project.write(
        plain="""
        from typing import Annotated
        from zen_core import pipeline, step

        @step
        def load(rows: int, last: int) -> tuple[Annotated[list, "items"], Annotated[dict, "facts"]]:
            return [*range(rows), last], {"rows": rows, "last": last, "text": "x" * 80}

        @step
        def use(items: list, facts: dict) -> int:
            return len(items)

        @pipeline
        def plain(rows: int = 50, last: int = 1):
            items, facts = load(rows, last)
            use(items, facts)
        """
    )
    project.ran()
    project.ran("--param", "last=2")
    facts, items = project.why("use")["changed"]
    assert items["what"] == "input items differs: 1 item changed"
    assert facts["what"] == "input facts differs: last changed"
    project.ran("--param", "rows=52", "--param", "last=50")
    _, items = project.why("use")["changed"]
    assert items["what"] == "input items differs: 51 items -> 53, 1 item changed"


def test_what_a_step_declares_to_read_is_told_without_values(project, monkeypatch):
    project.ref = "declared.py:declared"
    project.write(
        declared="""
        from zen_core import Cache, pipeline, step

        @step(cache=Cache(files=["rules.json"], env=["ENDPOINT"], salt="1"))
        def ask(n: int) -> int:
            return n

        @pipeline
        def declared(n: int = 1):
            ask(n)
        """
    )
    (project.root / "rules.json").write_text("{}")
    monkeypatch.setenv("ENDPOINT", "https://secret.example")
    project.ran()
    monkeypatch.setenv("ENDPOINT", "https://other-secret.example")
    assert project.reasons()["ask"] == "variable ENDPOINT changed"
    answer = flow_text = project.zen("why", "latest", "ask")
    assert "the variable ENDPOINT has another value" in answer.stdout
    assert "secret" not in flow_text.stdout + json.dumps(project.why("ask"))
    (project.root / "rules.json").write_text('{"a": 1}')
    assert project.reasons()["ask"] == "file rules.json changed"
    assert project.why("ask")["changed"][0]["what"] == "the declared file rules.json has other content"
    project.edit("declared", 'salt="1"', 'salt="2"')
    assert project.reasons()["ask"] == "salt changed"
    project.edit("declared", "-> int:", "-> float:")
    assert project.why("ask")["changed"][0]["what"] == "the salt changed"
    assert "output result changed" in project.reasons()["ask"]
    assert "output result: int -> float" in [change["what"] for change in project.why("ask")["changed"]]


def test_a_missing_declared_file_is_named(project):
    project.ref = "declared.py:declared"
    project.write(
        declared="""
        from zen_core import Cache, pipeline, step

        @step(cache=Cache(files=["nothing.json"]))
        def ask(n: int) -> int:
            return n

        @pipeline
        def declared(n: int = 1):
            ask(n)
        """
    )
    result = project.zen("run", project.ref)
    assert result.exit_code == 1
    assert "nothing.json" in result.stderr
    answer = project.why("ask")
    assert (answer["result"], answer["cache_key"]) == ("miss", None)
    assert "before all its inputs were known" in answer["summary"]


# -- from Python -----------------------------------------------------------------------------------------------------


def test_python_answers_as_the_command_does(flow):
    flow.ran()
    with Client(root=flow.root) as client:
        step = client.run().step("scaled")
        assert step.cache_reason == "first run"
        assert step.why().to_json() == flow.why("scaled")
