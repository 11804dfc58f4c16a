"""A small project, and the command line in it."""

import os
import sys
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from zen_core.cli.main import zen

PIPELINES = """
import threading
from typing import Annotated
from zen_core import File, log_metric, pipeline, step

@step
def load(data: File, depth: int) -> list:
    print("loading", depth, "[bold]")
    return data.path.read_text().split() * depth

@step
def train(rows: list, depth: int = 4) -> Annotated[dict, "model"]:
    print("in the main thread:", threading.current_thread() is threading.main_thread())
    log_metric("loss", 0.25)
    if depth == 13:
        raise ValueError("depth 13 brings bad luck")
    return {"rows": len(rows)}

@step
def score(model: dict) -> float:
    return 0.9

@pipeline(tags=["demo"])
def churn(data: File = File("rows.txt"), depth: int = 4):
    score(train(load(data, depth), depth))

@pipeline
def broken(n: int = 1):
    score(load.after(n)(n))
"""


class Project:
    """A project's folder; `ref` is what the command line calls its pipeline."""

    def __init__(self, root):
        self.root = root
        # Modules stay loaded: each project has its own.
        self.module = f"flows_{uuid.uuid4().hex[:8]}"
        self.ref = f"{self.module}.py:churn"

    def write(self, **files):
        for name, text in files.items():
            (self.root / name.replace("__", ".")).write_text(text)

    def zen(self, *arguments):
        return CliRunner().invoke(zen, [str(argument) for argument in arguments])


@pytest.fixture
def project(tmp_path, monkeypatch):
    for variable in [*os.environ]:
        if variable.startswith(("ZEN_", "MLFLOW_")):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = Project(tmp_path)
    made.write(
        zen__toml='project = "demo"\nmlflow_sync = "off"\n',
        rows__txt="a b c",
        **{f"{made.module}__py": PIPELINES},
    )
    yield made
    for name, module in [*sys.modules.items()]:
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]
