"""Stores that are away or altered, processes that are killed or interrupted, several workers at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zen_core.errors import ArtifactIntegrityError, StoreUnavailableError
from zen_metadata.shim.replaying import replay
from zen_metadata.shim.workspace import open_workspace

PAIR = """
@step
def make(number: int) -> Annotated[list[int], "numbers"]:
    mark("make")
    return [number] * 3

@step
def use(numbers: list[int]) -> int:
    mark("use")
    return sum(numbers)

@pipeline
def pair(number: int = 2):
    use(make(number))
"""
LONG = """
@step
def work(number: int) -> int:
    mark("work")
    (STAGE / "pid").write_text(str(os.getpid()))
    while not (STAGE / "go").exists():
        time.sleep(0.02)
    return number + 1

@step
def after(number: int) -> int:
    return number

@pipeline
def long(number: int = 1):
    after(work(number))
"""
AWAY = "postgresql://zen:hunter22@127.0.0.1:1/zen"


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def stored_file(bench: Any, uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_altered_bytes_are_never_used(bench: Any) -> None:
    bench.write(PAIR)
    first = bench.run("pair")
    path = stored_file(bench, first["steps"]["make"]["outputs"]["numbers"]["uri"])
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"2", b"7", 1))
    outcome = bench.execute("pair", {"refresh": frozenset({"use"})})
    assert isinstance(outcome.error, ArtifactIntegrityError)
    assert bench.show(outcome.run_id)["steps"]["use"]["status"] == "failed"


def test_lost_bytes_are_made_again(bench: Any) -> None:
    bench.write(PAIR)
    first = bench.run("pair")
    stored_file(bench, first["steps"]["make"]["outputs"]["numbers"]["uri"]).unlink()
    again = bench.run("pair", {"refresh": frozenset({"use"})})
    assert {name: step["status"] for name, step in again["steps"].items()} == {"make": "completed", "use": "completed"}
    assert (
        again["steps"]["make"]["outputs"]["numbers"]["digest"] == first["steps"]["make"]["outputs"]["numbers"]["digest"]
    )


def test_a_lineage_store_that_is_away_stops_nobody_and_gets_everything_later(bench: Any) -> None:
    bench.write(PAIR)
    there = bench.settings.with_local_defaults()
    bench.variables = {"ZEN_LINEAGE_URL": AWAY}
    outcome = bench.execute("pair")
    assert outcome.status == "completed"
    bench.variables = {}
    workspace = open_workspace(there, remote=False)
    try:
        assert replay(workspace.lineage, workspace.artifacts).replayed == 3, "two attempts, and that the run is over"
        assert replay(workspace.lineage, workspace.artifacts).replayed == 0
    finally:
        workspace.close()
    shown = bench.show(outcome.run_id)
    assert shown["status"] == "completed"
    assert shown["steps"]["use"]["outputs"]["result"]["value"] == 6
    assert shown["steps"]["use"]["attempts"] == 1
    assert set(bench.statuses("pair").values()) == {"cached"}, "what was spooled is a hit once it is recorded"
    assert "hunter22" not in Path(there.lineage_url.removeprefix("sqlite:///")).read_bytes().decode("latin-1")


def test_with_the_policy_fail_a_store_that_is_away_is_an_error(bench: Any) -> None:
    bench.write(PAIR)
    bench.variables = {"ZEN_LINEAGE_URL": AWAY, "ZEN_ON_STORE_ERROR": "fail"}
    with pytest.raises(StoreUnavailableError) as caught:
        bench.execute("pair")
    assert "hunter22" not in str(caught.value)
    assert bench.marks("make") == 0


def test_a_password_in_an_address_never_reaches_a_log_or_a_traceback(bench: Any) -> None:
    bench.write("""
    @step
    def leak(number: int) -> int:
        print("connecting to", os.environ["SECRET_URL"])
        raise OSError("cannot reach " + os.environ["SECRET_URL"])

    @pipeline
    def leaking(number: int = 1):
        leak(number)
    """)
    bench.variables = {"MLFLOW_TRACKING_URI": "http://me:tr0ub4dor@127.0.0.1:1/", "SECRET_URL": "tr0ub4dor"}
    os.environ["SECRET_URL"] = "tr0ub4dor"
    try:
        outcome = bench.execute("leaking")
    finally:
        del os.environ["SECRET_URL"]
    document = json.dumps(bench.show(outcome.run_id))
    assert "***" in document
    assert "tr0ub4dor" not in document
    logs = list((bench.folder / ".zen" / "artifacts" / "logs").rglob("*.log"))
    assert ["***" in log.read_text() and "tr0ub4dor" not in log.read_text() for log in logs] == [True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_cancelled_and_holds_nobody_up(
    bench: Any, ended: list[subprocess.Popen[str]], number: signal.Signals
) -> None:
    bench.write(LONG)
    process = bench.command("run", f"{bench.module}.py:long")
    ended.append(process)
    wait_for(lambda: (bench.stage / "pid").exists())
    process.send_signal(number)
    process.wait(20)
    assert process.returncode == 130
    shown = bench.show("latest")
    assert (shown["status"], shown["steps"]["work"]["status"]) == ("cancelled", "cancelled")
    (bench.stage / "go").touch()
    started = time.monotonic()
    assert bench.statuses("long") == {"work": "completed", "after": "completed"}
    assert time.monotonic() - started < 20, "the next run waited for the lease of the cancelled one"


def test_a_killed_process_holds_nobody_up(bench: Any, ended: list[subprocess.Popen[str]]) -> None:
    bench.write(LONG)
    process = bench.command("run", f"{bench.module}.py:long")
    ended.append(process)
    wait_for(lambda: (bench.stage / "pid").exists())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)
    (bench.stage / "go").touch()
    started = time.monotonic()
    assert bench.statuses("long") == {"work": "completed", "after": "completed"}
    assert time.monotonic() - started < 20, "the next run waited for the lease of a process that is gone"
    assert bench.marks("work") == 2


def test_two_processes_do_the_same_work_once(bench: Any, ended: list[subprocess.Popen[str]]) -> None:
    bench.write(LONG)
    processes = [bench.command("run", f"{bench.module}.py:long") for _ in range(2)]
    ended.extend(processes)
    wait_for(lambda: (bench.stage / "pid").exists())
    time.sleep(1.0)  # the other one comes to its lease; were it to execute, it would leave a second mark
    (bench.stage / "go").touch()
    for process in processes:
        process.wait(30)
    assert [process.returncode for process in processes] == [0, 0]
    assert bench.marks("work") == 1
    shown = [bench.show(run["run_id"]) for run in runs(bench)]
    assert sorted(document["steps"]["work"]["status"] for document in shown) == ["cached", "completed"]


def runs(bench: Any) -> list[dict[str, Any]]:
    done = bench.command("runs", "--json")
    out, _ = done.communicate(timeout=30)
    documents: list[dict[str, Any]] = json.loads(out)
    return documents


def test_another_result_for_the_same_work_is_noticed(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    bench.write("""
    @step
    def dice(number: int) -> float:
        mark("dice")
        return time.time()

    @pipeline
    def rolling(number: int = 1):
        dice(number)
    """)
    bench.run("rolling")
    anew = bench.run("rolling", {"no_cache": True})
    assert "another result for the same inputs and code" in caplog.text
    assert "the new result takes the place of the one in the cache" in caplog.text
    assert bench.run("rolling")["steps"]["dice"]["outputs"] == anew["steps"]["dice"]["outputs"]


def test_a_child_dies_with_the_process_that_started_it(bench: Any, ended: list[subprocess.Popen[str]]) -> None:
    bench.write(LONG.replace("@step\ndef work", '@step(timeout="10m")\ndef work'))
    process = bench.command("run", f"{bench.module}.py:long")
    ended.append(process)
    wait_for(lambda: (bench.stage / "pid").exists() and (bench.stage / "pid").read_text())
    child = int((bench.stage / "pid").read_text())
    assert child != process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    wait_for(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_a_store_that_cannot_be_written_is_told_without_a_traceback(
    bench: Any, ended: list[subprocess.Popen[str]]
) -> None:
    bench.write(PAIR)
    bench.variables = {"ZEN_ARTIFACT_URL": "/proc/zen-artifacts"}
    process = bench.command("run", f"{bench.module}.py:pair")
    ended.append(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (1, 4)
    assert "/proc/zen-artifacts" in out + err
    assert "zen_metadata" not in err


def test_a_damaged_lineage_file_is_told(bench: Any, ended: list[subprocess.Popen[str]]) -> None:
    bench.write(PAIR)
    (bench.folder / ".zen").mkdir()
    (bench.folder / ".zen" / "zen.db").write_text("this is no database, and never was one, whatever its name says")
    process = bench.command("run", f"{bench.module}.py:pair")
    ended.append(process)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "zen.db" in err
    assert "Traceback" not in err
