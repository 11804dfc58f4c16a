"""A process is killed, or fails once, at each point of what it does; another goes on. Then everything must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from integration_tests.faults.invariants import check_invariants
from integration_tests.faults.matrix import POINTS, Entry, Matrix, changing_points, schedule, told
from integration_tests.faults.named_points import meaning_of
from integration_tests.faults.points.fault_points import Fault

PARTS = ("executed", "cached", "spooling", "replay", "gc")
"""Those that are played here, each point at its last passing; `make faults` plays all parts, and every passing."""
FAST = "/dev/shm"
"""Whose files live in memory: a process that is killed loses nothing that a disk would keep."""
Recording = Mapping[str, Sequence[str]]


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    with TemporaryDirectory(prefix="zen-faults-", dir=FAST if Path(FAST).is_dir() else None) as folder:
        yield Matrix(Path(folder))


@pytest.fixture(scope="module")
def recorded(matrix: Matrix) -> Recording:
    return matrix.record(PARTS)


def test_every_point_that_is_passed_is_named(recorded: Recording) -> None:
    """A new point stands in the schedule by itself; what is promised there has to be said."""
    unnamed = {
        point
        for points in recorded.values()
        for position, point in enumerate(points)
        if position in changing_points(points) and meaning_of(point) is None
    }
    assert not unnamed, f"say in named_points.py what is promised where a process ends at {sorted(unnamed)}"


def test_a_process_that_is_killed_at_a_point_leaves_what_was_promised(matrix: Matrix, recorded: Recording) -> None:
    entries = [entry for entry in schedule(recorded, once_each=True) if is_telling(entry)]
    assert list(told(matrix.run(entries, recorded))) == []


def is_telling(entry: Entry) -> bool:
    """Within a transaction all points leave the same: nothing. Here one part shows it; `make faults` shows all."""
    return entry.sequence == "executed" or not entry.point.startswith(("sql insert", "sql update"))


def test_what_fails_once_is_tried_again_or_told(matrix: Matrix, recorded: Recording) -> None:
    """The disk is full, or the connection is cut, for one operation."""
    entries = schedule({"executed": recorded["executed"]}, action="raise", once_each=True)
    entries = [entry for entry in entries if not entry.point.endswith(("begins", "ends"))]
    assert list(told(matrix.run(entries, recorded))) == []


def test_bytes_that_are_half_written_are_no_artifact(matrix: Matrix, recorded: Recording) -> None:
    entries = schedule(recorded, action="tear", once_each=True)
    entries = [entry for entry in entries if entry.point.startswith("rename tmp")]
    assert list(told(matrix.run(entries, recorded))) == []


def test_a_whole_run_is_killed_and_the_next_one_takes_what_it_recorded(tmp_path: Path) -> None:
    """By `sitecustomize`, as any program that runs Zen can be killed at a point."""
    Matrix(tmp_path)  # writes the project
    (tmp_path / "ran").mkdir()
    fault = Fault("rename tmp -> objects", 3)
    killed, again = (zen_run(tmp_path, variables) for variables in ({"ZEN_FAULT": fault.to_json()}, {}))
    assert killed.returncode == -9
    assert again.returncode == 0, again.stderr
    assert len(list((tmp_path / "ran").glob("begins-pair-*"))) == 1
    check_invariants(f"sqlite:///{tmp_path}/.zen/zen.db", str(tmp_path / ".zen" / "artifacts"), killed=True)


def zen_run(folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    own = {name: text for name, text in os.environ.items() if not name.startswith("ZEN_")}
    path = os.pathsep.join(filter(None, (str(POINTS), own.get("PYTHONPATH"))))
    stores = {"ZEN_ARTIFACT_URL": str(folder / ".zen" / "artifacts"), "ZEN_MLFLOW_SYNC": "off"}
    return subprocess.run(
        [sys.executable, "-m", "zen_core.cli", "run", "work.py:flow"],
        cwd=folder,
        env={**own, **stores, **variables, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
