"""Drives the `zen` command as a person would, in a project of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ZEN = Path(sys.executable).with_name("zen")

_EACH = """
import contextlib, io, json, sys
from zen_core.cli.main import main

printed = []
for command in json.loads(sys.argv[1]):
    code = 0
    with contextlib.redirect_stdout(io.StringIO()) as output:
        sys.argv = ["zen", *command]
        try:
            main()
        except SystemExit as end:
            code = end.code
    printed.append([code, output.getvalue()])
print(json.dumps(printed))
"""
"""Runs commands of `zen` in one process: most of what one takes is its start."""


@dataclass(frozen=True)
class Project:
    """A folder with a pipeline in it, and the settings that its commands run with."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def zen(self, *arguments: str, expect: int | tuple[int, ...] = 0) -> str:
        """Run a command; answer with what it printed. Fails unless it ends with `expect`, or one of these."""
        done = self._run([str(ZEN), *arguments])
        assert done.returncode in (expect if isinstance(expect, tuple) else (expect,)), (
            f"zen {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def json(self, *arguments: str, expect: int | tuple[int, ...] = 0) -> Any:
        """Run a command with --json."""
        return json.loads(self.zen(*arguments, "--json", expect=expect) or "null")

    def zen_each(self, commands: Sequence[Sequence[str]], *, expect: tuple[int, ...] = (0,)) -> list[str]:
        """Run commands one after another in one process; answer with what each printed."""
        done = self._run([sys.executable, "-c", _EACH, json.dumps([list(command) for command in commands])])
        assert done.returncode == 0, done.stdout + done.stderr
        ended = json.loads(done.stdout.splitlines()[-1])
        wrong = [" ".join(command) for command, (code, _) in zip(commands, ended, strict=True) if code not in expect]
        assert wrong == [], done.stderr
        return [printed for _, printed in ended]

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_"))}
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**inherited, "ZEN_MLFLOW_SYNC": "off", **self.variables},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def with_variables(self, **variables: str) -> Project:
        """The same project with other settings."""
        return Project(self.folder, {**self.variables, **variables})


def copy_example(name: str, folder: Path, variables: Mapping[str, str]) -> Project:
    """A copy of an example, so that nothing of the source tree is imported or written to."""
    target = folder / name
    shutil.copytree(ROOT / "examples" / name, target, ignore=shutil.ignore_patterns(".zen", "build", "__pycache__"))
    return Project(target, variables)


def statuses(document: Mapping[str, Any]) -> dict[str, str]:
    """The status of each step, from `zen show --json`."""
    return {step["name"]: step["status"] for step in document["steps"]}


def output_digests(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The digest of each output of each step."""
    return {
        step["name"]: {name: output["digest"] for name, output in step["outputs"].items()} for step in document["steps"]
    }


def cache_keys(document: Mapping[str, Any]) -> dict[str, str]:
    """The cache key of each step."""
    return {step["name"]: step["cache_key"] for step in document["steps"]}
