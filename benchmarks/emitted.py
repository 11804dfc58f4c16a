"""Compiles the measured pipelines, in projects of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SPENT = """
import time

spent = {"task": [], "shim": []}

def timed(name, function):
    def call(*arguments, **keywords):
        started = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            spent[name].append(time.perf_counter() - started)
    return call

def time_tasks(runtime):
    runtime.run_step = timed("task", runtime.run_step)
    runtime.run_in_shim = timed("shim", runtime.run_in_shim)

def time_around_shim():
    # the first task of a run makes the store; a machine only ever adds time
    around = min(task - shim for task, shim in list(zip(spent["task"], spent["shim"]))[1:])
    for times in spent.values():
        times.clear()
    return around
"""
"""For the process that runs the tasks: how long each took, and how much of that was the shim's."""


def compile_chain(project: Path, pipeline: str, target: str) -> Path:
    """Compile a pipeline of chain.py for a target; the emitted file."""
    (project / "zen.toml").write_text('project = "bench"\n')
    (project / "chain.py").write_text((ROOT / "benchmarks" / "chain.py").read_text())
    command = [sys.executable, "-m", "zen_core.cli", "compile", f"chain.py:{pipeline}", "--for", target, "--out", "out"]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return project / "out" / f"{pipeline}.py"
