"""Gathers what each engine made of a pipeline, and prints it as one table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration_tests.equivalence.engines import Engine, engines_here


@dataclass
class Comparison:
    """What was compared, to be read by a person."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, engine: str, document: Mapping[str, Any]) -> None:
        """Note each step of a run."""
        for step in document["steps"]:
            digests = ", ".join(
                f"{name} {output['digest'].partition(':')[2][:12]}" for name, output in step["outputs"].items()
            )
            attempts = f" after {step['attempts']} attempts" if step["attempts"] > 1 else ""
            self.rows.append((engine, step["name"], digests or "-", f"{step['status']}{attempts}"))

    def lines(self) -> list[str]:
        """The table: what engines agree on is one line, with all of them."""
        agreed: dict[tuple[str, str, str], list[str]] = {}
        for engine, *what in self.rows:
            agreed.setdefault((what[0], what[1], what[2]), []).append(engine)
        head = ("step", "digest", "status", "engines")
        steps = list(dict.fromkeys(step for step, *_ in agreed))
        rows = [(*what, ", ".join(engines)) for what, engines in agreed.items()]
        rows = [head, *sorted(rows, key=lambda row: steps.index(row[0]))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return [*lines, "", *self.notes]


@dataclass
class MeaningTable:
    """Case by engine: whether what came of it is what the case says, and what the embedded engine made of it."""

    cells: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, case: str, engine: str, outcome: str) -> None:
        """Note one case on one engine."""
        self.cells.setdefault(case, {})[engine] = outcome

    def lines(self) -> list[str]:
        """The table."""
        engines = list(dict.fromkeys(engine for row in self.cells.values() for engine in row))
        width = max(map(len, self.cells), default=0)
        head = "  ".join(["case".ljust(width), *engines])
        rows = (
            "  ".join([case.ljust(width), *(row.get(engine, "").ljust(len(engine)) for engine in engines)]).rstrip()
            for case, row in self.cells.items()
        )
        return [head, *rows]


_COMPARISON = pytest.StashKey[Comparison]()
_MEANING = pytest.StashKey[MeaningTable]()


@pytest.fixture(scope="session")
def comparison(request: pytest.FixtureRequest) -> Comparison:
    """The table that is printed at the end."""
    return request.config.stash.setdefault(_COMPARISON, Comparison())


@pytest.fixture(scope="session")
def meaning_table(request: pytest.FixtureRequest) -> MeaningTable:
    """The table of cases that is printed at the end."""
    return request.config.stash.setdefault(_MEANING, MeaningTable())


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> dict[str, Engine]:
    """All engines that this machine can run; two at least, or there is nothing to compare."""
    found = engines_here(request)
    if len(found) < 2:
        pytest.skip(f"only {', '.join(found)}: nothing to compare it with")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if table := config.stash.get(_MEANING, None):
        terminalreporter.section("what each pipeline means, on every engine")
        for line in table.lines():
            terminalreporter.write_line(line)
    if comparison := config.stash.get(_COMPARISON, None):
        terminalreporter.section("one pipeline on every engine")
        for line in comparison.lines():
            terminalreporter.write_line(line)
