"""A disk that is full or read-only below each thing that a step writes: its result stands, and the error says where."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from integration_tests.conftest import require
from integration_tests.faults.invariants import check_invariants
from zen_core.adapter.protocol import RunOutcome, RunRequest
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import Settings, load_settings
from zen_core.errors import StoreError, StoreUnavailableError
from zen_local import LocalAdapter
from zen_metadata.lineage.records import StepRunState
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.shim.replaying import replay

# Each step fills the disk, or makes it read-only, while its own code runs.
PIPELINE = """
import os
from pathlib import Path
from zen_core import pipeline, step

def spoil():
    exec(Path("spoil.py").read_text())

@step
def work(number: int) -> int:
    spoil()
    return number + 1

@step
def large(number: int) -> list[int]:
    return list(range(number, number + 800_000))

@step
def fail(number: int) -> int:
    spoil()
    raise ValueError("no luck")

@step(timeout="1m")
def alone(number: int) -> int:
    spoil()
    return number + 1

@step(timeout="1m")
def fail_alone(number: int) -> int:
    spoil()
    raise ValueError("no luck")

@pipeline
def working(number: int = 1):
    work(number)

@pipeline
def enlarging(number: int = 1):
    large(number)

@pipeline
def failing(number: int = 1):
    fail(number)

@pipeline
def working_alone(number: int = 1):
    alone(number)

@pipeline
def failing_alone(number: int = 1):
    fail_alone(number)
"""
FILL = """
with open({path!r}, "wb", buffering=0) as file:
    for size in (1 << 16, 1 << 12, 1):
        try:
            while True:
                file.write(b"x" * size)
        except OSError:
            pass
"""
SIZE = "3m"


class Disk:
    """A small file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    @property
    def filling(self) -> str:
        """Python that fills it."""
        return FILL.format(path=str(self._filling))

    def fill(self) -> None:
        exec(self.filling)

    def free(self) -> None:
        self._filling.unlink(missing_ok=True)

    def remount(self, mode: str) -> None:
        """`ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{mode}", self.folder], check=True)


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "zen-test", folder]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    require(request, "full disk", f"needs to mount a tmpfs: {done.stderr.strip()}" if done.returncode else None)
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=True)


class Project:
    """A project whose parts may lie on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = f"disks_{uuid.uuid4().hex[:8]}"
        self.variables = {"ZEN_MLFLOW_SYNC": "off"}
        (folder / "zen.toml").write_text('project = "disks"\n')
        (folder / f"{self.module}.py").write_text(PIPELINE)
        self.spoil("")

    def spoil(self, source: str) -> None:
        """What the step's code does to the disk."""
        (self.folder / "spoil.py").write_text(source)

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder, environ=self.variables).with_local_defaults()

    def run(self, pipeline: str, number: int, refresh: str = "") -> RunOutcome:
        built = load_pipeline(f"{self.module}:{pipeline}", self.settings).build()
        manifest = build_manifest(built.spec, built.functions, self.settings)
        parameters = {"number": number}
        request = RunRequest(
            manifest=manifest,
            functions=built.functions,
            settings=self.settings,
            parameters=parameters,
            refresh=frozenset({refresh} if refresh else ()),
        )
        return LocalAdapter().run(request)

    def state(self, run_id: str) -> StepRunState:
        with closing(open_lineage_store(self.settings.lineage_url)) as store:
            (state,) = store.get_step_runs(run_id)
        return state

    def check(self) -> None:
        check_invariants(self.settings.lineage_url, self.settings.artifact_url)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = list(sys.path)
    yield Project(folder)
    sys.path[:] = path


def test_a_sqlite_store_on_a_full_disk_is_a_store_that_is_away(
    project: Project, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    project.variables["ZEN_LINEAGE_URL"] = f"sqlite:///{disk.folder / 'zen.db'}"
    first = project.run("working", 0)
    project.spoil(disk.filling)
    outcomes = [project.run(name, 1) for name in ("working", "failing")]
    assert [outcome.status for outcome in outcomes] == ["completed", "failed"]
    assert isinstance(outcomes[1].error, ValueError)
    assert f"make room on the disk of {disk.folder / 'zen.db'}" in caplog.text
    assert "facts go into the spool below" in caplog.text
    project.spoil("")
    disk.free()
    project.run("working", 2)  # what was spooled is recorded by the next run
    states = [project.state(outcome.run_id) for outcome in (first, *outcomes)]
    assert [(state.status, state.attempts) for state in states] == [("completed", 1), ("completed", 1), ("failed", 1)]
    project.check()


def test_an_artifact_store_that_is_full_or_read_only_is_named_and_nothing_is_torn(
    project: Project, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    project.variables["ZEN_ARTIFACT_URL"] = str(disk.folder / "artifacts")
    project.run("working", 0)
    full = [project.run("enlarging", 1)]
    project.spoil(disk.filling)
    full += [project.run("working", 100), project.run("failing", 1)]
    disk.free()
    for outcome in full[:2]:
        assert isinstance(outcome.error, StoreUnavailableError)
        told = str(outcome.error)
        assert "no space is left" in told
        assert str(disk.folder) in told
        assert "make room" in told
    assert isinstance(full[2].error, ValueError)
    assert [project.state(outcome.run_id).status for outcome in full] == ["failed"] * 3
    project.spoil(f"import subprocess; subprocess.run(['mount', '-o', 'remount,ro', {str(disk.folder)!r}])")
    altered = [project.run("working", 200), project.run("failing", 2)]
    project.spoil("")
    at_the_start = project.run("working", 300)
    disk.remount("rw")
    for outcome in (altered[0], at_the_start):
        assert isinstance(outcome.error, StoreError)
        assert not outcome.error.transient
        assert "the place is read-only" in str(outcome.error)
        assert str(disk.folder) in str(outcome.error)
    assert isinstance(altered[1].error, ValueError)
    assert [project.state(outcome.run_id).status for outcome in (*altered, at_the_start)] == ["failed"] * 3
    assert project.run("working", 300).status == "completed"
    project.check()


def test_where_both_stores_are_full_one_error_names_both(
    project: Project, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    project.variables["ZEN_LINEAGE_URL"] = f"sqlite:///{disk.folder / 'zen.db'}"
    project.variables["ZEN_ARTIFACT_URL"] = str(disk.folder / "artifacts")
    project.run("working", 0)
    project.run("working", 1)
    project.spoil(disk.filling)
    # What it returns is stored already, since it was made before: its bytes need no room, its record does.
    again = project.run("working", 0, refresh="work")
    disk.free()
    project.spoil("")
    project.run("working", 2)  # records what found room in the spool, and so leaves none for what comes
    project.spoil(disk.filling)
    failed = project.run("failing", 1)
    disk.free()
    project.spoil("")
    told = str(again.error)
    assert "what the step did can be recorded nowhere: both stores are out of reach" in told
    assert str(disk.folder / "zen.db") in told
    assert str(disk.folder / "artifacts") in told
    assert "make room" in told
    assert isinstance(failed.error, ValueError)
    assert "could not be recorded: what the step did can be recorded nowhere" in caplog.text
    assert project.run("working", 7).status == "completed"
    with closing(open_lineage_store(project.settings.lineage_url)) as store:
        from zen_metadata.artifacts.store import ArtifactStore

        assert replay(store, ArtifactStore(project.settings.artifact_url)).refused == ()
    check_invariants(project.settings.lineage_url, project.settings.artifact_url, settled=False)


def test_a_folder_for_temporary_files_that_is_full_costs_no_result(
    project: Project, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(disk.folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    project.spoil(disk.filling)
    assert project.run("working_alone", 1).status == "completed"
    disk.free()
    failed = project.run("failing_alone", 1)
    assert isinstance(failed.error, ValueError), "what the child's code raised comes through without a file"
    disk.fill()
    refused = project.run("working_alone", 2)
    assert isinstance(refused.error, StoreUnavailableError)
    assert "the folder for temporary files cannot be used" in str(refused.error)
    assert str(disk.folder) in str(refused.error)
    assert "set TMPDIR" in str(refused.error)
    disk.free()
    project.spoil("")
    assert project.run("working_alone", 2).status == "completed"
    assert os.listdir(disk.folder) == []
    project.check()
