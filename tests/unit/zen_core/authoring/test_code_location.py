"""A step's code has one identity, whether its file is started as a script, given by path or imported by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = """
from zen_core import step

@step
def load() -> int:
    return 1
"""
SHOW = """
import json
built = churn.build()
print(json.dumps({
    "entry_points": [step.entry_point for step in built.spec.steps],
    "problems": [[problem.message, problem.hint] for problem in built.not_importable],
    "digest": built.spec.digest,
    "sources": [step.source for step in built.spec.steps],
    "type": built.spec.steps[0].outputs[0].type,
}))
"""
SHOW_WHEN_STARTED = 'if __name__ == "__main__":' + SHOW.replace("\n", "\n    ")
CHURN = f"""
from zen_core import pipeline, step

class Frame: ...

@step
def load() -> Frame:
    return Frame()

@pipeline
def churn():
    load()

{SHOW_WHEN_STARTED}
"""


def _run(project: Path, *command: str) -> dict[str, list[str]]:
    # As a person would run it: a test runner that keeps its own folder off sys.path says nothing about that.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, *command], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "zen.toml").touch()
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "churn.py").write_text(CHURN, encoding="utf-8")
    return tmp_path


def test_a_script_a_module_and_an_import_give_one_identity(project: Path) -> None:
    found = [
        _run(project, "flows/churn.py"),
        _run(project, "-m", "flows.churn"),
        _run(project, "-c", f"from flows.churn import churn{SHOW}"),
    ]
    assert found[0] == found[1] == found[2]
    assert found[0]["entry_points"] == ["flows.churn:load"]
    assert found[0]["sources"] == ["flows/churn.py:12"]
    assert found[0]["type"] == "flows.churn.Frame"
    assert found[0]["problems"] == []


def test_code_of_an_interactive_session_runs_here_and_cannot_be_compiled(project: Path) -> None:
    found = _run(project, "-c", CHURN)
    assert found["entry_points"] == ["__main__:load"]
    ((message, hint),) = found["problems"]
    assert "it is defined in a notebook or an interactive session" in message
    assert hint == "move it into a file of the project, and import it from there"


def test_a_sibling_that_only_the_script_can_import_names_the_missing_root(project: Path) -> None:
    (project / "flows" / "shared.py").write_text(STEPS, encoding="utf-8")
    imports = "from zen_core import pipeline\nfrom shared import load\n"
    text = f"{imports}@pipeline\ndef churn():\n    load()\n{SHOW_WHEN_STARTED}"
    (project / "flows" / "main.py").write_text(text, encoding="utf-8")
    ((message, hint),) = _run(project, "flows/main.py")["problems"]
    assert "imported from the folder flows, which is no import root of the project" in message
    assert hint == 'write paths = ["flows"] in zen.toml'
    (project / "zen.toml").write_text('paths = ["flows"]\n', encoding="utf-8")
    found = _run(project, "flows/main.py")
    assert (found["entry_points"], found["problems"]) == (["shared:load"], [])


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("my-flows/churn.py", "from the folder my-flows", 'write paths = ["my-flows"] in zen.toml'),
        ("flows/my-churn.py", "my-churn.py has no name that a module can have", "rename it to a Python identifier"),
    ],
)
def test_a_path_that_is_no_module_name(project: Path, path: str, message: str, hint: str) -> None:
    (project / path).parent.mkdir(exist_ok=True)
    (project / path).write_text(CHURN, encoding="utf-8")
    found = _run(project, path)
    ((said, proposed),) = found["problems"]
    assert message in said
    assert proposed == hint
    assert found["entry_points"] == ["__main__:load"]


def test_a_name_that_stands_for_something_else(project: Path) -> None:
    text = CHURN.replace("@pipeline", "first = load\nload = None\n@pipeline").replace("    load()", "    first()")
    (project / "flows" / "twice.py").write_text(text, encoding="utf-8")
    ((message, hint),) = _run(project, "flows/twice.py")["problems"]
    assert "the name 'load' in its module stands for something else" in message
    assert "a name of its own" in hint
