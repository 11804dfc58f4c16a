"""Many processes at once for one key: one does the work, and the others take what it made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.services.postgres import PostgresServer

RACERS = Path(__file__).with_name("racers.py")
PIPELINE = """
import os, signal, time
from pathlib import Path
from zen_core import pipeline, step

STAGE = Path(__file__).parent / "stage"

def count(name):
    return len(os.listdir(STAGE / name))

@step
def work(size: int) -> dict[str, int]:
    (STAGE / "executed" / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while count("begun") <= int(os.environ["RACERS"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    if count("executed") <= int(os.environ["KILLED"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"made by": os.getpid()}

@step
def nothing(size: int) -> int:
    return size

@pipeline
def race(size: int = 1):
    work(size)

@pipeline
def warm(size: int = 1):
    nothing(size)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zen.toml").write_text('project = "races"\n')
    (tmp_path / "work.py").write_text(PIPELINE)
    (tmp_path / "stage" / "begun").mkdir(parents=True)
    (tmp_path / "stage" / "executed").mkdir()
    return tmp_path


@pytest.fixture(params=["postgresql", "sqlite"])
def store(request: pytest.FixtureRequest, project: Path) -> Iterator[str]:
    """A store's address."""
    if request.param == "sqlite":
        yield f"sqlite:///{project / 'zen.db'}"
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    yield postgres.create_database("races")
    postgres.drop_database("races")


def race(project: Path, store: str, count: int, *, killed: int = 0) -> list[dict[str, Any]]:
    """What each of the processes got; nothing of those that were killed."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("ZEN_")}
    done = subprocess.run(
        [sys.executable, str(RACERS), str(count)],
        cwd=project,
        env={**own, "ZEN_LINEAGE_URL": store, "ZEN_MLFLOW_SYNC": "off", "RACERS": str(count), "KILLED": str(killed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [item["error"] for item in found if "error" in item] == []
    return found


def executed(project: Path) -> int:
    return len(list((project / "stage" / "executed").iterdir()))


def test_of_many_one_executes_and_all_get_its_result(project: Path, store: str) -> None:
    count = 50 if store.startswith("sqlite") else 200
    found = race(project, store, count)
    assert executed(project) == 1
    assert len(found) == count
    assert sorted(item["status"] for item in found) == ["cached"] * (count - 1) + ["completed"]
    assert len({item["digest"] for item in found}) == 1  # the result names the process that made it


def test_when_holders_are_killed_the_next_one_executes(project: Path, store: str) -> None:
    """Two in a row, at work; nobody waits for their leases to expire, since their processes are seen to be gone."""
    found = race(project, store, 12, killed=2)
    assert executed(project) == 3
    assert sorted(item["status"] for item in found) == ["cached"] * 9 + ["completed"]
    assert len({item["digest"] for item in found}) == 1
