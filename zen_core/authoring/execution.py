"""`pipeline.run(...)`: builds the pipeline, runs it with the embedded engine, and answers with what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_core.authoring.decorators import Pipeline

LOCAL_ADAPTER = "local"


def run_pipeline(pipeline: Pipeline[Any], parameters: Mapping[str, Any]) -> Any:
    """Run a pipeline on this machine with these parameters, and answer with the run.

    Raises:
        DefinitionError: the definition is wrong.
        ParameterError: a parameter is unknown, missing or of the wrong type.
        UnsupportedFeatureError: the pipeline uses what this machine lacks.
        AdapterError: the embedded engine is not installed.
        StoreUnavailableError: the run completed while the lineage store was away, so it cannot be read back yet.
        Exception: what the user's code in a step raised, unchanged.
    """
    from zen_core.adapter.protocol import RunningAdapter, RunRequest
    from zen_core.adapter.registry import load_adapter
    from zen_core.client import Client
    from zen_core.compiler.compile import check_target, find_code
    from zen_core.compiler.manifest import build_manifest
    from zen_core.errors import AdapterError, NotFoundError, StoreUnavailableError

    built = pipeline.build()
    engine = load_adapter(LOCAL_ADAPTER)
    if not isinstance(engine, RunningAdapter):
        raise AdapterError(f"the adapter {LOCAL_ADAPTER!r} is no engine", hint="install zen-core again")
    options, _ = check_target(built.spec, engine, built.settings)
    code = find_code(built.spec, built.functions, built.settings)
    manifest = build_manifest(built.spec, built.functions, built.settings, code=code)
    request = RunRequest(
        manifest=manifest,
        functions=built.functions,
        settings=built.settings,
        code=code,
        parameters=dict(parameters),
        options=options,
    )
    outcome = engine.run(request)
    if outcome.error is not None:
        raise outcome.error
    later = f"run {outcome.run_id} completed; what it did is spooled, and `zen sync` records it later"
    try:
        return Client(built.settings).run(outcome.run_id)
    except StoreUnavailableError as error:
        error.add_note(later)
        raise
    except NotFoundError as unknown:
        # The store was away while the run ended, and is back already.
        why, hint = "the lineage store was away when it ended", "zen sync records it"
        away = StoreUnavailableError("the run cannot be shown yet", why=why, hint=hint)
        away.add_note(later)
        raise away from unknown
