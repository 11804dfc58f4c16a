"""The lineage store's contract suite on a real PostgreSQL: the same tests that run on SQLite everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from integration_tests.services.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]


def test_postgresql_keeps_the_contract(postgres: PostgresServer) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/unit/zen_metadata/lineage", "-q", "-n", "2", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "ZEN_TEST_POSTGRESQL": postgres.url("psycopg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert (
        "postgresql"
        in subprocess.run(
            [sys.executable, "-m", "pytest", "tests/unit/zen_metadata/lineage", "-q", "--collect-only"],
            cwd=ROOT,
            env={**os.environ, "ZEN_TEST_POSTGRESQL": postgres.url("psycopg")},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    ), "the suite was not run on PostgreSQL"
