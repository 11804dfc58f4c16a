"""Finding a pipeline by what people type."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zen_core.authoring.loading import load_pipeline
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError, LoadError

CHURN = """
from zen_core import pipeline, step

@step
def load() -> int:
    return 1

@pipeline
def churn() -> None:
    load()
"""


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "zen.toml").touch()
    _write(tmp_path, "flows_under_test/churn.py", CHURN)
    monkeypatch.chdir(tmp_path)
    return tmp_path.resolve()


def _write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _problem(reference: str, settings: Settings) -> Diagnostic:
    with pytest.raises(LoadError) as caught:
        load_pipeline(reference, settings)
    (problem,) = caught.value.diagnostics
    return problem


@pytest.mark.parametrize(
    "reference",
    [
        "flows_under_test/churn.py:churn",
        "flows_under_test/churn.py",
        "./flows_under_test/churn.py:churn",
        "flows_under_test.churn:churn",
        "flows_under_test.churn",
    ],
)
def test_a_pipeline_has_one_identity_however_it_is_named(project: Path, reference: str) -> None:
    built = load_pipeline(reference, Settings(root=project)).build(Settings(root=project))
    assert built.importable
    assert [item.entry_point for item in built.spec.steps] == ["flows_under_test.churn:load"]
    assert built.spec.source == "flows_under_test/churn.py:8"
    assert sys.path[0] == str(project)


def test_an_absolute_path_and_one_from_a_folder_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "flows_under_test")
    settings = Settings(root=project)
    first = load_pipeline("churn.py:churn", settings)
    assert load_pipeline(f"{project / 'flows_under_test' / 'churn.py'}:churn", settings) is first


def test_paths_of_the_settings_are_import_roots(project: Path) -> None:
    _write(project, "my-src/inner_flows/churn.py", CHURN)
    settings = Settings(root=project, paths=("my-src",))
    built = load_pipeline("my-src/inner_flows/churn.py", settings).build(settings)
    assert [item.entry_point for item in built.spec.steps] == ["inner_flows.churn:load"]
    assert built.importable


def test_a_file_that_is_not_there_names_the_nearest(project: Path) -> None:
    problem = _problem("flows_under_test/chrn.py:churn", Settings(root=project))
    assert problem.message == "the file flows_under_test/chrn.py is not there"
    assert problem.hint == "did you mean 'flows_under_test/churn.py'?"
    assert _problem("churn.py", Settings(root=project)).hint == "did you mean 'flows_under_test/churn.py'?"
    assert "is a folder" in _problem("flows_under_test/", Settings(root=project)).message


def test_a_module_that_is_not_there_names_the_nearest(project: Path) -> None:
    problem = _problem("flows_under_test.chrn:churn", Settings(root=project))
    assert problem.message == "there is no module 'flows_under_test.chrn'"
    assert problem.hint == "did you mean 'flows_under_test.churn'?"


@pytest.mark.parametrize(
    ("path", "why", "hint"),
    [
        ("flows_under_test/01_churn.py", "a module's name is a Python identifier", "rename the file"),
        ("my-flows/churn.py", "its folder's name is no Python identifier", 'paths = ["my-flows"]'),
    ],
)
def test_a_file_that_cannot_be_imported_by_name(project: Path, path: str, why: str, hint: str) -> None:
    _write(project, path, CHURN)
    problem = _problem(path, Settings(root=project))
    assert (problem.code, problem.message) == ("ZEN-D202", f"{path} cannot be imported by name")
    assert problem.why == why
    assert hint in problem.hint


def test_a_file_outside_the_project(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    _write(elsewhere, "churn.py", CHURN)
    problem = _problem(str(elsewhere / "churn.py"), Settings(root=project))
    assert "it lies outside the project" in problem.why


def test_another_module_of_the_same_name(project: Path) -> None:
    _write(project, "json.py", CHURN)
    problem = _problem("json.py", Settings(root=project))
    assert problem.message == "importing 'json' gives another file"
    assert problem.hint == "rename one of them"


def test_an_import_that_fails_shows_the_users_own_traceback(project: Path) -> None:
    _write(project, "flows_under_test/broken.py", "def deep():\n    return 1 / 0\n\n\ndeep()\n")
    problem = _problem("flows_under_test/broken.py", Settings(root=project))
    assert problem.code == "ZEN-D203"
    assert problem.message == "importing 'flows_under_test.broken' fails: ZeroDivisionError: division by zero"
    assert problem.where == "flows_under_test/broken.py:2"
    assert "    return 1 / 0" in problem.why
    assert "in <module>" in problem.why
    assert "importlib" not in problem.why
    assert "zen_core" not in problem.why


@pytest.mark.parametrize(
    ("text", "message", "where", "hint"),
    [
        ("import not_installed_here\n", "ModuleNotFoundError", "flows_under_test/broken.py:1", "'not_installed_here'"),
        ("x = 1\ndef (:\n", "SyntaxError", "flows_under_test/broken.py:2", ""),
        ("import sys\nsys.exit(3)\n", "it ends the process", "flows_under_test/broken.py:2", "__main__"),
    ],
)
def test_how_an_import_can_fail(project: Path, text: str, message: str, where: str, hint: str) -> None:
    _write(project, "flows_under_test/broken.py", text)
    problem = _problem("flows_under_test/broken.py", Settings(root=project))
    assert f"importing 'flows_under_test.broken' fails: {message}" in problem.message
    assert problem.where == where
    assert hint in problem.hint


def test_a_wrong_option_in_the_file_is_told_as_such(project: Path) -> None:
    _write(project, "flows_under_test/wrong.py", "from zen_core import Retry\nRetry(times=0)\n")
    with pytest.raises(DefinitionError, match="Retry\\(times=…\\) cannot be 0") as caught:
        load_pipeline("flows_under_test/wrong.py", Settings(root=project))
    assert caught.value.diagnostics[0].where == "flows_under_test/wrong.py:2"


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("many.py:chrn", "many.py has no pipeline 'chrn'", "did you mean 'churn'?"),
        ("many.py:zzz", "many.py has no pipeline 'zzz'", "its pipelines: churn, sales"),
        ("many.py:load", "'load' in many.py is a step, not a pipeline", "its pipelines: churn, sales"),
        ("many.py:helper", "'helper' in many.py is a function, not a pipeline", "its pipelines: churn, sales"),
        ("many.py", "many.py defines 2 pipelines", "name one: many.py:churn"),
        ("none.py", "none.py defines no pipelines", "decorate a function with @pipeline"),
    ],
)
def test_which_pipeline_is_meant(project: Path, reference: str, message: str, hint: str) -> None:
    _write(project, "many.py", f"{CHURN}\n@pipeline\ndef sales():\n    load()\n\ndef helper(): ...\n")
    _write(project, "none.py", "x = 1\n")
    problem = _problem(reference, Settings(root=project))
    assert (problem.code, problem.message) == ("ZEN-D204", message)
    assert hint in problem.hint


def test_an_imported_pipeline_does_not_make_the_choice_ambiguous(project: Path) -> None:
    text = "from flows_under_test.churn import churn, load\nfrom zen_core import pipeline\n"
    _write(project, "sales.py", f"{text}\n@pipeline\ndef sales():\n    load()\n")
    loaded: Any = load_pipeline("sales.py", Settings(root=project))
    assert loaded.name == "sales"
