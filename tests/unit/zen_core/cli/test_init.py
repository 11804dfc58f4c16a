"""`zen init`: what it writes runs, is clean, and never costs anybody a file."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zen_core.adapter.registry import load_adapter
from zen_core.compiler.compile import read_options
from zen_core.contract.settings import load_settings

FILES = [
    ".gitignore",
    "README.md",
    "churn_model/__init__.py",
    "churn_model/pipeline.py",
    "data/iris.csv",
    "pyproject.toml",
    "tests/test_pipeline.py",
    "zen.toml",
]


def test_it_writes_a_project_and_says_what_to_type_next(project):
    result = project.zen("init", "churn-model")
    assert result.exit_code == 0
    folder = project.root / "churn-model"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == FILES
    for name in FILES:
        assert f"  wrote churn-model/{name}\n" in result.stdout
    assert result.stdout.endswith(
        "\nnext\n  cd churn-model\n  zen run churn_model/pipeline.py:iris\n  zen show\n",
    )


def test_no_template_is_left_unfilled(project):
    project.zen("init", "churn-model")
    for name in FILES:
        text = (project.root / "churn-model" / name).read_text()
        assert "$name" not in text
        assert "$package" not in text
        assert "$$" not in text


def test_json(project):
    document = json.loads(project.zen("init", "new", "--name", "churn-model", "--json").stdout)
    assert sorted(document.pop("files")) == FILES
    assert document == {"folder": "new", "name": "churn-model", "pipeline": "churn_model/pipeline.py:iris"}


def test_in_the_current_folder(project, monkeypatch):
    folder = project.root / "My Project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    result = project.zen("init")
    assert result.exit_code == 0
    assert "cd " not in result.stdout
    assert tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"] == "my-project"
    assert (folder / "my_project" / "pipeline.py").is_file()


def test_no_file_is_ever_overwritten_and_all_are_named_at_once(project):
    folder = project.root / "demo"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("mine")
    (folder / "data" / "iris.csv").symlink_to("nowhere")
    result = project.zen("init", "demo")
    assert result.exit_code == 2
    assert "error ZEN-U104: the folder demo has 2 of the files already, so nothing is written" in result.stderr
    assert "demo/README.md\n" in result.stderr
    assert "demo/data/iris.csv\n" in result.stderr
    assert sorted(path.name for path in folder.rglob("*")) == ["README.md", "data", "iris.csv"]
    assert (folder / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("Churn Model", "churn-model"),
        ("churn_model", "churn-model"),
        ("2024", "project-2024"),
        ("äöü", "my-project"),
        ("json", "json-pipelines"),
        ("class", "class-pipelines"),
        ("tests", "tests-pipelines"),
        ("zen-core", "zen-core-pipelines"),
        ("click", "click-pipelines"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(project, name, proposed):
    result = project.zen("init", "new folder", "--name", name)
    assert result.exit_code == 2
    assert f"error ZEN-U103: a project cannot be called {name!r}" in result.stderr
    assert f"hint   zen init 'new folder' --name {proposed}\n" in result.stderr
    assert not (project.root / "new folder").exists()


def test_a_folder_that_cannot_be_made_is_told(project):
    result = project.zen("init", "rows.txt/demo")
    assert result.exit_code == 2
    assert "error ZEN-U100: the project cannot be written: Not a directory" in result.stderr


def test_the_settings_are_valid_also_with_all_that_is_commented_out(project):
    project.zen("init", "demo")
    file = project.root / "demo" / "zen.toml"
    assert load_settings(file.parent, stack="local", environ={}).project == "demo"
    file.write_text(re.sub(r"^# (?=\[|[a-z_]+ = )", "", file.read_text(), flags=re.MULTILINE))
    team = load_settings(file.parent, stack="team", environ={})
    assert team.deployment == "production"
    assert sorted(team.adapters) == ["airflow", "prefect"]
    for name in team.adapters:
        assert read_options(load_adapter(name), team).model_fields_set == set(team.adapters[name])


@pytest.mark.slow
def test_the_project_runs_is_cached_compiles_and_is_clean(tmp_path):
    def run(*words, tool="zen", folder="demo"):
        program = Path(sys.executable).with_name(tool)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_", "PYTEST"))}
        done = subprocess.run(
            [program, *words],
            cwd=tmp_path / folder,
            capture_output=True,
            text=True,
            check=False,
            env={**kept, "ZEN_MLFLOW_SYNC": "off"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def statuses(*words):
        return [step["status"] for step in json.loads(run("run", *words, "--json"))["steps"]]

    run("init", "demo", folder=".")
    reference = "demo/pipeline.py:iris"
    assert statuses(reference) == ["completed"] * 4
    assert statuses(reference) == ["cached"] * 4
    assert statuses("demo/pipeline.py", "--param", "neighbours=7") == ["cached", "cached", "completed", "completed"]
    assert "wrote build/airflow/iris.py" in run("compile", reference, "--for", "airflow", "--out", "build/airflow")
    assert "3 passed" in run("-q", "-p", "no:cacheprovider", tool="pytest")
    run("check", "--no-cache", ".", tool="ruff")
    run("check", "--no-cache", "--select", "E,F,W,I,B,UP,C4,SIM,RUF,PT,RET,PIE,A,N,D1", ".", tool="ruff")
    run("format", "--no-cache", "--check", ".", tool="ruff")
    run(tool="mypy")
    run("tests", tool="mypy")
