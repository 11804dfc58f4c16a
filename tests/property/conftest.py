"""How much hypothesis looks: little by default, so that the suite stays quick; ZEN_HYPOTHESIS=large looks longer."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long making examples takes says something about the machine, and nothing about the code.
ANY_MACHINE = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("small", max_examples=25, derandomize=True, **ANY_MACHINE)
settings.register_profile("large", max_examples=2000, **ANY_MACHINE)
settings.load_profile(os.environ.get("ZEN_HYPOTHESIS", "small"))


@pytest.fixture(scope="module")
def fingerprints() -> Iterator[Callable[[Path, dict[str, bytes]], dict[str, Any]]]:
    """Writes a project and tells its steps' fingerprints, what could not be followed, and what the steps give."""
    command = [sys.executable, str(Path(__file__).with_name("project_runner.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as runner:

        def ask(folder: Path, files: dict[str, bytes]) -> dict[str, Any]:
            for file, text in files.items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(text)
            assert runner.stdin is not None
            assert runner.stdout is not None
            job = {
                "action": "fingerprint",
                "pipeline": "flow.py:everything",
                "folder": str(folder),
                "probes": [0, 3, -2],
            }
            runner.stdin.write(json.dumps(job) + "\n")
            runner.stdin.flush()
            found: dict[str, Any] = json.loads(runner.stdout.readline())
            assert "error" not in found, found["error"]
            return found

        yield ask
