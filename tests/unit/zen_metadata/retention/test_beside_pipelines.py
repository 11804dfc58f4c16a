"""Pipelines in a loop beside garbage collection in a loop, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

_PROJECT = """
import os, random, sys, time, traceback
from typing import Annotated

from zen_core import Artifact, pipeline, step
from zen_core.contract.settings import load_settings
from zen_metadata.query import Client
from zen_metadata.query.stores import ReadStores
from zen_metadata.retention.choosing import Policy
from zen_metadata.retention.collecting import collect


@step
def load(n: int) -> Annotated[list[int], "rows"]:
    return list(range(n, n + 300))


@step
def fixed(rows: list[int]) -> Annotated[bytes, "fixed"]:
    return b"the same bytes each time" * 500


@step
def double(x: int) -> int:
    return 2 * x


@step(cache=True)
def total(rows: list[int], same: bytes, parts: list[int]) -> Annotated[int, "total"]:
    return sum(rows) + len(same) + sum(parts)


@step(cache=False)
def compare(now: int, before: list[int]) -> Annotated[list[int], "seen"]:
    return [now, *before][:5]


@pipeline
def shop(n: int = 0):
    rows = load(n)
    compare(total(rows, fixed(rows), double.map(x=head(rows))), Artifact("seen"))


@step
def head(rows: list[int]) -> list[int]:
    return rows[:3]


@pipeline(name="shop")
def first():
    compare(0, [])


def run_pipelines(seed):
    chosen = random.Random(seed)
    for _ in range(RUNS):
        shop.run(n=chosen.randrange(3))


def collect_until(stop):
    stores = ReadStores(load_settings(ROOT).with_local_defaults())
    versions = files = 0
    while not os.path.exists(stop):
        # Nothing is too young to go: whatever stays does so since it is in use.
        done = collect(stores, Policy(older_than_seconds=0, grace_seconds=0), delete=True, by="test")
        versions, files = versions + len(done.versions), files + done.total.count
    stores.close()
    print(versions, files, flush=True)


def fork(work, *arguments):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    from pathlib import Path

    ROOT, RUNS = Path(__file__).parent, int(sys.argv[1])
    first.run()
    stop = str(ROOT / "stop")
    collectors = [fork(collect_until, stop) for _ in range(2)]
    failed = any([os.waitpid(child, 0)[1] for child in [fork(run_pipelines, seed) for seed in range(3)]])
    open(stop, "w").close()
    failed |= any([os.waitpid(child, 0)[1] for child in collectors])
    client = Client(root=ROOT)
    statuses = [run.status for run in client.runs()]
    assert statuses == ["completed"] * (3 * RUNS + 1), statuses
    for artifact in client.artifacts():
        if not artifact.deletion:
            artifact.load()
    sys.exit(failed)
"""


def make_database() -> str:
    import psycopg
    from sqlalchemy.engine import make_url

    server = make_url(os.environ["ZEN_TEST_POSTGRESQL"]).set(drivername="postgresql")
    name = f"zen_{uuid.uuid4().hex}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return server.set(database=name).render_as_string(hide_password=False)


DATABASES = ["sqlite", *(["postgresql"] if os.environ.get("ZEN_TEST_POSTGRESQL") else [])]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("database", DATABASES)
def test_no_run_fails_and_no_referenced_byte_is_lost(database: str, tmp_path: Path) -> None:
    (tmp_path / "zen.toml").write_text('project = "shop"\nmlflow_sync = "off"\n', encoding="utf-8")
    (tmp_path / "beside.py").write_text(_PROJECT, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_"))}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if database == "postgresql":
        environment["ZEN_LINEAGE_URL"] = make_database()
    done = subprocess.run(
        [sys.executable, str(tmp_path / "beside.py"), "8"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-5000:] + done.stdout[-2000:]
    removed = [[int(word) for word in line.split()] for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert len(removed) == 2
    assert sum(versions for versions, _ in removed) > 10
    assert sum(files for _, files in removed) > 10
