"""Brings the pipeline's code into a task: unpacks the bundle once, checks it, and imports from nowhere else."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from zen_core.contract.code_bundle import code_digest
from zen_core.contract.manifest import CODE_FILE, PipelineManifest, StepManifest
from zen_core.errors import CodeError, StoreError

_log = logging.getLogger("zen")


def ensure_code(manifest: PipelineManifest, artifact_url: str) -> Path | None:
    """The folder with the pipeline's code, first on sys.path; None for installed code.

    The bundle is taken from beside the manifest, else from the artifact store, unpacked once per machine and user
    into a folder of mode 0700 that is named by its digest, and checked before anything of it is written.

    Raises:
        CodeError: it is missing, altered, or holds an entry that would leave the folder.
    """
    if manifest.code == "installed":
        return None
    target = _cache_folder() / manifest.code_digest.partition(":")[2]
    if is_new := not target.is_dir():
        _unpack(_fetch(manifest, artifact_url), target, manifest)
    _keep(manifest, artifact_url, is_new=is_new)
    root = str(target)
    if sys.path[:1] != [root]:
        sys.path[:] = [root, *(entry for entry in sys.path if entry != root)]
    return target


def load_step(step: StepManifest, root: Path | None, *, installed: bool) -> Callable[..., Any]:
    """The user's function behind a step.

    Args:
        root: the folder that its module must come from; None takes it from wherever it is.
        installed: whether it comes from the image, so that only its fingerprint tells that it is the right one.

    Raises:
        CodeError: there is no such module or function, it came from elsewhere, or it is other code. What the module
            itself raises when it is imported passes through.
    """
    function = _load_entry_point(step.entry_point, root)
    if installed:
        _refuse_other_code(function, step)
    return function


def _load_entry_point(entry_point: str, root: Path | None) -> Callable[..., Any]:
    module_name, _, qualname = entry_point.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the user's module is there, and something that it imports is not
        raise CodeError(
            f"the module {module_name!r} is not in the pipeline's code",
            where=entry_point,
            hint="name its package in `[code] include` of zen.toml and compile again",
        ) from error
    if root is not None:
        _refuse_foreign(module, root, entry_point)
    found: Any = module
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if found is None:
        raise CodeError(
            f"{module_name!r} has no {qualname!r}",
            where=entry_point,
            hint="compile the pipeline again and deploy it",
        )
    function = getattr(found, "function", found)  # a step is its function with options around it
    if not callable(function):
        raise CodeError(f"{entry_point} is no function", where=entry_point)
    return function  # type: ignore[no-any-return]


def _refuse_other_code(function: Callable[..., Any], step: StepManifest) -> None:
    """Raise CodeError when installed code is not the code that was compiled, by its fingerprint."""
    from zen_core.codegen.import_roots import ImportRoots
    from zen_core.compiler.fingerprint import fingerprint_step

    found = fingerprint_step(function, roots=ImportRoots(()))
    if found.digest != step.fingerprint.digest:
        raise CodeError(
            "the installed code of this step is not the code that was compiled",
            where=step.entry_point,
            why=f"its fingerprint is {found.digest[:19]}…, the manifest says {step.fingerprint.digest[:19]}…",
            hint="build the image from the same commit that was compiled, or compile without `--code installed`",
        )


def _refuse_foreign(module: ModuleType, root: Path, entry_point: str) -> None:
    origin = getattr(module, "__file__", None)
    if origin is None or not Path(origin).resolve().is_relative_to(root.resolve()):
        raise CodeError(
            f"the module {module.__name__!r} was imported from {origin}, not from the pipeline's code",
            where=entry_point,
            why="another module of the same name was imported first, and it is not the code that was compiled",
            hint="rename one of them, or remove the other from PYTHONPATH and from the DAGs folder",
        )


def _cache_folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"zen-code-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    owned = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if not stat.S_ISDIR(status.st_mode) or not owned or status.st_mode & 0o022:
        raise CodeError(
            f"the folder {folder} belongs to somebody else, or others can write to it",
            why="code from it would run with this user's rights",
            hint="remove it, or set TMPDIR to a folder of your own",
        )
    return folder


def _fetch(manifest: PipelineManifest, artifact_url: str) -> Path:
    """The bundle as a local file: from beside the manifest, else from the artifact store."""
    beside = manifest.folder / CODE_FILE if manifest.folder is not None else None
    if beside is not None and beside.is_file():
        return beside
    location = bundle_location(manifest.code_digest)
    if artifact_url:
        from zen_metadata.artifacts.store import ArtifactStore

        store = ArtifactStore(artifact_url)
        if store.exists(location):
            handle, name = tempfile.mkstemp(suffix=".zip", dir=_cache_folder())
            with os.fdopen(handle, "wb") as file:
                file.write(store.read_bytes(location))
            return Path(name)
    raise CodeError(
        f"the code bundle {CODE_FILE} is neither beside the manifest nor in the artifact store",
        where=str(beside or location),
        hint="copy the whole folder that `zen compile` wrote, or upload the bundle with `zen push`",
    )


def _keep(manifest: PipelineManifest, artifact_url: str, *, is_new: bool) -> None:
    """Let the artifact store have the bundle that lies beside the manifest, so that the run can be made again.

    No task fails for it. A remote store is asked once per machine: who deploys has put the bundle there already.
    """
    from zen_metadata.artifacts.store import ArtifactStore

    beside = manifest.folder / CODE_FILE if manifest.folder is not None else None
    if not artifact_url or beside is None:
        return
    try:
        store = ArtifactStore(artifact_url)
        location = bundle_location(manifest.code_digest)
        if not (store.is_local or is_new) or not beside.is_file() or store.exists(location):
            return
        if code_digest(read_bundle(beside)) == manifest.code_digest:  # else a deployment is replacing it
            store.write_bytes(location, beside.read_bytes())
    except (OSError, CodeError, StoreError) as error:
        _log.warning("the code of this run is not kept in the artifact store: %s", error)


def bundle_location(digest: str) -> str:
    """Where the bundle of a run lies in the artifact store."""
    return f"code/{digest.partition(':')[2]}.zip"


def _unpack(archive: Path, target: Path, manifest: PipelineManifest) -> None:
    content_by_name = read_bundle(archive)
    found = code_digest(content_by_name)
    if found != manifest.code_digest:
        raise CodeError(
            "the code bundle is not the one that was compiled",
            where=str(archive),
            why=f"its digest is {found[:19]}…, the manifest says {manifest.code_digest[:19]}…",
            hint="compile again and deploy manifest and bundle together",
        )
    temporary = Path(tempfile.mkdtemp(prefix="unpack-", dir=target.parent))
    try:
        for name, content in content_by_name.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():  # else another task of this machine was faster
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_bundle(archive: Path) -> dict[str, bytes]:
    """The files of a bundle by name. Raises CodeError for what is no bundle, or would leave the folder it goes to."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            entries = [entry for entry in bundle.infolist() if not entry.is_dir()]
            for entry in entries:
                _refuse_unsafe(entry, archive)
            return {entry.filename: bundle.read(entry) for entry in entries}
    except (OSError, zipfile.BadZipFile) as error:
        raise CodeError(
            f"the code bundle cannot be read: {error}", where=str(archive), hint="compile again and deploy it"
        ) from error


def _refuse_unsafe(entry: zipfile.ZipInfo, archive: Path) -> None:
    path = PurePosixPath(entry.filename)
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in path.parts[0] or is_link:
        raise CodeError(
            f"the code bundle holds the entry {entry.filename!r}, which would leave its folder",
            where=str(archive),
            hint="this is no bundle that Zen wrote; compile again and find out where it came from",
        )
