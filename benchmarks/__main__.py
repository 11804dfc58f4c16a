"""Measures Zen against its budgets: `make bench`, or `python -m benchmarks [--write] [NAME ...]`.

With `--write` the figures go into docs/explanation/performance.md.

Each figure is the best of several repetitions, because machines are noisy and only ever add time. A budget that is
missed is said; nothing fails, since a figure of one machine proves little about another.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

from benchmarks import (
    airflow_tasks,
    artifacts,
    code_reading,
    commands,
    comparison,
    limits,
    lineage_growth,
    lineage_store,
    local_engine,
    mlflow_drain,
    page,
    parsing,
    postgresql,
    prefect_tasks,
    step_growth,
    writers,
)
from benchmarks.report import Figure, show

SUBJECTS = {
    "limits": limits.measure,
    "local": local_engine.measure,
    "commands": commands.measure,
    "code": code_reading.measure,
    "parsing": parsing.measure,
    "steps": step_growth.measure,
    "lineage": lineage_store.measure,
    "growth": lineage_growth.measure,
    "artifacts": artifacts.measure,
    "postgresql": postgresql.measure,
    "writers": writers.measure,
    "mlflow": mlflow_drain.measure,
    "airflow": airflow_tasks.measure,
    "prefect": prefect_tasks.measure,
    "comparison": comparison.measure,
}


def main(names: list[str]) -> int:
    """Run the named subjects, or all."""
    is_written = "--write" in names
    names = [name for name in names if name != "--write"]
    unknown = set(names) - SUBJECTS.keys()
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    figures: dict[str, Sequence[Figure]] = {}
    for name in names or SUBJECTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        figures[name] = SUBJECTS[name]()
    print(f"Python {platform.python_version()}, {platform.machine()}")
    show([figure for found in figures.values() for figure in found])
    if is_written:
        page.write(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
