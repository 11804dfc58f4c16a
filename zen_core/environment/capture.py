"""Takes the snapshot of the environment that a step runs in."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from zen_core.contract.canonical import digest_json
from zen_core.environment.packages import installed_packages

_MAX_DIFF_CHARACTERS = 1_000_000
_NOT_IN_DIFF = (
    ".env*",
    "*.pem",
    "*.key",
    "credentials*",
    "service-account*.json",
    "kubeconfig",
    ".netrc",
    ".pypirc",
)


@cache
def capture_environment(root: Path | None = None) -> tuple[str, dict[str, Any]]:
    """The digest and the content of the snapshot of this process, taken once.

    Args:
        root: the project's folder, for the git commit and the uncommitted changes; None where there is none.

    Returns:
        The digest, and a JSON document: python, implementation, platform, machine, packages, the names (never the
        values) of environment variables, image digest (ZEN_IMAGE_DIGEST), gpus, git commit and uncommitted diff.
    """
    snapshot: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": sys.platform,
        "machine": platform.machine(),
        "packages": installed_packages(),
        "environment_variables": sorted(os.environ),
    }
    if image := os.environ.get("ZEN_IMAGE_DIGEST"):
        snapshot["image_digest"] = image
    if gpus := _read_gpus():
        snapshot["gpus"] = gpus
    if root is not None and (git := _read_git(root)):
        snapshot["git"] = git
    return digest_json("environment", snapshot), snapshot


def _read_gpus(proc: Path = Path("/proc/driver/nvidia")) -> dict[str, Any]:
    """Driver and models, from the driver's own files: no tool is started for it."""
    try:
        driver = (proc / "version").read_text(encoding="utf-8").splitlines()[0].strip()
        files = sorted((proc / "gpus").glob("*/information"))
        texts = [file.read_text(encoding="utf-8") for file in files]
    except (OSError, IndexError):
        return {}
    models = [
        line.partition(":")[2].strip() for text in texts for line in text.splitlines() if line.startswith("Model")
    ]
    return {"driver": driver, "models": models}


def _read_git(root: Path) -> dict[str, Any]:
    """The commit and what is not committed; {} outside a repository or without git."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {}
    excluded = [f":(exclude,glob)**/{pattern}" for pattern in _NOT_IN_DIFF]
    diff = _git(root, "diff", "--no-ext-diff", "--no-color", "HEAD", "--", ".", *excluded) or ""
    return {"commit": commit.strip(), "dirty": bool(diff), "diff": diff[:_MAX_DIFF_CHARACTERS]}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
