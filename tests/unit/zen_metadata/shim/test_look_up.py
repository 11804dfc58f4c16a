"""Why nothing was reused, where the parts of the key do not tell: what the record of an attempt says."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zen_core.contract.bindings import ConstantBinding, OutputBinding
from zen_core.ir.specs import CacheSpec, StepSpec
from zen_metadata.shim.replaying import replay
from zen_metadata.shim.run_step import run_step
from zen_metadata.shim.workspace import open_workspace

CACHED = CacheSpec(enabled=True)
NOWHERE = "postgresql://zen@127.0.0.1:1/zen"


def double(x: int) -> int:
    return 2 * x


def add(x: int, y: int) -> int:
    return x + y


@pytest.fixture
def step(make_code: Callable[..., StepSpec]) -> StepSpec:
    return make_code("double", double, x=ConstantBinding(3), _cache=CACHED)


def told(engine: Any) -> list[tuple[str, str | None]]:
    """Status and reason of the steps of the run at hand."""
    return [(state.status, state.attempt.cache_reason) for state in engine.shown.states]


def stored_file(engine: Any) -> Path:
    output = engine.shown.step("double").output()
    return Path(engine.workspace.artifacts.local_path(output.record.location))


def test_a_miss_that_the_parts_explain_has_no_reason(engine: Any, step: StepSpec) -> None:
    engine.run(step)
    assert told(engine) == [("completed", None)]
    engine.run(step)
    assert told(engine) == [("cached", None)]


def test_what_is_off_or_was_told_to_execute_says_so(engine: Any, step: StepSpec) -> None:
    engine.run(step.model_copy(update={"cache": CacheSpec(enabled=False)}))
    assert told(engine) == [("completed", "off")]
    for why in ("refresh", "cleared"):
        engine.begin(step)
        engine.start("double", look_up=False, executes_for=why)
        assert told(engine) == [("completed", why)]
    engine.run(step.model_copy(update={"cache": CacheSpec(enabled=True, ttl_seconds=1e-6)}))
    assert told(engine) == [("completed", "expired")]


def test_bytes_that_are_gone_or_damaged_are_made_again_once(engine: Any, step: StepSpec) -> None:
    engine.run(step)
    file = stored_file(engine)
    file.unlink()
    engine.run(step)
    assert told(engine) == [("completed", "gone")]
    engine.run(step)
    assert told(engine) == [("cached", None)]
    os.chmod(file, 0o600)
    file.write_bytes(b"more than there was")
    engine.run(step)
    assert told(engine) == [("completed", "damaged")]
    engine.run(step)
    assert told(engine) == [("cached", None)]


def test_of_many_that_find_the_bytes_gone_one_makes_them_again(engine: Any, make_code: Callable[..., StepSpec]) -> None:
    calls: list[int] = []

    def slow(x: int) -> int:
        calls.append(x)
        time.sleep(0.3)
        return 2 * x

    names = [f"slow_{number}" for number in range(6)]
    steps = [make_code(name, slow, x=ConstantBinding(3), _cache=CACHED) for name in names]
    engine.begin(*steps)
    # The same work under six names: one fingerprint.
    fingerprints = dict.fromkeys(names, engine.manifest.fingerprints[names[0]])
    manifest = replace(engine.manifest, fingerprints=fingerprints)
    run_step(replace(engine.call(names[0]), manifest=manifest), engine.workspace)
    (output,) = engine.shown.step(names[0]).outputs.values()
    Path(engine.workspace.artifacts.local_path(output.record.location)).unlink()
    threads = [
        threading.Thread(
            target=lambda name=name: run_step(replace(engine.call(name), manifest=manifest), engine.workspace)
        )
        for name in names[1:]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 2, "the first time, and once again"
    found = sorted(told(engine), key=str)
    assert found.count(("cached", None)) == 4
    assert ("completed", "gone") in found


def test_a_worker_that_waited_long_enough_does_the_work_too(engine: Any, make_code: Callable[..., StepSpec]) -> None:
    begun, finish = threading.Event(), threading.Event()

    def slow(x: int) -> int:
        if not begun.is_set():
            begun.set()
            finish.wait(20)
        return 2 * x

    step = make_code("slow", slow, x=ConstantBinding(3), _cache=CacheSpec(enabled=True, wait_seconds=0.2))
    other = make_code("other", slow, x=ConstantBinding(3), _cache=CacheSpec(enabled=True, wait_seconds=0.2))
    engine.begin(step, other)
    manifest = replace(
        engine.manifest, fingerprints=dict.fromkeys(("slow", "other"), engine.manifest.fingerprints["slow"])
    )
    first = threading.Thread(target=lambda: run_step(replace(engine.call("slow"), manifest=manifest), engine.workspace))
    first.start()
    assert begun.wait(20)
    run_step(replace(engine.call("other"), manifest=manifest), engine.workspace)
    finish.set()
    first.join()
    reasons = {state.step_run.step: state.attempt.cache_reason for state in engine.shown.states}
    assert reasons == {"slow": None, "other": "waited"}


def test_while_the_store_is_away_nothing_is_looked_up_and_that_is_told(engine: Any, step: StepSpec) -> None:
    engine.run(step)
    recorded = engine.workspace
    engine.workspace = open_workspace(replace(engine.settings, lineage_url=NOWHERE), remote=False)
    engine.begin(step)
    engine.start("double")
    assert engine.failures == {}
    engine.workspace.close()
    engine.workspace = recorded
    assert replay(recorded.lineage, recorded.artifacts).replayed == 1
    assert told(engine) == [("completed", "away")]
    assert engine.shown.step("double").cache_reason == "store was away"


def test_an_upstream_step_that_yields_the_same_leaves_what_follows_cached(
    engine: Any, make_code: Callable[..., StepSpec]
) -> None:
    def steps(x: int, y: int) -> list[StepSpec]:
        return [
            make_code("add", add, x=ConstantBinding(x), y=ConstantBinding(y), _cache=CACHED),
            make_code("double", double, x=OutputBinding("add", "result"), _cache=CACHED),
        ]

    engine.run(*steps(1, 4))
    engine.run(*steps(2, 3))
    assert told(engine) == [("completed", None), ("cached", None)]
