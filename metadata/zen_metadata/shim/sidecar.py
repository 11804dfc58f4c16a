"""Finds the manifest and the code that belong to an emitted file, also while they are being replaced.

The emitted file, the manifest and the code bundle are three files, and a task reads them one after the other. Each
names the next by its digest: the emitted file the IR of its manifest, the manifest the code of its bundle. So a task
never runs with parts of two versions, in whatever order the files arrive.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from zen_core.contract.manifest import BEFORE_FOLDER, PipelineManifest, manifest_from_json, read_manifest
from zen_core.errors import CodeError, ManifestError
from zen_metadata.shim.code import ensure_code

LONGEST_COPY_SECONDS = 15.0
"""How long files that do not belong together are taken for a copy that is going on."""
_PAUSE_SECONDS = 0.25


def open_sidecar(
    folder: Path, ir_digest: str, artifact_url: str, *, patience_seconds: float = LONGEST_COPY_SECONDS
) -> tuple[PipelineManifest, Path | None]:
    """The manifest of this IR, and the folder with its code, first on sys.path (None for installed code).

    A task whose emitted file was read just before a deployment replaced it finds its manifest where the deployment
    put what was there before. Files that do not belong together are read again for a while.

    Args:
        folder: what lies beside the emitted file.
        ir_digest: the IR that the emitted file was made from.
        artifact_url: where a bundle is looked for that is not in the folder; "" for nowhere.

    Raises:
        ManifestError: there is no manifest, or none of this IR.
        CodeError: there is no bundle, or not the manifest's.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            manifest = _find_manifest(folder, ir_digest)
            return manifest, ensure_code(manifest, artifact_url)
        except (ManifestError, CodeError):
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


def manifest_location(digest: str) -> str:
    """Where a pushed manifest lies in the artifact store, by the SHA-256 of its bytes in hexadecimal."""
    return f"manifests/{digest}.json"


def fetch_sidecar(artifact_url: str, ir_digest: str, manifest_digest: str) -> tuple[PipelineManifest, Path | None]:
    """The same as `open_sidecar` for a task that sees no folder: from the artifact store, where both were pushed.

    The emitted file names the manifest by its bytes, so that an older one means what it meant when it was compiled.

    Raises:
        ManifestError: there is no such manifest, its bytes are others, or it is not of this IR.
        CodeError: there is no bundle, or not the manifest's.
        StoreError: the artifact store cannot be read.
    """
    from zen_metadata.artifacts.store import ArtifactStore

    store, location = ArtifactStore(artifact_url), manifest_location(manifest_digest)
    if not store.exists(location):
        raise ManifestError(
            "the manifest of this pipeline is not in the artifact store",
            where=location,
            hint="deploy with `zen deploy`, or upload what `zen compile` wrote with `zen push`",
        )
    content = store.read_bytes(location)
    if hashlib.sha256(content).hexdigest() != manifest_digest:
        raise ManifestError("the manifest in the artifact store was altered", where=location, hint="deploy again")
    found = manifest_from_json(json.loads(content), where=location)
    if found.ir_digest != ir_digest:
        raise ManifestError(
            "the manifest is of another version of the pipeline than the emitted file",
            where=location,
            why=f"the emitted file is of the IR {ir_digest[:19]}…, the manifest of {found.ir_digest[:19]}…",
            hint="compile the emitted file beside the folder that `zen compile` wrote with it",
        )
    return found, ensure_code(found, artifact_url)


def _find_manifest(folder: Path, ir_digest: str) -> PipelineManifest:
    found = read_manifest(folder)
    if found.ir_digest == ir_digest:
        return found
    try:
        before = read_manifest(folder / BEFORE_FOLDER)
    except ManifestError:
        before = None
    if before is not None and before.ir_digest == ir_digest:
        return before
    raise ManifestError(
        "the manifest is of another version of the pipeline than the emitted file",
        where=str(folder),
        why=f"the emitted file is of the IR {ir_digest[:19]}…, the manifest of {found.ir_digest[:19]}…",
        hint="deploy again; or copy the emitted file and the folder beside it together, as `zen compile` wrote them",
    )
