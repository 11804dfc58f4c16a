"""Reads IR documents of this version and of older ones.

An older document is carried to the next version by one pure function per version, until it is of this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError
from zen_core.ir.specs import IR_VERSION, PipelineSpec

_UPGRADE_BY_VERSION: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From each older version to the next one. Version 1 is the first."""


def read_ir(document: Mapping[str, Any], *, where: str = "") -> PipelineSpec:
    """The pipeline that an IR document describes, in this version's form.

    Args:
        document: as `PipelineSpec.to_json` wrote it, in this version or an older one.
        where: the file or the run that it comes from, for messages.

    Raises:
        DefinitionError: the version is unknown, or the document is no IR; all problems at once.
    """
    current = dict(document)
    version: Any = current.get("ir_version")
    while version in _UPGRADE_BY_VERSION:
        current = _UPGRADE_BY_VERSION[version](current)
        version = current["ir_version"]
    if version != IR_VERSION or isinstance(version, bool):
        raise DefinitionError(diagnostics=[_unknown_version(version, where)])
    try:
        return PipelineSpec.from_json(current)
    except ValidationError as error:
        problems = [
            Diagnostic("ZEN-D308", f"the document is no IR: {'.'.join(map(str, item['loc']))}: {item['msg']}", where)
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise DefinitionError(diagnostics=problems) from None


def _unknown_version(version: object, where: str) -> Diagnostic:
    if isinstance(version, int) and version > IR_VERSION:
        return Diagnostic(
            "ZEN-D307",
            f"the document is of IR version {version}, this Zen reads versions up to {IR_VERSION}",
            where,
            why="a newer version of Zen wrote it",
            hint="upgrade zen-core",
        )
    return Diagnostic(
        "ZEN-D308",
        f"the document is no IR: its ir_version is {version!r}",
        where,
        hint="`zen compile PIPELINE --for ir` writes one",
    )
