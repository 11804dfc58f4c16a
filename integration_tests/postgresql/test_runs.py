"""Whole runs on PostgreSQL: many at once on a small server, a server that goes, and one that refuses by the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from integration_tests.conftest import require
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import wait_until

PIPELINE = """
import time
from pathlib import Path
from zen_core import pipeline, step

@step
def double(number: int) -> int:
    return 2 * number

@step
def wait_for(path: str) -> str:
    Path(path + ".started").touch()
    while not Path(path).exists():
        time.sleep(0.05)
    return path

@pipeline
def doubled(number: int = 3):
    double(number)

@pipeline
def waiting(path: str):
    wait_for(path)
"""

# Processes that each run a pipeline of one step, all at once: forked, since starting Python takes longer than a step.
MANY = """
import os, sys, traceback
import zen_local.runtime, zen_metadata.lineage.sql.store, psycopg
from work import doubled

children = []
for number in range(int(sys.argv[1])):
    children.append(os.fork())
    if children[-1] == 0:
        code = 1
        try:
            os.environ["ZEN_LINEAGE_URL"] += f"?application_name=zen-{number}"
            doubled.run(number=number)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""
CONNECTIONS, RUNS = 20, 60
DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'team'"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server with few connections, and a store whose owner is a plain user."""
    require(request, "postgresql", PostgresServer.missing())
    with PostgresServer(max_connections=str(CONNECTIONS)) as server:
        with psycopg.connect(server.url(None), autocommit=True) as connection:
            connection.execute("CREATE ROLE team LOGIN")
            connection.execute("CREATE DATABASE team OWNER team")
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zen.toml").write_text(f'project = "{tmp_path.name}"\n')
    (tmp_path / "work.py").write_text(PIPELINE)
    return tmp_path


def start(server: PostgresServer, project: Path, *command: str) -> subprocess.Popen[str]:
    url = f"postgresql://team@127.0.0.1:{server.port}/team"
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=project,
        env={**os.environ, "ZEN_LINEAGE_URL": url, "ZEN_MLFLOW_SYNC": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, code: int = 0) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code, output
    return output


def zen(server: PostgresServer, project: Path, *arguments: str, code: int = 0) -> str:
    return finish(start(server, project, "-m", "zen_core.cli", *arguments), code=code)


def start_waiting(server: PostgresServer, project: Path) -> subprocess.Popen[str]:
    """A run whose step has begun, and goes on once `project / "go"` is there."""
    arguments = ("run", "work.py:waiting", "--param", f"path={project / 'go'}")
    process = start(server, project, "-m", "zen_core.cli", *arguments)
    wait_until(lambda: (project / "go.started").exists() or process.poll() is not None, 60, what="the step to begin")
    return process


def spooled(project: Path) -> list[str]:
    return sorted(path.parent.name for path in (project / ".zen").rglob("spool/*/*"))


def completed(server: PostgresServer, project: Path) -> int:
    """How many attempts of the project are recorded as completed."""
    with psycopg.connect(server.url(None, "team")) as connection:
        query = "SELECT count(*) FROM zen_attempts WHERE project = %s AND status = 'completed'"
        (count,) = connection.execute(query, [project.name]).fetchone() or (0,)
        return int(count)


def test_more_runs_than_connections_are_all_recorded_and_none_spools(server: PostgresServer, project: Path) -> None:
    process = start(server, project, "-c", MANY, str(RUNS))
    most = 0
    with psycopg.connect(server.url(None), autocommit=True) as connection:
        while process.poll() is None:
            names = [name for (name,) in connection.execute("SELECT application_name FROM pg_stat_activity")]
            most = max([most, *(names.count(name) for name in names if name.startswith("zen-"))])
    finish(process)
    assert "connection slots are reserved" in server.log, "nobody was turned away"
    assert 1 <= most <= 2, f"one process had {most} connections"
    assert spooled(project) == []
    assert completed(server, project) == RUNS


def test_a_server_that_is_restarted_while_a_step_runs_is_found_again(server: PostgresServer, project: Path) -> None:
    process = start_waiting(server, project)
    server.pause()
    server.start()
    (project / "go").touch()
    finish(process)
    assert spooled(project) == []
    assert completed(server, project) == 1


def test_what_a_step_did_is_kept_though_the_store_refuses_by_then(server: PostgresServer, project: Path) -> None:
    process = start_waiting(server, project)
    _administer(server, "ALTER ROLE team NOLOGIN", DISCONNECT)
    try:
        (project / "go").touch()
        output = finish(process)
        assert "the lineage store refuses, facts go into the spool" in output
        assert set(spooled(project)) == {"artifacts", "events"}
        refused = zen(server, project, "run", "work.py:doubled", code=4)
        assert "ZEN-M100" in refused
        assert 'role "team" is not permitted to log in' in refused
    finally:
        _administer(server, "ALTER ROLE team LOGIN")
    zen(server, project, "run", "work.py:doubled")  # records what is spooled, too
    assert spooled(project) == []
    assert completed(server, project) == 2


def _administer(server: PostgresServer, *commands: str) -> None:
    with psycopg.connect(server.url(None), autocommit=True) as connection:
        for command in commands:
            connection.execute(command)  # type: ignore[arg-type]
