"""Cleaning up what the small engine for hand-made pipelines made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from zen_core.contract.bindings import OutputBinding, ParameterBinding
from zen_core.ir.specs import CacheSpec
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores
from zen_metadata.retention.choosing import Policy
from zen_metadata.retention.collecting import Collected, collect

_MOMENT_DAYS = 1 / 86_400
"""A second: files that were stored just now are not told from those that are being stored."""


class House:
    """A project that makes rows, and a model of them, and is cleaned up."""

    def __init__(self, engine: Any, make_code: Callable[..., Any]) -> None:
        self.engine = engine
        self.code = make_code
        self.stores = ReadStores(engine.settings)
        self.made: list[int] = []

    def run(self, n: int, **facts: Any) -> Run:
        """Rows from n on, and their sum."""

        def load(n: int) -> list[int]:
            self.made.append(n)
            return list(range(n, n + 50))

        cached = {"_cache": CacheSpec(enabled=True)}
        steps = (
            self.code("rows", load, n=ParameterBinding(parameter="n"), **cached),
            self.code("model", lambda rows: [sum(rows)], rows=OutputBinding(step="rows", output="result"), **cached),
        )
        run: Run = self.engine.run(*steps, parameters={"n": n}, **facts)
        assert self.engine.failures == {}
        self.age("objects", _MOMENT_DAYS)
        return run

    def collect(self, *, delete: bool = True, older_than_seconds: float = 0, **policy: Any) -> Collected:
        return collect(self.stores, Policy(older_than_seconds=older_than_seconds, **policy), delete=delete, by="ana")

    def versions(self, name: str) -> dict[int, bool]:
        """Whether each version of a name is there."""
        found = {item.version: not item.deletion for item in self.engine.client.artifacts(name)}
        return {version: found[version] for version in sorted(found)}

    def age(self, prefix: str, days: float) -> None:
        """Make the files below a folder of the artifact store older."""
        for file in self.stores.artifacts.files(prefix):
            path = self.stores.artifacts.local_path(file.location)
            assert file.modified_at is not None
            if path is None:
                return
            os.utime(path, (file.modified_at - days * 86_400,) * 2)

    def objects(self) -> list[str]:
        return self.stores.artifacts.list("objects")


@pytest.fixture
def house(engine: Any, make_code: Callable[..., Any]) -> Iterator[House]:
    house = House(engine, make_code)
    yield house
    house.stores.close()
