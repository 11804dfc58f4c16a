"""What a task of an orchestrator needs of its settings: addresses that all workers reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic


def find_remote_problems(settings: Settings) -> Sequence[Diagnostic]:
    """What is not set, or reaches this machine alone: everything at once."""
    problems = [
        Diagnostic(
            "ZEN-S108",
            f"a task needs {what}",
            where=variable,
            hint=f"set {variable} in the environment of the workers, or {key} in the stack that ZEN_STACK names",
        )
        for value, what, variable, key in (
            (settings.lineage_url, "the address of the lineage store", "ZEN_LINEAGE_URL", "lineage_url"),
            (settings.artifact_url, "the address of the artifact store", "ZEN_ARTIFACT_URL", "artifact_url"),
            (settings.deployment, "the name of the deployment it belongs to", "ZEN_DEPLOYMENT", "deployment"),
        )
        if not value
    ]
    local = [
        variable
        for variable, url in (
            ("ZEN_LINEAGE_URL", settings.lineage_url),
            ("ZEN_ARTIFACT_URL", settings.artifact_url),
        )
        if url and _is_local(url)
    ]
    if local and not settings.shared_filesystem:
        problems.append(
            Diagnostic(
                "ZEN-S109",
                "a store lies at a path of this machine, and other workers may not see it",
                where=", ".join(local),
                hint="use a URL that all workers reach, or set ZEN_SHARED_FILESYSTEM=true where they share the path",
            )
        )
    return problems


def _is_local(url: str) -> bool:
    return urlsplit(url).scheme in ("", "file", "sqlite") or Path(url).is_absolute()
