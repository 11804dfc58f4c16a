"""A store on each database, and the records that the tests put into it.

ZEN_TEST_POSTGRESQL, the URL of a server where databases may be made, adds PostgreSQL to every test of the contract.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, type_coerce, update
from sqlalchemy.engine import make_url

from zen_core.contract.identity import step_run_id
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    AttemptStart,
    CommitResult,
    InputRecord,
    RunRecord,
    StepRunRecord,
    StepRunState,
)
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.store import SqlLineageStore
from zen_metadata.lineage.sql.tables import artifacts, attempts, cache_entries, leases, links

PROJECT = "shop"
IR = {"steps": [{"name": "fit"}]}
TIMES = {
    attempts: ("started_at", "heartbeat_at"),
    cache_entries: ("created_at",),
    leases: ("expires_at",),
    links: ("claim_expires_at",),
}


def _sqlite_url(folder: Path) -> str:
    shutil.copy(_new_sqlite_file(), folder / "zen.db")
    return f"sqlite:///{folder}/zen.db"


@cache
def _new_sqlite_file() -> Path:
    """A new store that the tests copy, which is quicker than making one each."""
    folder = Path(tempfile.mkdtemp(prefix="zen-test-"))
    atexit.register(shutil.rmtree, folder)
    store = open_lineage_store(f"sqlite:///{folder}/zen.db")
    store.find_runs()
    store.close()
    return folder / "zen.db"


def _postgresql_url(folder: Path) -> str:
    import psycopg

    server = make_url(os.environ["ZEN_TEST_POSTGRESQL"])
    name = f"zen_{uuid.uuid4().hex}"
    libpq = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(libpq, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return server.set(database=name).render_as_string(hide_password=False)


DATABASES: dict[str, Callable[[Path], str]] = {"sqlite": _sqlite_url}
if os.environ.get("ZEN_TEST_POSTGRESQL"):
    DATABASES["postgresql"] = _postgresql_url


@pytest.fixture(params=sorted(DATABASES))
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store without records."""
    return DATABASES[request.param](tmp_path)


@pytest.fixture
def store(store_url: str) -> Iterator[SqlLineageStore]:
    store = open_lineage_store(store_url)
    store.find_runs()  # the first use makes the tables
    yield store
    store.close()


@pytest.fixture
def story(store: SqlLineageStore, store_url: str) -> "Story":
    return Story(store, store_url)


class Story:
    """Short words for what happens to a store."""

    def __init__(self, store: SqlLineageStore, url: str) -> None:
        self.store = store
        self.url = url

    def run(self, **facts: Any) -> RunRecord:
        """A run that is opened."""
        run_id = str(uuid.uuid4())
        run = RunRecord(
            run_id=run_id,
            project=PROJECT,
            pipeline="train",
            deployment="local",
            orchestrator="local",
            run_key=run_id,
            ir_digest="sha256:ir",
            code_digest="sha256:code",
            zen_version="0.1.0",
            parameters={"depth": 4},
        )
        return self.store.open_run(replace(run, **facts), IR)

    def step_run(self, run: RunRecord, step: str = "fit", map_index: int | None = None) -> StepRunRecord:
        return StepRunRecord(step_run_id(run.run_id, step, map_index), run.project, run.run_id, step, map_index)

    def attempt(self, step_run: StepRunRecord, key: str = "key", **facts: Any) -> AttemptRecord:
        attempt = AttemptRecord(
            attempt_id=str(uuid.uuid4()),
            step_run_id=step_run.step_run_id,
            project=step_run.project,
            ir_digest="sha256:ir",
            code_digest="sha256:code",
            fingerprint="sha256:f",
            cache_enabled=True,
            cache_key=key,
            key_parts={"code": "sha256:f"},
            environment_digest="sha256:env",
        )
        return replace(attempt, **facts)

    def artifact(self, name: str = "model", digest: str = "sha256:1", **facts: Any) -> ArtifactRecord:
        artifact = ArtifactRecord(
            artifact_id=str(uuid.uuid4()),
            project=PROJECT,
            pipeline="train",
            name=name,
            digest=digest,
            stored_digest=f"{digest}-bytes",
            type="int",
            serializer="json",
            serializer_version=1,
            location=f"objects/{digest}",
            size_bytes=3,
        )
        return replace(artifact, **facts)

    def start(
        self,
        step_run: StepRunRecord,
        attempt: AttemptRecord,
        *,
        lease: bool = True,
        look_up: bool = True,
        **options: Any,
    ) -> AttemptStart:
        return self.store.start_attempt(step_run, attempt, lease=lease, look_up=look_up, **options)

    def complete(
        self,
        run: RunRecord,
        step_run: StepRunRecord,
        attempt: AttemptRecord,
        *,
        start: AttemptStart | None = None,
        outputs: Mapping[str, ArtifactRecord] | None = None,
        **facts: Any,
    ) -> CommitResult:
        """The attempt ends well; with `outputs` left out it has one, named model."""
        made = {"result": self.artifact()} if outputs is None else outputs
        lease = start.lease if start else None
        end = AttemptEnd(
            attempt.attempt_id, step_run.step_run_id, "completed", outputs=made, **{"lease": lease, **facts}
        )
        return self.store.end_attempt(run, step_run, attempt, end)

    def end(
        self, run: RunRecord, step_run: StepRunRecord, attempt: AttemptRecord, status: Any, **facts: Any
    ) -> CommitResult:
        return self.store.end_attempt(
            run, step_run, attempt, AttemptEnd(attempt.attempt_id, step_run.step_run_id, status, **facts)
        )

    def execute(
        self,
        run: RunRecord,
        step: str = "fit",
        key: str | None = None,
        reads: tuple[ArtifactRecord, ...] = (),
        **facts: Any,
    ) -> ArtifactRecord:
        """A step of its own that reads artifacts and makes one; the artifact."""
        step_run = self.step_run(run, step)
        attempt = self.attempt(step_run, key or str(uuid.uuid4()))
        start = self.start(step_run, attempt, look_up=False)
        made = self.artifact(name=step, **facts)
        inputs = tuple(
            InputRecord(f"x{index}", item.digest, artifact_id=item.artifact_id) for index, item in enumerate(reads)
        )
        self.complete(run, step_run, attempt, start=start, outputs={"result": made}, inputs=inputs)
        return made

    def state(self, step_run: StepRunRecord) -> StepRunState:
        (found,) = [
            state
            for state in self.store.get_step_runs(step_run.run_id)
            if state.step_run.step_run_id == step_run.step_run_id
        ]
        return found

    def let_pass(self, seconds: float) -> None:
        """Make everything that is recorded older."""
        microseconds = int(seconds * 1e6)
        self.change(
            *(
                update(table).values({name: type_coerce(table.c[name], BigInteger) - microseconds for name in names})
                for table, names in TIMES.items()
            )
        )

    def delete(self, artifact: ArtifactRecord) -> None:
        """Make an artifact a tombstone."""
        now = self.store.find_runs()[0].started_at
        assert now is not None
        of_artifact = update(artifacts).where(artifacts.c.artifact_id == artifact.artifact_id)
        self.change(of_artifact.values(deleted_at=now + timedelta(seconds=1), deleted_by="me", deleted_reason="asked"))

    def change(self, *statements: Any) -> None:
        """Change rows past the store."""
        engine = make_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)
        engine.dispose()


_FORK = """
import contextlib, io, json, os, sys, traceback

children = []
for arguments in json.loads(sys.argv[1]):
    children.append(os.fork())
    if children[-1] == 0:
        code = 1
        try:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                work(*arguments)
            os.write(1, printed.getvalue().encode())  # at once: lines of several processes do not mix
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.fixture
def in_processes() -> Callable[[str, list[list[str]]], list[str]]:
    """Calls a program's `work` in several processes at once, one for each list of arguments; the lines they print.

    The processes are forked from a new one, which imports what the program needs once and opens no store.
    """

    def run(program: str, arguments: list[list[str]]) -> list[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-c", program + _FORK, json.dumps(arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run
