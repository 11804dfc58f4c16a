"""How packages came here: what is no plain version from an index, since there the version does not say which code.

`direct_url.json` tells (PEP 610); only few packages have one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from zen_core.contract.settings import without_credentials
from zen_core.environment.distributions import metadata_folders
from zen_core.environment.git import GitQuestion, find_repository

Kind = Literal["editable", "folder", "git", "archive", "conda", "system"]
_SHOWN_DIGITS = 12
_SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")


class Install(NamedTuple):
    """How one distribution came here.

    Attributes:
        kind: `editable` and `folder` (a copy) from a folder of this machine, `git` (or another such system) from a
            repository, `archive` from a file at a URL, `conda` and `system` by another package manager.
        url: without user and password; "" for a folder.
        commit: of a `git` install.
        hash: of an `archive`, as `sha256=…`.
        folder: the folder of this machine; it is in no snapshot.
    """

    kind: Kind
    url: str = ""
    commit: str = ""
    hash: str = ""
    folder: Path | None = None


@cache
def find_installs() -> Mapping[str, Install]:
    """Those that are no plain version from an index, by normalised name."""
    is_conda = (Path(sys.prefix) / "conda-meta").is_dir()
    found: dict[str, Install] = {}
    for name, folder in metadata_folders().items():
        install = _read_direct_url(folder) or _by_another_manager(folder, is_conda)
        if install is not None:
            found[name] = install
    return found


@cache
def describe_installs() -> dict[str, dict[str, Any]]:
    """The same for a snapshot. An editable one with its commit, and whether that folder has uncommitted changes."""
    installs = find_installs()
    # Git works at all of them at once.
    questions = {
        name: GitQuestion(install.folder, untracked=False, remote=False)
        for name, install in installs.items()
        if install.kind == "editable" and install.folder is not None and find_repository(install.folder) is not None
    }
    documents: dict[str, dict[str, Any]] = {}
    for name, install in installs.items():
        facts = {key: getattr(install, key) for key in ("kind", "url", "commit", "hash") if getattr(install, key)}
        if name in questions:
            state = questions[name].answer()
            facts |= {"problem": state.problem} if state.problem else {"commit": state.commit}
            facts |= {"dirty": True} if state.changed else {}
        documents[name] = facts
    return documents


def describe_version(version: str, install: Mapping[str, Any] | None) -> str:
    """A version with how it came here, as people read it: "1.0 (editable, git 3f2a9c1d0b5e, uncommitted changes)".

    Args:
        install: the entry of a snapshot's `installs`; None for a plain version.
    """
    if not install:
        return version
    words = [] if install["kind"] in ("git", "archive") and len(install) > 1 else [install["kind"]]
    if commit := install.get("commit"):
        words.append(f"git {commit[:_SHOWN_DIGITS]}")
    if found := install.get("hash"):
        words.append(short_hash(found))
    elif install["kind"] == "archive":
        words.append(install["url"])
    if install.get("dirty"):
        words.append("uncommitted changes")
    return f"{version} ({', '.join(words)})"


def short_hash(text: str) -> str:
    """`sha256=…` of a direct URL as people read it: "sha256 12ab34cd56ef"."""
    name, _, value = text.partition("=")
    return f"{name} {value[:_SHOWN_DIGITS]}"


def _read_direct_url(folder: Path) -> Install | None:
    try:
        with open(f"{folder}/direct_url.json", "rb") as file:
            document = json.load(file)
        return _parse(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _parse(document: Mapping[str, Any]) -> Install | None:
    url = str(document["url"])
    if "dir_info" in document:
        editable = bool(document["dir_info"].get("editable"))
        return Install("editable" if editable else "folder", folder=_local_path(url))
    if "vcs_info" in document:
        commit = str(document["vcs_info"]["commit_id"])
        return Install("git", "" if url.startswith("file:") else without_credentials(url), commit)
    info = document.get("archive_info", {})
    hashes = info.get("hashes") or {}
    found = f"sha256={hashes['sha256']}" if "sha256" in hashes else str(info.get("hash") or "")
    local = url.startswith("file:")
    # Of a local file the name alone: its folder is this machine's.
    shown = url.rpartition("/")[2] if local else without_credentials(url).partition("?")[0]
    return Install("archive", shown, hash=found)


def _local_path(url: str) -> Path | None:
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    path = unquote(parts.path)
    return Path(path.removeprefix("/") if os.name == "nt" else path)  # file:///C:/folder


def _by_another_manager(folder: Path, is_conda: bool) -> Install | None:
    if folder.is_relative_to(_SYSTEM_PACKAGES):
        return Install("system")
    if not is_conda:
        return None
    try:
        installer = (folder / "INSTALLER").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return Install("conda") if installer == "conda" else None
