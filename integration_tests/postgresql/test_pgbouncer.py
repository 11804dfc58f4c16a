"""A store behind PgBouncer in transaction mode: nothing of Zen's hangs on the connection from one transaction on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from integration_tests.conftest import require
from integration_tests.postgresql.test_connections import Step, assert_recorded_once
from integration_tests.services.pgbouncer import PgBouncer
from integration_tests.services.postgres import PostgresServer
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.tracking.locks import drain_lock


@pytest.fixture(scope="module")
def bouncer(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[PgBouncer]:
    require(request, "pgbouncer", PgBouncer.missing())
    with PgBouncer(postgres) as bouncer:
        yield bouncer


def test_several_stores_share_three_connections(postgres: PostgresServer, bouncer: PgBouncer) -> None:
    postgres.create_database("bounced")
    url = bouncer.url("psycopg", "bounced")
    with ExitStack() as closed:
        stores = [closed.enter_context(closing(open_lineage_store(url))) for _ in range(4)]

        def work(number: int) -> None:
            # More than the five times after which psycopg would prepare a statement.
            step = Step(number)
            step.start(stores[number % 4])
            step.complete(stores[(number + 1) % 4])

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(120)))
    assert_recorded_once(url, 120)


def test_the_right_to_project_is_held_and_given_back(postgres: PostgresServer, bouncer: PgBouncer) -> None:
    postgres.create_database("locked")
    url = bouncer.url("psycopg", "locked")
    for _ in range(5):  # a lock that was left behind would be found sooner or later
        with drain_lock(url, "shop", wait=False) as first:
            with drain_lock(url, "shop", wait=False) as second, drain_lock(url, "other", wait=False) as third:
                assert (first, second, third) == (True, False, True)
    with drain_lock(postgres.url("psycopg", "locked"), "shop", wait=False) as direct:
        assert direct
