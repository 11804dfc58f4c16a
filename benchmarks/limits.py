"""What nobody can do without: a commit, a file, a digest. The figures of Zen are compared with these."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Figure

REPETITIONS = 200


def measure() -> list[Figure]:
    """Milliseconds for each."""
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        return [
            Figure("bare: a commit of one row, SQLite as Zen opens it", commit(Path(folder)), "ms"),
            Figure("bare: 1 kB written and renamed", write(Path(folder), durable=False), "ms"),
            Figure("bare: 1 kB written, synced to the disk and renamed", write(Path(folder), durable=True), "ms"),
            Figure("bare: SHA-256 of 1 kB", best(lambda: hashlib.sha256(b"x" * 1000).hexdigest()), "ms"),
        ]


def commit(folder: Path) -> float:
    """One row in one transaction."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE facts (id INTEGER PRIMARY KEY, text TEXT)")

    def insert() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO facts (text) VALUES (?)", ("x" * 200,))
        connection.execute("COMMIT")

    try:
        return best(insert)
    finally:
        connection.close()


def write(folder: Path, *, durable: bool) -> float:
    """A small file that is complete as soon as it has its name."""

    def one() -> None:
        temporary = folder / "bare.tmp"
        with temporary.open("wb") as file:
            file.write(b"x" * 1000)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.rename(folder / "bare")

    return best(one)


def best(action: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """The best of many, in milliseconds: a machine only ever adds time."""
    found = float("inf")
    for _ in range(repetitions):
        started = time.perf_counter()
        action()
        found = min(found, time.perf_counter() - started)
    return found * 1000
