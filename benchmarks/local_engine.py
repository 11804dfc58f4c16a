"""What Zen adds to a step on the embedded engine, each with one small artifact: a chain of 100, a map of 1,000."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import chain
from benchmarks.report import Figure
from zen_core.adapter.protocol import RunOutcome, RunRequest
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings
from zen_local import LocalAdapter

STEPS = 100
ELEMENTS = 1000
REPETITIONS = 5


def measure() -> list[Figure]:
    """Executed and cached, in milliseconds a step, on SQLite."""
    executed, cached = measure_chain(lambda: "")
    mapped, mapped_cached = measure_map()
    return [
        Figure(f"step executed, chain of {STEPS}", executed, "ms", 3.0),
        Figure(f"step cached, chain of {STEPS}", cached, "ms", 0.7),
        Figure(f"element executed, map of {ELEMENTS:,}", mapped, "ms", 5.0),
        Figure(f"element cached, map of {ELEMENTS:,}", mapped_cached, "ms"),
    ]


def measure_chain(new_store: Callable[[], str]) -> tuple[float, float]:
    """Milliseconds for a step that is executed, and for one that is cached.

    Args:
        new_store: answers with the URL of an empty lineage store, or "" for a file of SQLite.
    """
    executed, cached = [], []
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
            url = new_store()
            executed.append(run_chain(Path(folder), url))
            cached.append(min(run_chain(Path(folder), url) for _ in range(3)))
    return min(executed), min(cached)


def measure_map() -> tuple[float, float]:
    """Milliseconds for an element of a map that is executed, and for one that is cached; all around it included."""
    executed, cached = [], []
    for _ in range(2):
        with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
            executed.append(run_once(chain.map_of_1000, Path(folder), "") / ELEMENTS * 1000)
            cached.append(run_once(chain.map_of_1000, Path(folder), "") / ELEMENTS * 1000)
    return min(executed), min(cached)


def run_chain(folder: Path, lineage_url: str) -> float:
    """Run the chain once, with its artifacts below `folder`; milliseconds a step."""
    return run_once(chain.chain_of_100, folder, lineage_url) / STEPS * 1000


def run_once(pipeline: Any, folder: Path, lineage_url: str) -> float:
    """Run a pipeline once; seconds."""
    built = pipeline.build()
    settings = replace(load_settings(folder), root=folder, mlflow_sync="off", lineage_url=lineage_url)
    settings = settings.with_local_defaults()
    manifest = build_manifest(built.spec, built.functions, settings)
    request = RunRequest(manifest=manifest, functions=built.functions, settings=settings)
    started = time.perf_counter()
    outcome: RunOutcome = LocalAdapter().run(request)
    seconds = time.perf_counter() - started
    if outcome.status != "completed":
        raise RuntimeError(f"the benchmark's run ended as {outcome.status}") from outcome.error
    return seconds
