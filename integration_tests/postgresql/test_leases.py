"""Leases between processes: a holder that is killed, two that take over at once, a holder that wakes up too late."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from integration_tests.postgresql.workers import Workers
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.processes import wait_until


@pytest.fixture
def workers(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[Workers]:
    name = f"leases_{abs(hash(request.node.name))}"
    url = postgres.create_database(name)
    with ExitStack() as ended:
        yield Workers(url, postgres.url(None, name), ended)
    postgres.drop_database(name)


def test_a_killed_holders_key_is_free_once_its_lease_expires_and_one_of_two_takes_it(workers: Workers) -> None:
    (holder,) = workers.start("holder")
    assert holder.hear() == {"number": 1, "token": 1, "held": False, "hit": False}
    holder.process.send_signal(signal.SIGKILL)
    holder.process.wait()

    takers = workers.start("left", "right")
    assert [taker.hear()["held"] for taker in takers] == [True, True]
    workers.let_pass(121)
    for taker in takers:  # both at once: neither hears before both are told
        taker.say("begin")
    said = {taker.hear()["token"]: taker for taker in takers}
    assert said.keys() == {2, None}
    assert said[2].tell("sha256:1") == {"superseded": False, "versions": {"result": 1}, "nondeterministic": False}
    assert said[None].tell("begin")["hit"]


def test_a_retry_of_the_same_step_takes_over_at_once(workers: Workers) -> None:
    (first,) = workers.start("fit")
    assert first.hear()["token"] == 1
    first.stop()
    (second,) = workers.start("fit")
    assert second.hear() == {"number": 2, "token": 2, "held": False, "hit": False}


def test_a_holder_that_was_away_too_long_is_refused(workers: Workers) -> None:
    (sleeper,) = workers.start("sleeper")
    assert sleeper.hear()["token"] == 1
    sleeper.process.send_signal(signal.SIGSTOP)
    workers.let_pass(121)
    (taker,) = workers.start("taker")
    assert taker.hear()["token"] == 2
    sleeper.process.send_signal(signal.SIGCONT)

    before = workers.rows("SELECT expires_at FROM zen_leases")
    assert sleeper.tell("beat") == {"beat": True}
    assert workers.rows("SELECT expires_at FROM zen_leases") == before, "an old token extended the lease"
    assert sleeper.tell("sha256:old")["superseded"]
    assert not taker.tell("sha256:new")["superseded"]
    found = workers.rows("SELECT attempt.status FROM zen_attempts attempt ORDER BY attempt.step_run_id")
    assert found == [("superseded",), ("completed",)]
    assert [digest.strip() for (digest,) in workers.rows("SELECT digest FROM zen_artifacts")] == ["sha256:new"]


def test_a_lock_of_a_killed_process_does_not_stay(workers: Workers, postgres: PostgresServer) -> None:
    """Killed in the middle of a transaction, with the step run's row locked: the server frees it."""
    (first,) = workers.start("fit")
    first.hear()
    command = """
import sys, psycopg
connection = psycopg.connect(sys.argv[1])
connection.execute("SELECT 1 FROM zen_leases FOR UPDATE")
print("locked", flush=True)
sys.stdin.read()
"""
    arguments = [sys.executable, "-c", command, workers.database]
    locker = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert locker.stdout is not None
    assert locker.stdout.readline() == "locked\n"
    (waiting,) = workers.start("other")
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    wait_until(lambda: workers.rows(query) == [(1,)], 30, what="the other to wait for the lock")
    locker.kill()
    locker.communicate()
    assert waiting.hear()["held"]
