"""Measures Zen against its budgets: `make bench`, or `python -m benchmarks [NAME ...]`.

Each figure is the best of several repetitions, because machines are noisy and only ever add time. A budget that is
missed is said; nothing fails, since a figure of one machine proves little about another.
"""

from __future__ import annotations

import platform
import sys

from benchmarks import airflow_tasks, commands, lineage_store, local_engine, parsing, postgresql, prefect_tasks
from benchmarks.report import Figure, show

SUBJECTS = {
    "local": local_engine.measure,
    "commands": commands.measure,
    "parsing": parsing.measure,
    "lineage": lineage_store.measure,
    "postgresql": postgresql.measure,
    "airflow": airflow_tasks.measure,
    "prefect": prefect_tasks.measure,
}


def main(names: list[str]) -> int:
    """Run the named subjects, or all."""
    unknown = set(names) - SUBJECTS.keys()
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names or SUBJECTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        figures.extend(SUBJECTS[name]())
    print(f"Python {platform.python_version()}, {platform.machine()}")
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
