"""An edit of the same size in the same second: Python by itself executes what the file held before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zen_core.codegen.bytecode import stale_bytecode

LOAD = """
import importlib, sys
from pathlib import Path
from zen_core.codegen.bytecode import check_bytecode_below
from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.fingerprint import fingerprint_step
folder = Path.cwd()
sys.path.insert(0, str(folder))
if "checked" in sys.argv:
    check_bytecode_below([folder])
module = importlib.import_module("inner.rates")
found = fingerprint_step(module.rate, roots=ImportRoots((folder,)))
print(module.rate(), found.digest, *[item.what for item in found.unfollowed], sep="|")
"""


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    path = tmp_path / "inner" / "rates.py"
    path.parent.mkdir()
    path.write_text("def rate():\n    return 1\n")
    os.utime(path, ns=(10**18, 10**18))
    return path


def edit(path: Path) -> None:
    """Write a text of the same size, in the same second as the one before."""
    path.write_text(path.read_text().replace("1", "2"))
    later = stale_bytecode_time(path) + 1
    os.utime(path, ns=(later, later))


def stale_bytecode_time(path: Path) -> int:
    """Bytecode as if written within the second of its source."""
    (kept,) = (path.parent / "__pycache__").glob("rates.*.pyc")
    os.utime(kept, ns=(10**18 + 5, 10**18 + 5))
    return 10**18 + 5


def load(path: Path, *arguments: str) -> list[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", LOAD, *arguments]
    folder = path.parent.parent
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip().split("|")


def test_a_project_is_imported_as_its_files_are(rates: Path) -> None:
    assert load(rates, "checked")[0] == "1"
    edit(rates)
    assert stale_bytecode(str(rates)) is not None
    assert load(rates, "checked")[0] == "2"
    assert stale_bytecode(str(rates)) is None
    assert load(rates)[0] == "2", "what was old is gone for every process"


def test_what_ran_from_older_bytecode_is_nobody_elses_result(rates: Path) -> None:
    ran, digest, *notes = load(rates)
    assert (ran, notes) == ("1", [])
    edit(rates)
    ran, edited, note = load(rates)
    assert ran == "1", "this is what Python does: the premise of the case"
    assert edited not in (digest, load(rates)[1])
    assert "older bytecode of it; remove its __pycache__ folder" in note


def test_bytecode_without_source_and_extension_modules_are_imported_as_ever(rates: Path) -> None:
    load(rates)
    (kept,) = (rates.parent / "__pycache__").glob("rates.*.pyc")
    kept.rename(rates.with_suffix(".pyc"))
    rates.unlink()
    script = LOAD.partition("found =")[0] + "print(module.rate())"
    command = [sys.executable, "-c", script, "checked"]
    assert subprocess.run(command, cwd=rates.parent.parent, capture_output=True, text=True).stdout == "1\n"
