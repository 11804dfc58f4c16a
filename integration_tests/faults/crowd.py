"""Many writers of one store at once, each with a run of its own: steps that execute, are cached and fail, and a map.

    python crowd.py COUNT > outcomes.jsonl

Run in the folder of a project, with ZEN_* in the environment. Each prints what became of its steps and how long its
commits took, as a line of JSON. They are forked, as in `stage.py`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zen_metadata.artifacts.store
import zen_metadata.lineage.sql.store  # noqa: F401  what each would import
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings
from zen_core.environment.capture import capture_environment
from zen_metadata.shim.calls import StepCall
from zen_metadata.shim.run_step import run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import Workspace, open_workspace

PIPELINE = """
import uuid
from pathlib import Path
from zen_core import Cache, log_metric, pipeline, step

@step
def own(writer: int) -> list[int]:
    (Path("ran") / uuid.uuid4().hex).touch()
    log_metric("writer", writer)
    return [writer, -1, -2]

@step
def shared(same: int) -> str:
    return "x" * 100

@step
def square(n: int) -> int:
    return n * n

@step
def total(squares: list[int]) -> int:
    return sum(squares)

@step
def broken(writer: int) -> int:
    raise ValueError(writer)

@pipeline
def flow(writer: int = 0, same: int = 1):
    shared(same)
    total(square.map(own(writer)))
    broken(writer)
"""
STEPS = 8
"""Step runs of one writer: own, shared, the expander, three elements, total, broken."""
_TICK = datetime(2026, 1, 1, tzinfo=UTC)


class Writer:
    """One run, step by step."""

    def __init__(self, settings: Any, manifest: Any, functions: Any, number: int) -> None:
        self.commits: list[float] = []
        self._manifest = manifest
        self._functions = functions
        self._run = new_run(
            manifest, settings, orchestrator="local", run_key=f"{number}", overrides={"writer": number}, tick=_TICK
        )
        self._workspace = open_workspace(settings, remote=False)
        self._workspace.end_attempt = self._timed(self._workspace)  # type: ignore[method-assign]
        self._refs: dict[str, Any] = {}

    def work(self) -> dict[str, str]:
        """The status of each step."""
        expander = next(name for name, step in self._manifest.steps.items() if step.kind == "expander")
        steps: list[tuple[str, int | None]] = [("own", None), ("shared", None), (expander, None)]
        steps += [("square", index) for index in range(3)]
        found = {f"{name}[{index}]": self._do(name, index) for name, index in [*steps, ("total", None)]}
        try:
            self._do("broken", None)
        except ValueError:
            found["broken[None]"] = "failed"
        self._workspace.close()
        return found

    def _do(self, name: str, index: int | None) -> str:
        step = self._manifest.steps[name]
        function = self._functions.get(step.entry_point)
        call = StepCall(self._manifest, name, self._run, upstream=self._refs, map_index=index, function=function)
        result = run_step(call, self._workspace)
        if index is None:
            self._refs[name] = dict(result.refs)
        return result.status

    def _timed(self, workspace: Workspace) -> Any:
        end_attempt = workspace.end_attempt

        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return end_attempt(*arguments, **options)
            finally:
                self.commits.append(time.perf_counter() - began)

        return timed


def main(count: int) -> int:
    """Start them, let them go at once, and wait for all."""
    settings = load_settings(Path.cwd()).with_local_defaults()
    capture_environment(settings.root)
    built = load_pipeline("work.py:flow", settings).build()
    manifest = build_manifest(built.spec, built.functions, settings)
    direct = replace(settings, lineage_url=os.environ.get("DIRECT_URL", settings.lineage_url))
    Writer(direct, manifest, built.functions, -1).work()  # makes what the others find in the cache
    while any(thread is not threading.main_thread() for thread in threading.enumerate()):
        time.sleep(0.01)
    waiting, starting = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.close(starting)
            os.read(waiting, 1)  # ends when the parent closes its end
            began = time.time()
            try:
                writer = Writer(settings, manifest, built.functions, number)
                told: dict[str, Any] = {"steps": writer.work(), "commits": writer.commits}
            except BaseException:
                told = {"error": traceback.format_exc()}
            os.write(1, f"{json.dumps({**told, 'began': began, 'ended': time.time()})}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(starting)
    for child in children:
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
