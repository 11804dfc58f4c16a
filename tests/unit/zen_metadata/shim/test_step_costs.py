"""What a step costs: the statements and file calls that `what-a-step-costs.md` states, and no more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from zen_core.contract.bindings import ConstantBinding
from zen_core.contract.manifest import CodeDefinition, CodeFingerprint
from zen_core.ir.specs import CacheSpec, StepSpec
from zen_core.testing.cases.build import above, element, make_expander, make_gate, mapped_by, read
from zen_metadata.shim.run_step import run_step

PAGE = Path(__file__).parents[4] / "docs" / "explanation" / "what-a-step-costs.md"
CACHED = CacheSpec(enabled=True)
FILE_CALLS = {"open": "opened", "os.rename": "moved", "os.utime": "touched"}


@dataclass(frozen=True)
class Cost:
    """What was done, as a row of the page's table has it: of `writes`, each begins a transaction and commits it."""

    statements: int
    writes: int
    opened: int
    moved: int
    touched: int
    synced: int


class Ledger:
    """Writes down every statement of every SQLite connection, and every file call below a folder."""

    def __init__(self, folder: Path) -> None:
        self.statements: list[str] = []
        self.calls: list[str] = []
        self._folder = str(folder)

    def connected(self, connection: Any, record: Any) -> None:
        """Of a new connection."""
        connection.set_trace_callback(self.statements.append)

    def heard(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Of an audit event."""
        if name in FILE_CALLS and str(arguments[0]).startswith(self._folder):
            self.calls.append(FILE_CALLS[name])

    def cost_of(self, action: Callable[[], Any]) -> Cost:
        """What an action costs."""
        self.statements.clear()
        self.calls.clear()
        action()
        return Cost(
            statements=len([text for text in self.statements if not text.startswith("PRAGMA")]),
            writes=len([text for text in self.statements if text == "BEGIN IMMEDIATE"]),
            opened=self.calls.count("opened"),
            moved=self.calls.count("moved"),
            touched=self.calls.count("touched"),
            synced=self.calls.count("synced"),
        )


_ledgers: list[Ledger] = []


def _heard(name: str, arguments: tuple[Any, ...]) -> None:
    for ledger in _ledgers:
        ledger.heard(name, arguments)


sys.addaudithook(_heard)  # for the rest of the process: it cannot be taken back


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    made = Ledger(tmp_path / ".zen" / "artifacts")
    for name in ("tmp", *(f"objects/{number:02x}" for number in range(256))):  # those of a store that is in use
        (tmp_path / ".zen" / "artifacts" / name).mkdir(parents=True)
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (made.calls.append("synced"), fsync(handle)))
    event.listen(Engine, "connect", made.connected)
    _ledgers.append(made)
    yield made
    _ledgers.remove(made)
    event.remove(Engine, "connect", made.connected)


def stated(row: str) -> Cost:
    """What the page says."""
    lines = [line.strip("| \n").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    found = {cells[0].strip(): cells[1:] for cells in lines}
    return Cost(*map(int, found[row]))


def cost_of(engine: Any, ledger: Ledger, *steps: StepSpec) -> Cost:
    """What the last of these steps costs, in a run that the process knows."""
    engine.begin(*steps)
    engine.workspace.open_run(engine.record, engine.manifest.ir)
    for step in steps[:-1]:
        engine.start(step.name)
    return ledger.cost_of(lambda: engine.start(steps[-1].name))


def wrap(x: int) -> list[int]:
    return [x]


def test_a_step_that_executes_and_one_that_is_cached(engine: Any, make_code: Any, ledger: Ledger) -> None:
    step = make_code("made", wrap, x=ConstantBinding(3), _cache=CACHED)
    assert cost_of(engine, ledger, step) == stated("executed, one small artifact")
    assert cost_of(engine, ledger, step) == stated("cached")
    same = make_code("again", wrap, x=ConstantBinding(3), _cache=CACHED)
    assert cost_of(engine, ledger, same) == stated("executed, its artifact is stored already")
    never = make_code("never", wrap, x=ConstantBinding(4))
    assert cost_of(engine, ledger, never) == stated("not cached by policy")
    assert engine.failures == {}


def test_each_further_artifact(engine: Any, make_code: Any, ledger: Ledger) -> None:
    def make(x: int) -> tuple[list[int], ...]:
        return [x], [x, x], [x, x, x]

    one = make_code("one", wrap, x=ConstantBinding(3), _cache=CACHED)
    three = make_code("three", make, x=ConstantBinding(4), _cache=CACHED, _outputs=("a", "b", "c"))
    first, all_three = cost_of(engine, ledger, one), cost_of(engine, ledger, three)
    assert difference(first, all_three, 2) == stated("each further artifact")


def test_a_step_that_fails(engine: Any, make_code: Any, ledger: Ledger) -> None:
    def fail(x: int) -> None:
        raise ValueError(x)

    assert cost_of(engine, ledger, make_code("fail", fail, x=ConstantBinding(3), _cache=CACHED)) == stated("failed")
    assert isinstance(engine.failures["fail"], ValueError)


def test_a_gate(engine: Any, ledger: Ledger) -> None:
    gate = make_gate("good", above("n", 1), {"n": ConstantBinding(2)})
    assert cost_of(engine, ledger, gate) == stated("gate")


def test_an_element_of_a_map(engine: Any, make_code: Any, ledger: Ledger) -> None:
    def mapped(values: range) -> tuple[StepSpec, ...]:
        return (
            make_code("load", lambda: list(values)),
            make_expander("expand", {"x": read("load")}),
            make_code("fit", wrap, x=element("expand", "x"), _map=mapped_by("expand"), _cache=CACHED),
        )

    for row in ("element of a map, executed", "element of a map, cached"):
        few, more = (cost_of(engine, ledger, *mapped(values)) for values in (range(100, 103), range(200, 207)))
        assert difference(few, more, 4) == stated(row)
    assert engine.failures == {}


def difference(less: Cost, more: Cost, times: int) -> Cost:
    """What one of that many further things costs."""
    found = [divmod(b - a, times) for a, b in zip(astuple(less), astuple(more), strict=True)]
    assert all(rest == 0 for _, rest in found), "each costs the same"
    return Cost(*(each for each, _ in found))


def test_the_first_step_of_a_process(engine: Any, make_code: Any, ledger: Ledger) -> None:
    """As in a task process of an orchestrator: the store is there, the process is new to it."""
    engine.run(make_code("warm", wrap, x=ConstantBinding(1)))
    step = make_code("made", wrap, x=ConstantBinding(3), _cache=CACHED)
    engine.begin(step)
    covered = (CodeDefinition("tests:made", "sha256:1", "function", "tests.py", (1, 2)),)
    fingerprint = CodeFingerprint("sha256:new", "project", definitions=covered)
    manifest = replace(engine.manifest, fingerprints={"made": fingerprint})
    for row in ("executed, first of its run", "cached, first of its process"):
        with closing(engine.open()) as workspace:
            call = replace(engine.call("made"), manifest=manifest)
            assert ledger.cost_of(lambda: run_step(call, workspace)) == stated(row)  # noqa: B023 - called at once
