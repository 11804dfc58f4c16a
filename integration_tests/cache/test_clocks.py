"""A database whose clock jumps while steps are at work: nothing is lost, and nothing wrong is taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta

import psycopg
import pytest

from integration_tests.postgresql.workers import Workers
from integration_tests.services.postgres import PostgresServer
from zen_metadata.lineage.sql import open_lineage_store

# The store asks for clock_timestamp(); in this database it finds this one before PostgreSQL's own.
CLOCK = """
CREATE SCHEMA clock;
CREATE TABLE clock.jump (by interval);
INSERT INTO clock.jump VALUES ('0');
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() + by FROM clock.jump';
ALTER DATABASE clocks SET search_path = clock, pg_catalog, public;
"""


class Clock:
    """The clock of a database."""

    def __init__(self, database: str) -> None:
        self._database = database
        with psycopg.connect(database) as connection:
            connection.execute(CLOCK)

    def jump(self, by: timedelta) -> None:
        """Let it be wrong by this much from now on."""
        with psycopg.connect(self._database) as connection:
            connection.execute("UPDATE clock.jump SET by = %s", [by])


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    yield postgres.create_database("clocks")
    postgres.drop_database("clocks")


@pytest.fixture
def clock(url: str, postgres: PostgresServer) -> Clock:
    return Clock(postgres.url(None, "clocks"))


@pytest.fixture
def workers(clock: Clock, url: str, postgres: PostgresServer) -> Iterator[Workers]:
    with ExitStack() as ended:
        yield Workers(url, postgres.url(None, "clocks"), ended)


def test_a_jump_forward_lets_another_take_over_and_the_first_is_refused(workers: Workers, clock: Clock) -> None:
    (holder,) = workers.start("holder")
    assert holder.hear()["token"] == 1
    clock.jump(timedelta(hours=1))
    (taker,) = workers.start("taker")
    assert taker.hear()["token"] == 2
    assert taker.tell("sha256:new") == {"superseded": False, "versions": {"result": 1}, "nondeterministic": False}
    assert holder.tell("sha256:old")["superseded"]
    assert [digest.strip() for (digest,) in workers.rows("SELECT digest FROM zen_artifacts")] == ["sha256:new"]


def test_a_jump_back_frees_no_lease_and_loses_no_result(workers: Workers, clock: Clock) -> None:
    (holder,) = workers.start("holder")
    assert holder.hear()["token"] == 1
    clock.jump(timedelta(days=-1))
    (waiting,) = workers.start("waiting")
    assert waiting.hear()["held"]
    assert holder.tell("beat") == {"beat": True}
    assert not holder.tell("sha256:1")["superseded"]
    assert waiting.tell("begin")["hit"]
    assert workers.rows("SELECT count(*) FROM zen_attempts WHERE ended_at < started_at") == [(0,)]


def test_a_result_from_the_future_is_of_unknown_age(workers: Workers, clock: Clock, url: str) -> None:
    clock.jump(timedelta(days=1))
    (holder,) = workers.start("holder")
    holder.hear()
    holder.tell("sha256:1")
    clock.jump(timedelta(0))
    with closing(open_lineage_store(url)) as store:
        assert store.find_cached("shop", "key") is not None
        assert store.find_cached("shop", "key", max_age_seconds=3600) is None
