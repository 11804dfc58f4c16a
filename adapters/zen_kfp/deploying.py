"""Hands a pipeline over: manifest and code go into the artifact store, the compiled pipeline to KFP's API.

The installed SDK compiles and uploads, so that its proxies, cookies and tokens mean what they mean to `kfp` itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zen_core.adapter.features import Feature
from zen_core.adapter.protocol import Adapter, Check, Deployment, DeployRequest
from zen_core.adapter.versions import find_untested
from zen_core.contract.canonical import digest_bytes
from zen_core.contract.manifest import CODE_FILE, MANIFEST_FILE
from zen_core.contract.settings import Settings, without_credentials
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DeploymentError, StoreError
from zen_kfp.lowering import KfpPipeline, lower_pipeline
from zen_kfp.options import KfpOptions
from zen_kfp.schedule import plan_schedule
from zen_kfp.server import TOKEN_VARIABLE, PipelineServer

_OPTIONS = "[adapters.kfp]"
ENDPOINT_VARIABLE = "KF_PIPELINES_ENDPOINT"


def find_problems(request: DeployRequest) -> tuple[Diagnostic, ...]:
    """All that keeps the pipeline from being deployed, found without changing anything."""
    options = _options(request)
    pipeline = _lower(request)
    problems = [*_find_missing_settings(request, pipeline)]
    try:
        with _server(options) as server:
            problems += _find_foreign_pipeline(server, request, pipeline)
    except DeploymentError as error:
        problems += error.diagnostics
    return tuple(problems)


def deploy(adapter: Adapter, request: DeployRequest) -> Deployment:
    """Upload manifest, code and pipeline, and bring the recurring run up to date. Raises DeploymentError."""
    options = _options(request)
    pipeline = _lower(request)
    changed = [*_push(request)]
    package = _compile(request, pipeline)
    with _server(options) as server:
        pipeline_id = server.find_pipeline(pipeline.name)
        if pipeline_id is None:
            pipeline_id = server.create_pipeline(pipeline.name, _description(request, pipeline))
            changed.append(f"pipeline {pipeline.name}")
        name = _hexadecimal(package)[:12]
        version_id = server.find_version(pipeline_id, name)
        if version_id is None:
            version_id = server.upload_version(pipeline_id, name, package, f"IR {request.pipeline.digest}")
            changed.append(f"version {name} of pipeline {pipeline.name}")
        schedule = plan_schedule(request.pipeline, options, pipeline_id, version_id)
        changed += server.bring_schedule_up_to_date(options.experiment, f"zen-{pipeline.name}", schedule)
        warning = find_untested(adapter, "the KFP SDK", version("kfp"))
    endpoint = f"--endpoint {_address(options)} " if options.host else ""
    return Deployment(
        pipeline.name,
        _address(options),
        tuple(changed),
        start=f"kfp {endpoint}run create --experiment-name {options.experiment} --pipeline-id {pipeline_id} "
        f"--version {version_id}",
        warnings=(warning,) if warning else (),
    )


def examine(adapter: Adapter, options: KfpOptions, settings: Settings) -> Iterator[Check]:
    """The installed SDK and its extension for Kubernetes, and the API."""
    try:
        found = version("kfp")
    except PackageNotFoundError:
        yield Check("kfp", "not installed here, which compiling does not need; deploying does")
        return
    yield Check("kfp", found, find_untested(adapter, "the KFP SDK", found), is_warning=True)
    if problem := _missing_image(options):
        yield Check("kfp: image", "", problem)
    component = "kfp: API"
    try:
        with _server(options) as server:
            started = time.perf_counter()
            server.check()
            took = (time.perf_counter() - started) * 1000
            yield Check(component, f"{_address(options)} ({took:.0f} ms)")
    except DeploymentError as error:
        yield Check(component, _address(options), error.diagnostics[0])


def _options(request: DeployRequest) -> KfpOptions:
    assert isinstance(request.options, KfpOptions)
    return request.options


def _lower(request: DeployRequest) -> KfpPipeline:
    options = _options(request)
    return lower_pipeline(request.pipeline, options, waived=tuple(map(Feature, options.waive)))


# -- what containers need ---------------------------------------------------------------------------------------


def _find_missing_settings(request: DeployRequest, pipeline: KfpPipeline) -> Iterator[Diagnostic]:
    options = _options(request)
    own_images = [task.image for task in pipeline.tasks]
    if not (all(own_images) and pipeline.end_image) and (problem := _missing_image(options)):
        yield problem
    if "ZEN_ARTIFACT_URL" not in options.variables:
        yield Diagnostic(
            "ZEN-A104",
            "a container would not know the address of the artifact store, which holds its manifest and code",
            f"{_OPTIONS} env",
            hint="name it: [adapters.kfp.env] ZEN_ARTIFACT_URL, or its Secret in [adapters.kfp.credentials]",
        )
    if not request.settings.artifact_url:
        yield Diagnostic(
            "ZEN-A104",
            "where manifest and code are to be put is not known here",
            "ZEN_ARTIFACT_URL",
            hint="set artifact_url in the stack that you deploy with, or ZEN_ARTIFACT_URL",
        )


def _hexadecimal(content: bytes) -> str:
    return digest_bytes(content).partition(":")[2]


def _missing_image(options: KfpOptions) -> Diagnostic | None:
    if options.image is not None:
        return None
    hint = "name one that your cluster can pull, and that holds Zen and what the steps import"
    return Diagnostic("ZEN-A104", "which image the containers run is not known", f"{_OPTIONS} image", hint=hint)


def _push(request: DeployRequest) -> Iterator[str]:
    """Put manifest and bundle where containers take them from; under their digests, so that nothing is replaced."""
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.shim.code import bundle_location
    from zen_metadata.shim.sidecar import manifest_location

    settings = request.settings
    content = {Path(file.path).name: file.content for file in request.files if "/" in file.path}
    manifest = content[MANIFEST_FILE]
    wanted = {manifest_location(_hexadecimal(manifest)): manifest}
    if CODE_FILE in content:
        wanted[bundle_location(json.loads(manifest)["code_digest"])] = content[CODE_FILE]
    try:
        artifacts = ArtifactStore(settings.artifact_url, allow_pickle=settings.allow_pickle)
        for location, data in wanted.items():
            if not artifacts.exists(location):
                artifacts.write_bytes(location, data)
                yield location
    except StoreError as error:
        raise DeploymentError(
            "manifest and code cannot be put into the artifact store, from which containers take them",
            where=without_credentials(settings.artifact_url),
            why=error.message,
            hint="deploy from where the artifact store can be written",
        ) from error


# -- KFP --------------------------------------------------------------------------------------------------------


def _compile(request: DeployRequest, pipeline: KfpPipeline) -> bytes:
    """What KFP's compiler makes of the emitted module."""
    import importlib.util

    from kfp import compiler

    with tempfile.TemporaryDirectory(prefix="zen-kfp-") as temporary:
        folder = Path(temporary)
        for file in request.files:
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / file.path).write_bytes(file.content)
        spec = importlib.util.spec_from_file_location("zen_emitted_pipeline", folder / f"{request.pipeline.name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
            package = folder / "pipeline.yaml"
            compiler.Compiler().compile(getattr(module, pipeline.identifier), str(package))
        return package.read_bytes()


@contextlib.contextmanager
def _server(options: KfpOptions) -> Iterator[PipelineServer]:
    """KFP's API. Raises DeploymentError where it cannot be used."""
    try:
        import kfp_server_api
        import urllib3
    except ImportError as error:
        raise DeploymentError(
            "the KFP SDK is not installed here, and it is what compiles and uploads",
            code="ZEN-A104",
            hint='pip install "zen-core[kfp]"; or upload what `kfp dsl compile` makes of the compiled file yourself',
        ) from error
    address = _address(options)
    if not address:
        raise DeploymentError(
            "which KFP to deploy to is not known",
            code="ZEN-A106",
            where=f"{_OPTIONS} host",
            hint=f"name the address of its API, or set {ENDPOINT_VARIABLE}",
        )
    try:
        # The SDK says on stdout what it uploads, and warns of its own age.
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield PipelineServer.connect(options, os.environ.get(ENDPOINT_VARIABLE, ""))
    except kfp_server_api.ApiException as error:
        raise _refused(error, address) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise DeploymentError(
            "KFP's API cannot be reached",
            code="ZEN-A106",
            where=address,
            why=f"{type(error).__name__}: {error}".splitlines()[0],
            hint=f"correct {_OPTIONS} host; `kubectl port-forward svc/ml-pipeline 8888` makes it reachable from here",
        ) from error


def _refused(error: Any, address: str) -> DeploymentError:
    if error.status in (401, 403):
        return DeploymentError(
            "KFP's API refuses these credentials",
            code="ZEN-A107",
            where=address,
            why=f"it answered with HTTP {error.status}",
            hint=f"set {TOKEN_VARIABLE} to a bearer token; cookies and IAP are set up as for the `kfp` command",
        )
    told = str(error.body or error.reason or "").strip().splitlines()[:1]
    return DeploymentError(
        f"KFP's API refused with HTTP {error.status}",
        code="ZEN-A106",
        where=address,
        why="".join(told)[:500],
        hint="its log says more; an API of another version than the SDK may not understand it",
    )


def _address(options: KfpOptions) -> str:
    return without_credentials(options.host or os.environ.get(ENDPOINT_VARIABLE, ""))


def _description(request: DeployRequest, pipeline: KfpPipeline) -> str:
    return "\n\n".join([*([pipeline.description] if pipeline.description else []), _owner(request)])


def _owner(request: DeployRequest) -> str:
    return f"zen-project: {request.settings.project}"


def _find_foreign_pipeline(
    server: PipelineServer, request: DeployRequest, pipeline: KfpPipeline
) -> Iterator[Diagnostic]:
    found = server.find_description(pipeline.name)
    if found is not None and _owner(request) not in found.splitlines():
        first = next((line for line in found.splitlines() if line), "none")
        yield Diagnostic(
            "ZEN-A105",
            f"KFP has a pipeline {pipeline.name!r} already, which is not this project's",
            _address(_options(request)),
            why=f"its description begins with: {first[:200]}",
            hint="rename the pipeline",
        )
