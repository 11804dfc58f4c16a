"""Keeps the code of a run beside its artifacts, so that it can be compared and run again later."""

from __future__ import annotations

import logging
from dataclasses import asdict

from zen_core.codegen.bundle import LocalCode
from zen_core.errors import StoreError
from zen_metadata.shim.code import bundle_location
from zen_metadata.shim.workspace import Workspace

_log = logging.getLogger("zen")
_MOST_TOLD = 5
_NOT_KEPT = "the code of this run is not kept, so that it cannot be run again: %s"


def keep_code(code: LocalCode, workspace: Workspace, project: str) -> None:
    """Store the code's bundle, once per content, and record which files it lacks. No run fails for it."""
    location = bundle_location(code.digest)
    try:
        if not workspace.artifacts.exists(location):
            _store(code, workspace, location)
        if code.left_out:
            left_out = [asdict(item) for item in code.left_out]
            workspace.ask(lambda lineage: lineage.save_left_out(project, code.digest, left_out), None)
    except StoreError as error:
        _log.warning(_NOT_KEPT, error.message)
    code.remember()


def _store(code: LocalCode, workspace: Workspace, location: str) -> None:
    bundle = code.pack()
    if bundle is None:
        _log.warning(_NOT_KEPT, "a file of it changed while the run began")
        return
    workspace.artifacts.write_bytes(location, bundle.content)
    for item in code.left_out[:_MOST_TOLD]:
        _log.warning("left out of the code that is kept of this run: %s: %s", item.file, item.reason)
    if len(code.left_out) > _MOST_TOLD:
        _log.warning("left out of the code that is kept of this run: more files; zen compile lists them")
