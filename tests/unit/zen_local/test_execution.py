"""How the embedded engine executes steps: at the same time, within limits, in children, or in this very thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from zen_core import current
from zen_core.errors import StepTimeoutError, UnsupportedFeatureError
from zen_metadata.query import Client


def test_a_timeout_ends_the_step_and_all_that_it_started(bench: Any) -> None:
    bench.write("""
    import subprocess

    @step(timeout="1.5s")
    def endless(number: int) -> int:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (STAGE / "child").write_text(str(child.pid))
        time.sleep(60)

    @step(timeout="60s")
    def quick(number: int) -> int:
        log_metric("seen", 2.5)
        log_params({"chosen": "a"})
        print("from the child")
        return number + 1

    @step(timeout="60s")
    def raising(number: int) -> int:
        {}["nothing"]

    @pipeline
    def timing(number: int = 1):
        endless(number)
        quick(number)
        raising(number)
    """)
    outcome = bench.execute("timing")
    shown = bench.show(outcome.run_id)
    assert isinstance(outcome.error, StepTimeoutError | KeyError)
    assert "longer than its timeout of 1.5 seconds" in shown["steps"]["endless"]["error"]["message"]
    assert "Traceback" not in shown["steps"]["endless"]["error"]["traceback"]
    child = int((bench.stage / "child").read_text())
    assert not is_alive(child)
    assert shown["steps"]["quick"]["outputs"]["result"]["value"] == 2
    assert shown["steps"]["quick"]["params"] == {"chosen": "a"}
    assert shown["steps"]["raising"]["error"]["type"] == "KeyError"
    assert '{}["nothing"]' in shown["steps"]["raising"]["error"]["traceback"]


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ready_steps_run_at_the_same_time_and_their_output_is_kept_apart(bench: Any) -> None:
    bench.write("""
    @step
    def left(number: int) -> int:
        return meet("left", "right")

    @step
    def right(number: int) -> int:
        return meet("right", "left")

    def meet(own, other):
        print("I am", own)
        mark(own)
        deadline = time.monotonic() + 20
        while not (STAGE / other).exists():
            assert time.monotonic() < deadline, "the other step did not start"
            time.sleep(0.01)
        print(own, "met", other)
        return 1

    @pipeline
    def meeting(number: int = 1):
        left(number)
        right(number)
    """)
    lines: list[tuple[str, str]] = []
    outcome = bench.execute("meeting", {"observer": Listener(lines)})
    assert outcome.status == "completed"
    assert [text for step, text in lines if step == "left"] == ["I am left", "left met right"]
    assert [text for step, text in lines if step == "right"] == ["I am right", "right met left"]


class Listener:
    """Keeps what the steps print."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self.lines = lines

    def step_output(self, step: str, text: str) -> None:
        self.lines.append((step, text))

    def __getattr__(self, name: str) -> Any:
        return lambda *facts: None


def test_resources_keep_steps_apart_and_what_the_machine_lacks_is_refused(bench: Any) -> None:
    bench.write("""
    from zen_local.lowering import this_machine

    ALL = Resources(cpu=this_machine().cpu)

    @step(resources=ALL)
    def first(number: int) -> bool:
        alone()
        return True

    @step(resources=ALL)
    def second(number: int) -> bool:
        alone()
        return True

    @pipeline
    def heavy(number: int = 1):
        first(number)
        second(number)

    @step(resources=Resources(cpu=4000, memory="900Ti", gpu=64))
    def huge(number: int) -> int:
        return number

    @pipeline
    def too_heavy(number: int = 1):
        huge(number)
    """)
    assert set(bench.statuses("heavy").values()) == {"completed"}
    with pytest.raises(UnsupportedFeatureError) as caught:
        bench.execute("too_heavy")
    assert len(caught.value.diagnostics) == 3
    assert "step 'huge' asks for 4000 cores, this machine has" in str(caught.value)
    assert f"{bench.module}.py:" in str(caught.value)


def test_what_a_step_may_ask_while_it_runs(bench: Any) -> None:
    bench.write("""
    @step
    async def ask(number: int) -> dict:
        import asyncio
        await asyncio.sleep(0)
        me = current()
        (me.scratch / "note").write_text("x")
        return {"run": me.run_id, "step": me.step, "pipeline": me.pipeline, "scratch": str(me.scratch)}

    @pipeline
    def asking(number: int = 1):
        ask(number)
    """)
    shown = bench.run("asking")
    with_value = bench.execute("asking")
    answer = load_answer(bench, with_value.run_id)
    assert (answer["run"], answer["step"], answer["pipeline"]) == (shown["run_id"], "ask", "asking")
    assert not Path(answer["scratch"]).exists()
    with pytest.raises(RuntimeError, match="outside a running step"):
        current()


def load_answer(bench: Any, run_id: str) -> Any:
    with Client(bench.settings) as client:
        return client.run(run_id).step("ask").output().load()


def test_debug_runs_everything_in_this_very_thread(bench: Any) -> None:
    bench.write("""
    import threading

    @step(timeout="60s")
    def where(number: int) -> dict:
        return {"main": threading.current_thread() is threading.main_thread(), "pid": os.getpid()}

    @pipeline
    def debugging(number: int = 1):
        where(number)
    """)
    outcome = bench.execute("debugging", {"debug": True})
    assert outcome.status == "completed", outcome.error
    with Client(bench.settings) as client:
        assert client.run(outcome.run_id).step("where").output().load() == {
            "main": True,
            "pid": os.getpid(),
        }


def test_a_file_in_the_working_folder_is_not_imported_in_a_modules_place(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    bench.write("""
    @step(timeout="60s")
    def alone(number: int) -> int:
        return number

    @pipeline
    def isolated(number: int = 1):
        alone(number)
    """)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "json.py").write_text("raise RuntimeError('this is not the json that was meant')")
    monkeypatch.chdir(elsewhere)
    assert bench.statuses("isolated") == {"alone": "completed"}


class Leaving(Listener):
    """Fails when it is told something, as a terminal that has gone away does."""

    def step_finished(self, *facts: Any) -> None:
        raise BrokenPipeError("nobody listens any more")


def test_an_observer_that_fails_ends_the_run_instead_of_hanging_it(bench: Any) -> None:
    bench.write("""
    @step
    def one(number: int) -> int:
        return number

    @pipeline
    def told(number: int = 1):
        one(one(number))
    """)
    with pytest.raises(BrokenPipeError, match="nobody listens"):
        bench.execute("told", {"observer": Leaving([])})
