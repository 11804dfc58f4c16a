"""Zen beside other frameworks, each in an environment of its own: the same shapes on the same machine, one by one.

Every framework runs as it does by default on one machine, with its own store on disk. What is compared is the cost of a
step that does nothing: executed, and reused where the framework reuses results of an earlier run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import Figure

ROOT = Path(__file__).parent.parent
SHAPES = {"chain": "chain of 100", "fan_out": "fan-out of 98", "diamond": "two chains of 49"}
_MOST_SECONDS = 1800


@dataclass(frozen=True)
class Framework:
    """Who is measured: the environment below .venvs/, and the variables that keep it quiet and in its folder."""

    name: str
    environment: str
    variables: dict[str, str] = field(default_factory=dict)


FRAMEWORKS = (
    Framework("Zen", "core"),
    Framework("redun", "redun"),
    Framework("Dagster", "dagster", {"DAGSTER_HOME": "{folder}", "DAGSTER_DISABLE_TELEMETRY": "1"}),
    Framework(
        "Prefect",
        "prefect",
        {
            "PREFECT_HOME": "{folder}",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        },
    ),
    Framework(
        "ZenML",
        "zenml",
        {
            "ZENML_CONFIG_PATH": "{folder}/config",
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_LOGGING_VERBOSITY": "ERROR",
        },
    ),
    Framework("Metaflow", "metaflow", {"USERNAME": "bench"}),
)


@dataclass(frozen=True)
class Comparison:
    """Milliseconds a step of one framework and shape; `cached` is None where nothing is reused between runs."""

    framework: str
    shape: str
    executed: float
    cached: float | None


def measure() -> list[Figure]:
    """Milliseconds a step, with the ratio to Zen's."""
    found = compare()
    own = {item.shape: item for item in found if item.framework == "Zen"}
    figures = []
    for item in found:
        zen = own[item.shape]
        shape = SHAPES[item.shape]
        figures.append(Figure(f"{item.framework}: step executed, {shape}", item.executed, "ms", against=zen.executed))
        if item.cached is not None:
            figures.append(Figure(f"{item.framework}: step cached, {shape}", item.cached, "ms", against=zen.cached))
    return figures


def compare() -> list[Comparison]:
    """Run the shapes of every framework whose environment is there."""
    found: list[Comparison] = []
    for framework in FRAMEWORKS:
        python = ROOT / ".venvs" / framework.environment / "bin" / "python"
        if not python.exists():
            missing = f".venvs/{framework.environment}"
            print(f"{framework.name}: left out, there is no {missing} (make {missing}/ready)", file=sys.stderr)
            continue
        for shape, (executed, cached) in _run(framework, python).items():
            found.append(Comparison(framework.name, shape, executed, cached))
    return found


def _run(framework: Framework, python: Path) -> dict[str, tuple[float, float | None]]:
    script = ROOT / "benchmarks" / "peers" / f"{framework.name.lower()}_shapes.py"
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "ZEN_L"))}
        own = {name: value.format(folder=folder) for name, value in framework.variables.items()}
        variables = {**inherited, "HOME": folder, "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore", **own}
        done = subprocess.run(
            [str(python), str(script), folder],
            env=variables,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{framework.name}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    found: dict[str, tuple[float, float | None]] = json.loads(done.stdout.splitlines()[-1])
    return found
