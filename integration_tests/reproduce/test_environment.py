"""A run is made again in an environment that is built for it from the configured index; and the how-to page for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from integration_tests.how_to.page import ROOT, follow
from tools.bootstrap import install_uv, run_uv
from zen_core.environment.distributions import installed_packages
from zen_metadata.reproducing.environment import build_environment

PAGE = "reproduce-and-roll-back.md"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with Zen and numpy, and nothing that these do not need."""
    python = tmp_path_factory.mktemp("environments") / "small" / "bin" / "python"
    run_uv("venv", "--quiet", str(python.parent.parent))
    pinned = ["--constraint", "constraints/core.txt", "--build-constraints", "constraints/core.txt"]
    run_uv("pip", "install", "--quiet", "--python", str(python), *pinned, "--editable", ".", "numpy")
    return python.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of the page."""
    text = (ROOT / "docs" / "how-to" / PAGE).read_text(encoding="utf-8")
    source = re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert source is not None
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(source[1])
    (folder / "zen.toml").write_text('project = "shop"\n')
    return folder


def _variables(programs: Path, **more: str) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_"))}
    path = os.pathsep.join([str(programs), str(Path(install_uv()).parent), kept["PATH"]])
    return {**kept, "PATH": path, "ZEN_MLFLOW_SYNC": "off", **more}


def test_page_reproduces_a_run_in_its_own_environment_and_rolls_a_name_back(small: Path, project: Path) -> None:
    printed = follow(PAGE, project, instead={}, environment=_variables(small), after={})
    reproduced = printed.partition("$ zen reproduce latest\n")[2].partition("$ zen reproduce latest --into")[0]
    assert " distributions by uv" in reproduced
    assert "all 2 are equal" in reproduced
    assert "not restored" not in reproduced
    built = project.parent / "again" / "environment" / "bin"
    assert _frozen(built) == _frozen(small)
    assert str(built.parent) in _python(built, "import numpy; print(numpy.__file__)")
    assert "shop/churn/model stands for version 1, no longer for 2" in printed
    assert "depth 9 overfits" in printed.rpartition("$ zen rollback model\n")[2]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_what_cannot_be_restored_is_named_and_the_rest_is_built(
    installer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = install_uv() if installer == "uv" else ""
    monkeypatch.setattr("zen_metadata.reproducing.environment._find_uv", lambda: uv)
    snapshot = {
        "python": "3.9.99",
        "packages": {
            "click": installed_packages()["click"],
            "ghost": "9.9.9",
            "local": "1.0",
            "shop": "2",
            "zen-core": "0",
        },
        "installs": {"local": {"kind": "editable", "commit": "5" * 40}, "shop": {"kind": "editable"}},
    }
    built = build_environment(snapshot, "shop", tmp_path / "environment", tell=lambda _: None)
    assert (built.installer, built.restored) == (installer, 1)
    reasons = {item.name: item.reason for item in built.not_restored}
    assert reasons.keys() == {"python", "ghost", "local", "zen-core"}
    assert "ghost" in reasons["ghost"]
    assert reasons["local"] == "it was installed from a folder at 555555555555, and is not installed here"
    assert reasons["python"].endswith(" was found")
    assert reasons["zen-core"].startswith("this Zen makes the run again, which is ")
    found = _frozen(built.interpreter.parent)
    assert found["click"] == snapshot["packages"]["click"]
    assert "local" not in found


def _frozen(programs: Path) -> dict[str, Any]:
    code = "import json; from zen_core.environment.distributions import *; print(json.dumps(installed_packages()))"
    found: dict[str, Any] = json.loads(_python(programs, code))
    return found


def _python(programs: Path, code: str) -> str:
    command = [str(programs / "python"), "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
