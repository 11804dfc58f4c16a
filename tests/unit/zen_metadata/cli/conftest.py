"""A project with runs of its own, and the command line in it."""

import contextlib
import importlib
import io
import json
import os
import sys
import textwrap
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from zen_core.cli.main import zen

PIPELINES = """
from typing import Annotated
from zen_core import File, log_metric, pipeline, step

@step
def load(data: File, depth: int) -> list:
    print("loading", depth)
    return data.path.read_text().split() * depth

@step
def train(rows: list, depth: int = 4) -> Annotated[dict, "model"]:
    log_metric("loss", 0.25)
    if depth == 13:
        print("thirteen!")
        raise ValueError("depth 13 brings bad luck")
    return {"rows": len(rows)}

@step
def score(model: dict) -> float:
    return 0.9

@pipeline(tags=["demo"])
def churn(data: File = File("rows.txt"), depth: int = 4):
    score(train(load(data, depth), depth))
"""

FLOW = """
    from typing import Annotated
    from zen_core import Cache, File, log_metric, pipeline, step, when
    import features

    @step
    def load(data: File, n: int) -> Annotated[list, "rows"]:
        return [int(x) for x in data.path.read_text().split()][:n]

    @step
    def scaled(rows: list) -> list:
        return [features.scale(row) for row in rows]

    @step
    def square(x: int) -> int:
        return x * x

    @step
    def total(rows: list, squares: list) -> int:
        return sum(rows) + sum(squares)

    @pipeline
    def flow(data: File = File("numbers.txt"), n: int = 3):
        rows = scaled(load(data, n))
        total(rows, square.map(x=rows))
"""
FEATURES = """
    FACTOR = 2

    def scale(x):
        return x * FACTOR

    def unused(x):
        return x
"""


class Project:
    """A project's folder, and what `zen` answers in it."""

    def __init__(self, root):
        self.root = root
        # Modules stay loaded: each project has its own.
        self.module = f"flows_{uuid.uuid4().hex[:8]}"

    def zen(self, *arguments):
        return CliRunner().invoke(zen, [str(argument) for argument in arguments])

    def json(self, *arguments):
        result = self.zen(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def write(self, **sources):
        """Write modules, anew or for the first time; the next command imports them as they are then."""
        for name, source in sources.items():
            (self.root / f"{name}.py").write_text(textwrap.dedent(source))
        self.forget_modules()

    def edit(self, module, old, new):
        """Change one place of a module."""
        file = self.root / f"{module}.py"
        text = file.read_text()
        assert text.count(old) == 1, text
        file.write_text(text.replace(old, new))
        self.forget_modules()

    def forget_modules(self):
        """Let the next command import the project's modules as a new process would."""
        for name, module in [*sys.modules.items()]:
            if Path(getattr(module, "__file__", None) or "/").is_relative_to(self.root):
                del sys.modules[name]
        importlib.invalidate_caches()

    def run(self, *arguments):
        """Run the pipeline, and answer with its document, however it ended."""
        return json.loads(self.zen("run", f"{self.module}.py:churn", "--json", *arguments).stdout)

    def ran(self, *arguments):
        """Run the pipeline `ref`, which completes; its document, whose steps are by label."""
        result = self.zen("run", self.ref, "--json", *arguments)
        assert result.exit_code == 0, result.stderr
        document = json.loads(result.stdout)
        document["steps"] = {
            step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]": step
            for step in document["steps"]
        }
        return document

    def reasons(self, *arguments):
        """Run the pipeline `ref`; the reason of each step."""
        return {name: step["cache_reason"] for name, step in self.ran(*arguments)["steps"].items()}

    def why(self, step, run_id="latest"):
        """What `zen why` says of a step."""
        return self.json("why", run_id, step)


class Screen(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A block in which the standard output is a terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def redirect():
        return contextlib.redirect_stdout(Screen())

    return redirect


@pytest.fixture
def project(tmp_path, monkeypatch):
    for variable in [*os.environ]:
        if variable.startswith(("ZEN_", "MLFLOW_")):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = Project(tmp_path)
    (tmp_path / "zen.toml").write_text('project = "demo"\nmlflow_sync = "off"\n')
    (tmp_path / "rows.txt").write_text("a b c")
    (tmp_path / f"{made.module}.py").write_text(PIPELINES)
    # Two versions of a module, written within a second and of equal length, would share their bytecode.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield made
    made.forget_modules()


@pytest.fixture
def flow(project):
    """A project whose pipeline `flow` uses a helper module."""
    (project.root / "numbers.txt").write_text("1 2 3 4")
    project.write(flow=FLOW, features=FEATURES)
    project.ref = "flow.py:flow"
    return project
