"""Hands a pipeline over: manifest and code go into the artifact store, a version of the pipeline into KFP.

The installed SDK compiles and uploads, so that its settings for logins and proxies mean what they mean to `kfp`
itself. A version is named by its content: deploying the same pipeline again changes nothing, and an older version
runs what it ran when it was uploaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import Any

from zen_core.adapter.protocol import Adapter, Check, Deployment, DeployRequest
from zen_core.adapter.versions import find_untested
from zen_core.contract.manifest import CODE_FILE, MANIFEST_FILE
from zen_core.contract.settings import without_credentials
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DeploymentError
from zen_kfp.lowering import KfpPipeline, KfpSchedule, kfp_name, lower_pipeline
from zen_kfp.options import KfpOptions

IMAGE_VARIABLE = "ZEN_KFP_IMAGE"
"""The image of the tasks, for a project that names none."""
_OPTIONS = "[adapters.kfp]"
_INSTALL = 'pip install "zen-core[kfp]", or compile and upload where the SDK is: python NAME.py'


def find_problems(request: DeployRequest) -> tuple[Diagnostic, ...]:
    """All that keeps the pipeline from being deployed, found without changing anything."""
    assert isinstance(request.options, KfpOptions)
    options = request.options
    problems = []
    if options.image is None and not os.environ.get(IMAGE_VARIABLE):
        hint = f"name it, or set {IMAGE_VARIABLE} here; it must hold zen-core and what the steps import"
        problems.append(Diagnostic("ZEN-A104", "which image the tasks run in is not known", f"{_OPTIONS} image", hint))
    if not {"ZEN_ARTIFACT_URL"} & (set(options.env) | set(options.credentials)):
        problems.append(
            Diagnostic(
                "ZEN-S108",
                "a task will need the address of the artifact store, and nothing says it",
                where="ZEN_ARTIFACT_URL",
                why="a task takes the manifest and the code from there, before it has read any settings",
                hint="name it in [adapters.kfp.env], or a Kubernetes secret in [adapters.kfp.credentials]",
            )
        )
    try:
        with _client(options) as client:
            client.get_kfp_healthz()
            known = _find_pipeline(client, kfp_name(request.pipeline.name))
            if known is not None and not _is_own(known, request):
                problems.append(_foreign(known, options))
    except DeploymentError as error:
        problems += error.diagnostics
    return tuple(problems)


def deploy(adapter: Adapter, request: DeployRequest) -> Deployment:
    """Push, compile, upload, schedule. Raises DeploymentError, StoreError."""
    options = request.options
    assert isinstance(options, KfpOptions)
    pipeline = lower_pipeline(request.pipeline, options)
    changed = list(_push(request))
    package = _compile(request, pipeline)
    name = f"zen-{hashlib.sha256(package).hexdigest()[:12]}"
    with _client(options) as client:
        known = _find_pipeline(client, pipeline.title)
        if known is not None and not _is_own(known, request):
            raise DeploymentError(diagnostics=[_foreign(known, options)])
        if known is None:
            known = _create_pipeline(client, pipeline, request, options)
        found = _find_version(client, known.pipeline_id, name)
        if found is None:
            found = _upload(client, known.pipeline_id, name, package)
            changed.append(f"pipeline version {pipeline.title}/{name}")
        changed += _schedule(client, pipeline, options, known.pipeline_id, found.pipeline_version_id)
    untested = find_untested(adapter, "kfp", version("kfp"))
    start = f"kfp run create --experiment-name {options.experiment} --pipeline-name {pipeline.title}"
    return Deployment(
        f"{pipeline.title}/{name}",
        without_credentials(_address(options)),
        tuple(changed),
        start=f"{start} --version {found.pipeline_version_id}",
        warnings=(untested,) if untested else (),
    )


def examine(adapter: Adapter, options: KfpOptions) -> Iterator[Check]:
    """The installed SDK, and the API by asking how it is."""
    try:
        found = version("kfp")
    except PackageNotFoundError:
        yield Check("kfp", "not installed here, which compiling does not need; deploying does")
        return
    yield Check("kfp", found, find_untested(adapter, "kfp", found), is_warning=True)
    address = without_credentials(_address(options))
    if not address:
        yield Check("kfp: API", "[adapters.kfp] endpoint is not set, so `zen deploy` has nowhere to upload to")
        return
    try:
        with _client(options) as client:
            client.get_kfp_healthz()
            yield Check("kfp: API", address)
    except DeploymentError as error:
        yield Check("kfp: API", address, error.diagnostics[0])


# -- what the tasks need ----------------------------------------------------------------------------------------


def _push(request: DeployRequest) -> Iterator[str]:
    """Put manifest and code into the artifact store; what is there already stays."""
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.shim.code import bundle_location
    from zen_metadata.shim.sidecar import manifest_location

    settings = request.settings
    artifacts = ArtifactStore(settings.artifact_url, allow_pickle=settings.allow_pickle)
    content = {file.path.rpartition("/")[2]: file.content for file in request.files}
    manifest = content[MANIFEST_FILE]
    wanted = {manifest_location(hashlib.sha256(manifest).hexdigest()): manifest}
    if CODE_FILE in content:
        wanted[bundle_location(json.loads(manifest)["code_digest"])] = content[CODE_FILE]
    for location, data in wanted.items():
        if not artifacts.exists(location):
            artifacts.write_bytes(location, data)
            yield location


def _compile(request: DeployRequest, pipeline: KfpPipeline) -> bytes:
    """KFP's YAML: what `python NAME.py` writes."""
    with tempfile.TemporaryDirectory(prefix="zen-kfp-") as folder:
        for file in request.files:
            path = Path(folder, file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        done = subprocess.run(
            [sys.executable, "-P", str(Path(folder, f"{pipeline.name}.py"))],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DeploymentError(
                "the SDK does not compile the emitted module",
                code="ZEN-A106",
                where=f"{pipeline.name}.py",
                why=(done.stderr.strip().splitlines() or ["no reason given"])[-1],
                hint=f"compile it by hand to see the whole of it: python {pipeline.name}.py",
            )
        return Path(folder, f"{pipeline.name}.yaml").read_bytes()


# -- the API ----------------------------------------------------------------------------------------------------


def _address(options: KfpOptions) -> str:
    return options.endpoint or os.environ.get("KF_PIPELINES_ENDPOINT", "")


@contextmanager
def _client(options: KfpOptions) -> Iterator[Any]:
    """The SDK's client. Raises DeploymentError for what keeps it from working."""
    try:
        from kfp import Client
        from kfp_server_api.exceptions import ApiException
        from urllib3.exceptions import HTTPError
    except ImportError as error:
        raise DeploymentError(
            "the SDK of Kubeflow Pipelines is not installed here, and it is what deploys",
            code="ZEN-A104",
            hint=_INSTALL,
        ) from error
    address = _address(options)
    if not address:
        raise DeploymentError(
            "which KFP to deploy to is not known",
            code="ZEN-A106",
            where=f"{_OPTIONS} endpoint",
            hint='name the address of its API: endpoint = "https://kubeflow.example.com/pipeline"',
        )
    shown = without_credentials(address)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")  # that it works with KFP 2 only; and links for notebooks
            yield Client(host=address, namespace=options.namespace or "kubeflow")
    except ApiException as error:
        raise _refused(error, shown) from error
    except (HTTPError, OSError, RuntimeError, TimeoutError, ValueError) as error:
        raise DeploymentError(
            "the API of KFP cannot be reached",
            code="ZEN-A106",
            where=shown,
            why=f"{type(error).__name__}: {error}".splitlines()[0],
            hint=f"forward its port, or correct {_OPTIONS} endpoint",
        ) from error


def _refused(error: Any, address: str) -> DeploymentError:
    if error.status in (401, 403):
        return DeploymentError(
            "the API of KFP refuses this login",
            code="ZEN-A107",
            where=address,
            why=f"it answered with HTTP {error.status}",
            hint="log in as for `kfp pipeline list`, which must work with the same address",
        )
    return DeploymentError(
        f"the API of KFP refused with HTTP {error.status}",
        code="ZEN-A106",
        where=address,
        why=str(error.reason or ""),
        hint="its log says why; an API of another version than the SDK may not understand it",
    )


def _filter(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _find_pipeline(client: Any, title: str) -> Any | None:
    found = client.list_pipelines(filter=_filter(title), namespace=client.get_user_namespace() or None).pipelines or []
    return next((item for item in found if item.display_name == title), None)


def _owner(request: DeployRequest) -> str:
    return f"zen-project:{request.settings.project} zen-pipeline:{request.pipeline.name}"


def _is_own(known: Any, request: DeployRequest) -> bool:
    return str(known.description or "").endswith(_owner(request))


def _foreign(known: Any, options: KfpOptions) -> Diagnostic:
    return Diagnostic(
        "ZEN-A105",
        f"KFP has a pipeline {known.display_name} already, which is not this one",
        without_credentials(_address(options)),
        why=f"its description is {str(known.description or '')[:120]!r}",
        hint="rename the pipeline; KFP knows no underscores, so that `a_b` and `a__b` are the same to it",
    )


def _create_pipeline(client: Any, pipeline: KfpPipeline, request: DeployRequest, options: KfpOptions) -> Any:
    from kfp_server_api import V2beta1Pipeline

    described = f"{pipeline.description}\n{_owner(request)}".strip()
    body = V2beta1Pipeline(display_name=pipeline.title, description=described, namespace=options.namespace)
    return client._pipelines_api.pipeline_service_create_pipeline(body)


def _find_version(client: Any, pipeline_id: str, name: str) -> Any | None:
    found = client.list_pipeline_versions(pipeline_id, filter=_filter(name)).pipeline_versions or []
    return next((item for item in found if item.display_name == name), None)


def _upload(client: Any, pipeline_id: str, name: str, package: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="zen-kfp-") as folder:
        path = Path(folder, "pipeline.yaml")
        path.write_bytes(package)
        return client.upload_pipeline_version(str(path), name, pipeline_id=pipeline_id)


def _schedule(
    client: Any, pipeline: KfpPipeline, options: KfpOptions, pipeline_id: str, version_id: str
) -> Iterator[str]:
    """Make the recurring run what the pipeline says; one that a person paused stays so."""
    name = f"zen-{pipeline.title}"
    wanted = pipeline.schedule
    told = _describe(wanted, options, version_id) if wanted else ""
    namespace = client.get_user_namespace() or None
    listed = client.list_recurring_runs(filter=_filter(name), namespace=namespace).recurring_runs or []
    known = [
        item
        for item in listed
        if item.display_name == name and getattr(item.pipeline_version_reference, "pipeline_id", None) == pipeline_id
    ]
    if wanted and any(item.description == told for item in known):
        return
    paused = any(str(item.status).upper().endswith("DISABLED") for item in known)
    for item in known:
        client.delete_recurring_run(item.recurring_run_id)
        yield f"recurring run {name} removed"
    if wanted is None:
        return
    experiment = client.create_experiment(options.experiment, namespace=namespace)
    client.create_recurring_run(
        experiment.experiment_id,
        name,
        description=told,
        start_time=wanted.start,
        cron_expression=wanted.cron,
        max_concurrency=wanted.max_concurrency,
        no_catchup=not wanted.catch_up,
        pipeline_id=pipeline_id,
        version_id=version_id,
        enabled=not paused,
        service_account=options.service_account,
    )
    yield f"recurring run {name}"


def _describe(schedule: KfpSchedule, options: KfpOptions, version_id: str) -> str:
    """What the recurring run was made of, so that the same one is not made again."""
    parts = [schedule.cron, f"at once {schedule.max_concurrency}", "catch up" if schedule.catch_up else "no catch-up"]
    parts += [f"since {schedule.start}"] if schedule.start else []
    parts += [f"as {options.service_account}"] if options.service_account else []
    return f"zen: {', '.join(parts)}; version {version_id}"
