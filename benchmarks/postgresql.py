"""The lineage store on PostgreSQL: a chain of 100 steps on the embedded engine, a large graph, and many writers.

A server of its own, reached by its local socket. `fsync` is off, so that the figures are Zen's and PostgreSQL's and
not the disk's: a disk that needs a millisecond to write adds one to each commit, of which an executed step has two and
a cached step one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from itertools import count
from pathlib import Path

from benchmarks import lineage_store, local_engine
from benchmarks.report import Figure
from integration_tests.services.postgres import PostgresServer
from integration_tests.services.wire import Wire
from zen_metadata.lineage.sql import open_lineage_store

WRITERS, ATTEMPTS = 200, 5

WRITER = """
import json, os, sys, traceback, uuid
from zen_metadata.lineage.records import *
from zen_metadata.lineage.sql.store import SqlLineageStore

url, run_id, attempts = sys.argv[1], sys.argv[2], int(sys.argv[4])

def write(number):
    store = SqlLineageStore(url)
    run = RunRecord(run_id, "p", "chain", "local", "local", "key", "ir", "code", "0.1", {})
    for index in range(attempts):
        ids = str(uuid.uuid4()), str(uuid.uuid4())
        step_run = StepRunRecord(ids[1], "p", run_id, f"step_{number}", index)
        attempt = AttemptRecord(*ids, "p", "ir", "code", "f", True, ids[0], {}, "env")
        start = store.start_attempt(step_run, attempt, lease=True, look_up=True)
        made = ArtifactRecord(str(uuid.uuid4()), "p", "chain", "model", "d", "s", "int", "json", 1, "x", 1)
        end = AttemptEnd(*ids, "completed", outputs={"result": made}, lease=start.lease)
        store.end_attempt(run, step_run, attempt, end)
    store.close()

children = []
for number in range(int(sys.argv[3])):
    children.append(os.fork())
    if children[-1] == 0:
        code = 1
        try:
            write(number)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
print(json.dumps(sum(os.waitpid(child, 0)[1] != 0 for child in children)))
"""


def measure() -> list[Figure]:
    """Nothing, with a note, where no server can be started."""
    if missing := PostgresServer.missing():
        print(f"PostgreSQL: left out, {missing}", file=sys.stderr)
        return []
    with PostgresServer() as server:
        numbers = count()

        def new_store() -> str:
            name = f"bench_{next(numbers)}"
            server.create_database(name)
            return _with_tables(server.socket_url("psycopg", name))

        executed, cached = local_engine.measure_chain(new_store)
        return [
            Figure(f"PostgreSQL: step executed, chain of {local_engine.STEPS}", executed, "ms", 8.0),
            Figure(f"PostgreSQL: step cached, chain of {local_engine.STEPS}", cached, "ms", 2.5),
            *_count_round_trips(server, "bench_round_trips"),
            *(_named(figure) for figure in lineage_store.measure_graph(new_store())),
            *_measure_writers(new_store()),
        ]


def _with_tables(url: str) -> str:
    """The URL of a store that is made, as a team's is: that is no step's work."""
    with closing(open_lineage_store(url)) as store:
        store.find_runs()
    return url


def _count_round_trips(server: PostgresServer, database: str) -> list[Figure]:
    """What the wait for a server on the network is to be multiplied by."""
    direct = _with_tables(server.create_database(database))
    counted = []
    with Wire(server.port) as wire, tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        url = direct.replace(f":{server.port}/", f":{wire.port}/")
        for _ in ("executed", "cached"):
            before = wire.round_trips
            local_engine.run_chain(Path(folder), url)
            counted.append((wire.round_trips - before) / local_engine.STEPS)
    return [
        Figure("PostgreSQL: round trips of a step executed", counted[0], ""),
        Figure("PostgreSQL: round trips of a step cached", counted[1], ""),
    ]


def _named(figure: Figure) -> Figure:
    return Figure(f"PostgreSQL: {figure.what}", figure.value, figure.unit, figure.budget)


def _measure_writers(url: str) -> list[Figure]:
    """Processes that all make versions of one artifact name, each attempt in two transactions."""
    with closing(open_lineage_store(url)) as store:
        store.find_runs()
        command = [sys.executable, "-c", WRITER, url, "6a3a7d8e-0000-4000-8000-000000000001", str(WRITERS)]
        started = time.perf_counter()
        done = subprocess.run([*command, str(ATTEMPTS)], capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
        versions = sorted(item.version or 0 for item in store.find_artifacts("p", name="model"))
    if failed := json.loads(done.stdout):
        raise RuntimeError(f"{failed} of {WRITERS} writers failed: {done.stderr[-2000:]}")
    if versions != list(range(1, WRITERS * ATTEMPTS + 1)):
        raise RuntimeError(f"{len(versions)} versions of {WRITERS * ATTEMPTS}, up to {versions[-1]}")
    what = f"PostgreSQL: {WRITERS} writers at once, one artifact name, {ATTEMPTS} attempts each"
    return [Figure(what, seconds / WRITERS / ATTEMPTS * 1000, "ms")]
