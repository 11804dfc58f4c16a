"""The code bundle: the project's code that the tasks run, as one zip that is the same wherever it is made.

It holds the import roots that the pipeline reaches and what `[code] include` declares; never what Zen emitted, never
what looks like a secret. Archive paths are relative to the import root, so that the unpacked folder goes on sys.path.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from zen_core.codegen.import_roots import ImportRoots, is_installed
from zen_core.contract.canonical import canonical_json
from zen_core.contract.code_bundle import code_digest
from zen_core.contract.manifest import SETTINGS_FILE
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.errors import BundleError

EMITTED_BY = "emitted by Zen"
"""Stands in the first line of every Python and YAML file that Zen writes, and marks it as not part of the code."""
SIDECAR_SUFFIX = ".zen"
LARGEST_BUNDLE_BYTES = 100 * 1024 * 1024

_FIRST_LINE = re.compile(rb'(?:"""|#)[^\n]*' + EMITTED_BY.encode() + rb" \d")
_SECRETS = (
    ".env*",
    "*.pem",
    "*.key",
    "credentials*",
    "service-account*.json",
    "kubeconfig",
    ".netrc",
    ".pypirc",
)
# Not code, though they may lie in a package: their edit must not change what tasks run.
_NEVER_CODE = ("__pycache__", "*.pyc", "*.egg-info", "*.ipynb", "*.ir.json", "README*", "CHANGELOG*", "tests", "docs")


@dataclass(frozen=True)
class CodeBundle:
    """The zip, its digest (over names and contents), and the names in it."""

    content: bytes
    digest: str
    names: tuple[str, ...]


def build_bundle(settings: Settings, roots: ImportRoots, modules: Iterable[str]) -> CodeBundle:
    """The bundle for a pipeline whose steps lie in these modules.

    Raises:
        BundleError: a link leads out of the project, something that must travel looks like a secret, an entry of
            `[code] include` names nothing, or the bundle would be too large; all problems.
    """
    collector = _Collector(settings, roots)
    if settings.include:
        collector.add_declared(settings.include)
    else:
        collector.add_reached(roots.follow_imports(modules))
    if collector.problems:
        raise BundleError(diagnostics=collector.problems)
    content_by_name = {name: path.read_bytes() for name, path in collector.path_by_name.items()}
    content_by_name = {name: data for name, data in content_by_name.items() if not _is_emitted(name, data)}
    content_by_name[SETTINGS_FILE] = canonical_json(settings.to_bundle_json()).encode()
    return CodeBundle(_zip(content_by_name), code_digest(content_by_name), tuple(sorted(content_by_name)))


class _Collector:
    """Gathers files by their name in the archive, and what is wrong with them."""

    def __init__(self, settings: Settings, roots: ImportRoots) -> None:
        self.path_by_name: dict[str, Path] = {}
        self.problems: list[Diagnostic] = []
        self._roots = roots
        self._root = (settings.root or Path()).resolve()
        self._size = 0

    def add_reached(self, path_by_module: Mapping[str, Path]) -> None:
        """Whole top-level packages and modules of what the pipeline reaches."""
        files = {path.resolve() for path in path_by_module.values() if path.suffix == ".py"}
        for name in sorted({module.partition(".")[0] for module in path_by_module}):
            home = self._roots.find_module(name)
            if home is not None and home.is_dir():  # a namespace package may lie in several folders
                for folder in self._roots.folders:
                    self._add_tree(folder / name, folder, must=files)
            elif home is not None and home.name == "__init__.py":
                self._add_tree(home.parent, home.parent.parent, must=files)
        for path in path_by_module.values():  # what an import reaches goes along, also out of a folder of tests
            if path.suffix == ".py":
                self._add_file(path, self._folder_of(path), must=True)

    def add_declared(self, include: Iterable[str]) -> None:
        """Exactly what `[code] include` names: packages, modules, files or patterns, relative to the root."""
        for entry in include:
            found = list(self._declared(entry))
            for path in found:
                folder = self._folder_of(path)
                if path.is_dir():
                    self._add_tree(path, folder, must=set())
                else:
                    self._add_file(path, folder, must=True)
            if not found:
                self._problem(f"[code] include names {entry!r}, which is not there", hint=_INCLUDE_HINT)

    def _declared(self, entry: str) -> Iterator[Path]:
        if any(char in entry for char in "*?["):
            yield from sorted(path for path in self._root.glob(entry) if path.is_file())
            return
        for folder in self._roots.folders:
            for candidate in (folder / entry, folder / f"{entry}.py", folder / Path(*entry.split("."))):
                if candidate.exists():
                    yield candidate
                    return

    def _folder_of(self, path: Path) -> Path:
        holders = [folder for folder in self._roots.folders if path.is_relative_to(folder)]
        return max(holders, key=lambda folder: len(folder.parts), default=self._root)

    def _add_tree(self, top: Path, folder: Path, *, must: set[Path], above: tuple[Path, ...] = ()) -> None:
        if not top.is_dir() or top.resolve() in above or not self._lies_inside(top, folder):
            return
        for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
            path = Path(entry.path)
            if entry.is_dir():
                if not _is_left_out_folder(path):
                    self._add_tree(path, folder, must=must, above=(*above, top.resolve()))
            elif not _matches(entry.name, _NEVER_CODE):
                self._add_file(path, folder, must=path.resolve() in must)

    def _add_file(self, path: Path, folder: Path, *, must: bool) -> None:
        name = path.relative_to(folder).as_posix()
        if name in self.path_by_name or not path.is_file() or (path.name.startswith(".") and not must):
            return
        if _matches(path.name, _SECRETS):
            if must:
                self._problem(
                    f"{name} is needed by the pipeline, but files of this name never go into a code bundle",
                    why="its name says that it holds a secret",
                    hint="rename it, or read the secret from the worker's environment",
                )
            return
        if self._lies_inside(path, folder):
            self.path_by_name[name] = path
            self._count(path, name)

    def _lies_inside(self, path: Path, folder: Path) -> bool:
        real = path.resolve()
        if any(real.is_relative_to(inside) for inside in (self._root, *self._roots.folders)):
            return True
        self._problem(
            f"{path.relative_to(folder).as_posix()} is a link that leads out of the project",
            why="the bundle holds only what lies in the project, so that it is the same on every machine",
            hint="copy the file into the project, or leave it out with [code] include in zen.toml",
        )
        return False

    def _count(self, path: Path, name: str) -> None:
        before, self._size = self._size, self._size + path.stat().st_size
        if before <= LARGEST_BUNDLE_BYTES < self._size:
            self._problem(
                f"the code bundle is larger than {LARGEST_BUNDLE_BYTES // 2**20} MiB; the limit is passed at {name}",
                why="every package that the pipeline reaches is taken whole, data files in it too",
                hint=f"move data out of the package, or {_INCLUDE_HINT}",
            )

    def _problem(self, message: str, *, why: str = "", hint: str) -> None:
        self.problems.append(Diagnostic(BundleError.code, message, why=why, hint=hint))


_INCLUDE_HINT = 'name what belongs into it: [code] include = ["my_package", "sql/*.sql"]'


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_left_out_folder(path: Path) -> bool:
    return (
        path.name.startswith(".")
        or path.name.endswith(SIDECAR_SUFFIX)
        or _matches(path.name, _NEVER_CODE)
        or is_installed(path)
        or (path / "pyvenv.cfg").is_file()
    )


def _is_emitted(name: str, data: bytes) -> bool:
    return name.endswith((".py", ".yaml")) and _FIRST_LINE.match(data) is not None


def _zip(content_by_name: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # Stored, not deflated: what zlib writes differs between builds of Python.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(content_by_name):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also when made on Windows
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content_by_name[name])
    return buffer.getvalue()
