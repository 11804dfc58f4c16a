"""What Zen adds to a step on the embedded engine: a chain of 100 steps, each with one small artifact, on SQLite."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import chain
from benchmarks.report import Figure
from zen_core.adapter.protocol import RunOutcome, RunRequest
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings
from zen_local import LocalAdapter

STEPS = 100
REPETITIONS = 5


def measure() -> list[Figure]:
    """Executed and cached, in milliseconds a step."""
    executed, cached = [], []
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
            executed.append(_run(Path(folder)))
            cached.append(min(_run(Path(folder)) for _ in range(3)))
    return [
        Figure(f"step executed, chain of {STEPS}", min(executed), "ms", 3.0),
        Figure(f"step cached, chain of {STEPS}", min(cached), "ms", 0.7),
    ]


def _run(folder: Path) -> float:
    built = chain.chain_of_100.build()
    settings = replace(load_settings(folder), root=folder, mlflow_sync="off").with_local_defaults()
    manifest = build_manifest(built.spec, built.functions, settings)
    request = RunRequest(manifest=manifest, functions=built.functions, settings=settings)
    started = time.perf_counter()
    outcome: RunOutcome = LocalAdapter().run(request)
    seconds = time.perf_counter() - started
    if outcome.status != "completed":
        raise RuntimeError(f"the benchmark's run ended as {outcome.status}") from outcome.error
    return seconds / STEPS * 1000
