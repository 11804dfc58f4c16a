"""`zen why`, and the reasons in `zen show`: what is said of a hit, and of each kind of miss."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zen_metadata.query import Client

FLOW = """
    from typing import Annotated
    from zen_core import Cache, File, log_metric, pipeline, step, when
    import features

    @step
    def load(data: File, n: int) -> Annotated[list, "rows"]:
        return [int(x) for x in data.path.read_text().split()][:n]

    @step
    def scaled(rows: list) -> list:
        return [features.scale(row) for row in rows]

    @step
    def square(x: int) -> int:
        return x * x

    @step
    def total(rows: list, squares: list) -> int:
        return sum(rows) + sum(squares)

    @pipeline
    def flow(data: File = File("numbers.txt"), n: int = 3):
        rows = scaled(load(data, n))
        total(rows, square.map(x=rows))
"""
FEATURES = """
    FACTOR = 2

    def scale(x):
        return x * FACTOR

    def unused(x):
        return x
"""


@pytest.fixture
def flow(project):
    """A project whose pipeline `flow` uses a helper module."""
    (project.root / "numbers.txt").write_text("1 2 3 4")
    project.write(flow=FLOW, features=FEATURES)
    project.ref = "flow.py:flow"
    return project


def run(project, *arguments):
    """Run the pipeline; its document, whose steps are by label."""
    result = project.zen("run", project.ref, "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    document["steps"] = {
        step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]": step
        for step in document["steps"]
    }
    return document


def reasons(project, *arguments):
    """Run the pipeline; the reason of each step."""
    return {name: step["cache_reason"] for name, step in run(project, *arguments)["steps"].items()}


def why(project, step, run_id="latest"):
    return project.json("why", run_id, step)


# -- a first run, and hits -------------------------------------------------------------------------------------------


def test_a_first_run_says_so(flow):
    assert reasons(flow) == {
        "load": "first run",
        "scaled": "first run",
        "expand_square": None,
        "square[0]": "first run",
        "square[1]": "first run",
        "square[2]": "first run",
        "total": "first run",
    }
    answer = why(flow, "scaled")
    assert (answer["result"], answer["compared_to"], answer["changed"]) == ("miss", None, [])
    assert answer["summary"].startswith("first run: none of the last 20 runs of flow")
    assert set(answer["parts"]) == {"code", "input:rows", "output:result"}


def test_a_hit_names_the_run_that_made_the_result(flow):
    first = run(flow)
    assert set(filter(None, reasons(flow).values())) == {"nothing changed"}
    answer = why(flow, "scaled")
    assert (answer["result"], answer["changed"], answer["compared_to"]) == ("hit", [], None)
    assert answer["reused"]["run_id"] == first["run_id"]
    assert answer["reused"]["step"] == "scaled"
    assert answer["reused"]["created_at"]
    assert answer["cache_key"] == first["steps"]["scaled"]["cache_key"]
    assert f"the result of run {first['run_id'][:8]} (" in answer["summary"]
    assert "hit" in flow.zen("why", "latest", "scaled").stdout


def test_a_result_of_another_step_is_named_with_its_step(flow):
    first = run(flow)
    flow.edit("flow", "rows = scaled(load(data, n))", "rows = scaled.with_options(name='enlarged')(load(data, n))")
    assert reasons(flow)["enlarged"] == "nothing changed"
    answer = why(flow, "enlarged")
    assert answer["reused"] == {**answer["reused"], "run_id": first["run_id"], "step": "scaled", "pipeline": "flow"}
    assert "step scaled of flow" in answer["summary"]


# -- what changed ----------------------------------------------------------------------------------------------------


def test_a_constant_two_calls_away_is_named_with_its_place(flow):
    first = run(flow)
    flow.edit("features", "FACTOR = 2", "FACTOR = 3")
    found = reasons(flow)
    assert found["load"] == "nothing changed"
    assert found["scaled"] == "code changed: features.FACTOR"
    assert found["total"] == "input rows changed; input squares changed"
    answer = why(flow, "scaled")
    assert answer["compared_to"] == first["run_id"]
    (change,) = answer["changed"]
    assert (change["part"], change["what"], change["where"]) == ("code", "features.FACTOR changed", "features.py:2")
    assert change["before"] != change["after"]
    text = flow.zen("why", "latest", "scaled").stdout
    assert "features.FACTOR changed (features.py:2)" in text
    (rows, squares) = why(flow, "total")["changed"]
    assert rows["what"] == "input rows differs: [2, 4, 6] -> [3, 6, 9]"
    assert rows["upstream"] == "made by scaled, which ran: code changed: features.FACTOR"
    assert squares["what"] == "input squares differs: [0], [1], [2] changed"


def test_a_change_that_the_step_does_not_reach_is_none(flow):
    run(flow)
    flow.edit("features", "def unused(x):\n    return x", "def unused(x):\n    return x + 1")
    assert reasons(flow)["scaled"] == "nothing changed"


def test_definitions_that_appear_and_go_are_told(flow):
    run(flow)
    flow.edit("features", "    return x * FACTOR", "    return twice(x)\n\ndef twice(x):\n    return x + x")
    assert reasons(flow)["scaled"] == "code changed: features.scale, +2"
    texts = [f"{change['what']} ({change['where']})" for change in why(flow, "scaled")["changed"]]
    assert texts == [
        "features.scale changed (features.py:4-5)",
        "features.FACTOR is not used any more (features.py:2)",
        "features.twice is used now (features.py:7-8)",
    ]


def test_a_parameter_is_told_with_both_values(flow):
    run(flow)
    assert reasons(flow, "--param", "n=2")["load"] == "input n changed"
    (change,) = why(flow, "load")["changed"]
    assert change == {"part": "input:n", "what": "input n: 3 -> 2 (parameter n)", "before": 3, "after": 2}


def test_a_file_with_other_content_is_told(flow):
    run(flow)
    (flow.root / "numbers.txt").write_text("1 2 3 4 5")
    document = run(flow)
    assert document["steps"]["load"]["cache_reason"] == "input data changed"
    (change,) = why(flow, "load")["changed"]
    assert change["what"] == "input data differs: the file numbers.txt has other content, 7 -> 9 bytes"
    # The first three numbers are the same: early cut-off.
    assert document["steps"]["load"]["status"] == "completed"
    assert {document["steps"][name]["status"] for name in ("scaled", "square[0]", "total")} == {"cached"}


def test_of_an_element_the_same_element_is_compared(flow):
    run(flow)
    (flow.root / "numbers.txt").write_text("1 7 3")
    document = run(flow)
    assert [document["steps"][f"square[{index}]"]["status"] for index in range(3)] == ["cached", "completed", "cached"]
    answer = why(flow, "square[1]")
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
    run(project)
    assert reasons(project, "--param", "rows=8")["count"] == "input frame changed"
    (change,) = why(project, "count")["changed"]
    assert change["what"] == "input frame differs: 3 rows added"
    run(project, "--param", "rows=8", "--param", "kind=float64")
    (change,) = why(project, "count")["changed"]
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
    run(project)
    run(project, "--param", "last=2")
    facts, items = why(project, "use")["changed"]
    assert items["what"] == "input items differs: 1 item changed"
    assert facts["what"] == "input facts differs: last changed"
    run(project, "--param", "rows=52", "--param", "last=50")
    _, items = why(project, "use")["changed"]
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
    run(project)
    monkeypatch.setenv("ENDPOINT", "https://other-secret.example")
    assert reasons(project)["ask"] == "variable ENDPOINT changed"
    answer = flow_text = project.zen("why", "latest", "ask")
    assert "the variable ENDPOINT has another value" in answer.stdout
    assert "secret" not in flow_text.stdout + json.dumps(why(project, "ask"))
    (project.root / "rules.json").write_text('{"a": 1}')
    assert reasons(project)["ask"] == "file rules.json changed"
    assert why(project, "ask")["changed"][0]["what"] == "the declared file rules.json has other content"
    project.edit("declared", 'salt="1"', 'salt="2"')
    assert reasons(project)["ask"] == "salt changed"
    project.edit("declared", "-> int:", "-> float:")
    assert why(project, "ask")["changed"][0]["what"] == "the salt changed"
    assert "output result changed" in reasons(project)["ask"]
    assert "output result: int -> float" in [change["what"] for change in why(project, "ask")["changed"]]


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
    answer = why(project, "ask")
    assert (answer["result"], answer["cache_key"]) == ("miss", None)
    assert "before all its inputs were known" in answer["summary"]


# -- reasons that the key does not tell ------------------------------------------------------------------------------


def test_what_was_told_to_execute_says_so(flow):
    run(flow)
    assert reasons(flow, "--refresh", "scaled")["scaled"] == "refresh"
    assert why(flow, "scaled")["cache_reason"] == "refresh"
    assert "--refresh or --no-cache" in why(flow, "scaled")["summary"]
    assert set(filter(None, reasons(flow, "--no-cache").values())) == {"refresh"}
    unknown = flow.zen("run", flow.ref, "--refresh", "scalde", "--refresh", "lod")
    assert unknown.exit_code == 2
    assert "did you mean 'scaled'?" in unknown.stderr
    assert "did you mean 'load'?" in unknown.stderr


def test_what_a_run_of_a_part_left_out_is_no_hit_of_its_key(flow):
    first = run(flow)
    flow.edit("features", "FACTOR = 2", "FACTOR = 3")
    found = reasons(flow, "--from", "total")
    assert (found["scaled"], found["total"]) == ("not run again", "nothing changed")
    answer = why(flow, "scaled")
    assert (answer["result"], answer["cache_reason"]) == ("hit", "taken")
    assert answer["reused"]["run_id"] == first["run_id"]
    assert "whatever its key" in answer["summary"]


def test_an_artifact_that_is_gone_or_damaged_is_a_miss_that_is_made_good(flow):
    document = run(flow)
    uri = Path(document["steps"]["scaled"]["outputs"]["result"]["uri"])
    uri.unlink()
    assert reasons(flow)["scaled"] == "artifact is gone"
    assert "not in the artifact store any more" in why(flow, "scaled")["summary"]
    assert reasons(flow)["scaled"] == "nothing changed"
    os.chmod(uri, 0o600)
    uri.write_bytes(b"[")
    found = reasons(flow)
    assert found["scaled"] == "artifact was damaged"
    assert found["total"] == "nothing changed"
    assert reasons(flow)["scaled"] == "nothing changed"


def test_what_was_deleted_or_invalidated_on_purpose_is_made_again(flow):
    run(flow)
    assert flow.zen("forget", "scaled", "--yes", "--reason", "asked by Ada").exit_code == 0
    assert reasons(flow)["scaled"] == "artifact was deleted"
    answer = why(flow, "scaled")
    assert answer["cache_reason"] == "deleted"
    (note,) = answer["notes"]
    assert note.startswith("scaled@1 was deleted ")
    assert note.endswith(": asked by Ada")
    assert flow.zen("cache", "invalidate", "total", "--yes").exit_code == 0
    assert flow.json("plan", flow.ref)["steps"][-1]["reason"] == "invalidated"
    assert reasons(flow)["total"] == "invalidated"
    assert "had been invalidated" in why(flow, "total")["summary"]


def test_a_result_that_is_too_old_says_how_old_it_may_be(project):
    project.ref = "aging.py:aging"
    project.write(
        aging="""
        from zen_core import Cache, pipeline, step

        @step(cache=Cache(ttl=0.001))
        def ask(n: int) -> int:
            return n

        @pipeline
        def aging(n: int = 1):
            ask(n)
        """
    )
    run(project)
    assert reasons(project)["ask"] == "expired (0.001s)"
    assert "older than 0.001s" in why(project, "ask")["summary"]


def test_what_is_not_cached_says_why(project):
    project.ref = "off.py:off"
    project.write(
        off="""
        from zen_core import pipeline, step, when

        @step
        def start() -> int:
            return 1

        @step
        def tell(n: int) -> None:
            pass

        @step(cache=False)
        def ask(n: int) -> int:
            return n

        @step
        def page(n: int) -> int:
            return n

        @step
        def bye() -> None:
            pass

        @pipeline(on_success=bye)
        def off():
            n = start()
            tell(n)
            with when(ask(n) > 0):
                page(n)
        """
    )
    found = reasons(project)
    assert (found["start"], found["tell"], found["ask"]) == ("cache off",) * 3
    told = {name: why(project, name) for name in ("start", "tell", "ask", "when", "bye")}
    assert {answer["result"] for answer in told.values()} == {"disabled"}
    assert "has no inputs" in told["start"]["summary"]
    assert "has no outputs" in told["tell"]["summary"]
    assert "cache=False, on the step or on its pipeline" in told["ask"]["summary"]
    assert "a condition is asked anew" in told["when"]["summary"]
    assert "a hook runs each time" in told["bye"]["summary"]


def test_a_step_that_did_not_run_has_no_why(project):
    project.ref = "branch.py:branch"
    project.write(
        branch="""
        from zen_core import pipeline, step, when

        @step
        def ask(n: int) -> int:
            return n

        @pipeline
        def branch(n: int = 1):
            with when(ask(n) > 5):
                ask.with_options(name="again")(n)
        """
    )
    run(project)
    result = project.zen("why", "latest", "again")
    assert result.exit_code != 0
    assert "step 'again' did not begin: it is skipped" in result.stderr
    assert "did you mean 'again'?" in project.zen("why", "latest", "agian").stderr


def test_work_that_gives_other_results_is_marked_and_stays_a_hit(project):
    project.ref = "chance.py:chance"
    project.write(
        chance="""
        import uuid
        from zen_core import pipeline, step

        @step
        def draw(n: int) -> str:
            return uuid.uuid4().hex

        @pipeline
        def chance(n: int = 1):
            draw(n)
        """
    )
    first = run(project)
    refreshed = run(project, "--refresh", "draw")
    assert why(project, "draw")["nondeterministic"]
    last = run(project)
    value = [document["steps"]["draw"]["outputs"]["result"]["value"] for document in (first, refreshed, last)]
    assert value[0] != value[1] == value[2], "what was asked for anew is what is reused from then on"
    answer = why(project, "draw")
    assert (answer["result"], answer["nondeterministic"]) == ("hit", True)
    assert "not deterministic; it stays a hit" in answer["notes"][0]
    assert "not deterministic" in project.zen("why", "latest", "draw").stdout


# -- packages, and code that cannot be followed ----------------------------------------------------------------------


PACKAGES = """
    import toolbox
    from zen_core import Cache, pipeline, step

    @step(cache=Cache(packages="imported"))
    def imported(n: int) -> str:
        return toolbox.style(n)

    @step(cache=Cache(packages="all"))
    def every(n: int) -> str:
        return toolbox.style(n)

    @step(cache=Cache(packages="none"))
    def none(n: int) -> str:
        return toolbox.style(n)

    @pipeline
    def versions(n: int = 1):
        imported(n)
        every(n)
        none(n)
"""


@pytest.fixture
def environment(project, tmp_path):
    """Runs the pipeline in a process whose environment has these packages besides."""
    site = tmp_path / "site"

    def run_with(**versions):
        for name, version in versions.items():
            for other in site.glob(f"{name}-*.dist-info"):
                shutil.rmtree(other)
            folder = site / f"{name}-{version}.dist-info"
            folder.mkdir(parents=True)
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            (folder / "RECORD").write_text(f"{folder.name}/METADATA,,\n{name}.py,,\n")
            (site / f"{name}.py").write_text("def style(n):\n    return str(n)\n")
        command = [sys.executable, "-m", "zen_core.cli", "run", project.ref, "--json"]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return {step["name"]: step["cache_reason"] for step in json.loads(done.stdout)["steps"]}

    return run_with


def test_packages_count_by_policy(project, environment):
    project.ref = "versions.py:versions"
    project.write(versions=PACKAGES)
    environment(toolbox="9.0")
    assert environment(unrelated="1.0") == {
        "imported": "nothing changed",
        "every": "packages changed",
        "none": "nothing changed",
    }
    (change,) = why(project, "every")["changed"]
    assert (change["part"], change["what"]) == ("package:unrelated", "unrelated 1.0 counts now")
    assert environment(toolbox="9.1") == {
        "imported": "toolbox 9.0 -> 9.1",
        "every": "packages changed",
        "none": "nothing changed",
    }
    for step in ("imported", "every"):
        (change,) = why(project, step)["changed"]
        assert change == {"part": "package:toolbox", "what": "toolbox 9.0 -> 9.1", "before": "9.0", "after": "9.1"}
    assert "package:toolbox" in why(project, "imported")["parts"]
    assert "packages" in why(project, "every")["parts"]
    assert not [part for part in why(project, "none")["parts"] if part.startswith("package")]


def test_code_that_cannot_be_followed_is_told(project):
    project.ref = "dynamic.py:dynamic"
    project.write(
        dynamic="""
        from zen_core import pipeline, step

        @step
        def ask(n: int) -> int:
            return eval("n + 1")

        @pipeline
        def dynamic(n: int = 1):
            ask(n)
        """
    )
    run(project)
    (place,) = why(project, "ask")["unfollowed"]
    assert (place["file"], place["line"]) == ("dynamic.py", 6)
    assert "not followed: " in project.zen("why", "latest", "ask").stdout


# -- from Python -----------------------------------------------------------------------------------------------------


def test_python_answers_as_the_command_does(flow):
    run(flow)
    with Client(root=flow.root) as client:
        step = client.run().step("scaled")
        assert step.cache_reason == "first run"
        assert step.why().to_json() == why(flow, "scaled")
