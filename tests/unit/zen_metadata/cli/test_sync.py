"""`zen sync`, and what `zen show` and `zen doctor` say of what is not shown elsewhere yet."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest


def sync(exit_code, *arguments):
    """`zen sync` in a process of its own: MLflow warns, and changes the process it is in."""
    command = [sys.executable, "-m", "zen_core.cli", "sync", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == exit_code, done.stderr + done.stdout
    return json.loads(done.stdout)


def doctor(project, component):
    """What `zen doctor` says of one component, without using the others' libraries."""
    found = json.loads(project.zen("doctor", "--json").stdout)
    return next(check for check in found if check["component"] == component)


@pytest.mark.slow
def test_runs_are_brought_to_mlflow_once_and_again_when_asked_for(project):
    pytest.importorskip("mlflow")
    run = project.run()
    first = sync(0)
    assert first["projected"] > 0
    assert (first["pending"], first["error"]) == (0, "")
    nothing = {"projected": 0, "pending": 0, "failed": 0, "error": "", "note": ""}
    assert sync(0) == {
        **dict.fromkeys(("recorded", "spooled", "refused", "projected", "pending"), 0),
        **dict.fromkeys(("error", "note"), ""),
        "projections": {"mlflow": nothing},
    }
    shown = project.json("show", run["run_id"])
    assert shown["mlflow_run_id"]
    assert shown["lag"] == {}
    assert sync(0, "--again", "latest")["projected"] == 1


@pytest.mark.slow
def test_what_is_left_is_told_with_exit_code_4(project, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    project.run()
    left = sync(4)
    assert left["projected"] == 0
    assert left["pending"] > 0
    assert "127.0.0.1:1" in left["error"]

    lag = project.json("show")["lag"]["mlflow"]
    assert (lag["pending"], lag["refused"]) == (left["pending"], 0)
    assert lag["since"]
    assert "Connection refused" in lag["error"]
    page = project.zen("show").stdout
    assert f"MLflow does not show all of it: {left['pending']} facts wait since " in page
    assert "Connection refused" in page


def test_an_mlflow_that_nobody_asked_for_is_a_note_and_one_that_is_set_a_failure(project, monkeypatch):
    project.run()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    result = project.zen("sync")
    assert result.exit_code == 0, result.stderr
    assert "not yet in MLflow" in result.stdout
    assert "pip install 'zen-core[mlflow]'" in result.stderr
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert project.zen("sync").exit_code == 4


def test_the_doctor_tells_of_a_backlog(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    run = project.run()
    pending = len(run["steps"]) + 1
    check = doctor(project, "MLflow backlog")
    assert check["detail"].startswith(f"{pending} waiting, the oldest for ")
    assert check["problem"] is None


def test_again_for_a_run_that_is_not_there(project):
    project.run()
    result = project.zen("sync", "--again", "ffff")
    assert result.exit_code == 2
    assert "ffff" in result.stderr


def test_a_run_that_only_the_spool_knows_is_recorded_with_its_own_times_where_no_store_was(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with monkeypatch.context() as away:
        away.setenv("ZEN_LINEAGE_URL", "postgresql://zen@127.0.0.1:1/zen")
        run = project.run()
    unknown = project.zen("show", run["run_id"])
    assert unknown.exit_code == 2
    assert "zen sync records 4 facts that wait in the spool since the lineage store was away" in unknown.stderr
    before = datetime.now(UTC)
    assert project.json("sync")["recorded"] == 4
    shown = project.json("show", run["run_id"])
    times = [
        datetime.fromisoformat(item[key]) for item in (shown, *shown["steps"]) for key in ("started_at", "ended_at")
    ]
    assert times[0] == min(times)
    assert times[1] == max(times) < before
    assert all(start <= end for start, end in zip(times[::2], times[1::2], strict=True))
