"""`zen run`: what it says, to whom, and with which exit code."""

import io
import json
import os
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from zen_core.cli.progress import LiveProgress, PlainProgress


def test_a_run_is_told_line_by_line(project):
    result = project.zen("run", project.ref)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].startswith("run ")
    assert lines[0].endswith(": 3 steps")
    assert lines[1:3] == ["load: started", "load | loading 4 [bold]"]
    assert lines[3].startswith("load: completed in ")
    assert lines[-2].endswith(": 3 completed")
    assert lines[-1].startswith("  zen show ")


def test_a_second_run_reuses_every_result(project):
    project.zen("run", project.ref)
    result = project.zen("run", project.ref)
    assert result.stdout.splitlines()[1:4] == ["load: cached", "train: cached", "score: cached"]
    assert "3 cached" in result.stdout


def test_no_cache_and_refresh_execute_again(project):
    project.zen("run", project.ref)
    assert "3 completed" in project.zen("run", project.ref, "--no-cache").stdout
    refreshed = project.zen("run", project.ref, "--refresh", "train").stdout
    assert "load: cached" in refreshed
    assert "train: completed" in refreshed


def test_only_and_from_take_the_rest_from_the_latest_run(project):
    project.zen("run", project.ref)
    only = project.zen("run", project.ref, "--only", "train", "--no-cache")
    assert only.exit_code == 0
    assert "score" not in only.stdout
    since = project.zen("run", project.ref, "--from", "train", "--no-cache")
    assert "train: completed" in since.stdout
    assert "score: completed" in since.stdout
    assert "load: completed" not in since.stdout


def test_a_failed_step_shows_the_users_own_traceback(project):
    result = project.zen("run", project.ref, "--param", "depth=13")
    assert result.exit_code == 1
    assert "train: failed in " in result.stdout
    assert "score: upstream_failed" in result.stdout
    assert 'raise ValueError("depth 13 brings bad luck")' in result.stderr
    assert f"{project.module}.py" in result.stderr
    assert "zen_metadata" not in result.stderr
    assert "1 completed, 1 failed, 1 upstream_failed" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("train  shows what it printed")


def test_json_is_the_document_of_zen_show_and_nothing_else(project):
    result = project.zen("run", project.ref, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert document["status"] == "completed"
    assert document["parameters"]["depth"] == 4
    assert [step["name"] for step in document["steps"]] == ["load", "train", "score"]
    assert json.loads(project.zen("show", document["run_id"], "--json").stdout) == document


def test_json_of_a_failed_run_has_the_error_and_exit_code_1(project):
    result = project.zen("run", project.ref, "--json", "--param", "depth=13")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["status"] == "failed"
    assert document["steps"][1]["error"]["message"] == "depth 13 brings bad luck"


def test_debug_runs_in_the_main_thread(project):
    shown = project.zen("run", project.ref, "--debug").stdout
    assert shown.count("in the main thread: True") == 1
    assert "in the main thread: False" in project.zen("run", project.ref, "--no-cache").stdout


def test_debug_with_json_keeps_what_steps_print_off_the_document(project):
    result = project.zen("run", project.ref, "--debug", "--json")
    assert json.loads(result.stdout)["status"] == "completed"


def test_params_that_are_none_are_refused_all_at_once(project):
    result = project.zen("run", project.ref, "--param", "depth", "--param", "a=1", "--param", "a=2")
    assert result.exit_code == 2
    assert "--param 'depth' is no NAME=VALUE" in result.stderr
    assert "--param a is given twice" in result.stderr
    assert "2 problems" in result.stderr


def test_an_unknown_parameter_names_the_nearest(project):
    result = project.zen("run", project.ref, "--param", "dept=1")
    assert result.exit_code == 2
    assert "did you mean 'depth'?" in result.stderr


def test_an_unknown_step_is_a_usage_error(project):
    result = project.zen("run", project.ref, "--only", "trian")
    assert result.exit_code == 2
    assert "no step 'trian'" in result.stderr
    assert not (project.root / ".zen" / "zen.db").exists()


def test_only_and_from_exclude_one_another(project):
    result = project.zen("run", project.ref, "--only", "load", "--from", "load")
    assert result.exit_code == 2
    assert "--only and --from exclude one another" in result.stderr


def test_a_pipeline_that_is_not_there_is_exit_code_1(project):
    result = project.zen("run", f"{project.module}.py:chrun", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    error = json.loads(result.stderr)
    assert error["hint"] == "did you mean 'churn'?"


def test_a_definition_that_is_wrong_tells_all_problems(project):
    result = project.zen("run", f"{project.module}.py:broken")
    assert result.exit_code == 1
    assert result.stderr.startswith("error ZEN-D")
    assert f"{project.module}.py:" in result.stderr


def test_options_of_the_engine_are_checked(project):
    project.write(zen__toml='project = "demo"\nmlflow_sync = "off"\n[adapters.local]\nmax_worker = 2\n')
    result = project.zen("run", project.ref)
    assert result.exit_code == 2
    assert "did you mean 'max_workers'?" in result.stderr


@pytest.mark.slow
def test_a_run_goes_on_while_the_lineage_store_is_away(project, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("ZEN_LINEAGE_URL", "postgresql://nobody@127.0.0.1:1/zen")
    result = project.zen("run", project.ref)
    assert result.exit_code == 0, result.stderr
    assert "the facts wait in the spool for 'zen sync'" in result.stdout
    document = json.loads(project.zen("run", project.ref, "--json").stdout)
    assert document["status"] == "completed"
    monkeypatch.delenv("ZEN_LINEAGE_URL")
    project.zen("store", "upgrade")
    synced = json.loads(project.zen("sync", "--json").stdout)
    assert synced["recorded"] == 8, "six attempts, and that both runs are over"
    assert len(json.loads(project.zen("runs", "--json").stdout)) == 2


@pytest.mark.slow
def test_ctrl_c_cancels_the_run(project):
    project.write(nap__py=NAP)
    command = [sys.executable, "-m", "zen_core.cli", "run", "nap.py:long"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert any("napping" in line for line in process.stdout)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "cancelled" in errors
    assert "Traceback" not in errors
    shown = json.loads(project.zen("show", "--json").stdout)
    assert shown["status"] == "cancelled"


@pytest.mark.slow
def test_a_reader_that_leaves_fails_no_step(project):
    command = [sys.executable, "-m", "zen_core.cli", "run", project.ref]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert "Traceback" not in errors
    shown = json.loads(project.zen("show", "--json").stdout)
    assert [step["status"] for step in shown["steps"]] == ["completed"] * 3


def test_what_the_stream_cannot_take_is_replaced():
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    progress = PlainProgress(written)
    progress.step_output("load", "caf\u00e9 \udcff\n")
    assert written.buffer.getvalue() == b"load | caf? ?\n"


NAP = """
import time
from zen_core import pipeline, step

@step
def nap(n: int) -> int:
    print("napping", flush=True)
    time.sleep(60)
    return n

@pipeline
def long(n: int = 1):
    nap(n)
"""


def live(height=20):
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, height=height, color_system=None)
    return LiveProgress(console), written


def test_on_a_terminal_the_steps_are_a_list_that_stays():
    progress, written = live()
    progress.run_started("aaaa1111-0000", ("load", "train", "score"))
    progress.step_started("load", 1)
    progress.step_output("load", "half way [bold]\n")
    progress.step_finished("load", "completed", 1.5, "")
    progress.step_started("train", 1)
    progress.step_retrying("train", 2, 30.0, "OSError: no network")
    progress.step_started("train", 2)
    progress.step_finished("train", "failed", 2.0, "OSError: no network")
    progress.step_finished("score", "upstream_failed", 0.0, "")
    progress.run_finished("failed", 4.0)
    progress.close()
    text = written.getvalue()
    assert "run aaaa1111" in text
    assert "load | half way [bold]" in text
    last = [" ".join(line.split()) for line in text.splitlines()[-4:]]
    assert "✓ load completed 1.5 s" in last[0]
    assert "✗ train failed 2.0 s OSError: no network" in last[1]
    assert "✗ score upstream_failed" in last[2]
    assert progress.counts() == "1 completed, 1 failed, 1 upstream_failed"


def test_more_steps_than_the_screen_has_lines_are_counted_until_the_end():
    progress, written = live(height=8)
    progress.run_started("aaaa1111", tuple(f"step_{number}" for number in range(30)))
    progress.step_started("step_7", 1)
    progress._live.refresh()
    assert "step_7" in written.getvalue()
    assert "0 of 30 steps are done" in written.getvalue()
    assert "step_29" not in written.getvalue()
    progress.close()
    assert "step_29" in written.getvalue()
