"""The code bundle: the project's code that the tasks run, as one zip that is the same wherever it is made.

It holds the import roots that the pipeline reaches and what `[code] include` declares; never what Zen emitted, never
what looks like a secret. Archive paths are relative to the import root, so that the unpacked folder goes on sys.path.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from zen_core.codegen.code_memo import CodeMemo, memo_in
from zen_core.codegen.import_roots import ImportRoots, is_installed
from zen_core.contract.canonical import canonical_json
from zen_core.contract.code_bundle import code_digest, digest_of_files
from zen_core.contract.manifest import SETTINGS_FILE
from zen_core.contract.secret_files import is_secret_file
from zen_core.contract.settings import Settings
from zen_core.contract.source_code import many_syntax_trees
from zen_core.diagnostics import Diagnostic
from zen_core.errors import BundleError

EMITTED_BY = "emitted by Zen"
"""Stands in the first line of every Python and YAML file that Zen writes, and marks it as not part of the code."""
SIDECAR_SUFFIX = ".zen"
LARGEST_BUNDLE_BYTES = 100 * 1024 * 1024

MOST_LISTED = 100
"""How many files that are left out are named one by one."""
LARGEST_DATA_BYTES = 10 * 1024 * 1024
"""A larger file that is no Python is left out, unless `[code] include` names it."""

_FIRST_LINE = re.compile(rf'(?:"""|#).*{EMITTED_BY} \d')
# Not code, though they may lie in a package: their edit must not change what tasks run.
_NEVER_CODE = ("__pycache__", "*.pyc", "*.egg-info", "*.ipynb", "*.ir.json", "README*", "CHANGELOG*", "tests", "docs")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file of the project that a bundle lacks, by its name in the archive, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class CodeBundle:
    """The zip, its digest (over names and contents), the names in it, and what it lacks by rule."""

    content: bytes
    digest: str
    names: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


class Memo(Protocol):
    """What was found out about files, for the next process."""

    def save(self) -> None:
        """Keep it, where there is a place for it."""


@dataclass(frozen=True)
class LocalCode:
    """The code of a run on this machine: a bundle that is not packed yet, and need not be where it is stored already.

    What cannot go into it is left out, and never fails the run.
    """

    digest: str
    left_out: tuple[LeftOut, ...]
    _path_by_name: Mapping[str, Path] = field(repr=False)
    _settings: bytes = field(repr=False)
    _memos: Sequence[Memo] = field(repr=False)

    def pack(self) -> CodeBundle | None:
        """The bundle; None where a file has changed since, or is gone: what ran cannot be told any more."""
        try:
            bundle = _pack(self._path_by_name, self._settings, self.left_out)
        except OSError:
            return None
        return bundle if bundle.digest == self.digest else None

    def remember(self) -> None:
        """Keep what was found out about the files, so that the next run reads only what changed."""
        for memo in self._memos:
            memo.save()


def build_bundle(settings: Settings, roots: ImportRoots, modules: Iterable[str]) -> CodeBundle:
    """The bundle for a pipeline whose steps lie in these modules.

    Raises:
        BundleError: a link leads out of the project, something that must travel looks like a secret or cannot be
            read, an entry of `[code] include` names nothing, or the bundle would be too large; all problems.
    """
    found = _collect(settings, roots, modules, CodeMemo())
    if found.problems:
        raise BundleError(diagnostics=found.problems)
    return _pack(found.path_by_name, _settings_of(settings), found.left_out)


def find_local_code(settings: Settings, modules: Iterable[str], *memos: Memo) -> LocalCode:
    """The code of a run on this machine, with the digest that its bundle has: the same as when it is compiled.

    Reads and parses only the files that changed since the last run.

    Args:
        memos: what else was found out about them, to be kept with it.
    """
    memo = memo_in(settings.state_folder)
    found = _collect(settings, ImportRoots.of(settings), modules, memo)
    content = _settings_of(settings)
    digests = {name: memo.facts(path).sha256 for name, path in found.path_by_name.items()}
    digests[SETTINGS_FILE] = hashlib.sha256(content).hexdigest()
    return LocalCode(digest_of_files(digests), found.left_out, found.path_by_name, content, (memo, *memos))


@many_syntax_trees()
def _collect(settings: Settings, roots: ImportRoots, modules: Iterable[str], memo: CodeMemo) -> _Collector:
    collector = _Collector(settings, roots, memo)
    if settings.include:
        collector.add_declared(settings.include)
    else:
        collector.add_reached(roots.follow_imports(modules, memo.imports))
    return collector


def _settings_of(settings: Settings) -> bytes:
    return canonical_json(settings.to_bundle_json()).encode()


def _pack(path_by_name: Mapping[str, Path], settings: bytes, left_out: tuple[LeftOut, ...]) -> CodeBundle:
    content_by_name = {name: path.read_bytes() for name, path in path_by_name.items()}
    content_by_name[SETTINGS_FILE] = settings
    return CodeBundle(_zip(content_by_name), code_digest(content_by_name), tuple(sorted(content_by_name)), left_out)


class _Collector:
    """Gathers files by their name in the archive, what is left out, and what is wrong with that."""

    def __init__(self, settings: Settings, roots: ImportRoots, memo: CodeMemo) -> None:
        self.path_by_name: dict[str, Path] = {}
        self.problems: list[Diagnostic] = []
        self._left_out: dict[str, str] = {}
        self._roots = roots
        self._root = (settings.root or Path()).resolve()
        self._memo = memo
        self._size = 0
        self._is_full = False

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the bundle lacks, by name; of very many the first, and how many more there are."""
        found = [LeftOut(name, reason) for name, reason in sorted(self._left_out.items())]
        more = len(found) - MOST_LISTED
        return (*found[:MOST_LISTED], *([LeftOut("…", f"and {more} more")] if more > 0 else []))

    def add_reached(self, path_by_module: Mapping[str, Path]) -> None:
        """Whole top-level packages and modules of what the pipeline reaches."""
        needed = {path.resolve() for path in path_by_module.values() if path.suffix == ".py"}
        for name in sorted({module.partition(".")[0] for module in path_by_module}):
            home = self._roots.find_module(name)
            if home is not None and home.is_dir():  # a namespace package may lie in several folders
                for folder in self._roots.folders:
                    self._add_tree(folder / name, folder, needed=needed)
            elif home is not None and home.name == "__init__.py":
                self._add_tree(home.parent, home.parent.parent, needed=needed)
        for path in path_by_module.values():  # what an import reaches goes along, also out of a folder of tests
            if path.suffix == ".py":
                self._add_file(path, self._folder_of(path), needed=True)

    def add_declared(self, include: Iterable[str]) -> None:
        """Exactly what `[code] include` names: packages, modules, files or patterns, relative to the root."""
        for entry in include:
            found = list(self._declared(entry))
            for path in found:
                folder = self._folder_of(path)
                if path.is_dir():
                    self._add_tree(path, folder, needed=set())
                else:
                    self._add_file(path, folder, needed=True)
            if not found:
                message = f"[code] include names {entry!r}, which is not there"
                self._refuse(entry, "is not there", message, hint=_INCLUDE_HINT)

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

    def _add_tree(self, top: Path, folder: Path, *, needed: set[Path], above: tuple[Path, ...] = ()) -> None:
        if not top.is_dir() or top.resolve() in above or not self._lies_inside(top, folder):
            return
        try:
            entries = sorted(os.scandir(top), key=lambda entry: entry.name)
        except OSError as error:
            self._left_out[_name_of(top, folder)] = _unreadable(error)
            return
        for entry in entries:
            path = Path(entry.path)
            if not entry.is_dir():
                if not _matches(entry.name, _NEVER_CODE):
                    self._add_file(path, folder, needed=path.suffix == ".py" and path.resolve() in needed)
            elif not _is_left_out_folder(path):
                self._add_tree(path, folder, needed=needed, above=(*above, top.resolve()))

    def _add_file(self, path: Path, folder: Path, *, needed: bool) -> None:
        name = _name_of(path, folder)
        if name in self.path_by_name or (path.name.startswith(".") and not needed):
            return
        try:
            if path.is_file() and self._may_go_in(path, folder, needed=needed):
                self._take(path, name)
        except OSError as error:
            self._left_out[name] = reason = _unreadable(error)
            if needed:
                message = f"{name} is needed by the pipeline, and {reason}"
                self._refuse(name, reason, message, hint="give this user the right to read it")

    def _may_go_in(self, path: Path, folder: Path, *, needed: bool) -> bool:
        name = _name_of(path, folder)
        if is_secret_file(path.name):
            if needed:
                self._refuse(
                    name,
                    why := "its name says that it holds a secret",
                    f"{name} is needed by the pipeline, but files of this name never go into a code bundle",
                    why=why,
                    hint="rename it, or read the secret from the worker's environment",
                )
            return False
        return self._lies_inside(path, folder) and self._fits(path, name, needed=needed)

    def _take(self, path: Path, name: str) -> None:
        facts = self._memo.facts(path)
        if not (name.endswith((".py", ".yaml")) and _FIRST_LINE.match(facts.first_line)):  # else Zen wrote it
            self.path_by_name[name] = path
            self._size += facts.size_bytes

    def _lies_inside(self, path: Path, folder: Path) -> bool:
        real = path.resolve()
        if any(real.is_relative_to(inside) for inside in (self._root, *self._roots.folders)):
            return True
        name = _name_of(path, folder)
        self._refuse(
            name,
            "it is a link that leads out of the project",
            f"{name} is a link that leads out of the project",
            why="the bundle holds only what lies in the project, so that it is the same on every machine",
            hint="copy the file into the project, or leave it out with [code] include in zen.toml",
        )
        return False

    def _fits(self, path: Path, name: str, *, needed: bool) -> bool:
        """Whether a file is small enough. What a pipeline needs, or names itself, counts only towards the sum."""
        size = path.stat().st_size
        if not needed and path.suffix != ".py" and size > LARGEST_DATA_BYTES:
            self._left_out[name] = f"{_mebibytes(size)} of data, more than {_mebibytes(LARGEST_DATA_BYTES)}"
            return False
        if self._size + size <= LARGEST_BUNDLE_BYTES:
            return True
        self._left_out[name] = reason = f"the code bundle would be larger than {_mebibytes(LARGEST_BUNDLE_BYTES)}"
        if not self._is_full:  # one problem, however many files do not fit
            self._is_full = True
            self._refuse(
                name,
                reason,
                f"the code bundle is larger than {_mebibytes(LARGEST_BUNDLE_BYTES)}; the limit is passed at {name}",
                why="every package that the pipeline reaches is taken whole, data files in it too",
                hint=f"move data out of the package, or {_INCLUDE_HINT}",
            )
        return False

    def _refuse(self, name: str, reason: str, message: str, *, why: str = "", hint: str) -> None:
        """Leave out what must not be left out: a compilation fails for it, a run on this machine does not."""
        self._left_out[name] = reason
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
        or os.path.isfile(path / "pyvenv.cfg")  # not the method, which raises where the folder cannot be read
    )


def _name_of(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _unreadable(error: OSError) -> str:
    return f"it cannot be read: {error.strerror}"


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


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
