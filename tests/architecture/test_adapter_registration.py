"""An adapter is one folder and its lines in pyproject.toml: neither may be forgotten."""

import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from zen_core.adapter.features import Feature
from zen_core.adapter.protocol import ADAPTER_API_VERSION, EmittingAdapter, RunningAdapter
from zen_core.adapter.registry import adapter_names, load_adapter

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.name for path in (ROOT / "adapters").iterdir() if path.name.startswith("zen_"))


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_each_folder_has_its_entry_point_and_each_entry_point_its_folder(project: dict[str, Any]) -> None:
    registered = project["project"]["entry-points"]["zen.adapters"]
    assert sorted(target.partition(":")[0] for target in registered.values()) == FOLDERS
    assert {name: f"zen_{name}" for name in registered} == {
        name: target.partition(":")[0] for name, target in registered.items()
    }


def test_what_is_installed_is_what_pyproject_says(project: dict[str, Any]) -> None:
    for group, registered in project["project"]["entry-points"].items():
        installed = {item.name: item.value for item in entry_points(group=group)}
        assert installed == registered, f"{group}: install the project again"


def test_each_entry_point_can_be_loaded(project: dict[str, Any]) -> None:
    for group in project["project"]["entry-points"]:
        for item in entry_points(group=group):
            assert callable(item.load())


def test_the_tools_look_at_each_adapter(project: dict[str, Any]) -> None:
    tools = project["tool"]
    assert [name for name in FOLDERS if name not in tools["mypy"]["packages"]] == []
    assert [name for name in FOLDERS if name not in tools["importlinter"]["root_packages"]] == []
    layers, forbidden = tools["importlinter"]["contracts"][:2]
    assert sorted(part.strip() for part in layers["layers"][0].split("|")) == FOLDERS
    emitting = [name for name in FOLDERS if (ROOT / "adapters" / name / "emission.py").is_file()]
    for name in emitting:
        missing = {f"{name}.{part}" for part in ("adapter", "options", "lowering", "emission")} - set(
            forbidden["source_modules"]
        )
        assert not missing, f"contract {forbidden['name']!r} leaves out {sorted(missing)}"


@pytest.mark.parametrize("name", adapter_names())
def test_each_adapter_keeps_to_the_socket(name: str) -> None:
    adapter = load_adapter(name)
    assert adapter.name == name
    assert adapter.api_version == ADAPTER_API_VERSION
    assert isinstance(adapter, EmittingAdapter | RunningAdapter)
    assert set(adapter.support(adapter.options_model())) == set(Feature)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_the_same_file_names(folder: str) -> None:
    files = {path.name for path in (ROOT / "adapters" / folder).iterdir()}
    assert {"__init__.py", "README.md", "adapter.py", "lowering.py", "options.py", "runtime.py"} <= files
