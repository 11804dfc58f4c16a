"""From the IR and the step functions to the manifest that tasks read. Local runs use it too: it must be fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import zen_core
from zen_core.codegen.bundle import CodeBundle
from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.fingerprint import fingerprint_step
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import CodeFingerprint, PipelineManifest
from zen_core.contract.settings import Settings
from zen_core.ir.specs import PipelineSpec


def build_manifest(
    spec: PipelineSpec,
    functions: Mapping[str, Callable[..., Any]],
    settings: Settings,
    *,
    code: CodeBundle | None = None,
    installed_code: bool = False,
) -> PipelineManifest:
    """The manifest of a pipeline.

    Args:
        functions: the step functions by entry point.
        code: the bundle that travels with it. Without one the code is `local` (this process has imported it), or
            with `installed_code` what the worker's image holds; its digest is then that of the fingerprints.
    """
    roots = ImportRoots.of(settings)
    found = {entry_point: fingerprint_step(function, roots=roots) for entry_point, function in functions.items()}
    fingerprints = {step.name: found[step.entry_point] for step in (*spec.steps, *spec.hooks) if step.entry_point}
    return PipelineManifest(
        project=settings.project,
        pipeline=spec.name,
        zen_version=zen_core.__version__,
        ir_digest=spec.digest,
        code_digest=code.digest if code else _digest_of(fingerprints),
        code="bundle" if code else "installed" if installed_code else "local",
        ir=spec.to_json(),
        fingerprints=fingerprints,
    )


def _digest_of(fingerprints: Mapping[str, CodeFingerprint]) -> str:
    return digest_json("fingerprints", {name: fingerprint.digest for name, fingerprint in fingerprints.items()})
