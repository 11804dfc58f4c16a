"""Installed packages, read fast: a run must not pay a tenth of a second to know its own versions."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_METADATA_FOLDER = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+?)(?:-py\d.*)?\.(?:dist|egg)-info$")


def normalise_name(name: str) -> str:
    """A distribution's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def installed_packages() -> dict[str, str]:
    """The version of every installed distribution by normalised name; what comes first on sys.path wins.

    Read from the names of the metadata folders, without opening a file in them: some hundred distributions take
    milliseconds instead of the tenth of a second of `importlib.metadata.distributions()`.
    """
    return {
        name: match["version"]
        for name, folder in _metadata_folders().items()
        if (match := _METADATA_FOLDER.match(folder.name))
    }


@cache
def _metadata_folders() -> dict[str, Path]:
    """The metadata folder of every installed distribution by normalised name; what comes first on sys.path wins."""
    found: dict[str, Path] = {}
    for entry in sys.path:
        try:
            folders = list(Path(entry or ".").iterdir())
        except OSError:
            continue
        for folder in folders:
            if match := _METADATA_FOLDER.match(folder.name):
                found.setdefault(normalise_name(match["name"]), folder)
    return dict(sorted(found.items()))


@cache
def _distributions_of_import(name: str) -> tuple[str, ...]:
    """The distributions that provide a top-level import name, found in the lists of their files."""
    folders = _metadata_folders()
    own = normalise_name(name)
    if own in folders and _provides(folders[own], name):
        return (own,)  # most are called like what they provide: then no other list needs to be read
    return tuple(other for other, folder in folders.items() if other != own and _provides(folder, name))


def _provides(folder: Path, name: str) -> bool:
    try:
        record = (folder / "RECORD").read_bytes()
    except OSError:
        record = b""
    prefix = name.encode()
    if re.search(rb"^%s(/|\.py,|\.[^/,]*\.(so|pyd),)" % re.escape(prefix), record, re.MULTILINE):
        return True
    try:  # an editable install lists no files, and some older ones write only this
        return name in (folder / "top_level.txt").read_text(encoding="utf-8").split()
    except OSError:
        return False


def package_versions(imports: Iterable[str]) -> dict[str, str]:
    """The installed version of each package that provides one of these import names, by normalised name.

    An import name that nothing installed provides is kept with the version "missing": installing it later changes
    what the code does, and so must change the key.
    """
    versions: dict[str, str] = {}
    for name in sorted(set(imports)):
        distributions = _distributions_of_import(name)
        for found in distributions:
            versions[found] = installed_packages()[found]
        if not distributions:
            versions[name] = "missing"
    return versions
