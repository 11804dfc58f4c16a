"""Hooks: once per run, when all is over, and without a say in how the run ended."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Any

import pytest

from zen_core.contract.context import StepFailure, current
from zen_core.ir.specs import RetrySpec
from zen_core.testing.cases.build import above, element, make_expander, make_gate, mapped_by, parameter, read, taken
from zen_metadata.shim.closing import close_if_over, close_run
from zen_metadata.shim.hooks import run_hooks
from zen_metadata.shim.workspace import open_workspace


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def hooks(make_code, told):
    """Hooks for both ends; each notes that it ran, and what it was told."""

    def hook(name: str, on: str, raises: BaseException | None = None):
        def run(depth: int) -> None:
            print(f"{name} at {depth}")
            told.append((name, current().failures))
            if raises is not None:
                raise raises

        return make_code(name, run, depth=parameter("depth"), _outputs=(), _kind="hook", _on=on)

    return lambda **raises: tuple(
        hook(name, on, raises.get(name)) for name, on in (("alarm", "failure"), ("cheer", "success"))
    )


def fail_at_two(x: int) -> int:
    if x == 2:
        raise ValueError("2 is wrong")
    return x


def failing(make_code) -> tuple[Any, ...]:
    return (
        make_code("load", lambda: [1, 2]),
        make_expander("expand_fit", {"x": read("load")}),
        make_code("fit", fail_at_two, x=element("expand_fit", "x"), _map=mapped_by("expand_fit")),
        make_code("pick", lambda xs: xs, xs=read("fit")),
    )


def test_on_success_runs_when_the_run_completed(engine, make_code, hooks, told) -> None:
    run = engine.run(make_code("load", lambda: 1), hooks=hooks(), parameters={"depth": 3})
    assert told == [("cheer", ())]
    assert run.status == "completed"
    assert [(step.label, step.kind, step.status) for step in run.steps] == [
        ("load", "step", "completed"),
        ("cheer", "hook", "completed"),
    ]
    assert run.step("cheer").logs() == "cheer at 3\n"


def test_on_failure_is_told_what_failed(engine, make_code, hooks, told) -> None:
    run = engine.run(*failing(make_code), hooks=hooks(), parameters={"depth": 3})
    assert told == [("alarm", (StepFailure("fit", 1, "ValueError", "2 is wrong"),))]
    assert run.status == "failed"
    assert run.record.closed_status == "failed"
    assert engine.statuses["alarm"] == "completed"
    assert "cheer" not in engine.statuses


def test_a_cancelled_run_has_no_hooks(engine, make_code, hooks, told) -> None:
    engine.run(make_code("load", lambda: 1), hooks=hooks(), parameters={"depth": 3}, close=False)
    assert engine.close(cancelled=True) == "cancelled"
    assert told == []


@pytest.mark.parametrize("error", [ValueError("no network"), SystemExit(3)])
def test_a_hook_that_fails_changes_nothing(engine, make_code, hooks, told, caplog, error) -> None:
    with caplog.at_level(logging.ERROR, "zen"):
        run = engine.run(make_code("load", lambda: 1), hooks=hooks(cheer=error), parameters={"depth": 3})
    assert run.status == "completed"
    assert run.record.closed_status == "completed"
    assert run.step("cheer").status == "failed"
    assert "the hook 'cheer' failed: " in caplog.text


def test_each_hook_runs_once_whoever_closes_the_run_and_how_often(engine, make_code, hooks, told) -> None:
    engine.run(*failing(make_code), hooks=hooks(), parameters={"depth": 3}, close=False)
    others = [engine.open() for _ in range(4)]
    threads = [
        threading.Thread(
            target=close_run,
            args=(other, engine.record, engine.manifest),
            kwargs={"functions": engine.functions, "pass_output": False},
        )
        for other in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()
    for other in others:
        other.close()
    assert [name for name, _ in told] == ["alarm"]
    assert engine.shown.step("alarm").attempts == 1
    assert engine.shown.status == "failed"


def close_after_each(engine, *steps: Any) -> list[Any]:
    """Run the steps as an engine does that calls nothing at the end, and say what each call answered."""
    answers = []
    for step in steps:
        engine.start(step.name)
        answers.append(
            close_if_over(
                engine.workspace, engine.record, engine.manifest, functions=engine.functions, pass_output=False
            )
        )
    return answers


def test_a_run_is_closed_by_whoever_ends_its_last_step(engine, make_code, hooks, told) -> None:
    steps = failing(make_code)
    engine.begin(*steps, hooks=hooks(), parameters={"depth": 3})
    # When the map has failed, nothing is left: the collector never starts.
    assert close_after_each(engine, *steps[:3]) == [None, None, "failed"]
    assert [name for name, _ in told] == ["alarm"]
    assert engine.shown.record.closed_status == "failed"


def test_a_run_whose_last_steps_are_skipped_is_over_with_the_gate(engine, make_code, hooks, told) -> None:
    steps = (
        make_code("load", lambda: 1),
        make_gate("when", above("x", 5), {"x": read("load")}),
        make_code("yes", lambda: 1, _when=taken("when")),
    )
    engine.begin(*steps, hooks=hooks(), parameters={"depth": 3})
    assert close_after_each(engine, *steps[:2]) == [None, "completed"]
    assert [name for name, _ in told] == ["cheer"]


def test_a_run_with_an_attempt_left_is_not_over(engine, make_code, hooks, told) -> None:
    outcomes = iter([ValueError("once"), None])

    def flaky() -> int:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        return 1

    step = make_code("load", flaky, _retry=RetrySpec(times=1))
    engine.begin(step, hooks=hooks(), parameters={"depth": 3})
    assert close_after_each(engine, step, step) == [None, "completed"]
    assert [name for name, _ in told] == ["cheer"]


def test_hooks_run_while_the_store_is_away(engine, make_code, hooks, told) -> None:
    away = open_workspace(replace(engine.settings, lineage_url="postgresql://zen@127.0.0.1:1/zen"), remote=False)
    engine.begin(make_code("load", lambda: 1), hooks=hooks(), parameters={"depth": 3})
    run_hooks(away, engine.record, engine.manifest, "failed", functions=engine.functions, pass_output=False)
    away.close()
    assert told == [("alarm", ())]
