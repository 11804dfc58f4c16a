"""Builds a fresh virtual environment with the distributions that a snapshot names."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from zen_core.contract.settings import without_credentials
from zen_core.environment.distributions import normalise_name
from zen_core.environment.installs import describe_installs
from zen_core.errors import UsageError

_ZEN = "zen-core"
_LONGEST_REASON = 300
_SHOWN_DIGITS = 12
# pip's setting -> uv's variable, and what separates several values there: uv reads none of pip's own.
_UV_VARIABLES = {
    "cert": ("SSL_CERT_FILE", " "),
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
}


@dataclass(frozen=True, slots=True)
class NotRestored:
    """A part of the environment that is not as it was: a distribution with its version, or Python, and why."""

    name: str
    version: str
    reason: str


@dataclass(frozen=True)
class BuiltEnvironment:
    """An environment to run in.

    Attributes:
        interpreter: its Python.
        installer: what installed into it: "uv", "pip"; "" for one that was there.
        restored: how many distributions are as they were.
    """

    interpreter: Path
    installer: str
    restored: int
    not_restored: tuple[NotRestored, ...]


def build_environment(
    snapshot: Mapping[str, Any], project: str, folder: Path, *, python: str = "", tell: Callable[[str], None]
) -> BuiltEnvironment:
    """Make a virtual environment in `folder` with the recorded distributions, and this Zen to run in it.

    Packages come from where the user's uv or pip is set up to take them from. What cannot be had is left out and told.

    Args:
        project: whose own distribution is left out, since its code comes from the bundle.
        python: a version or an interpreter to use instead of the recorded minor version.

    Raises:
        UsageError: no virtual environment can be made at all.
    """
    uv = _find_uv()
    interpreter, problem = _make(snapshot.get("python", ""), python, folder, uv)
    plan = plan_packages(snapshot, project)
    tell(f"installing {len(plan.wanted)} distributions with {'uv' if uv else 'pip'}")
    failed = _Installer(interpreter, uv).install(plan.wanted)
    for name in (_ZEN, *plan.lent):
        _lend(distribution(name), interpreter)
    problems = {item.name: item for item in plan.different}
    problems.update({name: NotRestored(name, snapshot["packages"][name], reason) for name, reason in failed.items()})
    if problem is not None:
        problems[problem.name] = problem
    return BuiltEnvironment(
        interpreter,
        "uv" if uv else "pip",
        len(plan.wanted) - len(failed),
        tuple(problems[name] for name in sorted(problems)),
    )


@dataclass(frozen=True, slots=True)
class PackagePlan:
    """How the distributions of a snapshot are to be had.

    Attributes:
        wanted: the requirement of each one that an index or a URL can give.
        lent: those that this environment can lend, since they were installed from a folder of a machine.
        different: those that will not, or may not, be what they were.
    """

    wanted: Mapping[str, str]
    lent: tuple[str, ...]
    different: tuple[NotRestored, ...]


def plan_packages(snapshot: Mapping[str, Any], project: str) -> PackagePlan:
    """Decide for each distribution of a snapshot. The project's own is left out: its code comes from the bundle."""
    wanted: dict[str, str] = {}
    lent: list[str] = []
    different: list[NotRestored] = []
    installs: Mapping[str, Mapping[str, Any]] = snapshot.get("installs", {})
    for name, version in snapshot.get("packages", {}).items():
        install = installs.get(name, {})
        kind, url = install.get("kind", ""), install.get("url", "")
        reason = ""
        if name == _ZEN:
            here = distribution(_ZEN).version
            reason = f"this Zen makes the run again, which is {here}" if here != version else ""
        elif kind in ("editable", "folder"):
            if name != normalise_name(project):
                is_here, reason = _find_folder(name, install)
                lent += [name] if is_here else []
        elif kind == "git" and not url:
            reason = f"it came from a repository of that machine, at {install['commit'][:_SHOWN_DIGITS]}"
        else:
            wanted[name], reason = _requirement(name, version, install)
        if reason:
            different.append(NotRestored(name, version, reason))
    return PackagePlan(wanted, tuple(lent), tuple(different))


def _requirement(name: str, version: str, install: Mapping[str, Any]) -> tuple[str, str]:
    """The requirement, and what may be different in what it gives."""
    kind, url = install.get("kind", ""), install.get("url", "")
    if kind == "git":
        return f"{name} @ git+{url}@{install['commit']}", ""
    if kind == "archive" and "://" in url:
        return f"{name} @ {url}{'#' + install['hash'] if install.get('hash') else ''}", ""
    origin = {"archive": f"it was installed from the file {url}", "conda": "conda had installed it"}
    origin["system"] = "the system had installed it"
    return f"{name}=={version}", f"{origin[kind]}; here it is taken from the index" if kind in origin else ""


def _find_folder(name: str, install: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether what was installed from a folder is installed here too, and what may be different in it."""
    commit = install.get("commit", "")
    shown = f"it was installed from a folder{f' at {commit[:_SHOWN_DIGITS]}' if commit else ''}"
    try:
        distribution(name)
    except PackageNotFoundError:
        return False, f"{shown}, and is not installed here"
    here = describe_installs().get(name, {})
    if commit and here.get("commit") == commit and not install.get("dirty") and not here.get("dirty"):
        return True, ""
    return True, f"{shown}; it is lent from here, where it may be another"


def _lend(found: Distribution, interpreter: Path) -> None:
    """Let an environment have a distribution of this one: the files of a wheel, the path of an editable one."""
    site = _site_packages(interpreter)
    for file in found.files or ():
        source = Path(str(found.locate_file(file)))
        if ".." in file.parts or not source.is_file() or source.suffix == ".pyc":
            continue
        target = site / Path(*file.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _site_packages(interpreter: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(_run([str(interpreter), "-I", "-c", code]).stdout.strip())


# -- the virtual environment -------------------------------------------------------------------------------------


def _make(recorded: str, python: str, folder: Path, uv: str) -> tuple[Path, NotRestored | None]:
    """An empty virtual environment, and what is wrong with its Python."""
    minor = ".".join(recorded.split(".")[:2])
    here = ".".join(map(str, sys.version_info[:2]))
    wanted = python or minor or here
    chosen = sys.executable if wanted == here else wanted
    done = _venv(chosen, folder, uv)
    if done is None and not python:  # the recorded one is not here
        shutil.rmtree(folder, ignore_errors=True)
        done = _venv(sys.executable, folder, uv)
    if done is None:
        raise UsageError(
            f"no virtual environment can be made with Python {wanted}",
            where=str(folder),
            hint="install that Python, name another with --python, or use this environment: --no-environment",
        )
    found = _run([str(done), "-I", "-c", "import platform; print(platform.python_version())"]).stdout.strip()
    if not recorded or found == recorded:
        return done, None
    return done, NotRestored("python", recorded, f"{found} was found")


def _venv(python: str, folder: Path, uv: str) -> Path | None:
    if uv:
        command = [uv, "venv", "--quiet", "--python", python, str(folder)]
    else:
        found = shutil.which(python) or shutil.which(f"python{python}")
        if found is None:
            return None
        command = [found, "-m", "venv", str(folder)]
    if _run(command, _environment(uv)).returncode:
        return None
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


class _Installer:
    """Installs exactly what it is told into one environment, and finds out which of many cannot be had."""

    def __init__(self, interpreter: Path, uv: str) -> None:
        tool = [uv, "pip", "install", "--python", str(interpreter)] if uv else []
        self._command = tool or [str(interpreter), "-m", "pip", "install", "--disable-pip-version-check"]
        self._variables = _environment(uv)

    def install(self, requirements: Mapping[str, str]) -> dict[str, str]:
        """Install, and answer why each one is missing that cannot be had."""
        if not requirements:
            return {}
        done = _run([*self._command, "--quiet", "--no-deps", *requirements.values()], self._variables)
        if not done.returncode:
            return {}
        if len(requirements) == 1:
            return {next(iter(requirements)): _reason_in(done.stderr or done.stdout)}
        items = list(requirements.items())
        middle = len(items) // 2
        return {**self.install(dict(items[:middle])), **self.install(dict(items[middle:]))}


def _reason_in(text: str) -> str:
    """What an installer says of a failure, in a line."""
    lines = [re.sub(r"^\W+|^(error|ERROR):?\s*", "", line).strip() for line in text.splitlines()]
    words = without_credentials(" ".join(line for line in lines if line))
    return words[:_LONGEST_REASON] or "the installer says nothing"


def _find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv") or ""


def _environment(uv: str) -> dict[str, str]:
    """This process's variables; for uv with pip's settings, where nothing else is set for uv."""
    variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    if not uv:
        return variables
    variables.setdefault("UV_PYTHON_DOWNLOADS", "never")
    for setting, value in _pip_settings().items():
        variable, separator = _UV_VARIABLES[setting]
        variables.setdefault(variable, separator.join(value.split()))
    if "UV_INDEX" in variables:  # pip takes the best version of all indexes; uv would stop at the first one
        variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return variables


def _pip_settings() -> dict[str, str]:
    """Those of pip's settings that decide where packages come from; {} where there is no pip."""
    for interpreter in dict.fromkeys((sys.executable, getattr(sys, "_base_executable", sys.executable))):
        listed = _run([interpreter, "-m", "pip", "config", "list"])
        if not listed.returncode:
            return _parse_settings(listed.stdout)
    return {}


def _parse_settings(listed: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # the later one wins, as in pip
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section) and (name := key.removeprefix(section)) in _UV_VARIABLES:
                settings[name] = str(ast.literal_eval(value))
    return {key: value for key, value in settings.items() if value.strip()}


def _run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
