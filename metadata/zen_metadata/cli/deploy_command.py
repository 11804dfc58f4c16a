"""`zen deploy`: compile a pipeline, check what would fail later, and hand it over to the orchestrator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.completion import complete_pipelines, complete_targets
from zen_core.cli.context import CliContext, json_option, stack_option
from zen_core.cli.output import print_json
from zen_core.diagnostics import Diagnostic
from zen_core.errors import (
    AdapterError,
    BundleError,
    CompilationError,
    DeploymentError,
    SchemaVersionError,
    StoreError,
)

if TYPE_CHECKING:
    from zen_core.adapter.protocol import DeployingAdapter, Deployment, DeployRequest
    from zen_core.contract.settings import Settings


@click.command()
@click.argument("pipeline", shell_complete=complete_pipelines)
@click.option(
    "--for",
    "target",
    required=True,
    metavar="TARGET",
    shell_complete=complete_targets,
    help="An adapter's name. See 'zen adapters'.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, and change nothing.")
@click.option(
    "--code",
    type=click.Choice(["bundle", "installed"]),
    default="bundle",
    show_default=True,
    help="Whether the code travels with the pipeline, or is in the worker's image.",
)
@stack_option
@json_option
@click.pass_obj
def deploy(context: CliContext, pipeline: str, target: str, dry_run: bool, code: str, as_json: bool) -> None:
    """Compile a pipeline and hand it over to its orchestrator.

    PIPELINE is path/to/file.py:name or package.module:name. Everything that would fail later is said first, all
    at once: then nothing has changed. Deploying the same pipeline again changes nothing.
    """
    settings = context.settings()
    adapter = _deploying_adapter(target)
    request, code_digest, left_out = _compile(pipeline, settings, adapter, code)
    warnings = [*left_out, *_refuse_what_would_fail(request, adapter, context)]
    if dry_run:
        _report(None, request, target, warnings, as_json)
        return
    warnings += _push(request, code_digest)
    _report(adapter.deploy(request), request, target, warnings, as_json)


def _deploying_adapter(target: str) -> DeployingAdapter:
    from zen_core.adapter.protocol import DeployingAdapter
    from zen_core.adapter.registry import adapter_names, load_adapter

    adapter = load_adapter(target)
    if not isinstance(adapter, DeployingAdapter):
        able = [name for name in adapter_names() if isinstance(load_adapter(name), DeployingAdapter)]
        raise AdapterError(
            f"the adapter {target!r} has nowhere to deploy to",
            hint=f"deploy for: {', '.join(able)}" if able else "no installed adapter can",
        )
    return adapter


def _compile(
    pipeline: str, settings: Settings, adapter: DeployingAdapter, code: str
) -> tuple[DeployRequest, str, list[Diagnostic]]:
    """The request, the digest of the code bundle ("" without one), and a warning for each file that it lacks."""
    from zen_core.adapter.protocol import DeployRequest
    from zen_core.authoring.loading import load_pipeline
    from zen_core.compiler.compile import compile_pipeline, read_options
    from zen_core.contract.manifest import MANIFEST_FILE

    built = load_pipeline(pipeline, settings).build(settings)
    if not built.importable:
        raise CompilationError(diagnostics=built.not_importable)
    installed = code == "installed"
    compiled = compile_pipeline(built.spec, built.functions, settings, adapter=adapter, installed_code=installed)
    (manifest,) = (file for file in compiled.files if file.path.endswith(f"/{MANIFEST_FILE}"))
    request = DeployRequest(built.spec, compiled.files, settings, read_options(adapter, settings))
    left_out = [
        Diagnostic(BundleError.code, f"{item.file} is left out of the code bundle", why=item.reason)
        for item in compiled.left_out
    ]
    return request, "" if installed else _code_digest(manifest.content), left_out


def _code_digest(manifest: bytes) -> str:
    import json

    from zen_core.contract.manifest import manifest_from_json

    return manifest_from_json(json.loads(manifest)).code_digest


def _refuse_what_would_fail(request: DeployRequest, adapter: DeployingAdapter, context: CliContext) -> list[Diagnostic]:
    """Raise with every problem, or answer with what should be known."""
    from zen_core.contract.settings import load_settings
    from zen_metadata.deploying import examine_for_workers, examine_store

    settings = request.settings
    written = load_settings(settings.root, stack=settings.stack, environ={})
    # What the orchestrator itself sets for each task: from its secrets, or as it stands in the options.
    given = {**getattr(request.options, "env", {}), **getattr(request.options, "credentials", {})}
    found = examine_for_workers(request.pipeline, settings, written, given)
    problems = [*found.problems, *adapter.find_deployment_problems(request)]
    store = examine_store(settings)
    if store.problems and not problems:
        raise SchemaVersionError(diagnostics=store.problems)
    if problems:
        raise DeploymentError(diagnostics=[*problems, *store.problems])
    return [*found.warnings, *store.warnings]


def _push(request: DeployRequest, code_digest: str) -> list[Diagnostic]:
    """Put the code bundle into the artifact store too, for workers that do not see it beside the emitted file.

    Not into a folder: it belongs to the workers, and what is made there first would belong to whoever deploys.
    """
    from zen_core.contract.manifest import CODE_FILE, MANIFEST_FILE
    from zen_metadata.artifacts.filesystems import is_local
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.cli.push_command import push_manifest
    from zen_metadata.code_source import find_code_source, save_code_source
    from zen_metadata.shim.code import bundle_location

    settings = request.settings
    if not code_digest or not settings.artifact_url or is_local(settings.artifact_url):
        return []
    (bundle,) = (file for file in request.files if file.path.endswith(f"/{CODE_FILE}"))
    (manifest,) = (file for file in request.files if file.path.endswith(f"/{MANIFEST_FILE}"))
    location = bundle_location(code_digest)
    try:
        artifacts = ArtifactStore(settings.artifact_url, allow_pickle=settings.allow_pickle)
        artifacts.write_bytes(location, bundle.content)
        # The manifest says that the bundle is deployed, however long it is until it runs: zen gc leaves it alone.
        push_manifest(manifest.content, artifacts)
        save_code_source(artifacts, code_digest, find_code_source(settings.root))
    except StoreError as error:
        return [
            Diagnostic(
                error.diagnostics[0].code,
                "the code bundle is not in the artifact store, only beside the emitted file",
                why=error.message,
                hint="workers that see the emitted file do not need it; deploying again uploads it",
            )
        ]
    return []


def _report(
    done: Deployment | None, request: DeployRequest, target: str, warnings: Sequence[Diagnostic], as_json: bool
) -> None:
    told = [*warnings, *(done.warnings if done else ())]
    if as_json:
        print_json(_document(done, request, target, told))
        return
    if done is None:
        click.echo(f"{request.pipeline.name} can be deployed for {target}; nothing was changed")
    else:
        click.echo(f"{request.pipeline.name} for {target}: {done.name}, {done.place}")
        for path in done.changed:
            click.echo(f"  wrote {path}")
        if not done.changed:
            click.echo("  unchanged: it was deployed already")
        click.echo(f"  start it: {done.start}")
    for warning in told:
        click.echo(warning.render().replace("error ", "warning ", 1), err=True)


def _document(
    done: Deployment | None, request: DeployRequest, target: str, warnings: Sequence[Diagnostic]
) -> dict[str, Any]:
    return {
        "target": target,
        "pipeline": request.pipeline.name,
        "ir_digest": request.pipeline.digest,
        "deployed": done is not None,
        "name": done.name if done else None,
        "place": done.place if done else None,
        "changed": list(done.changed) if done else [],
        "start": done.start if done else None,
        "warnings": [warning.to_json() for warning in warnings],
    }
