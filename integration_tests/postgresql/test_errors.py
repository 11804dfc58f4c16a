"""What is said when PostgreSQL refuses: the fact, the address without password, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from integration_tests.conftest import require
from integration_tests.postgresql.test_connections import RUN, Step, assert_recorded_once
from integration_tests.services.postgres import PostgresServer
from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.lineage.sql import checking, open_lineage_store, schema, upgrading

ACCESS = """\
host secured team 127.0.0.1/32 scram-sha-256
host encrypted team 127.0.0.1/32 reject
host all lonely 127.0.0.2/32 trust
host all postgres,guest,reader,full,nobody 127.0.0.1/32 trust
"""
PIPELINE = """
from pathlib import Path
from zen_core import pipeline, step

@step(cache=False)
def touch() -> str:
    Path("done").touch()
    return "done"

@pipeline
def once():
    touch()
"""


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server that refuses for many reasons."""
    require(request, "postgresql", PostgresServer.missing())
    with PostgresServer(access=ACCESS) as server:
        server.execute("CREATE ROLE team LOGIN PASSWORD 'right'")
        for role in ("guest", "reader", "lonely"):
            server.execute(f"CREATE ROLE {role} LOGIN")
        server.execute('CREATE ROLE "full" LOGIN CONNECTION LIMIT 0')
        server.execute("CREATE DATABASE secured OWNER team")
        server.execute("CREATE DATABASE encrypted OWNER team")
        server.create_database("plain")
        yield server


@pytest.mark.parametrize(
    ("address", "said", "hint"),
    [
        ("team:wrong-secret@{host}/secured", 'password authentication failed for user "team"', "or set PGPASSWORD"),
        ("team@{host}/secured", "no password supplied", "correct user and password in ZEN_LINEAGE_URL"),
        ("guest@{host}/missing", 'database "missing" does not exist', "CREATE DATABASE missing OWNER guest"),
        ("nobody@{host}/plain", 'role "nobody" does not exist', "CREATE ROLE nobody LOGIN"),
        ("team:secret@{host}/encrypted", "pg_hba.conf rejects connection", "add ?sslmode=require to ZEN_LINEAGE_URL"),
        ("lonely@{host}/plain?sslmode=disable", "no pg_hba.conf entry for host", "pg_hba.conf needs a line"),
        ("guest@{host}/plain?sslmode=require", "server does not support SSL", "correct sslmode and sslrootcert"),
        ("guest@{host}/plain?sslmode=secret", "invalid sslmode value", "correct sslmode"),
        ("guest@{host}/plain?colour=blue", "colour", "correct what follows the ? in ZEN_LINEAGE_URL"),
        ("guest@{host}/plain", "permission denied for schema public", "GRANT USAGE, CREATE ON SCHEMA public TO guest"),
    ],
)
def test_what_no_second_try_can_mend(server: PostgresServer, address: str, said: str, hint: str) -> None:
    url = "postgresql://" + address.format(host=f"127.0.0.1:{server.port}")
    with closing(open_lineage_store(url)) as store, pytest.raises(StoreError) as caught:
        store.find_runs()
    (told,) = caught.value.diagnostics
    assert not caught.value.transient
    shown = url.rpartition("@")[2].partition("?")[0]
    assert f"://{shown} refuses: " in told.message
    assert said in told.message
    assert told.why
    assert hint in told.hint
    # An orchestrator's log shows the causes too.
    assert "wrong-secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("address", "why", "hint"),
    [
        ("team:secret@127.0.0.1:1/plain", "Connection refused", "check that the database runs"),
        ("team:secret@no.such.host.invalid/plain", "no.such.host.invalid", "correct the host in ZEN_LINEAGE_URL"),
    ],
)
def test_what_may_pass(address: str, why: str, hint: str) -> None:
    with closing(open_lineage_store(f"postgresql://{address}")) as store:
        with pytest.raises(StoreUnavailableError) as caught:
            store.find_runs()
    (told,) = caught.value.diagnostics
    assert caught.value.transient
    assert why in told.why
    assert hint in told.hint
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_a_full_server_is_waited_for_and_then_named(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zen_metadata.lineage.sql.database._CROWDED_SECONDS", 0.5)
    with closing(open_lineage_store(f"postgresql://full@127.0.0.1:{server.port}/plain")) as store:
        with pytest.raises(StoreUnavailableError, match="cannot be used at present") as caught:
            store.find_runs()
    assert caught.value.diagnostics[0].why == 'too many connections for role "full"'
    assert "raise the server's max_connections" in caught.value.diagnostics[0].hint


def test_the_rights_that_are_named_are_enough(server: PostgresServer) -> None:
    server.create_database("shared")
    owned, foreign = (f"postgresql://{user}@127.0.0.1:{server.port}/shared" for user in ("guest", "reader"))
    server.execute("GRANT USAGE, CREATE ON SCHEMA public TO guest", "shared")
    with closing(open_lineage_store(owned)) as store:
        store.open_run(RUN, {})
    with closing(open_lineage_store(foreign)) as store:
        with pytest.raises(StoreError, match="permission denied for table zen_schema") as caught:
            store.find_runs()
        hint = caught.value.diagnostics[0].hint
        assert hint.startswith("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO reader;")
        server.execute(hint, "shared")
        step = Step(0)
        step.start(store)
        step.complete(store)
    assert_recorded_once(foreign, 1)
    assert upgrading.upgrade(foreign).after == schema.REVISIONS[-1]  # nothing to do needs no more


@pytest.mark.parametrize("command", [["run", "work.py:once"], ["store", "upgrade"]], ids=" ".join)
def test_commands_say_it_without_a_traceback(server: PostgresServer, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "zen.toml").write_text('project = "shop"\n')
    (tmp_path / "work.py").write_text(PIPELINE)
    url = f"postgresql://team:wrong%40secret@127.0.0.1:{server.port}/secured"
    done = subprocess.run(
        [sys.executable, "-m", "zen_core.cli", *command],
        cwd=tmp_path,
        env={**os.environ, "ZEN_LINEAGE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert 'refuses: password authentication failed for user "team"' in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert not (tmp_path / "done").exists()  # no step ran


def test_upgrades_at_once_make_one_store(server: PostgresServer, tmp_path: Path) -> None:
    url = server.create_database("upgraded")
    program = f"from zen_metadata.lineage.sql import upgrading; print(upgrading.upgrade({url!r}).after)"
    command = [sys.executable, "-c", program]
    upgrades = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for upgrade in upgrades:
        out, err = upgrade.communicate(timeout=120)
        assert (out.strip(), upgrade.returncode) == (schema.REVISIONS[-1], 0), err
    assert checking.check(url).problems == ()
