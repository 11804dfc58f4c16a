"""How compiling and running fare as a pipeline grows: chains of ten to ten thousand steps, on SQLite."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import chain
from benchmarks.commands import compile_chain, make_project
from benchmarks.local_engine import run_once
from benchmarks.report import Figure

PIPELINES = {
    10: chain.chain_of_10,
    100: chain.chain_of_100,
    1_000: chain.chain_of_1000,
    10_000: chain.chain_of_10000,
}
LARGEST_GROWTH = 1.5
"""How many times more a step of the longest chain may cost than one of a hundred."""
_REPETITIONS = 3


def measure() -> list[Figure]:
    """Each as milliseconds a step at each size, with the ratio of ten thousand to a hundred."""
    compiled = {steps: _compile(steps) for steps in PIPELINES}
    executed, cached = {}, {}
    for steps in PIPELINES:
        executed[steps], cached[steps] = _run(steps)
    return [
        Figure("zen compile --for airflow, 10,000 steps, whole process", compiled[10_000] * 10_000 / 1000, "s", 10),
        _curve("zen compile --for airflow", compiled),
        _curve("a step executed", executed),
        _curve("a step cached", cached),
    ]


def _curve(what: str, found: dict[int, float]) -> Figure:
    curve = ", ".join(f"{steps:,}: {value:.2f}" for steps, value in found.items())
    return Figure(f"{what} ({curve} ms a step)", found[10_000] / found[100], "x", LARGEST_GROWTH)


def _compile(steps: int) -> float:
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        return compile_chain(make_project(Path(folder)), steps, _REPETITIONS) / steps


def _run(steps: int) -> tuple[float, float]:
    executed, cached = [], []
    for _ in range(_REPETITIONS):
        with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
            executed.append(run_once(PIPELINES[steps], Path(folder), "") * 1000 / steps)
            cached.append(run_once(PIPELINES[steps], Path(folder), "") * 1000 / steps)
    return min(executed), min(cached)
