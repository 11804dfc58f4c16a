"""What an earlier deployment left in a folder: whose it is, and what must be kept of it while tasks start.

A task may have read the older file already when the newer manifest is put beside it: manifest and code of the IR before
are therefore kept in a folder of their own (`shim.sidecar` reads them).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zen_core.codegen.bundle import SIDECAR_SUFFIX
from zen_core.contract.manifest import BEFORE_FOLDER, CODE_FILE, MANIFEST_FILE
from zen_core.ir.specs import PipelineSpec


def kept_of_before(folder: Path, pipeline: PipelineSpec) -> dict[str, bytes]:
    """Manifest and bundle that are deployed now, at the place where they are kept; none of the same IR."""
    name = f"{pipeline.name}{SIDECAR_SUFFIX}"
    beside = folder / name
    try:
        manifest = (beside / MANIFEST_FILE).read_bytes()
        kept_manifest = beside / BEFORE_FOLDER / MANIFEST_FILE
        is_kept = kept_manifest.is_file() and kept_manifest.read_bytes() == manifest
    except OSError:
        return {}
    # What is kept already is left alone: after a deployment that was interrupted, the bundle may be the newer one.
    if is_kept or _fact_in(manifest, "ir_digest") == pipeline.digest:
        return {}
    kept = {f"{name}/{BEFORE_FOLDER}/{MANIFEST_FILE}": manifest}
    if (beside / CODE_FILE).is_file():
        kept[f"{name}/{BEFORE_FOLDER}/{CODE_FILE}"] = (beside / CODE_FILE).read_bytes()
    return kept


def project_of(emitted: Path) -> str:
    """Whose an emitted file is, by the manifest beside it; "" where that does not say it."""
    try:
        return _fact_in((emitted.with_suffix(SIDECAR_SUFFIX) / MANIFEST_FILE).read_bytes(), "project")
    except OSError:
        return ""


def _fact_in(manifest: bytes, name: str) -> str:
    """One text of a manifest, whatever version of Zen wrote it; "" where it is not there."""
    try:
        document: Any = json.loads(manifest)
    except ValueError:
        return ""
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""
