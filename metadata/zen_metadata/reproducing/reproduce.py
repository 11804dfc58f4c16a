"""Reproduces a run: restores what it was made from, runs it again, and compares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zen_core.contract.code_bundle import code_digest
from zen_core.contract.settings import Settings
from zen_core.errors import ArtifactMissingError, CodeError, UsageError
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.query.client import Client
from zen_metadata.query.runs import Run
from zen_metadata.query.stores import ReadStores
from zen_metadata.reproducing.comparison import (
    NONDETERMINISTIC,
    ComparedArtifact,
    compare_runs,
    tell_nondeterministic,
)
from zen_metadata.reproducing.environment import BuiltEnvironment, NotRestored, build_environment
from zen_metadata.reproducing.inputs import RestoredInput, compare_variables, restore_artifacts, restore_files
from zen_metadata.reproducing.record import RecordedRun, read_record, replace_files
from zen_metadata.shim.code import read_bundle

CODE, DATA, ENVIRONMENT = "code", "data", "environment"
"""The folders of a reproduction: a project with its own stores, what it reads, what it runs in."""


@dataclass(frozen=True)
class Reproduction:
    """What was restored, and what came out.

    Attributes:
        after: the run that was made; None where it could not begin.
        code_files: how many files the code bundle holds.
        problem: why it could not begin.
    """

    recorded: RecordedRun
    after: Run | None
    folder: Path
    environment: BuiltEnvironment
    code_files: int
    inputs: Sequence[RestoredInput]
    artifacts: Sequence[ComparedArtifact]
    problem: str = ""

    @property
    def equal(self) -> bool:
        """Whether every artifact is what it was."""
        return not self.problem and all(item.equal for item in self.artifacts)

    @property
    def nondeterministic(self) -> list[str]:
        """The steps that give another result each time."""
        return list(dict.fromkeys(item.step for item in self.artifacts if item.why == NONDETERMINISTIC))

    def to_json(self) -> dict[str, Any]:
        """The document of `zen reproduce --json`."""
        before, environment = self.recorded.run, self.environment
        return {
            "run_id": before.run_id,
            "pipeline": before.pipeline,
            "reproduced_as": self.after.run_id if self.after is not None else None,
            "folder": str(self.folder),
            "equal": self.equal,
            "problem": self.problem,
            "code": {
                "digest": before.record.code_digest,
                "files": self.code_files,
                "left_out": [dict(item) for item in self.recorded.left_out],
            },
            "environment": {
                "digest": self.recorded.environment_digest,
                "installer": environment.installer,
                "restored": environment.restored,
                "not_restored": [
                    {"name": item.name, "version": item.version, "reason": item.reason}
                    for item in environment.not_restored
                ],
                "others": self.recorded.other_environments,
            },
            "parameters": dict(before.record.parameters),
            "inputs": [
                {"name": item.name, "digest": item.digest, "from": item.came_from, "lost": item.lost}
                for item in self.inputs
            ],
            "artifacts": [item.to_json() for item in self.artifacts],
            "nondeterministic": self.nondeterministic,
        }


def reproduce(
    stores: ReadStores,
    run: Run,
    folder: Path,
    *,
    python: str = "",
    build: bool = True,
    tell: Callable[[str], None],
) -> Reproduction:
    """Make a run again below `folder`, and compare every artifact. The stores are only read.

    Args:
        folder: an empty folder, or one that is not there yet.
        python: the Python to use instead of the recorded minor version.
        build: whether to build the recorded environment; else this process's own is used, and the difference told.
        tell: takes lines for people: what goes on, and what the steps print.

    Raises:
        UsageError: the folder is not empty, the run is not over, or no virtual environment can be made.
        NotFoundError: the run's definition is not in the store.
        CodeError: the run's code was not kept, or is not what it was.
    """
    recorded = read_record(stores, run)
    _refuse_full(folder)
    count = _restore_code(recorded, stores.artifacts, folder / CODE)
    settings = _settings_in(folder, run)
    inputs = _restore_inputs(recorded, stores, settings, folder)
    environment = _environment(recorded, folder, python=python, build=build, tell=tell)
    scratch = _Scratch(recorded, settings, environment, folder, inputs, tell)
    made, problem = scratch.run()
    with Client(settings) as client:
        after = client.run(made[0]) if made else None
        rows = compare_runs(run, after)
        suspicious = list(dict.fromkeys(row.step for row in rows if row.suspicious))
        if after is not None and suspicious:
            tell(f"running once more, to see whether it gives the same result twice: {', '.join(suspicious)}")
            again, _ = scratch.run(again=suspicious)
            rows = tell_nondeterministic(rows, after, dict(zip(suspicious, map(client.run, again), strict=False)))
    return Reproduction(recorded, after, folder, environment, count, inputs, rows, problem)


def _refuse_full(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder", hint="name another one with --into")


def _restore_code(recorded: RecordedRun, artifacts: ArtifactStore, root: Path) -> int:
    """Unpack the code bundle, checked; how many files it holds."""
    root.mkdir(parents=True)
    archive = root.with_name("code.zip")
    try:
        archive.write_bytes(artifacts.read_bytes(recorded.code_location))
    except ArtifactMissingError as error:
        raise CodeError(diagnostics=error.diagnostics) from error
    content_by_name = read_bundle(archive)
    found = code_digest(content_by_name)
    if found != recorded.run.record.code_digest:
        raise CodeError(
            f"the code bundle of run {recorded.run.run_id[:8]} is damaged",
            where=recorded.code_location,
            why=f"its digest is {found[:19]}…, recorded is {recorded.run.record.code_digest[:19]}…",
            hint="of a compiled pipeline, remove it and upload it again: zen push DIR",
        )
    archive.unlink()
    for name, content in content_by_name.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return len(content_by_name)


def _settings_in(folder: Path, run: Run) -> Settings:
    """The settings of the reproduction: the run's project, with stores of its own."""
    root = folder / CODE
    settings = Settings(root=root, project=run.record.project, data_root=str(folder / DATA), mlflow_sync="off")
    settings.state_folder.mkdir(parents=True)
    return settings.with_local_defaults()


def _restore_inputs(recorded: RecordedRun, stores: ReadStores, settings: Settings, folder: Path) -> list[RestoredInput]:
    (folder / DATA).mkdir()
    lineage = open_lineage_store(settings.lineage_url)
    try:
        files = restore_files(recorded, stores.settings.data_root, stores.artifacts, folder / DATA)
        own = ArtifactStore(settings.artifact_url)
        artifacts = restore_artifacts(recorded, stores.artifacts, lineage, own)
        return [*files, *artifacts, *compare_variables(recorded)]
    finally:
        lineage.close()


def _environment(
    recorded: RecordedRun, folder: Path, *, python: str, build: bool, tell: Callable[[str], None]
) -> BuiltEnvironment:
    if build:
        project = recorded.run.record.project
        return build_environment(recorded.environment, project, folder / ENVIRONMENT, python=python, tell=tell)
    from zen_core.environment.capture import capture_environment

    here = capture_environment()[1]
    return BuiltEnvironment(Path(sys.executable), "", 0, tuple(_differences(recorded.environment, here)))


def _differences(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> list[NotRestored]:
    """What this environment has in another version than the recorded one, or has not."""
    found = []
    if recorded.get("python") != here["python"]:
        found.append(NotRestored("python", str(recorded.get("python")), f"it is {here['python']} here"))
    for name, version in recorded.get("packages", {}).items():
        own = here["packages"].get(name)
        if own != version:
            found.append(NotRestored(name, version, f"it is {own} here" if own else "it is not installed here"))
    return found


@dataclass(frozen=True)
class _Scratch:
    """Runs the pipeline in a process of the environment that was built, with stores of its own."""

    recorded: RecordedRun
    settings: Settings
    environment: BuiltEnvironment
    folder: Path
    inputs: Sequence[RestoredInput]
    tell: Callable[[str], None]

    def run(self, *, again: Sequence[str] = ()) -> tuple[list[str], str]:
        """The ids of the runs that were made, and why none could begin."""
        run = self.recorded.run
        moved = {item.name: item.reference for item in self.inputs if item.reference}
        document = {
            "root": str(self.settings.root),
            "ir": run.ir,
            "parameters": {name: replace_files(value, moved) for name, value in run.record.parameters.items()},
            "pins": {name: record.artifact_id for name, record in self.recorded.pins.items()},
            "again": list(again),
        }
        file, result = self.folder / "rerun.json", self.folder / "result.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        result.unlink(missing_ok=True)
        code = self._start(file)
        if not result.exists():
            return [], f"its process ended with exit code {code}"
        answer = json.loads(result.read_text(encoding="utf-8"))
        return list(answer["run_ids"]), str(answer["problem"])

    def _start(self, file: Path) -> int:
        command = [str(self.environment.interpreter), "-P", "-m", "zen_metadata.reproducing.rerun", str(file)]
        with subprocess.Popen(
            command,
            cwd=self.settings.root,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    self.tell(line.rstrip("\n"))
            except BaseException:
                process.terminate()
                raise
        return process.returncode

    def _variables(self) -> dict[str, str]:
        """The environment without what points to other stores, code or settings than the reproduction's own."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ZEN_", "MLFLOW_", "OPENLINEAGE_"))
            and name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        }
        settings = self.settings
        return {
            **kept,
            "PYTHONNOUSERSITE": "1",
            "PYTHONUNBUFFERED": "1",
            "ZEN_PROJECT": settings.project,
            "ZEN_LINEAGE_URL": settings.lineage_url,
            "ZEN_ARTIFACT_URL": settings.artifact_url,
            "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
            "ZEN_MLFLOW_SYNC": "off",
            "OPENLINEAGE_DISABLED": "true",
            "ZEN_DEPLOYMENT": settings.deployment,
            "ZEN_DATA_ROOT": settings.data_root,
        }
