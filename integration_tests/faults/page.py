"""Plays the whole matrix and writes it into the documentation: `make faults`.

    python -m integration_tests.faults.page

Takes many minutes. Ends with exit code 1, and with what does not hold, where something does not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql

from integration_tests.faults.matrix import SEQUENCES, Matrix, Outcome, schedule, told
from integration_tests.faults.named_points import meaning_of
from integration_tests.services.postgres import PostgresServer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "what-survives-what.md"
BEGIN, END = "<!-- the matrix: written by make faults -->", "<!-- the end of the matrix -->"
_FAST = "/dev/shm"
_SHOWN = 3
_FAULTS = {"kill": "killed", "tear": "killed, half written", "raise": "fails once"}
_ON_POSTGRESQL = ("executed", "cached", "closing", "replay")
"""The parts that differ by the store: transactions, and what is sent without waiting."""


def main() -> int:
    """Play, write, and tell what does not hold."""
    problems: list[str] = []
    sections = []
    points: set[str] = set()
    for store in ("SQLite", "PostgreSQL"):
        outcomes = play(store)
        problems += told(outcomes)
        points |= {outcome.entry.point for outcome in outcomes}
        held = sum(not outcome.problems for outcome in outcomes)
        sections += [f"### {store}: {len(outcomes)} faults, {held} as promised", "", *rows(outcomes), ""]
    sections += ["### The points", "", *names(points)]
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    text = "\n".join([f"{before}{BEGIN}", "", *sections, "", END + rest.split(END)[1]])
    PAGE.write_text(text, encoding="utf-8")
    print("\n".join([*problems, f"{len(problems)} promises do not hold"]))
    return 1 if problems else 0


def play(store: str) -> list[Outcome]:
    """All faults at all points, on one kind of store."""
    with ExitStack() as ended:
        folder = Path(ended.enter_context(TemporaryDirectory(dir=_FAST if Path(_FAST).is_dir() else None)))
        if store == "SQLite":
            return play_parts(Matrix(folder), list(SEQUENCES))
        databases = Databases(ended.enter_context(PostgresServer()))
        return play_parts(Matrix(folder, databases.make), _ON_POSTGRESQL, after=databases.drop_copies)


def play_parts(matrix: Matrix, parts: Sequence[str], after: Callable[[], None] = lambda: None) -> list[Outcome]:
    """Play parts, one after another."""
    recorded = matrix.record(parts)
    outcomes = []
    for part, points in recorded.items():
        entries = schedule({part: points})
        entries += [it for it in schedule({part: points}, action="tear") if it.point.startswith("rename tmp")]
        if SEQUENCES[part].runs_user_code:
            entries += [it for it in schedule({part: points}, action="raise") if "user code" not in it.point]
        outcomes += matrix.run(entries, recorded)
        print(f"{part}: {len(entries)} faults", flush=True)
        after()
    return outcomes


class Databases:
    """Databases of a server, each a copy of another one, and gone when they are not needed any more."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._copies: list[str] = []

    def make(self, name: str, template: str | None) -> str:
        """For `Matrix`."""
        if template is None:
            return self._server.create_database(name)
        with psycopg.connect(self._server.url(None), autocommit=True) as connection:
            copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        self._copies.append(name)
        return self._server.url("psycopg", name)

    def drop_copies(self) -> None:
        """Drop those that were copied."""
        while self._copies:
            self._server.drop_database(self._copies.pop())


def rows(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A table; points that follow one another and have the same outcome are one row."""
    yield "| what is ended | fault | from | to | points | what becomes of it | as promised |"
    yield "|---|---|---|---|---:|---|---|"
    for (part, fault, became), group in groupby(
        outcomes, key=lambda it: (it.entry.sequence, it.entry.action, it.became)
    ):
        found = list(group)
        held = "yes" if not any(outcome.problems for outcome in found) else "**no**"
        first, last = found[0].entry.point, found[-1].entry.point
        title = SEQUENCES[part].title
        yield f"| {title} | {_FAULTS[fault]} | `{first}` | `{last}` | {len(found)} | {became} | {held} |"


def _alike(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.entry.sequence, outcome.entry.action, outcome.became


def names(points: set[str]) -> Iterator[str]:
    """A table of what happens at the points that were passed."""
    yield "| point | what happens there | promised of a process that is killed before |"
    yield "|---|---|---|"
    alike: dict[tuple[str, str], list[str]] = {}
    for point in sorted(points):
        alike.setdefault(meaning_of(point) or ("", ""), []).append(f"`{point}`")
    for (what, promised), named in alike.items():
        shown = ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")
        yield f"| {shown} | {what} | {promised} |"


if __name__ == "__main__":
    sys.exit(main())
