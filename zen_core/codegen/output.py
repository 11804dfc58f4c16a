"""Emitted files on disk: written all or none, and compared."""

from __future__ import annotations

import difflib
import io
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from zen_core.diagnostics import Diagnostic
from zen_core.errors import CompilationError, InternalError, OutOfDateError

_DIFF_LINES = 12
_HEADER_BYTES = 1_000
_OWNER = re.compile(rb"^(?:# )?Pipeline: ([a-z][a-z0-9_]*)\r?$", re.MULTILINE)
"""The line by which an emitted file's header says whose it is."""


def write_files(folder: Path, content_by_path: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write the files below `folder`, and return the paths of those that changed.

    Every file is written beside its place first and then moved into it, Python files last, so that an orchestrator
    that watches the folder never meets half a pipeline. A file that is as it should be is not touched.

    Raises:
        CompilationError: the folder cannot be written, or holds a file of that name which is somebody else's: not
            emitted by Zen, or for another pipeline.
    """
    order = sorted(content_by_path, key=lambda path: (path.endswith(".py"), path))
    found_by_path = {path: _read(_place(folder, path)) for path in order}
    changed = [path for path in order if found_by_path[path] != content_by_path[path]]
    if problems := [*_find_foreign(folder, found_by_path, content_by_path)]:
        raise CompilationError(diagnostics=problems)
    waiting: list[tuple[Path, Path]] = []
    try:
        for path in changed:
            place = _place(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
            waiting.append((temporary, place))
            temporary.write_bytes(content_by_path[path])
        for temporary, place in waiting:
            temporary.replace(place)
    except OSError as error:
        raise CompilationError(
            f"the emitted files cannot be written: {error.strerror}",
            where=str(error.filename or folder),
            hint="name a folder that can be written with --out",
        ) from error
    finally:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)
    return tuple(sorted(changed))


def check_files(folder: Path, content_by_path: Mapping[str, bytes]) -> None:
    """Compare the files below `folder` with what they should be.

    Raises:
        OutOfDateError: some are missing or differ; names each, with the first lines of the difference.
    """
    problems = []
    for path in sorted(content_by_path):
        found, wanted = _read(_place(folder, path)), content_by_path[path]
        if found != wanted:
            problems.append(
                Diagnostic(
                    OutOfDateError.code,
                    f"{path} is missing" if found is None else f"{path} is not what the pipeline compiles to",
                    where=folder.as_posix(),
                    why="" if found is None else _difference(path, found, wanted),
                    hint="run `zen compile` without --check, and commit what it writes",
                    context={"path": path},
                )
            )
    if problems:
        raise OutOfDateError(diagnostics=problems)


def _find_foreign(
    folder: Path, found_by_path: Mapping[str, bytes | None], content_by_path: Mapping[str, bytes]
) -> Iterator[Diagnostic]:
    """Files with a header that says whose they are, where another file is in their place."""
    for path, found in found_by_path.items():
        owner = _OWNER.search(content_by_path[path][:_HEADER_BYTES])
        if owner is None or not found:
            continue
        other = _OWNER.search(found[:_HEADER_BYTES])
        if other is None or other[1] != owner[1]:
            pipeline = owner[1].decode()
            whose = "is no file of Zen's" if other is None else f"belongs to the pipeline {other[1].decode()!r}"
            yield Diagnostic(
                CompilationError.code,
                f"{path} {whose}, and would be replaced",
                where=folder.as_posix(),
                why=f"the pipeline {pipeline!r} compiles to a file of this name",
                hint=f"give each pipeline a folder of its own: --out {(folder / pipeline).as_posix()}",
                context={"path": path},
            )


def _place(folder: Path, path: str) -> Path:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise InternalError(f"an adapter emits the path {path!r}, which leads out of the output folder")
    return folder.joinpath(*pure.parts)


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except OSError:
        return None


def _difference(path: str, found: bytes, wanted: bytes) -> str:
    if path.endswith(".zip"):
        return _zip_difference(found, wanted)
    try:
        before, after = found.decode().splitlines(), wanted.decode().splitlines()
    except UnicodeDecodeError:
        return "its bytes differ"
    lines = [line[:160] for line in difflib.unified_diff(before, after, "on disk", "compiled", lineterm="", n=1)]
    more = [f"… {len(lines) - _DIFF_LINES} more lines"] if len(lines) > _DIFF_LINES else []
    return "\n".join([*lines[:_DIFF_LINES], *more]) or "only line ends differ"


def _zip_difference(found: bytes, wanted: bytes) -> str:
    before, after = _zip_content(found), _zip_content(wanted)
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    if not names:
        return "its bytes differ, though it holds the same files"
    more = f" and {len(names) - _DIFF_LINES} more" if len(names) > _DIFF_LINES else ""
    return f"these files in it differ: {', '.join(names[:_DIFF_LINES])}{more}"


def _zip_content(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}
