"""Which third-party code an import means: the distributions that provide it, and what identifies their code."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from zen_core.environment.code_files import digest_code
from zen_core.environment.distributions import installed_packages, metadata_folders, normalise_name
from zen_core.environment.installs import Install, find_installs, short_hash

_SHOWN_DIGITS = 12
_OWN = "zen-core"
_known: dict[str, Mapping[str, str]] = {}


def package_versions(imports: Iterable[str]) -> dict[str, str]:
    """The version of each package that provides one of these import names, by the distribution's normalised name.

    A name may be dotted: of a namespace package (google.cloud.storage) the distributions below it are told apart.
    Where several distributions provide a name, all count. Names of the standard library are skipped.

    Where the version does not say which code it is, what identifies the code follows in parentheses: the commit or
    the archive's digest of a direct URL; a digest of the files for what is installed from a folder, editable or not,
    and for what no distribution provides ("none (files …)"). What is not there is "missing": installing it later
    changes what the code does, and so must change the key.
    """
    wanted = {name for name in imports if name.partition(".")[0] not in sys.stdlib_module_names}
    unknown = wanted - _known.keys()
    if unknown:
        providers = _find_providers(unknown)
        _known.update({name: _identify(name, providers[name]) for name in unknown})
    versions: dict[str, str] = {}
    for name in wanted:
        versions.update(_known[name])
    return dict(sorted(versions.items()))


def all_package_versions(root: Path | None = None) -> dict[str, str]:
    """The version of every installed distribution, with what identifies its code as in `package_versions`.

    Zen itself is left out, and so is what is installed editable from the project in `root`: its own code counts by the
    fingerprint.
    """
    return {
        name: _version_of(name, None)
        for name in installed_packages()
        if name != _OWN and not _is_of_project(find_installs().get(name), root)
    }


def _is_of_project(install: Install | None, root: Path | None) -> bool:
    if install is None or install.folder is None or root is None:
        return False
    return root.resolve().is_relative_to(install.folder) or install.folder.is_relative_to(root.resolve())


# -- from an import to distributions ----------------------------------------------------------------------------


def _find_providers(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The distributions that provide each name, found in the lists of their files, each of which is read once."""
    names = sorted(names)
    prefixes = {prefix for name in names for prefix in _prefixes(name)}
    providers: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
    regular: set[str] = set()
    for distribution, folder in metadata_folders().items():
        record = _read(folder / "RECORD")
        tops = None if record else _read(folder / "top_level.txt").decode("utf-8", "replace").split()
        for prefix in prefixes:
            path = prefix.replace(".", "/").encode()
            if tops is None and _lists(record, path):
                providers[prefix].append(distribution)
                if b"\n%s/__init__." % path in record:
                    regular.add(prefix)
            elif tops is not None and (prefix in tops or (not tops and normalise_name(prefix) == distribution)):
                providers[prefix].append(distribution)  # it was written before there were lists of files
    return {name: tuple(providers[_package_of(name, providers, regular)]) for name in names}


def _package_of(name: str, providers: Mapping[str, list[str]], regular: set[str]) -> str:
    """The package that a dotted name belongs to: the outermost that is no namespace package."""
    found = name.partition(".")[0]
    for prefix in _prefixes(name):
        if found in regular or not providers[prefix]:
            break
        found = prefix
    return found


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _lists(record: bytes, path: bytes) -> bool:
    """Whether a list of files has a package or a module of this path."""
    start = record.find(b"\n" + path)
    while start >= 0:
        end = start + 1 + len(path)
        if record[end : end + 1] == b"/":
            return True
        if re.match(rb"(?:\.[\w-]+)*\.(?:py|so|pyd)[,\"]", record[end : end + 120]):
            return True
        start = record.find(b"\n" + path, end)
    return False


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return b"\n" + file.read()
    except OSError:
        return b""


# -- from distributions to what identifies their code -----------------------------------------------------------


def _identify(name: str, providers: tuple[str, ...]) -> dict[str, str]:
    """The version of each provider; for a name that comes from a folder, that of the code there."""
    places = _places(_find_spec(name.partition(".")[0]))
    sites = [metadata_folders()[provider].parent.resolve() for provider in providers]
    if providers and (not places or any(place.is_relative_to(site) for place in places for site in sites)):
        return {provider: _version_of(provider, None) for provider in providers}
    editable = {
        distribution: place
        for place in places
        for distribution, install in find_installs().items()
        if install.folder is not None and install.kind == "editable" and place.is_relative_to(install.folder.resolve())
    }
    if editable:
        return {distribution: _version_of(distribution, place) for distribution, place in editable.items()}
    label = normalise_name(name.partition(".")[0])
    return {label: f"none (files {_digest_places(places)})" if places else "missing"}


def _version_of(distribution: str, place: Path | None) -> str:
    """Args: place: where the imported package or module lies, if that is known."""
    version, install = installed_packages()[distribution], find_installs().get(distribution)
    if install is None or install.kind in ("conda", "system"):
        return version
    if install.kind == "git":
        return f"{version} (git {install.commit[:_SHOWN_DIGITS]})"
    if install.kind == "archive" and install.hash:
        return f"{version} ({short_hash(install.hash)})"
    if install.kind == "editable" and (place or install.folder):
        folder = place.parent if place else install.folder
        assert folder is not None
        return f"{version} (editable, files {_digest_editable(folder, place)})"
    return f"{version} (files {_digest_installed(distribution)})"


def _find_spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (ImportError, ValueError, AttributeError):  # a module that was made by hand says so with ValueError
        return None


def _places(spec: ModuleSpec | None) -> list[Path]:
    """Where a package or module lies: its folders or its file."""
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place).resolve() for place in spec.submodule_search_locations]
    return [Path(spec.origin).resolve()] if spec.has_location and spec.origin else []


@cache
def _digest_editable(folder: Path, place: Path | None) -> str:
    return digest_code([folder], whole=[place] if place else [])[:_SHOWN_DIGITS]


def _digest_places(places: list[Path]) -> str:
    return digest_code(places, whole=places)[:_SHOWN_DIGITS]


@cache
def _digest_installed(distribution: str) -> str:
    """Of the digests of its files, as the installer listed them: without what is made on this machine."""
    import hashlib

    lines = _read(metadata_folders()[distribution] / "RECORD").splitlines()
    files = (line for line in lines if line and not line.startswith(b"..") and b".dist-info/" not in line)
    listed = sorted(line for line in files if not line.endswith(b",,"))
    return hashlib.sha256(b"\n".join(listed)).hexdigest()[:_SHOWN_DIGITS]
