"""What a step costs on a server: the round trips that `what-a-step-costs.md` states, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytest

from integration_tests.conftest import ROOT
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.wire import Wire
from zen_core import pipeline, step
from zen_core.adapter.protocol import RunRequest
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings
from zen_local import LocalAdapter
from zen_metadata.lineage.sql import open_lineage_store

PAGE = ROOT / "docs" / "explanation" / "what-a-step-costs.md"
FEW, MORE = 3, 13


@step
def count(number: int) -> dict[str, int]:
    return {"count": number}


@step
def count_on(previous: dict[str, int]) -> dict[str, int]:
    return {"count": previous["count"] + 1}


@step
def count_thrice(
    previous: dict[str, int],
) -> tuple[Annotated[dict[str, int], "a"], Annotated[dict[str, int], "b"], Annotated[dict[str, int], "c"]]:
    following = {"count": previous["count"] + 1}
    return following, {**following, "b": 0}, {**following, "c": 0}


def chain_of(length: int, kind: str) -> Any:
    """A pipeline whose steps follow one another."""

    @pipeline(name=f"chain_of_{length}_{kind}")
    def chain(number: int) -> None:
        value = count(number)
        for _ in range(length - 1):
            value = count_thrice(value).a if kind == "thrice" else count_on.with_options(cache=kind == "cached")(value)

    return chain


class Counter:
    """Runs pipelines on a store behind a wire that counts."""

    def __init__(self, wire: Wire, url: str, folder: Path) -> None:
        self._wire = wire
        settings = replace(load_settings(folder), root=folder, mlflow_sync="off", lineage_url=url)
        self._settings = settings.with_local_defaults()

    def round_trips(self, length: int, kind: str, number: int) -> int:
        """Those of one run, from its start to its end."""
        built = chain_of(length, kind).build()
        manifest = build_manifest(built.spec, built.functions, self._settings)
        before = self._wire.round_trips
        outcome = LocalAdapter().run(
            RunRequest(
                manifest=manifest, functions=built.functions, settings=self._settings, parameters={"number": number}
            )
        )
        assert outcome.status == "completed"
        return self._wire.round_trips - before

    def of_a_step(self, kind: str, number: int) -> int:
        """What a step of a longer chain takes more. Where an answer comes in two parts, one more may be counted."""
        few, more = (self.round_trips(length, kind, number + length) for length in (FEW, MORE))
        return round((more - few) / (MORE - FEW))


@pytest.fixture(scope="module")
def counter(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    url = postgres.create_database("costs")
    with closing(open_lineage_store(url)) as store:
        store.find_runs()  # makes it
    with Wire(postgres.port) as wire:
        yield Counter(wire, url.replace(f":{postgres.port}/", f":{wire.port}/"), tmp_path_factory.mktemp("costs"))


def stated(row: str) -> int:
    """What the page says."""
    lines = [line.strip("| \n").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    return int({cells[0].strip(): cells[-1] for cells in lines}[f"PostgreSQL: {row}"])


def test_a_step_takes_the_round_trips_that_are_stated(counter: Counter) -> None:
    for kind in ("cached", "thrice"):
        counter.round_trips(FEW, kind, 0)  # what is stored once for all: the code
    assert counter.of_a_step("cached", 100) == stated("executed")
    assert counter.of_a_step("cached", 100) == stated("cached")
    assert counter.of_a_step("never", 200) == stated("not cached by policy")
    assert counter.of_a_step("thrice", 300) == stated("executed") + 2 * stated("each further artifact")
    alone = min(counter.round_trips(1, "cached", 100 + FEW) for _ in range(3))  # an answer in two parts counts twice
    assert alone <= stated("a new process, one cached step, the end of the run")
