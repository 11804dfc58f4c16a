"""Takes the snapshot of the environment that a step runs in."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import SETTINGS_FILE
from zen_core.environment.devices import find_cuda, find_gpus
from zen_core.environment.distributions import installed_packages
from zen_core.environment.git import GitQuestion, find_repository
from zen_core.environment.installs import describe_installs
from zen_core.environment.variables import setup_variables


def capture_environment(
    root: Path | None = None, *, mask: Callable[[str], str] | None = None
) -> tuple[str, dict[str, Any]]:
    """The digest and the content of the snapshot of this process, as it is now.

    What cannot change while a process lives is read once; git and the variables' names are looked at each time. The
    digest is that of the whole snapshot. So what changes from process to process without being a change of the
    environment (a host's name, a user, an absolute path, a terminal's variables) is not in it.

    Args:
        root: the project's folder, for the git commit and the uncommitted changes; None where there is none.
        mask: replaces secrets that are known by their value, in the uncommitted changes.

    Returns:
        The digest, and a JSON document: python, implementation, build, platform, machine, libc or release; packages,
        and in `installs` how each came here that is no plain version from an index; the names (never the values) of
        environment variables; image_digest (ZEN_IMAGE_DIGEST), gpus, cuda and git where there is such.
    """
    # Git works at its answer while the rest is read here.
    question = GitQuestion(root) if root is not None and _lies_in_git(root) else None
    snapshot: dict[str, Any] = {**_describe_python(), **_describe_platform()}
    snapshot["packages"] = installed_packages()
    snapshot["installs"] = describe_installs()
    snapshot["environment_variables"] = setup_variables(os.environ)
    if image := os.environ.get("ZEN_IMAGE_DIGEST"):
        snapshot["image_digest"] = image
    snapshot |= _describe_devices()
    if question is not None and root is not None:
        snapshot["git"] = _describe_git(root, question, mask)
    return digest_json("environment", snapshot), snapshot


def _lies_in_git(root: Path) -> bool:
    """Whether git knows the folder: not where a code bundle was unpacked, below whatever repository that may be."""
    return not (root / SETTINGS_FILE).is_file() and find_repository(root) is not None


def _describe_git(root: Path, question: GitQuestion, mask: Callable[[str], str] | None) -> dict[str, Any]:
    """Commit, branch, remote, the project's folder in the repository, and what is not committed."""
    state = question.answer()
    if state.problem:
        return {"problem": state.problem}
    top = find_repository(root)
    folder = root.absolute().relative_to(top).as_posix() if top else "."
    document: dict[str, Any] = {
        "commit": state.commit,
        "branch": state.branch,
        "remote": state.remote,
        "folder": folder,
    }
    if not state.changed and not state.untracked:
        return {**document, "dirty": False, "diff": ""}
    from zen_core.environment.changes import make_patch  # in a clean checkout its import is saved

    return {**document, **make_patch(root, question, state, mask=mask).to_json()}


@cache
def _describe_python() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "build": " ".join(sys.version.split()[1:]),
    }


@cache
def _describe_platform() -> dict[str, str]:
    """The system, and what wheels are chosen by: the C library on Linux, the release elsewhere."""
    document = {"platform": sys.platform, "machine": platform.machine()}
    if sys.platform == "darwin":
        document["release"] = platform.mac_ver()[0]
    elif sys.platform == "win32":
        document["release"] = platform.version()
    elif libc := _libc():
        document["libc"] = libc
    return document


@cache
def _describe_devices() -> dict[str, Any]:
    gpus, cuda = find_gpus(), find_cuda()
    return ({"gpus": gpus} if gpus else {}) | ({"cuda": cuda} if cuda else {})


def _libc() -> str:
    """Such as "glibc 2.36"; "" for another C library, which does not tell."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""
