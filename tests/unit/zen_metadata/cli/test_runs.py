"""`zen runs`, `zen show`, `zen logs`."""

import json
import re

import pytest

from zen_metadata.cli.run_page import print_run
from zen_metadata.query import Client
from zen_metadata.query.words import value_text


def test_runs_are_listed_newest_first(project):
    first, second = project.run(), project.run("--param", "depth=13")
    listed = project.json("runs")
    assert [run["run_id"] for run in listed] == [second["run_id"], first["run_id"]]
    assert [run["status"] for run in listed] == ["failed", "completed"]
    assert listed[0].keys() >= {"run_id", "pipeline", "orchestrator", "status", "started_at", "ended_at"}
    head, *lines = project.zen("runs").stdout.splitlines()
    assert head.split() == ["RUN", "PIPELINE", "ORCHESTRATOR", "STATUS", "STARTED", "TOOK"]
    assert lines[0].split()[:4] == [second["run_id"][:8], "churn", "local", "failed"]
    assert project.zen("runs", "--limit", "1").stdout.count("churn") == 1
    assert len(project.json("runs", "--limit", "0", "--pipeline", "churn")) == 2


def test_the_last_run_of_a_list_leads_to_the_next(project):
    first, second, third = (project.run()["run_id"] for _ in range(3))
    page = project.zen("runs", "--limit", "2", "--json")
    assert [run["run_id"] for run in json.loads(page.stdout)] == [third, second]
    assert page.stderr == f"there are more: zen runs --before {second[:8]}\n"
    assert [run["run_id"] for run in project.json("runs", "--before", second[:8])] == [first]
    back = project.zen("runs", "--after", first, "--limit", "1", "--json")
    assert [run["run_id"] for run in json.loads(back.stdout)] == [second]
    assert back.stderr == f"there are more: zen runs --after {second[:8]}\n"
    assert project.zen("runs", "--limit", "3").stderr == ""
    assert "there is no run 'zzz'" in project.zen("runs", "--before", "zzz").stderr


def test_an_unknown_pipeline_names_the_nearest(project):
    project.run()
    result = project.zen("runs", "--pipeline", "chrun")
    assert result.exit_code == 2
    assert "did you mean 'churn'?" in result.stderr


@pytest.mark.parametrize("command", [("runs",), ("show",), ("logs", "latest", "load"), ("artifacts",), ("sync",)])
def test_a_project_without_runs_says_how_to_make_one(project, command):
    result = project.zen(*command)
    assert result.exit_code == 2
    assert "project 'demo' has no runs yet" in result.stderr
    assert "zen run PIPELINE" in result.stderr
    assert not (project.root / ".zen").exists()


def test_show_is_the_latest_run_when_none_is_named(project):
    project.run()
    latest = project.run("--param", "depth=5")
    assert project.json("show")["run_id"] == latest["run_id"]
    assert project.json("show", "latest")["run_id"] == latest["run_id"]
    assert project.json("show", latest["run_id"][:8])["run_id"] == latest["run_id"]


def test_runs_are_counted_back_from_the_latest(project):
    first, second = project.run()["run_id"], project.run()["run_id"]
    assert project.json("show", "latest~0")["run_id"] == second
    assert project.json("show", "latest~1")["run_id"] == first
    assert "there is no run 'latest~2'" in project.zen("show", "latest~2").stderr


def test_show_tells_steps_metrics_and_values(project):
    run = project.run()
    shown = project.zen("show").stdout
    assert f"run         {run['run_id']}\n" in shown
    assert "pipeline    churn (project demo)\n" in shown
    assert "parameters  data=rows.txt  depth=4\n" in shown
    steps = [line.split() for line in shown.splitlines() if line.startswith(("load", "train", "score"))]
    assert steps[0][:3] == ["load", "completed", "1"]
    assert steps[2][-3:] == ["result", "=", "0.9"]
    assert ["train", "loss", "0.25"] in steps


def test_show_tells_what_was_reused_and_from_where(project):
    first = project.run()
    second = project.run()
    assert [step["status"] for step in second["steps"]] == ["cached"] * 3
    assert {step["reused_from"] for step in second["steps"]} == {first["run_id"]}
    line = next(line for line in project.zen("show").stdout.splitlines() if line.startswith("load"))
    assert line.split()[1] == "cached"
    assert first["run_id"][:8] in line


def test_show_of_a_failed_run_has_the_users_traceback(project):
    run = project.run("--param", "depth=13")
    result = project.zen("show")
    assert result.exit_code == 0
    assert "step 'train' failed:" in result.stdout
    assert 'raise ValueError("depth 13 brings bad luck")' in result.stdout
    assert f"zen logs {run['run_id'][:8]} train  shows what it printed" in result.stdout
    assert "score  upstream_failed" in result.stdout


def test_on_a_terminal_the_page_has_colours(project, terminal):
    project.run("--param", "depth=13")
    with Client(root=project.root) as client, terminal() as screen:
        print_run(client.run())
    assert "\x1b[31mupstream_failed" in screen.getvalue()
    assert 'raise ValueError("depth 13 brings bad luck")' in screen.getvalue()


def test_no_color_is_honoured(project, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    project.run("--param", "depth=13")
    with Client(root=project.root) as client, terminal() as screen:
        print_run(client.run())
    assert "\x1b[31m" not in screen.getvalue()
    assert "upstream_failed" in screen.getvalue()


def test_an_unknown_run_names_the_nearest(project):
    run = project.run()
    result = project.zen("show", "nonsense")
    assert result.exit_code == 2
    assert f"the nearest: {run['run_id'][:8]} (churn)" in result.stderr


def test_logs_are_what_the_step_printed(project):
    run = project.run("--param", "depth=13")
    assert project.zen("logs", "latest", "load").stdout == "loading 13\n"
    assert project.zen("logs", "latest", "train", "--attempt", "1").stdout == "thirteen!\n"
    assert project.json("logs", "latest", "load") == {
        "run_id": run["run_id"],
        "step": "load",
        "map_index": None,
        "attempt": 1,
        "text": "loading 13\n",
    }


def test_a_step_without_a_log_says_why(project):
    first = project.run()
    silent = project.zen("logs", "latest", "score")
    assert silent.exit_code == 0
    assert silent.stdout == ""
    assert "step 'score' printed nothing" in silent.stderr
    project.run()
    assert f"its result is that of run {first['run_id']}" in project.zen("logs", "latest", "load").stderr


def test_logs_of_what_is_not_there(project):
    project.run()
    assert "did you mean 'train'?" in project.zen("logs", "latest", "trian").stderr
    result = project.zen("logs", "latest", "train", "--attempt", "7")
    assert result.exit_code == 2
    assert "step 'train' has no attempt 7" in result.stderr


def test_a_store_that_cannot_be_reached_is_exit_code_4(project, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("ZEN_LINEAGE_URL", "postgresql://me:secret@127.0.0.1:1/zen")
    result = project.zen("show")
    assert result.exit_code == 4
    assert "secret" not in result.stderr


def test_values_are_shown_on_one_short_line():
    assert value_text({"$zen": "file", "value": "data/churn.csv"}) == "data/churn.csv"
    model = {
        "$zen": "model",
        "class": "m:Config",
        "value": {"depth": 5, "days": [{"$zen": "date", "value": "2026-01-02"}]},
    }
    assert value_text(model) == '{"depth": 5, "days": ["2026-01-02"]}'
    assert value_text("two\nlines") == "two lines"
    assert value_text([1, "a"]) == '[1, "a"]'
    assert len(value_text("x" * 500)) == 60


SHAPES = """
from zen_core import current, log_metric, pipeline, step, when

@step
def folds(count: int) -> list[int]:
    return list(range(count))

@step
def fit(fold: int) -> int:
    log_metric("loss", fold / 10)
    if fold >= 6:
        raise ValueError(f"fold {fold} is empty")
    return fold

@step
def best(fits: list[int]) -> int:
    return max(fits, default=-1)

@step
def publish(score: int) -> None: ...

@step
def alarm() -> None:
    print(len(current().failures), "failed")

@pipeline(on_failure=alarm)
def shapes(count: int = 3):
    score = best(fit.map(fold=folds(count)))
    with when((score > 1) & (score < 5)):
        publish(score)
"""


@pytest.fixture
def shapes(project):
    """Runs a pipeline with a map, a condition and a hook; answers with what `zen show` tells of each step."""
    path = project.root / f"{project.module}_shapes.py"
    path.write_text(SHAPES)

    def run(count):
        project.zen("run", f"{path.name}:shapes", "--param", f"count={count}", "--json")
        return project.zen("show").stdout

    return run


def cells(shown, name):
    return next(re.split(r"\s{2,}", line) for line in shown.splitlines() if line.startswith(name))


def test_show_tells_the_elements_of_a_map_together_and_what_a_condition_answered(shapes, project):
    shown = shapes(3)
    assert cells(shown, "fit[0..2]")[1:3] == ["completed", "3"]
    assert cells(shown, "fit[0..2]")[-1] == "3 result"
    assert cells(shown, "expand_fit (expander)")[-1] == "count = 3"
    assert cells(shown, "when (gate)")[-1] == "(best > 1) & (best < 5): true"
    assert ["fit[0..2]", "loss", "0 … 0.2"] in [re.split(r"\s{2,}", line) for line in shown.splitlines()]
    steps = project.json("show")["steps"]
    assert [(step["name"], step["map_index"], step["kind"]) for step in steps] == [
        ("folds", None, "step"),
        ("expand_fit", None, "expander"),
        *[("fit", index, "step") for index in range(3)],
        ("best", None, "step"),
        ("when", None, "gate"),
        ("publish", None, "step"),
    ]


def test_show_tells_what_was_skipped_and_an_empty_map(shapes):
    shown = shapes(0)
    assert "status      completed" in shown
    assert cells(shown, "fit")[1] == "completed"
    assert cells(shown, "when (gate)")[-1].endswith(": false")
    assert cells(shown, "publish")[1] == "skipped"


def test_show_counts_failed_elements_and_shows_the_first_of_them(shapes, project):
    shown = shapes(10)
    assert cells(shown, "fit[0..9]")[1] == "6 completed, 4 failed"
    assert [line for line in shown.splitlines() if line.startswith("step 'fit")] == [
        f"step 'fit[{index}]' failed:" for index in (6, 7, 8)
    ]
    assert "and 1 more of 'fit' failed" in shown
    assert cells(shown, "alarm (hook)")[1] == "completed"
    assert project.zen("logs", "latest", "alarm").stdout == "4 failed\n"
    assert project.json("runs")[0]["status"] == "failed"
