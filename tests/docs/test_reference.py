"""The reference is complete, and tells nothing that is not there."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import click
import pytest

import zen_core
import zen_core.errors
from zen_core.adapter.features import Feature
from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.registry import adapter_names, load_adapter
from zen_core.cli.main import zen
from zen_core.contract import settings
from zen_core.contract.settings import load_settings
from zen_core.errors import ZenError

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCES = [path for name in ("zen_core", "metadata", "adapters") for path in sorted((ROOT / name).rglob("*.py"))]


def _page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def _section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _first_cells(text: str) -> list[str]:
    """The code in the first column of the tables of a text."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


# -- errors -----------------------------------------------------------------------------------------------------


def test_the_index_of_the_errors_is_what_their_pages_say() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generate["errors_text"]() == _page("errors.md"), "write it anew: python docs/generate.py"


def test_the_exit_codes_are_those_of_the_errors() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", _page("errors.md"), re.MULTILINE)}
    used = {
        value.exit_code
        for value in vars(zen_core.errors).values()
        if isinstance(value, type) and issubclass(value, ZenError)
    }
    assert used <= documented


# -- settings ---------------------------------------------------------------------------------------------------


def test_each_setting_is_documented() -> None:
    text = _page("settings.md")
    nested = {"artifacts": "artifacts.allow_pickle", "stacks": "stacks.NAME", "adapters": "adapters.NAME"}
    project = {nested.get(key, key) for key in settings._KEYS if key not in settings._STACK_KEYS} - {"code"}
    project |= {f"code.{key}" for key in settings._CODE_KEYS}
    assert set(_first_cells(_section(text, "Project"))) == project
    assert set(_first_cells(_section(text, "Stores"))) == set(settings._STACK_KEYS)


def test_each_environment_variable_is_documented() -> None:
    read = {
        name for path in SOURCES for name in re.findall(r"\bZEN_[A-Z]+(?:_[A-Z]+)*\b", path.read_text(encoding="utf-8"))
    }
    documented = set(_first_cells(_section(_page("settings.md"), "Environment variables")))
    assert read | {"MLFLOW_TRACKING_URI", "OPENLINEAGE_URL"} == documented
    assert set(settings._ENVIRONMENT) <= documented


@pytest.mark.parametrize("name", adapter_names())
def test_each_option_of_an_adapter_is_documented(name: str) -> None:
    options: type[AdapterOptions] = load_adapter(name).options_model
    documented = _first_cells(_section(_page("settings.md"), f"adapters.{name}"))
    assert sorted(key.partition(".")[0] for key in documented) == sorted(options.model_fields)


def test_the_example_of_the_settings_is_valid(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", _page("settings.md"), re.DOTALL)
    (tmp_path / "zen.toml").write_text(example, encoding="utf-8")
    assert load_settings(tmp_path, environ={}).mlflow_sync == "off"
    assert load_settings(tmp_path, stack="production", environ={}).data_root == "s3://company-data"


# -- features and names -----------------------------------------------------------------------------------------


def test_the_feature_page_is_what_the_adapters_say() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generate["features_text"]() == _page("features.md"), "write it anew: python docs/generate.py"
    assert [feature.value for feature in Feature if f"`{feature.value}`" not in _page("features.md")] == []


def test_each_public_name_is_documented() -> None:
    text = _page("python.md")
    missing = [
        name for name in zen_core.__all__ if not name.startswith("__") and not re.search(rf"\b{name}\(|@{name}\b", text)
    ]
    assert missing == []


def test_the_options_are_documented_with_their_defaults() -> None:
    text = _page("python.md")
    for name in ("Retry", "Resources", "Cache", "Schedule"):
        [signature] = re.findall(rf"^\| `({name}\(.*?\))`", text, re.MULTILINE)
        call = ast.parse(signature, mode="eval").body
        assert isinstance(call, ast.Call)
        shown = [argument.id for argument in call.args if isinstance(argument, ast.Name)]
        defaults = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        fields = getattr(zen_core, name).__dataclass_fields__
        assert [*shown, *defaults] == list(fields)
        assert defaults == {key: fields[key].default for key in list(fields)[len(shown) :]}


# -- commands that messages name --------------------------------------------------------------------------------


def test_each_command_that_a_message_names_exists() -> None:
    known = set(zen.list_commands(click.Context(zen)))
    unknown = [
        f"{path.relative_to(ROOT)}:{node.lineno}: zen {word}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in re.findall(r"(?<![\w.:/-])zen ([a-z]+)\b", node.value)
        if word not in known
    ]
    assert unknown == []
