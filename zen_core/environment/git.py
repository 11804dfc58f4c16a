"""The commit that a project stands at, and what is not committed, asked of git without changing or locking anything."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zen_core.contract.settings import without_credentials

LONGEST_SECONDS = 20.0
"""For all questions to git together. What takes longer is not recorded, and the snapshot says so."""
_INITIAL = "(initial)"
# What a hook or a wrapper sets for its own repository, or a user for reading diffs.
_FOREIGN = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS",
)  # fmt: skip
_STATUS = (
    "status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--ignore-submodules=untracked",
)  # fmt: skip
_REMOTES = ("config", "-z", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$")
# Written out, so that no user's settings change the text: not its form, and not who makes it.
_DIFF = (
    "-c", "core.quotePath=false", "-c", "diff.suppressBlankEmpty=false", "diff", f"-O{os.devnull}", "--no-ext-diff",
    "--no-textconv", "--no-color", "--no-renames", "--full-index", "--unified=3",
    "--inter-hunk-context=0", "--diff-algorithm=myers", "--no-indent-heuristic", "--src-prefix=a/", "--dst-prefix=b/",
    "--submodule=short", "--ignore-submodules=untracked", "--relative",
)  # fmt: skip
_SCP_ADDRESS = r"(?:(?P<user>[^@/\s]+)@)?(?P<rest>[^:/\s]+\.[^:/\s]+:[^\s]+)"


@dataclass(frozen=True, slots=True)
class GitState:
    """What git says of a folder.

    Attributes:
        commit: None before the first one.
        branch: None for a checkout that stands at no branch.
        remote: the address of the branch's remote, else of `origin`, else of the only one; without user and password.
            None where there is none, or where it is a path of this machine.
        changed: tracked files below the folder that differ from the commit, and untracked ones, relative to it.
        problem: why git did not answer, "" when it did.
    """

    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    problem: str = ""


def find_repository(folder: Path) -> Path | None:
    """The top folder of the working tree that a folder lies in, or None."""
    folder = folder.absolute()
    return next((parent for parent in (folder, *folder.parents) if os.path.lexists(parent / ".git")), None)


class GitQuestion:
    """Questions to git about one folder, which it works at while this process does other things.

    Args:
        folder: a folder within a working tree.
        untracked: whether to ask for files that are not tracked, too.
        remote: whether to ask for the remote.
    """

    def __init__(self, folder: Path, *, untracked: bool = True, remote: bool = True) -> None:
        self.folder = folder
        self._deadline = time.monotonic() + LONGEST_SECONDS
        self._problem = ""
        others = "all" if untracked else "no"
        try:
            questions = [(*_STATUS, f"--untracked-files={others}", "--", "."), _REMOTES]
            self._processes = [_start(folder, words) for words in questions[: 2 if remote else 1]]
        except OSError as error:
            self._problem = _cannot_run(error)

    def answer(self) -> GitState:
        """What git answered. Never raises: what it could not say is told in `problem`."""
        if self._problem:
            return GitState(problem=self._problem)
        status, *remotes = self._processes
        try:
            output, problem = _finish(status, self._deadline)
            configured = b"".join(_finish(process, self._deadline)[0] for process in remotes)
        finally:
            for process in self._processes:
                _stop(process)
        if problem:
            return GitState(problem=problem)
        return _read_status(output, configured, self._prefix())

    def diff(self, state: GitState, *, without: Sequence[str]) -> tuple[str, str]:
        """The tracked changes as a patch relative to the folder, and why there is none where git did not say.

        Args:
            state: what `answer` gave.
            without: files that are left out.
        """
        try:
            base = state.commit or self._empty_tree()
            process = _start(self.folder, (*_DIFF, base, "--", ".", *(f":(exclude,literal){name}" for name in without)))
        except OSError as error:
            return "", _cannot_run(error)
        try:
            output, problem = _finish(process, self._deadline)
        finally:
            _stop(process)
        return ("", problem) if problem else (output.decode("utf-8", "replace"), "")

    def _empty_tree(self) -> str:
        output, _ = _finish(_start(self.folder, ("hash-object", "-t", "tree", "--stdin")), self._deadline)
        return output.decode().strip()

    def _prefix(self) -> str:
        top = find_repository(self.folder)
        below = self.folder.absolute().relative_to(top).as_posix() if top else "."
        return "" if below == "." else f"{below}/"


def _start(folder: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    # No lock that a user's own git would run into, no question at a terminal, no object fetched from a network.
    environ |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    return subprocess.Popen(
        ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    )


def _finish(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, str]:
    """What a process printed, and what went wrong."""
    try:
        output, errors = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return b"", f"git did not answer within {LONGEST_SECONDS:.0f} seconds"
    return output, "" if process.returncode == 0 else _say(errors.decode("utf-8", "replace"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


def _cannot_run(error: OSError) -> str:
    return "git is not installed" if isinstance(error, FileNotFoundError) else f"git cannot be run: {error.strerror}"


def _say(errors: str) -> str:
    """Git's reason in a line that names no path of this machine."""
    if "dubious ownership" in errors or "safe.directory" in errors:
        return "git refuses the folder, which belongs to another user (git config safe.directory)"
    if found := re.search(r'could not open|error: open\("([^"]+)"\): (.+)', errors):
        return f"git cannot read {found[1]}: {found[2]}" if found[1] else "git cannot read a file"
    first = next(iter(errors.splitlines()), "it gave no reason").removeprefix("fatal: ")
    return "git failed: " + re.sub(r"""(?<![\w.])/[^\s'",:]+""", "PATH", first)


def _read_status(output: bytes, configured: bytes, prefix: str) -> GitState:
    facts: dict[str, str] = {}
    changed, untracked = [], []
    for entry in output.decode("utf-8", "replace").split("\0"):
        kind, _, rest = entry.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            facts[name] = value
        elif kind in ("1", "u"):
            changed.append(rest.split(" ", 7 if kind == "1" else 9)[-1].removeprefix(prefix))
        elif kind == "?":
            untracked.append(rest.removeprefix(prefix))
    commit, branch = facts.get("branch.oid", _INITIAL), facts.get("branch.head", "(detached)")
    branch_name = None if branch == "(detached)" else branch
    return GitState(
        commit=None if commit == _INITIAL else commit,
        branch=branch_name,
        remote=_find_remote(configured.decode("utf-8", "replace"), branch_name),
        changed=tuple(sorted(changed)),
        untracked=tuple(sorted(untracked)),
    )


def _find_remote(configured: str, branch: str | None) -> str | None:
    settings = dict(line.split("\n", 1) for line in configured.split("\0") if "\n" in line)
    urls = {name[len("remote.") : -len(".url")]: url for name, url in settings.items() if name.endswith(".url")}
    preferred = settings.get(f"branch.{branch}.remote", "origin")
    only = next(iter(urls.values())) if len(urls) == 1 else None
    return shown_remote(urls.get(preferred) or urls.get("origin") or only or "")


def shown_remote(url: str) -> str | None:
    """An address of a remote as it may be recorded: without user and password; None for a path of this machine."""
    if "://" in url:
        return None if url.startswith("file:") else without_credentials(url)
    found = re.fullmatch(_SCP_ADDRESS, url)
    if found is None:
        return None
    return f"git@{found['rest']}" if found["user"] == "git" else found["rest"]
