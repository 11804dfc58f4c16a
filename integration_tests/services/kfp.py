"""Kubeflow Pipelines without a cluster: its compiler, and `kfp.local`, which runs each task in a container.

The test process never imports kfp: it runs in another environment, with other versions of what both use.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from integration_tests.services.docker import PREFIX, Docker
from integration_tests.services.processes import ServiceError

DRIVER = Path(__file__).with_name("kfp_driver.py")


class Kfp:
    """KFP's environment; runs need a Docker daemon."""

    def __init__(self, docker: Docker | None = None) -> None:
        self._docker = docker
        self.output = ""  # what the last compilation or run printed

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks, as a sentence part; None when it has all."""
        return None if (PREFIX / "bin" / "kfp").exists() else "needs .venvs/kfp: make .venvs/kfp/ready"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process of KFP's environment."""
        left_out = ("KFP", "KF_", "PYTEST", "PYTHON", "ZEN_")
        own = {name: text for name, text in os.environ.items() if not name.startswith(left_out)}
        own.pop("VIRTUAL_ENV", None)
        path = f"{PREFIX / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        return own | {"NO_PROXY": "127.0.0.1,localhost", "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}

    def compile(
        self, files: Sequence[tuple[Path, str]], *, variables: Mapping[str, str] | None = None
    ) -> dict[str, list[Any]]:
        """The documents of KFP's YAML of each pipeline by name, of the modules that define them.

        The first is the pipeline, another one what only Kubernetes has; both are checked against KFP's own schema.
        """
        text = json.dumps([[str(file), name] for file, name in files])
        return dict(self._drive("compile", text, variables or {}))

    def run(
        self,
        runs: Sequence[tuple[Path, str, Mapping[str, str]]],
        *,
        variables: Mapping[str, str],
        folders: Sequence[Path],
    ) -> list[str]:
        """Run pipelines one after another; for each `completed`, or what KFP says of its failure.

        Args:
            runs: the module or the compiled YAML, the pipeline, and its arguments as KFP's form holds them.
            variables: the environment of all containers whose tasks have none of their own.
            folders: what the containers may write to.
        """
        if self._docker is None:
            raise ServiceError("runs need a Docker daemon")
        mounts = {**dict.fromkeys(self._docker.mounts, True), **dict.fromkeys(map(str, folders), False)}
        # What numerical libraries compute depends, in its last digits, on which instructions they are told to use.
        numerics = {name: text for name, text in os.environ.items() if name.startswith(("OPENBLAS_", "OMP_", "MKL_"))}
        common = {"NO_PROXY": "127.0.0.1,localhost", "MLFLOW_DISABLE_TELEMETRY": "true"}
        given = {
            "mounts": mounts,
            "environment": {**common, **numerics, **variables},
            "runs": [[str(file), name, dict(arguments)] for file, name, arguments in runs],
        }
        found = self._drive("run", json.dumps(given), self._docker.variables)
        return [str(outcome) for outcome in found]

    def command(
        self,
        *command: str,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
        expect: int = 0,
    ) -> str:
        """Run a command of KFP's environment; answer with what it printed, both streams."""
        done = subprocess.run(
            [str(PREFIX / "bin" / command[0]), *command[1:]],
            cwd=cwd,
            env={**self.environment, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=900,
        )
        if done.returncode != expect:
            raise ServiceError(f"{' '.join(command)[:200]} ended with {done.returncode}\n{done.stdout[-8000:]}")
        return done.stdout

    def _drive(self, command: str, text: str, variables: Mapping[str, str]) -> Any:
        with tempfile.TemporaryDirectory(prefix="zen-kfp-answer-") as folder:
            answer = Path(folder, "answer.json")
            self.output = self.command("python", "-P", str(DRIVER), command, str(answer), text, variables=variables)
            return json.loads(answer.read_text())
