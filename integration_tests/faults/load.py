"""A crowd of writers on one store, and what became of their work."""

from __future__ import annotations

import ast
import json
import os
import statistics
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from integration_tests.faults.invariants import check_invariants
from zen_core.contract.settings import load_settings
from zen_metadata.cli.sync_command import run_sync
from zen_metadata.lineage.sql import open_lineage_store

ROOT = Path(__file__).resolve().parents[2]
CROWD = Path(__file__).with_name("crowd.py")
STEPS = 8
_SECONDS = 300


@dataclass(frozen=True)
class Figures:
    """How it went, by the machine that it ran on."""

    writers: int
    steps_per_second: float
    median_commit_ms: float
    p95_commit_ms: float
    spooled: int

    def __str__(self) -> str:
        return (
            f"{self.writers} writers: {self.steps_per_second:.0f} steps/s, "
            f"commit {self.median_commit_ms:.1f} ms (p95 {self.p95_commit_ms:.1f} ms), {self.spooled} facts spooled"
        )


def crowd(folder: Path, count: int, lineage_url: str, *, through: str = "") -> Figures:
    """Let writers write, then sync, and check everything: no error, nothing lost, nothing doubled.

    Args:
        through: the address by which the writers reach the store; left out, the same.
    """
    (folder / "zen.toml").write_text('project = "crowd"\n')
    (folder / "work.py").write_text(_pipeline())
    (folder / "ran").mkdir()
    own = {name: text for name, text in os.environ.items() if not name.startswith("ZEN_")}
    variables = {"ZEN_ARTIFACT_URL": str(folder / "artifacts"), "ZEN_MLFLOW_SYNC": "off"}
    path = os.pathsep.join(filter(None, (str(ROOT), own.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, str(CROWD), str(count)],
        cwd=folder,
        env={
            **own,
            **variables,
            "PYTHONPATH": path,
            "ZEN_LINEAGE_URL": through or lineage_url,
            "DIRECT_URL": lineage_url,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [item["error"] for item in found if "error" in item]
    assert not errors, f"{len(errors)} of {count} failed, the first: {errors[0]}"
    assert len(found) == count, done.stderr[-3000:]
    settings = load_settings(folder, environ={**variables, "ZEN_LINEAGE_URL": lineage_url}).with_local_defaults()
    spooled = len(list((folder / "artifacts" / "spool" / "events").glob("*")))
    run_sync(settings)
    check_invariants(lineage_url, str(folder / "artifacts"))
    _check_nothing_is_lost(folder, count, lineage_url)
    commits = sorted(seconds * 1000 for item in found for seconds in item["commits"])
    took = max(item["ended"] for item in found) - min(item["began"] for item in found)
    p95 = commits[min(len(commits) - 1, len(commits) * 95 // 100)]
    return Figures(count, count * STEPS / took, statistics.median(commits), p95, spooled)


def _check_nothing_is_lost(folder: Path, count: int, lineage_url: str) -> None:
    with closing(open_lineage_store(lineage_url, create=False)) as store:
        runs = store.find_runs("crowd")
        assert len(runs) == count + 1
        statuses = store.find_step_statuses([run.run_id for run in runs])
        versions = store.find_artifacts("crowd", name="own")
    for run_id, steps in statuses.items():
        assert len(steps) == STEPS, (run_id, steps)
        assert {step for step, status in steps.items() if status == "failed"} == {"broken"}, (run_id, steps)
        assert set(steps.values()) <= {"completed", "cached", "failed"}, (run_id, steps)
        assert steps["own"] == "completed"
    assert len(versions) == len(list((folder / "ran").iterdir())) == count + 1


def _pipeline() -> str:
    for node in ast.parse(CROWD.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PIPELINE":
            return str(ast.literal_eval(node.value))
    raise LookupError("crowd.py has no PIPELINE")
