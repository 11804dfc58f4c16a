"""Whole commands, as a person waits for them: importing, help, a cold run, compiling."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figure

ROOT = Path(__file__).resolve().parent.parent
REPETITIONS = 7


def measure() -> list[Figure]:
    """Each beyond what bare Python costs where the budget says so."""
    bare = _best(["-c", "pass"])
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        project = make_project(Path(folder))
        return [
            Figure("import zen_core, above bare Python", _best(["-c", "import zen_core"]) - bare, "ms", 60),
            Figure("zen --help, above bare Python", _best(["-m", "zen_core.cli", "--help"]) - bare, "ms", 200),
            Figure("cold zen run, 3 steps, whole process", _cold_run(project), "ms", 1000),
            Figure("zen compile --for airflow, 100 steps, whole process", compile_chain(project, 100), "ms", 600),
        ]


def make_project(folder: Path) -> Path:
    """A project with the pipelines that are measured."""
    (folder / "zen.toml").write_text('project = "bench"\n')
    (folder / "chain.py").write_text((ROOT / "benchmarks" / "chain.py").read_text())
    return folder


def compile_chain(project: Path, steps: int, repetitions: int = REPETITIONS) -> float:
    """Milliseconds that compiling the chain of so many steps takes, whole process."""
    command = ["-m", "zen_core.cli", "compile", f"chain.py:chain_of_{steps}", "--for", "airflow", "--out", "out"]
    return _best(command, cwd=project, repetitions=repetitions)


def _cold_run(project: Path) -> float:
    """A first run in a project that has no store yet."""
    times = []
    for number in range(REPETITIONS):
        state = project / f"state{number}"
        state.mkdir()
        environment = {
            "ZEN_LINEAGE_URL": f"sqlite:///{state / 'zen.db'}",
            "ZEN_ARTIFACT_URL": str(state / "artifacts"),
            "ZEN_MLFLOW_SYNC": "off",
        }
        times.append(_time(["-m", "zen_core.cli", "run", "chain.py:three_steps"], cwd=project, environment=environment))
    return min(times)


def _best(arguments: list[str], cwd: Path | None = None, repetitions: int = REPETITIONS) -> float:
    _time(arguments, cwd=cwd)  # the first one writes bytecode
    return min(_time(arguments, cwd=cwd) for _ in range(repetitions))


def _time(arguments: list[str], *, cwd: Path | None = None, environment: dict[str, str] | None = None) -> float:
    variables = {**os.environ, **(environment or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return seconds * 1000
