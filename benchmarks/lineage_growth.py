"""How questions and steps fare as the history grows: a thousand to a million attempts, on SQLite and PostgreSQL.

`python -m benchmarks growth`; `python -m benchmarks.lineage_growth SIZE ...` for other sizes. A million attempts are
some nine million rows, which take SQLite a few minutes to write.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks.history import PIPELINES, PROJECT, STEPS, History, write_history
from benchmarks.lineage_store import Session
from benchmarks.report import Figure, show
from integration_tests.services.postgres import PostgresServer
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.store import SqlLineageStore

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPETITIONS = 20
LARGEST_GROWTH = 3.0
"""How many times slower the longest history may be than the shortest: an index is some levels deeper."""
_SHORTEST = 0.2
"""Milliseconds; ratios to less than that say more of the clock than of the store."""


def measure() -> list[Figure]:
    """Milliseconds of each read and step at each size, and the ratio of the longest history to the shortest."""
    figures = _curves("SQLite", _sqlite(), SIZES)
    if missing := PostgresServer.missing():
        print(f"PostgreSQL: left out, {missing}", file=sys.stderr)
        return figures
    return figures + _curves("PostgreSQL", _postgresql(), SIZES)


def _curves(database: str, urls: Iterator[str], sizes: tuple[int, ...]) -> list[Figure]:
    values: dict[str, list[float]] = {}
    counts: dict[str, set[int]] = {}
    for size, url in zip(sizes, urls, strict=False):
        history = write_history(url, size)
        with closing(open_lineage_store(url)) as store:
            for what, value in (*_reads(store, history), *_steps(store)):
                values.setdefault(what, []).append(value)
        if database == "SQLite":
            for what, count in _count_statements(url).items():
                counts.setdefault(what, set()).add(count)
    for what, different in counts.items():
        if len(different) > 1:
            raise RuntimeError(f"{what} takes {sorted(different)} statements, by the length of the history")
    labels = [f"{size:,}" for size in sizes]
    figures = []
    for what, found in values.items():
        curve = ", ".join(f"{label}: {value:.2f}" for label, value in zip(labels, found, strict=True))
        growth = found[-1] / max(found[0], _SHORTEST)
        figures.append(Figure(f"{database}: {what} ({curve} ms)", growth, "x", LARGEST_GROWTH))
    return figures


def _reads(store: SqlLineageStore, history: History) -> Iterator[tuple[str, float]]:
    last = store.find_runs(PROJECT, limit=1)[0]
    middle = store.find_run(history.run_id(history.runs // 2))[0]
    (made,) = store.get_artifacts([history.artifact_id(STEPS * PIPELINES + STEPS - 1)]).values()
    name = {"name": made.name, "pipeline": made.pipeline}
    assert last.started_at is not None
    lately = last.started_at - timedelta(hours=6)
    questions: dict[str, Callable[[], object]] = {
        "zen runs": lambda: store.find_step_statuses([run.run_id for run in store.find_runs(PROJECT, limit=20)]),
        "zen runs --before (the middle)": lambda: store.find_runs(PROJECT, limit=20, before=middle),
        "zen runs --pipeline": lambda: store.find_runs(PROJECT, pipeline=last.pipeline, limit=20),
        "zen show RUN": lambda: store.get_step_runs(store.find_run(last.run_id[:8], PROJECT)[0].run_id),
        "zen artifacts": lambda: store.find_newest(
            [item.artifact_id for item in store.find_artifacts(PROJECT, limit=100)]
        ),
        "zen artifacts NAME --before": lambda: store.find_artifacts(PROJECT, limit=100, before=made, **name),
        "the version that a name stands for": lambda: store.find_version(PROJECT, made.pipeline, made.name, None),
        "zen lineage ARTIFACT --up": lambda: store.find_producers(store.find_ancestors([made.artifact_id], limit=100)),
        "zen lineage ARTIFACT --down": lambda: store.find_consumers(
            store.find_descendants([made.artifact_id], limit=100)
        ),
        "zen why": lambda: store.find_earlier_attempts(
            PROJECT, last.pipeline, ["step_3"], before=last.started_at, but_run=last.run_id
        ),
        "zen cache ls": lambda: store.list_cache_entries(PROJECT, limit=50),
        "zen cache stats, of six hours": lambda: store.find_cache_use(PROJECT, since=lately),
        "what is pending in the outbox": store.pending_outbox,
    }
    for what, ask in questions.items():
        yield what, _best(ask, time.perf_counter)


def _steps(store: SqlLineageStore) -> Iterator[tuple[str, float]]:
    """CPU of this process, which SQLite's work is part of."""
    session = Session(store)
    for what, operation in (("executed", session.execute), ("cached", session.reuse)):
        each = _best(lambda: session.each(operation), time.process_time) / session.steps  # noqa: B023 - at once
        yield f"a step {what}, CPU", each


def _count_statements(url: str) -> dict[str, int]:
    """How many statements a step takes."""
    asked: list[str] = []
    with _heard(asked), closing(open_lineage_store(url)) as store:
        session = Session(store)
        counts = {}
        for what, operation in (("a step executed", session.execute), ("a step cached", session.reuse)):
            operation(0)
            asked.clear()
            operation(0)
            counts[what] = len(asked)
        return counts


@contextmanager
def _heard(asked: list[str]) -> Iterator[None]:
    def listen(connection: object, record: object) -> None:
        connection.set_trace_callback(asked.append)  # type: ignore[attr-defined]

    event.listen(Engine, "connect", listen)
    yield
    event.remove(Engine, "connect", listen)


def _best(action: Callable[[], object], clock: Callable[[], float]) -> float:
    best = float("inf")
    action()
    for _ in range(REPETITIONS):
        started = clock()
        action()
        best = min(best, clock() - started)
    return best * 1000


def _sqlite() -> Iterator[str]:
    while True:
        with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
            yield f"sqlite:///{folder}/zen.db"


def _postgresql() -> Iterator[str]:
    with PostgresServer(shared_buffers="512MB") as server:
        for name in map("growth_{}".format, range(len(SIZES))):
            server.create_database(name)
            yield server.socket_url("psycopg", name)


if __name__ == "__main__":
    show(_curves("SQLite", _sqlite(), tuple(map(int, sys.argv[1:])) or SIZES))
