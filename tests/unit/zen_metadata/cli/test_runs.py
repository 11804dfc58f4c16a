"""`zen runs`, `zen show`, `zen logs`."""

import pytest

from zen_metadata.cli.run_page import print_run, show_value
from zen_metadata.query import Client


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
    assert show_value({"$zen": "file", "value": "data/churn.csv"}) == "data/churn.csv"
    model = {
        "$zen": "model",
        "class": "m:Config",
        "value": {"depth": 5, "days": [{"$zen": "date", "value": "2026-01-02"}]},
    }
    assert show_value(model) == '{"depth": 5, "days": ["2026-01-02"]}'
    assert show_value("two\nlines") == "two lines"
    assert show_value([1, "a"]) == '[1, "a"]'
    assert len(show_value("x" * 500)) == 60
