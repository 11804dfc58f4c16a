"""Crowds of writers, each a process with a run of its own: 50 on one SQLite file, 200 on PostgreSQL, nothing lost."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.report import Figure
from integration_tests.faults.load import Figures, crowd
from integration_tests.services.postgres import PostgresServer


def measure() -> list[Figure]:
    """What a crowd's commits take, and how many steps it does; an error or a lost fact ends the benchmark."""
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        found = _figures("SQLite", crowd(Path(folder), 50, f"sqlite:///{folder}/zen.db"))
    if missing := PostgresServer.missing():
        print(f"PostgreSQL: left out, {missing}", file=sys.stderr)
        return found
    with PostgresServer() as server, tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        return found + _figures("PostgreSQL", crowd(Path(folder), 200, server.create_database("crowd")))


def _figures(database: str, went: Figures) -> list[Figure]:
    crowd_of = f"{database}: {went.writers} writers at once, {went.steps_per_second:.0f} steps a second"
    return [
        Figure(f"{crowd_of}, a commit: median", went.median_commit_ms, "ms"),
        Figure(f"{crowd_of}, a commit: 95 of 100 within", went.p95_commit_ms, "ms"),
    ]
