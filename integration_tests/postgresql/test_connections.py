"""Connections to PostgreSQL: few, given back, and lost at any moment without losing or doubling a fact."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Literal

import psycopg
import pytest

from integration_tests.conftest import require
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import wait_until
from integration_tests.services.wire import Wire
from zen_core.errors import StoreUnavailableError
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    CommitResult,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.store import SqlLineageStore

RUN_ID = "6a3a7d8e-0000-4000-8000-000000000001"
RUN = RunRecord(RUN_ID, "shop", "train", "local", "local", RUN_ID, "ir", "code", "0.1", {})


class Step:
    """One step run with one attempt, which makes a version of the artifact that all of them make."""

    def __init__(self, number: int) -> None:
        ids = str(uuid.uuid4()), str(uuid.uuid4())
        self.step_run = StepRunRecord(ids[1], "shop", RUN_ID, "fit", number)
        self.attempt = AttemptRecord(*ids, "shop", "ir", "code", "f", True, f"key-{number}", {}, "env")
        self.made = ArtifactRecord(str(uuid.uuid4()), "shop", "train", "model", "d", "s", "int", "json", 1, "x", 1)

    def start(self, store: SqlLineageStore) -> None:
        started = store.start_attempt(self.step_run, self.attempt, lease=True, look_up=True)
        assert started.number == 1
        assert started.lease is not None
        assert started.lease.token == 1
        self.lease = started.lease

    def complete(self, store: SqlLineageStore) -> CommitResult:
        ids = self.attempt.attempt_id, self.step_run.step_run_id
        end = AttemptEnd(*ids, "completed", outputs={"result": self.made}, lease=self.lease)
        done = store.end_attempt(RUN, self.step_run, self.attempt, end)
        assert not done.superseded
        assert not done.nondeterministic
        return done


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server that may be stopped."""
    require(request, "postgresql", PostgresServer.missing())
    with PostgresServer() as server:
        server.execute("CREATE ROLE team LOGIN")
        yield server


@pytest.fixture
def database(server: PostgresServer) -> str:
    """The name of a database whose owner is a plain user, with an empty store."""
    name = f"zen_{uuid.uuid4().hex[:8]}"
    server.create_database(name)
    with psycopg.connect(server.url(None), autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("ALTER DATABASE {} OWNER TO team").format(psycopg.sql.Identifier(name)))
    with closing(open_lineage_store(url_of(server, name))) as store:
        store.find_runs()
    return name


def url_of(server: PostgresServer, database: str, port: int | None = None) -> str:
    return f"postgresql://team@127.0.0.1:{port or server.port}/{database}"


def connections_of(server: PostgresServer, database: str) -> list[str]:
    """How the store's connections stand: idle, active, idle in transaction."""
    with psycopg.connect(server.url(None), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = %s AND application_name = 'zen'", [database]
        ).fetchall()
    return [state for (state,) in rows]


def assert_recorded_once(url: str, steps: int) -> None:
    with closing(open_lineage_store(url)) as store:
        states = store.get_step_runs(RUN_ID)
        assert [(state.status, state.attempts) for state in states] == [("completed", 1)] * steps
        versions = sorted(item.version or 0 for item in store.find_artifacts("shop", name="model"))
        assert versions == list(range(1, steps + 1))
        assert len(store.pending_outbox()) == steps
        assert all(store.find_cached("shop", f"key-{state.step_run.map_index}") for state in states)


def test_many_threads_share_few_connections_and_give_them_back(server: PostgresServer, database: str) -> None:
    seen: list[list[str]] = []
    with closing(open_lineage_store(url_of(server, database))) as store:

        def work(number: int) -> None:
            step = Step(number)
            step.start(store)
            seen.append(connections_of(server, database))
            step.complete(store)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(40)))
        assert 1 <= max(map(len, seen)) <= 5
        wait_until(lambda: connections_of(server, database) == [], 10, what="the idle connections to be closed")
        assert len(store.find_runs()) == 1
    assert_recorded_once(url_of(server, database), 40)


def test_a_task_has_one_connection_and_none_while_its_code_computes(server: PostgresServer, database: str) -> None:
    with closing(open_lineage_store(url_of(server, database))) as store:
        step = Step(0)
        step.start(store)
        assert connections_of(server, database) == ["idle"]
        wait_until(lambda: connections_of(server, database) == [], 10, what="the connection to be closed")
        step.complete(store)
    assert connections_of(server, database) == []


def test_a_server_that_was_started_anew_is_used_again(server: PostgresServer, database: str) -> None:
    with closing(open_lineage_store(url_of(server, database))) as store:
        step = Step(0)
        step.start(store)
        server.pause()
        server.start()
        assert step.complete(store).versions == {"result": 1}
    assert_recorded_once(url_of(server, database), 1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_lost_at_any_message_loses_and_doubles_nothing(
    server: PostgresServer, database: str, when: Literal["before", "after"]
) -> None:
    steps = 0
    while True:
        sent: list[bytes] = []

        def cut(data: bytes, sent: list[bytes] = sent, at: int = steps) -> Literal["before", "after"] | None:
            sent.append(data)
            return when if len(sent) == at + 1 else None

        with Wire(server.port, cut=cut) as wire:
            with closing(open_lineage_store(url_of(server, database, wire.port))) as store:
                step = Step(steps)
                step.start(store)
                step.complete(store)
        steps += 1
        if len(sent) < steps:  # there was no message to lose
            break
    assert any(b"COMMIT" in data for data in sent)
    assert_recorded_once(url_of(server, database), steps)


def test_writers_go_on_where_they_were_when_the_server_is_back(server: PostgresServer, database: str) -> None:
    done = threading.Semaphore(0)

    def insist(act: Callable[[SqlLineageStore], object], store: SqlLineageStore) -> None:
        """As a spool does: the same records again, until they are taken."""
        while True:
            try:
                act(store)
            except StoreUnavailableError:
                continue
            return

    def work(number: int) -> None:
        with closing(open_lineage_store(url_of(server, database))) as store:
            for index in range(40):
                step = Step(number * 40 + index)
                insist(step.start, store)
                insist(step.complete, store)
                done.release()

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(work, number) for number in range(4)]
        for _ in range(2):
            for _ in range(30):
                assert done.acquire(timeout=30)
            server.pause()
            server.start()
        for writer in writers:
            writer.result(timeout=60)
    assert_recorded_once(url_of(server, database), 160)
