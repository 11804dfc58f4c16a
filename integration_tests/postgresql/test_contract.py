"""The lineage store's contract suite on a real PostgreSQL, and on both lines of SQLAlchemy that orchestrators bring."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration_tests.conftest import ROOT, require
from integration_tests.services.postgres import PostgresServer

SUITE = ("tests/unit/zen_metadata/lineage", "tests/property/test_lineage_store.py")
SQLALCHEMY_14 = ROOT / ".venvs" / "sqlalchemy14" / "bin" / "python"


@pytest.mark.parametrize("version", ["2.1", "1.4"])
def test_the_store_keeps_its_contract(request: pytest.FixtureRequest, postgres: PostgresServer, version: str) -> None:
    """The tests that run on SQLite everywhere, each on SQLite and on PostgreSQL."""
    python = Path(sys.executable)
    if version == "1.4":
        python = SQLALCHEMY_14
        missing = None if python.exists() else "needs .venvs/sqlalchemy14: make .venvs/sqlalchemy14/ready"
        require(request, "SQLAlchemy 1.4", missing)
    # Without a driver in it, as a user writes it: what is installed decides.
    environment = {**os.environ, "ZEN_TEST_POSTGRESQL": postgres.url(None)}
    command = [python, "-m", "pytest", *SUITE, "-q", "-n", "2", "-p", "no:cacheprovider", "-rA"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    for database in ("postgresql", "sqlite"):
        assert f"[{database}]" in done.stdout, f"the suite was not run on {database}"
    drawn = subprocess.run([python, "-c", "import sqlalchemy; print(sqlalchemy.__version__)"], capture_output=True)
    assert drawn.stdout.decode().startswith(f"{version}.")
