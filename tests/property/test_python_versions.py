"""Fingerprints are the same whichever Python makes them: those of this machine, and those that made the golden file.

The modules in `golden/syntax/` use what the grammar has. Their fingerprints are in `golden/fingerprints.json`, so
that a Python that is not installed here is compared with too: where only one is at hand, a change still shows.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import zen_core

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "fingerprints.json"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
CLOSED = "grammar:closes over: "


@functools.cache
def python(version: str) -> str | None:
    """A Python of this version, where this machine has one."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    installed = [Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python"]
    found = [path for folder in installed for path in sorted(folder.glob(f"*{version}*/bin/python{version}"))]
    on_path = shutil.which(f"python{version}")
    for candidate in [*map(str, found), *([on_path] if on_path else [])]:
        command = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)  # one of pyenv's may be a shell
        if asked.stdout.strip() == version:
            return candidate
    return None


@functools.cache
def fingerprints(version: str, module: str) -> dict[str, Any]:
    """The fingerprints of a module's functions, made by this version; skips where it is not there."""
    executable = python(version)
    if executable is None:
        pytest.skip(f"no Python {version} on this machine")
    done = subprocess.run(
        [executable, str(HERE / "fingerprint_runner.py"), str(HERE / "golden" / "syntax"), module],
        env={"PYTHONPATH": str(Path(zen_core.__file__).parents[1]), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def golden() -> dict[str, Any]:
    known: dict[str, Any] = json.loads(GOLDEN.read_text())
    return known


def running() -> str:
    return ".".join(map(str, sys.version_info[:2]))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_makes_the_same_fingerprints(version: str) -> None:
    found = fingerprints(version, "grammar")
    digests = {name: item["digest"] for name, item in found.items()}
    if os.environ.get("ZEN_UPDATE_GOLDEN") and version == running():
        GOLDEN.write_text(json.dumps({**golden(), "grammar": digests}, indent=1, sort_keys=True) + "\n")
    assert digests == golden()["grammar"], "this makes every step of every user run again: ZEN_UPDATE_GOLDEN=1"
    assert found == fingerprints(running(), "grammar")


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_what_3_12_added_has_the_same_fingerprints_from_then_on(version: str) -> None:
    digests = {name: item["digest"] for name, item in fingerprints(version, "modern").items()}
    if os.environ.get("ZEN_UPDATE_GOLDEN") and version == VERSIONS[1]:
        GOLDEN.write_text(json.dumps({**golden(), "modern": digests}, indent=1, sort_keys=True) + "\n")
    assert digests == golden()["modern"]


def test_all_is_read_from_the_source() -> None:
    found = fingerprints(running(), "grammar")
    assert {item["scope"] for item in found.values()} == {"project"}


def test_no_two_functions_are_taken_for_the_same() -> None:
    """Nor two closures over other values, unless it is said that a value cannot be read."""
    found = fingerprints(running(), "grammar")
    names_of: dict[str, list[str]] = {}
    for name, item in found.items():
        if not item["unfollowed"]:
            names_of.setdefault(item["digest"], []).append(name)
    assert [names for names in names_of.values() if len(names) > 1] == []
