"""Several threads and processes on one store: nothing lost, nothing doubled, no error."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from zen_metadata.lineage.sql import open_lineage_store

WRITER = """
import sys, uuid
from zen_core.contract.identity import step_run_id
from zen_metadata.lineage.records import *
from zen_metadata.lineage.sql.store import SqlLineageStore


def work(url, run_id, name, steps):
    store = SqlLineageStore(url)
    run = RunRecord(run_id, "shop", "train", "local", "local", run_id, "ir", "code", "0.1", {})
    store.open_run(run, {"steps": []})
    for index in range(int(steps)):
        step_run = StepRunRecord(step_run_id(run_id, name, index), "shop", run_id, name, index)
        attempt = AttemptRecord(
            str(uuid.uuid4()), step_run.step_run_id, "shop", "ir", "code", "f", True, f"{name}-{index}", {}, "env"
        )
        start = store.start_attempt(step_run, attempt, lease=True, look_up=True)
        artifact = ArtifactRecord(str(uuid.uuid4()), "shop", "train", "model", "d", "s", "int", "json", 1, "x", 1)
        end = AttemptEnd(
            attempt.attempt_id, step_run.step_run_id, "completed", outputs={"result": artifact}, lease=start.lease
        )
        sys.stdout.write(f"{store.end_attempt(run, step_run, attempt, end).versions['result']}\\n")
    store.close()
"""

RACER = """
import sys, time, uuid
from zen_core.contract.identity import step_run_id
from zen_metadata.lineage.records import *
from zen_metadata.lineage.sql.store import SqlLineageStore


def work(url, run_id, name, keys):
    store = SqlLineageStore(url)
    run = RunRecord(run_id, "shop", "train", "local", "local", run_id, "ir", "code", "0.1", {})
    for index in range(int(keys)):
        step_run = StepRunRecord(step_run_id(run_id, name, index), "shop", run_id, name, index)
        attempt = AttemptRecord(
            str(uuid.uuid4()), step_run.step_run_id, "shop", "ir", "code", "f", True, f"key-{index}", {}, "env"
        )
        while (start := store.start_attempt(step_run, attempt, lease=True, look_up=True)).holder:
            time.sleep(0.002)
        if start.hit:
            end = AttemptEnd(
                attempt.attempt_id, step_run.step_run_id, "cached", outputs=start.hit.outputs,
                reused_attempt_id=start.hit.attempt_id,
            )
            store.end_attempt(run, step_run, attempt, end)
            sys.stdout.write(f"reused {index}\\n")
            continue
        artifact = ArtifactRecord(str(uuid.uuid4()), "shop", "train", f"m{index}", "d", "s", "int", "json", 1, "x", 1)
        end = AttemptEnd(
            attempt.attempt_id, step_run.step_run_id, "completed", outputs={"result": artifact}, lease=start.lease
        )
        store.end_attempt(run, step_run, attempt, end)
        sys.stdout.write(f"executed {index}\\n")
    store.close()
"""

REPLAYER = """
from zen_metadata.lineage.records import *
from zen_metadata.lineage.sql.store import SqlLineageStore


def work(url, run_id):
    store = SqlLineageStore(url)
    run = RunRecord(run_id, "shop", "train", "local", "local", run_id, "ir", "code", "0.1", {})
    for index in range(20):
        step_run = StepRunRecord(f"step-{index}", "shop", run_id, "fit", index)
        ids = f"attempt-{index}", f"step-{index}"
        attempt = AttemptRecord(*ids, "shop", "ir", "code", "f", True, f"{index}", {}, "env")
        artifact = ArtifactRecord(f"artifact-{index}", "shop", "train", "model", "d", "s", "int", "json", 1, "x", 1)
        end = AttemptEnd(*ids, "completed", inputs=(InputRecord("x", "d"),), outputs={"result": artifact})
        store.apply_once(f"event-{index}", lambda: store.end_attempt(run, step_run, attempt, end))
    store.close()
"""

Processes = Callable[[str, list[list[str]]], list[str]]


def test_many_processes_write_and_nothing_is_lost(story: Any, in_processes: Processes) -> None:
    run = story.run()
    printed = in_processes(WRITER, [[story.url, run.run_id, f"step_{number}", "20"] for number in range(8)])
    versions = sorted(int(line) for line in printed)
    assert versions == list(range(1, 161))
    assert len(story.store.get_step_runs(run.run_id)) == 160
    assert len(story.store.pending_outbox()) == 160
    assert [item.version for item in reversed(story.store.find_artifacts("shop"))] == versions


def test_several_processes_make_the_store_at_once(tmp_path: Any, in_processes: Processes) -> None:
    url = f"sqlite:///{tmp_path}/new/zen.db"
    run_id = "6a3a7d8e-0000-4000-8000-000000000001"
    in_processes(WRITER, [[url, run_id, f"step_{number}", "1"] for number in range(6)])
    store = open_lineage_store(url)
    assert len(store.get_step_runs(run_id)) == 6
    store.close()


def test_each_key_is_executed_once_however_many_want_it(story: Any, in_processes: Processes) -> None:
    run = story.run()
    printed = in_processes(RACER, [[story.url, run.run_id, f"step_{number}", "15"] for number in range(4)])
    done = sorted(line for line in printed if line.startswith("executed"))
    assert done == sorted(f"executed {index}" for index in range(15))
    statuses = story.store.find_step_statuses([run.run_id])[run.run_id]
    assert sorted(statuses.values()) == ["cached"] * 45 + ["completed"] * 15


def test_a_replay_by_two_processes_makes_one_record(story: Any, in_processes: Processes) -> None:
    run = story.run()
    in_processes(REPLAYER, [[story.url, run.run_id]] * 2)
    states = story.store.get_step_runs(run.run_id)
    assert [state.attempts for state in states] == [1] * 20
    assert sorted(item.version for item in story.store.find_artifacts("shop")) == list(range(1, 21))
    assert len(story.store.pending_outbox()) == 20


def test_threads_share_a_store(story: Any) -> None:
    run = story.run()

    def work(number: int) -> None:
        for index in range(10):
            story.execute(run, f"step_{number}_{index}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert set(story.store.find_step_statuses([run.run_id])[run.run_id].values()) == {"completed"}
    assert len(story.store.find_artifacts("shop")) == 80


def test_attempts_of_one_step_run_that_race_have_different_numbers(story: Any) -> None:
    step_run = story.step_run(story.run())
    gate = threading.Barrier(6)

    def start(index: int) -> int:
        attempt = story.attempt(step_run, f"key-{index}")
        gate.wait(timeout=10)
        number: int = story.start(step_run, attempt).number
        return number

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(start, range(6))) == [1, 2, 3, 4, 5, 6]
    statuses = [state.status for state in story.store.get_attempts(step_run.step_run_id)]
    assert statuses == ["lost"] * 5 + ["running"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(story: Any) -> None:
    run = story.run()
    story.execute(run, "before")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for index in range(20):
                story.execute(run, f"child_{index}")
            code = 0
        finally:
            os._exit(code)
    for index in range(20):
        story.execute(run, f"parent_{index}")
    assert os.waitpid(child, 0)[1] == 0
    assert len(story.store.find_step_statuses([run.run_id])[run.run_id]) == 41


def test_a_closed_store_opens_again(story: Any) -> None:
    run = story.run()
    story.store.close()
    assert story.store.find_run(run.run_id) == [run]
