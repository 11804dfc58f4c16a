"""Crowds of writers: no error, and nothing lost. `make faults` has them in full; here they are smaller."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from integration_tests.conftest import require
from integration_tests.faults.load import crowd
from integration_tests.services.pgbouncer import PgBouncer
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.wire import Wire

FULL = os.environ.get("ZEN_FAULTS") == "full"


class Weather:
    """When connections are cut: now and then a single one, and for stretches of time all of them."""

    def __init__(self, seed: int) -> None:
        self.cuts = 0
        self._random = random.Random(seed)
        self._began = 0.0
        self._outages: list[tuple[float, float]] = []
        moment = 0.0
        while moment < 120:
            moment += self._random.uniform(0.3, 3.0)
            self._outages.append((moment, moment + self._random.uniform(0.1, 1.0)))

    def cut(self, data: bytes) -> Literal["before", "after"] | None:
        """For `Wire`."""
        self._began = self._began or time.monotonic()
        passed = time.monotonic() - self._began
        if self._random.random() >= 0.02 and not any(start < passed < end for start, end in self._outages):
            return None
        self.cuts += 1
        return self._random.choice(("before", "after"))


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database."""
    yield postgres.create_database("crowd")
    postgres.drop_database("crowd")


def test_writers_of_one_sqlite_file(tmp_path: Path) -> None:
    print(crowd(tmp_path, 50 if FULL else 16, f"sqlite:///{tmp_path}/zen.db"))


def test_writers_of_one_postgresql(database: str, tmp_path: Path) -> None:
    print(crowd(tmp_path, 200 if FULL else 40, database))


def test_writers_behind_pgbouncer(
    request: pytest.FixtureRequest, postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    require(request, "pgbouncer", PgBouncer.missing())
    with PgBouncer(postgres) as bouncer:
        print(crowd(tmp_path, 200 if FULL else 16, database, through=bouncer.url(None, "crowd")))


def test_a_wire_that_is_cut_and_delayed_at_random(postgres: PostgresServer, database: str, tmp_path: Path) -> None:
    """The store's answers are lost before and after it has done what was asked: the spool has them, and nothing twice.

    ZEN_FAULT_SEED repeats what a failure printed.
    """
    seed = int(os.environ.get("ZEN_FAULT_SEED") or random.randrange(1 << 30))
    print(f"ZEN_FAULT_SEED={seed}")
    weather = Weather(seed)
    with Wire(postgres.port, delay_seconds=0.002, cut=weather.cut) as wire:
        through = f"postgresql://postgres@127.0.0.1:{wire.port}/crowd"
        print(crowd(tmp_path, 40 if FULL else 16, database, through=through))
    print(f"{weather.cuts} connections were cut")
    assert weather.cuts
