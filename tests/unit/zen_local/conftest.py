"""A project in a temporary folder, whose pipelines run on the embedded engine."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from zen_core.adapter.protocol import RunOutcome, RunRequest
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import Settings, load_settings
from zen_local import LocalAdapter
from zen_metadata.query import Client

_numbers = itertools.count()
IMPORTS = """
from __future__ import annotations
import os, sys, time
from pathlib import Path
from typing import Annotated
from zen_core import (
    Cache, File, Resources, Retry, Secret, broadcast, current, either, log_metric, log_params, pipeline, step, when,
)
"""

MARKING = """
STAGE = Path(@STAGE@)

def mark(name):
    with open(STAGE / name, "a") as file:
        file.write("x\\n")

def wait_for(name):
    deadline = time.monotonic() + 20
    while not (STAGE / name).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(name)
        time.sleep(0.01)

def alone():
    lock = STAGE / "lock"
    lock.touch(exist_ok=False)
    time.sleep(0.05)
    lock.unlink()
"""


@dataclass
class Bench:
    """Writes pipelines and runs them. `stage` is a folder in which steps leave marks for the test."""

    folder: Path
    module: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> Path:
        return self.folder / "stage"

    def marks(self, name: str) -> int:
        """How often a step wrote a line into its file on the stage."""
        path = self.stage / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def copy(self, file: Path) -> None:
        """Copy a module that `run` takes pipelines from."""
        self.module = f"work_{os.getpid()}_{next(_numbers)}"
        (self.folder / f"{self.module}.py").write_bytes(file.read_bytes())

    def write(self, source: str) -> None:
        """Write the module that `run` takes pipelines from; each one is a module of its own."""
        self.module = f"work_{os.getpid()}_{next(_numbers)}"
        self._fill(source)

    def edit(self, source: str) -> None:
        """Write another text into the module of before, as one edits a file between two runs."""
        sys.modules.pop(self.module, None)
        # Python takes a file of the same size that was written within the same second for the same.
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        self._fill(source)

    def _fill(self, source: str) -> None:
        marking = MARKING.replace("@STAGE@", repr(str(self.stage)))
        (self.folder / f"{self.module}.py").write_text(IMPORTS + marking + textwrap.dedent(source))

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder, environ={"ZEN_MLFLOW_SYNC": "off", **self.variables})

    def execute(self, name: str, options: Mapping[str, Any] | None = None, **parameters: Any) -> RunOutcome:
        """Run a pipeline; `options` are fields of the RunRequest."""
        settings = self.settings
        built = load_pipeline(f"{self.module}:{name}", settings).build()
        manifest = build_manifest(built.spec, built.functions, settings)
        request = RunRequest(manifest=manifest, functions=built.functions, settings=settings, parameters=parameters)
        return LocalAdapter().run(replace(request, **(options or {})))

    def run(self, name: str, options: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
        """Run a pipeline; what `zen show --json` says of the run, the steps by name."""
        return self.show(self.execute(name, options, **parameters).run_id)

    def document(self, run_id: str) -> dict[str, Any]:
        """What `zen show --json` says of a run."""
        with Client(self.settings) as client:
            found: dict[str, Any] = client.run(run_id).to_json()
        return found

    def labelled(self, name: str, options: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, str]:
        """Run a pipeline; the statuses by `step`, or `step[index]` for elements of maps."""
        return self.labels(self.execute(name, options, **parameters).run_id)

    def labels(self, run_id: str) -> dict[str, str]:
        """The statuses of a run's steps by `step` or `step[index]`, without those that Zen made."""
        return {
            step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]": step["status"]
            for step in self.document(run_id)["steps"]
            if step["kind"] in ("step", "hook")
        }

    def show(self, run_id: str) -> dict[str, Any]:
        document = self.document(run_id)
        return {**document, "steps": {step["name"]: step for step in document["steps"]}}

    def statuses(self, name: str, options: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, str]:
        return {step: document["status"] for step, document in self.run(name, options, **parameters)["steps"].items()}

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `zen` in the project, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "zen_core.cli", *arguments],
            cwd=self.folder,
            env={**os.environ, "ZEN_MLFLOW_SYNC": "off", **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name in [name for name in os.environ if name.startswith(("ZEN_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "zen.toml").write_text('project = "bench"\n')
    (tmp_path / "stage").mkdir()
    path, modules = list(sys.path), set(sys.modules)
    yield Bench(tmp_path)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("work_"):
            del sys.modules[name]


class Recorder:
    """Keeps what an engine tells: the name of the call, and what it said."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *facts: self.heard.append((name, *facts))

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """What was said in the calls of one name."""
        return [facts for called, *facts in self.heard if called == name]


@pytest.fixture
def recorder() -> Recorder:
    """An observer that keeps what it is told."""
    return Recorder()


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended with the test, whatever happens."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
