"""Whether the environment snapshot of a run here would be whole, and what it would not tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zen_core.adapter.protocol import Check
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic

INCOMPLETE = "ZEN-S118"


def examine_snapshot(settings: Settings) -> Iterator[Check]:
    """What is recorded of the environment and of git, and a warning for what is not."""
    from zen_core.environment.capture import capture_environment
    from zen_metadata.query.environments import describe_uncommitted
    from zen_metadata.shim.masking import secret_masker

    _, snapshot = capture_environment(settings.root, mask=secret_masker(settings))
    git = snapshot.get("git")
    words = [f"{len(snapshot['packages'])} packages"]
    if editable := [name for name, install in snapshot["installs"].items() if install["kind"] == "editable"]:
        words.append(f"editable: {', '.join(editable)}")
    words.append(_git_words(git))
    problems = list(_find_problems(git or {}, describe_uncommitted(git or {})))
    problem = (
        Diagnostic(INCOMPLETE, problems[0], why="; ".join(problems[1:]), hint=_hint(problems[0])) if problems else None
    )
    yield Check("environment snapshot", ", ".join(words), problem, is_warning=problem is not None)


def _git_words(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "not in git"
    if "commit" not in git:
        return "git does not answer"
    commit = git["commit"][:12] if git["commit"] else "no commit yet"
    return f"git {commit}" + (", with uncommitted changes" if git["dirty"] else "")


def _find_problems(git: Mapping[str, Any], uncommitted: Mapping[str, str]) -> Iterator[str]:
    if "problem" in git:
        yield f"the snapshot lacks what git knows: {git['problem']}"
    for file, found in uncommitted.items():
        if found.startswith("not recorded"):
            yield f"the uncommitted changes of {file} are {found.partition(' sha256:')[0]}"


def _hint(problem: str) -> str:
    if "safe.directory" in problem:
        return "git config --global --add safe.directory FOLDER, or run as the folder's owner"
    if "is not installed" in problem:
        return "install git, or go on without: runs are recorded all the same"
    return "commit what a run is to be reproduced from"
