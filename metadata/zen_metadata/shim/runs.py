"""Makes the record of a run from what an engine knows about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zen_core.contract.identity import RunIdentity
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import Settings
from zen_metadata.lineage.records import RunRecord
from zen_metadata.shim.parameters import resolve_parameters


def new_run(
    manifest: PipelineManifest,
    settings: Settings,
    *,
    orchestrator: str,
    run_key: str,
    overrides: Mapping[str, Any],
    tick: datetime,
    texts: frozenset[str] = frozenset(),
    scheduled_at: datetime | None = None,
    run_url: str = "",
    engine: Mapping[str, Any] | None = None,
) -> RunRecord:
    """The record, with effective parameters.

    Every task of a run makes it, and all must make the same one, since the store may be away: so nothing in it may
    come from this task's own clock.

    Raises:
        ParameterError: values that do not fit the declared parameters.
    """
    identity = RunIdentity(manifest.project, settings.deployment, manifest.pipeline, run_key)
    return RunRecord(
        run_id=identity.run_id,
        project=manifest.project,
        pipeline=manifest.pipeline,
        deployment=settings.deployment,
        orchestrator=orchestrator,
        run_key=run_key,
        ir_digest=manifest.ir_digest,
        code_digest=manifest.code_digest,
        zen_version=manifest.zen_version,
        parameters=resolve_parameters(manifest.parameters, overrides, texts=texts, tick=tick),
        tags=tuple(manifest.ir.get("tags", ())),
        scheduled_at=scheduled_at,
        run_url=run_url,
        engine=dict(engine or {}),
    )
