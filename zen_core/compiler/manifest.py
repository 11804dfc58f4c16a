"""From the IR and the step functions to the manifest that tasks read. Local runs use it too: it must be fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import zen_core
from zen_core.codegen.bundle import CodeBundle, LocalCode
from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.code.index_memo import index_memo_in
from zen_core.compiler.fingerprint import fingerprint_steps
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import CodeFingerprint, PipelineManifest, Unfollowed
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.errors import UnfollowedCodeError
from zen_core.ir.specs import PipelineSpec


def build_manifest(
    spec: PipelineSpec,
    functions: Mapping[str, Callable[..., Any]],
    settings: Settings,
    *,
    code: CodeBundle | LocalCode | None = None,
    installed_code: bool = False,
) -> PipelineManifest:
    """The manifest of a pipeline.

    Args:
        functions: the step functions by entry point.
        code: the bundle that travels with it, or the code of a run on this machine, which this process has imported
            (`local`). Without either it is `local` too, or with `installed_code` what the worker's image holds; its
            digest is then that of the fingerprints.

    Raises:
        UnfollowedCodeError: code reaches further than can be read, and the settings refuse that.
    """
    roots = ImportRoots.of(settings)
    memo = index_memo_in(settings.state_folder) if settings.root is not None else None
    found = fingerprint_steps(functions, roots=roots, memo=memo)
    fingerprints = {step.name: found[step.entry_point] for step in (*spec.steps, *spec.hooks) if step.entry_point}
    if settings.unfollowed == "refuse":
        _refuse_unfollowed(found)
    return PipelineManifest(
        project=settings.project,
        pipeline=spec.name,
        zen_version=zen_core.__version__,
        ir_digest=spec.digest,
        code_digest=code.digest if code else _digest_of(fingerprints),
        code="bundle" if isinstance(code, CodeBundle) else "installed" if installed_code else "local",
        ir=spec.to_json(),
        fingerprints=fingerprints,
    )


def _refuse_unfollowed(found: Mapping[str, CodeFingerprint]) -> None:
    steps: dict[Unfollowed, list[str]] = {}
    for entry_point, fingerprint in found.items():
        for place in fingerprint.unfollowed:
            steps.setdefault(place, []).append(entry_point)
    problems = [
        Diagnostic(
            UnfollowedCodeError.code,
            f"what the code reaches cannot be read: {place.what}",
            where=f"{place.file}:{place.line}" if place.file else "",
            why=f"{', '.join(sorted(names))} reaches it, and [code] unfollowed is 'refuse'",
            hint="name what it uses in the code, or write unfollowed = 'count': then all of its module counts",
        )
        for place, names in sorted(steps.items(), key=lambda item: (item[0].file, item[0].line, item[0].what))
    ]
    if problems:
        raise UnfollowedCodeError(diagnostics=problems)


def _digest_of(fingerprints: Mapping[str, CodeFingerprint]) -> str:
    return digest_json("fingerprints", {name: fingerprint.digest for name, fingerprint in fingerprints.items()})
