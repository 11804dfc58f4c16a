"""The checks themselves: each kind of damage is told, and sound stores are sound."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from integration_tests.faults.invariants import find_violations
from integration_tests.faults.matrix import WARM, Matrix


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    """A project with one run."""
    with TemporaryDirectory(prefix="zen-invariants-") as folder:
        matrix = Matrix(Path(folder))
        (found,) = matrix.play([{"actions": [WARM]}])
        assert "error" not in found["answers"][0]
        yield Path(folder, "case-0")


@pytest.fixture
def project(sound: Path, tmp_path: Path) -> Path:
    """A copy of it that may be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "project"))


def violations(project: Path) -> str:
    return "\n".join(find_violations(f"sqlite:///{project}/zen.db", str(project / "artifacts")))


def test_what_is_sound_is_sound(project: Path) -> None:
    assert violations(project) == ""


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE zen_artifacts SET version = 7 WHERE version = 1", "the versions of"),
        ("UPDATE zen_artifacts SET digest = 'sha256:0' WHERE name = 'text'", "is a value of digest"),
        ("DELETE FROM zen_cache_entries", "leads to no cache entry"),
        ("UPDATE zen_leases SET released_at = NULL", "is held by attempt"),
        ("DELETE FROM zen_outbox WHERE event = 'attempt_ended'", "is announced 0 times"),
        ("DELETE FROM zen_environments", "names the environment"),
        ("DELETE FROM zen_runs", "names run"),
        ("UPDATE zen_attempt_inputs SET artifact_id = 'nobody'", "names artifact nobody, which is not there"),
        ("UPDATE zen_attempts SET number = 2", "are numbered [2]"),
        ("UPDATE zen_attempts SET ended_at = started_at - 1", "before it began"),
    ],
)
def test_rows_that_are_wrong_are_told(project: Path, damage: str, sentence: str) -> None:
    with closing(sqlite3.connect(project / "zen.db", isolation_level=None)) as connection:
        connection.execute(damage)
    assert sentence in violations(project)


def test_an_attempt_whose_process_lives_is_not_settled(project: Path) -> None:
    with closing(sqlite3.connect(project / "zen.db", isolation_level=None)) as connection:
        connection.execute(
            "UPDATE zen_attempts SET status = 'running', ended_at = NULL, engine = '{}', "
            "heartbeat_at = 1000000 * (unixepoch() + 60) WHERE cache_key <> ''"
        )
    assert "is not known to be gone" in violations(project)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda artifacts: _first(artifacts / "objects").unlink(), "has no bytes at objects/"),
        (lambda artifacts: _tear(_first(artifacts / "objects")), "has other bytes than were stored"),
        (
            lambda artifacts: _put(artifacts / "spool" / "artifacts" / "a.json"),
            "the spool holds spool/artifacts/a.json",
        ),
        (lambda artifacts: _put(artifacts / "tmp" / "999999999-a"), "is left of a process that is gone"),
        (lambda artifacts: _put(artifacts / "tmp" / f"{os.getpid()}-a"), "is left of a process that works no more"),
        (lambda artifacts: shutil.rmtree(artifacts / "logs"), "names the log"),
    ],
)
def test_files_that_are_wrong_are_told(project: Path, damage: Callable[[Path], None], sentence: str) -> None:
    damage(project / "artifacts")
    assert sentence in violations(project)


def _first(folder: Path) -> Path:
    return next(path for path in sorted(folder.rglob("*")) if path.is_file())


def _tear(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


def _put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
