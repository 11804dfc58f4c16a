"""Processes that each make one attempt at a cache key, step by step as a test tells them."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import psycopg

# A worker that makes one attempt at a key: it says what the store said, waits for a line, and commits if it may.
WORKER = """
import json, sys, uuid
from zen_metadata.lineage.records import *
from zen_metadata.lineage.sql import open_lineage_store

url, step, key = sys.argv[1:]
store = open_lineage_store(url)
run = RunRecord("run", "shop", "train", "local", "local", "key", "ir", "code", "0.1", {})
store.open_run(run, {"steps": []})
step_run = StepRunRecord(step, "shop", "run", step)
attempt = AttemptRecord(str(uuid.uuid4()), step, "shop", "ir", "code", "f", True, key, {}, "env")

def say(**facts):
    print(json.dumps(facts), flush=True)

def begin():
    start = store.start_attempt(step_run, attempt, lease=True, look_up=True)
    token = start.lease.token if start.lease else None
    say(number=start.number, token=token, held=start.holder is not None, hit=start.hit is not None)
    return start

start = begin()
for line in sys.stdin:
    if line.strip() == "begin":
        start = begin()
    elif line.strip() == "beat":
        store.heartbeat([attempt.attempt_id], [start.lease])
        say(beat=True)
    else:
        made = ArtifactRecord(str(uuid.uuid4()), "shop", "train", "model", line, line, "int", "json", 1, "x", 1)
        end = AttemptEnd(attempt.attempt_id, step, "completed", outputs={"result": made}, lease=start.lease)
        done = store.end_attempt(run, step_run, attempt, end)
        say(superseded=done.superseded, versions=dict(done.versions), nondeterministic=done.nondeterministic)
"""


class Worker:
    """A process that makes one attempt."""

    def __init__(self, url: str, step: str, key: str = "key") -> None:
        command = [sys.executable, "-c", WORKER, url, step, key]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the worker ended with {self.process.wait()}"
        said: dict[str, Any] = json.loads(line)
        return said

    def say(self, line: str) -> None:
        """Tell it to go on: `begin` again, `beat`, or commit an output with this digest."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def tell(self, line: str) -> dict[str, Any]:
        """What it says to this."""
        self.say(line)
        return self.hear()

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


class Workers:
    """Processes on one store."""

    def __init__(self, url: str, database: str, ended: ExitStack) -> None:
        self._url = url
        self.database = database
        self._ended = ended

    def start(self, *steps: str) -> list[Worker]:
        """One for each step, all starting at once."""
        workers = [Worker(self._url, step) for step in steps]
        for worker in workers:
            self._ended.callback(worker.stop)
        return workers

    def rows(self, query: str) -> list[Any]:
        """What a query finds."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def let_pass(self, seconds: int) -> None:
        """Make leases and heartbeats older."""
        with psycopg.connect(self.database) as connection:
            connection.execute(f"UPDATE zen_leases SET expires_at = expires_at - {seconds * 1_000_000}")  # type: ignore[arg-type]
