"""Pipelines found in files as they stand, with nothing imported."""

from pathlib import Path

import pytest

from zen_core.authoring.scanning import find_pipelines, pipelines_in, split_reference

PLAIN = """
raise SystemExit("nobody may import this")
from zen_core import pipeline, step
from features import clean

@step
def load(): ...

@step(name="fit_model", timeout="1h")
def fit(rows): ...

def helper(): ...

@pipeline
def churn(depth: int = 4):
    rows = clean(load())
    helper()
    fit(load())
    fit.with_options(name="other", timeout="2h")(rows)
    fit.after(rows)(rows)

@pipeline(tags=["x"])
def second():
    load.with_options(timeout="1h")()
    fit.map(load())
    fit.with_options(name="third").map(rows=load(), chunk=2)

@step
def no_pipeline(): ...
"""
BY_MODULE = """
import zen_core as z
@z.step
def load(): ...
@z.pipeline
def churn():
    load()
"""
RENAMED = """
from zen_core import pipeline as flow
@flow
def churn(): ...
"""
FOREIGN = """
from other import pipeline
import zen_core
@pipeline
def churn(): ...
"""


@pytest.fixture
def found(tmp_path):
    def find(text):
        (tmp_path / "flows.py").write_text(text)
        return {item.name: item.steps for item in pipelines_in(tmp_path / "flows.py")}

    return find


def test_pipelines_and_their_steps(found):
    assert found(PLAIN) == {
        "churn": ("load", "clean", "load_2", "fit_model", "other", "fit_model_2"),
        "second": ("load", "load_2", "fit_model", "load_3", "third"),
    }


def test_however_zen_was_imported(found):
    assert found(BY_MODULE) == {"churn": ("load",)}
    assert list(found(RENAMED)) == ["churn"]
    assert found(FOREIGN) == {}


@pytest.mark.parametrize("text", ["", "def (", "from zen_core import pipeline\nx = '\0'"])
def test_a_file_that_cannot_be_read_has_none(found, text):
    assert found(text) == {}


def test_a_project_is_searched_without_environments_and_other_projects(tmp_path):
    for name in ("a.py", "flows/b.py", ".hidden/c.py", "venv/d.py", "build/e.py", "other/f.py", "no-name/g.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(RENAMED)
    (tmp_path / "zen.toml").touch()
    (tmp_path / "other" / "zen.toml").touch()
    assert [item.file for item in find_pipelines(tmp_path)] == [Path("a.py"), Path("flows/b.py")]


def test_the_search_ends_when_its_time_is_over(tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(RENAMED)
    assert len(find_pipelines(tmp_path, seconds=-1)) == 1


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("flows/a.py:churn", ("flows/a.py", "churn")),
        ("flows/a.py", ("flows/a.py", "")),
        ("flows.a:churn", ("flows.a", "churn")),
        (r"C:\flows\a.py", (r"C:\flows\a.py", "")),
    ],
)
def test_a_reference_has_two_parts(reference, parts):
    assert split_reference(reference) == parts
