"""The commands of "Share one store in a team: PostgreSQL", typed against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from integration_tests.how_to.page import follow
from integration_tests.services.postgres import PostgresServer

PIPELINE = """
from zen_core import pipeline, step

@step
def double(number: int) -> int:
    return 2 * number

@pipeline
def doubled(number: int = 3):
    double(number)
"""


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Without the page's database and roles afterwards."""
    yield postgres
    postgres.drop_database("zen")
    with psycopg.connect(postgres.url(None), autocommit=True) as connection:
        for role in ("zen_readers", "zen_tasks", "zen"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zen.toml").write_text('project = "team"\n')
    (tmp_path / "doubles.py").write_text(PIPELINE)
    return tmp_path


def test_page_leads_to_a_store_that_owner_tasks_and_readers_share(server: PostgresServer, project: Path) -> None:
    here = f"127.0.0.1:{server.port}"
    printed = follow(
        "share-one-store.md",
        project,
        instead={"db.example.com": here},
        environment=_environment(project, PGHOST="127.0.0.1", PGPORT=str(server.port), PGUSER="postgres"),
        after={},
    )
    assert "secret@" not in printed.replace(f"export ZEN_LINEAGE_URL=postgresql://zen:secret@{here}/zen", "")

    tasks = _environment(project, ZEN_LINEAGE_URL=f"postgresql://zen_tasks:secret@{here}/zen")
    readers = _environment(project, ZEN_LINEAGE_URL=f"postgresql://zen_readers:secret@{here}/zen")
    _zen(["run", "doubles.py:doubled"], project, tasks)
    assert "1 cached" in _zen(["run", "doubles.py:doubled"], project, tasks)
    assert _zen(["runs"], project, readers).count("doubled") == 2
    refused = _zen(["run", "doubles.py:doubled"], project, readers, code=4)
    assert "permission denied" in refused
    assert "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO zen_readers" in refused


def _environment(project: Path, **variables: str) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_", "PG"))}
    programs = Path(sys.executable).parent
    return {**kept, "PATH": f"{programs}{os.pathsep}{kept['PATH']}", "ZEN_MLFLOW_SYNC": "off", **variables}


def _zen(arguments: list[str], project: Path, environment: Mapping[str, str], *, code: int = 0) -> str:
    command = [Path(sys.executable).with_name("zen"), *arguments]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode == code, printed
    assert "secret" not in printed
    return printed
