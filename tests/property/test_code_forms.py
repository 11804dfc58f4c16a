"""Every field of every kind of syntax counts: no change of a node leaves Zen's form of the code as it was.

Run by each Python of this machine: what a later one adds to the grammar must count from then on.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import zen_core
from tests.property.test_python_versions import VERSIONS, python

HERE = Path(__file__).parent
FILES = {"3.11": ["grammar.py"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_part_of_each_node_counts(version: str) -> None:
    executable = python(version)
    if executable is None:
        pytest.skip(f"no Python {version} on this machine")
    files = FILES.get(version, ["grammar.py", "modern.py"])
    done = subprocess.run(
        [executable, str(HERE / "form_runner.py"), *(str(HERE / "golden" / "syntax" / file) for file in files)],
        env={"PYTHONPATH": str(Path(zen_core.__file__).parents[1]), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unseen"] == []
    assert found["changes"] > 2_000
    assert found["missing"] == [], "of the grammar, but not in golden/syntax"
