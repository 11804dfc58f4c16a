"""Finds the manifest and the code that belong to an emitted file, also while they are being replaced.

The emitted file, the manifest and the code bundle are three files, and a task reads them one after the other. Each
names the next by its digest: the emitted file the IR of its manifest, the manifest the code of its bundle. So a task
never runs with parts of two versions, in whatever order the files arrive.
"""

from __future__ import annotations

import time
from pathlib import Path

from zen_core.contract.manifest import BEFORE_FOLDER, PipelineManifest, read_manifest
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
