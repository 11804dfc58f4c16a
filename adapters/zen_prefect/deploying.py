"""Hands a flow over: its files go into the folder that workers read, and a deployment into Prefect's server.

The installed Prefect's own client is used, so that profiles, keys and proxies mean what they mean to `prefect` itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zen_core.adapter.protocol import Adapter, Check, Deployment, DeployRequest
from zen_core.adapter.upgrading import kept_of_before
from zen_core.adapter.versions import find_untested
from zen_core.codegen.output import write_files
from zen_core.contract.settings import Settings, without_credentials
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DeploymentError
from zen_prefect.deployment_file import FILE, apart
from zen_prefect.lowering import PrefectFlow, lower_pipeline
from zen_prefect.options import PrefectOptions

_OPTIONS = "[adapters.prefect]"
_SLUG = "zen"


def find_problems(request: DeployRequest) -> tuple[Diagnostic, ...]:
    """All that keeps the flow from being deployed, found without changing anything."""
    assert isinstance(request.options, PrefectOptions)
    options = request.options
    problems = [*_find_folder_problems(request)]
    if options.work_pool is None:
        hint = (
            "name a pool: `prefect work-pool ls` lists them, `prefect work-pool create NAME --type process` makes one"
        )
        what = "which workers are to run the flow is not known"
        problems.append(Diagnostic("ZEN-A104", what, f"{_OPTIONS} work_pool", hint=hint))
    try:
        with _client() as client:
            problems += _find_server_problems(client, request)
    except DeploymentError as error:
        problems += error.diagnostics
    return tuple(problems)


def deploy(adapter: Adapter, request: DeployRequest) -> Deployment:
    """Write the files, then make or update the deployment. Raises DeploymentError, CompilationError."""
    options = request.options
    assert isinstance(options, PrefectOptions)
    flow = lower_pipeline(request.pipeline, options)
    folder = _folder(options, request.settings)
    # prefect.yaml is for `prefect deploy`; without it several pipelines can share the folder. A flow run that begins
    # just now may have loaded the older module: what belongs to that one is kept.
    files = {file.path: file.content for file in request.files if file.path != FILE}
    changed = write_files(folder, {**kept_of_before(folder, request.pipeline), **files})
    with _client() as client:
        known = _read_deployment(client, flow)
        client.create_deployment(
            client.create_flow_from_name(flow.name), **_document(flow, request, folder, _paused(known))
        )
        warning = find_untested(adapter, "the Prefect server", _server_version(client))
    return Deployment(
        f"{flow.name}/{options.deployment_name}",
        _address(),
        (*changed, *(() if known is not None else (f"deployment {flow.name}/{options.deployment_name}",))),
        start=f"prefect deployment run {flow.name}/{options.deployment_name}",
        warnings=(warning,) if warning else (),
    )


def examine(adapter: Adapter, options: PrefectOptions, settings: Settings) -> Iterator[Check]:
    """The installed Prefect, its server, the work pool and its workers, the folder and each Secret block."""
    try:
        found = version("prefect")
    except PackageNotFoundError:
        yield Check("prefect", "not installed here, which compiling does not need; deploying does")
        return
    yield Check("prefect", found, find_untested(adapter, "Prefect", found), is_warning=True)
    if options.flows_folder is not None:
        problem = next(_find_unusable(_folder(options, settings)), None)
        yield Check("prefect: flows folder", str(_folder(options, settings)), problem)
    try:
        with _client() as client:
            started = time.perf_counter()
            number = _server_version(client)
            took = (time.perf_counter() - started) * 1000
            warning = find_untested(adapter, "the Prefect server", number)
            yield Check("prefect: server", f"{_address()}: {number} ({took:.0f} ms)", warning, is_warning=True)
            if options.work_pool is not None:
                yield _examine_pool(client, options.work_pool)
            for variable, block in sorted(options.credentials.items()):
                problem = next(_find_missing_blocks(client, {variable: block}), None)
                yield Check(f"prefect: Secret block {block}", f"for {variable}", problem)
    except DeploymentError as error:
        yield Check("prefect: server", _address(), error.diagnostics[0])


# -- Prefect's server -------------------------------------------------------------------------------------------


@contextmanager
def _client() -> Iterator[Any]:
    """The client of the server that Prefect is set up for. Raises DeploymentError where it cannot be used."""
    try:
        import httpx
        from prefect.client.orchestration import get_client
        from prefect.exceptions import PrefectHTTPStatusError
    except ImportError as error:
        raise DeploymentError(
            "Prefect is not installed here, and its client is what deploys",
            code="ZEN-A104",
            hint='pip install "zen-core[prefect]", or compile and run `prefect deploy --all` where Prefect is',
        ) from error
    address = _address()
    if not address:
        raise DeploymentError(
            "which Prefect server to deploy to is not known",
            code="ZEN-A106",
            where="PREFECT_API_URL",
            why="without it Prefect would start a server of its own for this command alone",
            hint="set it: prefect config set PREFECT_API_URL=http://HOST:4200/api",
        )
    try:
        with get_client(sync_client=True) as client:
            yield client
    except PrefectHTTPStatusError as error:
        raise _refused(error.response.status_code, address) from error
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        raise DeploymentError(
            "Prefect's server cannot be reached",
            code="ZEN-A106",
            where=address,
            why=f"{type(error).__name__}: {error}".splitlines()[0],
            hint="start it, or correct PREFECT_API_URL (`prefect config view` shows where it comes from)",
        ) from error


def _refused(status: int, address: str) -> DeploymentError:
    if status in (401, 403):
        return DeploymentError(
            "Prefect's server refuses these credentials",
            code="ZEN-A107",
            where=address,
            why=f"it answered with HTTP {status}",
            hint="set PREFECT_API_KEY (Prefect Cloud) or PREFECT_API_AUTH_STRING (a server of your own)",
        )
    return DeploymentError(
        f"Prefect's server refused with HTTP {status}",
        code="ZEN-A106",
        where=address,
        hint="its log says why; a server of another version than the client may not understand it",
    )


def _address() -> str:
    from prefect.settings import get_current_settings

    return without_credentials(get_current_settings().api.url or "")


def _server_version(client: Any) -> str:
    response = client._client.get("/admin/version")
    return str(response.json()) if response.status_code == 200 else str(client.api_version())


def _find_server_problems(client: Any, request: DeployRequest) -> Iterator[Diagnostic]:
    options = request.options
    assert isinstance(options, PrefectOptions)
    client.api_version()
    if options.work_pool is not None:
        types = {pool.name: pool.type for pool in client.read_work_pools()}
        pools = sorted(types)
        if options.work_pool in types and options.work_pool_type not in (None, types[options.work_pool]):
            yield Diagnostic(
                "ZEN-A104",
                f"the work pool {options.work_pool!r} is of type {types[options.work_pool]!r}",
                f"{_OPTIONS} work_pool_type = {options.work_pool_type!r}",
                hint="correct it: whether a pipeline may ask for an image depends on it",
            )
        if options.work_pool not in pools:
            yield Diagnostic(
                "ZEN-A104",
                f"Prefect has no work pool {options.work_pool!r}",
                f"{_OPTIONS} work_pool",
                hint=f"it has: {', '.join(pools)}"
                if pools
                else "make it: prefect work-pool create NAME --type process",
            )
    yield from _find_missing_blocks(client, options.credentials)
    known = _read_deployment(client, lower_pipeline(request.pipeline, options))
    if known is not None and not _is_own(known, request):
        yield Diagnostic(
            "ZEN-A105",
            f"Prefect has a deployment {request.pipeline.name}/{options.deployment_name} already, "
            "which is not this pipeline's",
            _address(),
            why=f"its tags are {', '.join(known.tags) or 'none'}, its entrypoint is {known.entrypoint}",
            hint="rename the pipeline, or choose another [adapters.prefect] deployment_name",
        )


def _is_own(known: Any, request: DeployRequest) -> bool:
    owners = [tag for tag in known.tags if tag.startswith("zen-project:")]
    return owners == [_owner(request)] if owners else "zen" in known.tags


def _owner(request: DeployRequest) -> str:
    return f"zen-project:{request.settings.project}"


def _find_missing_blocks(client: Any, credentials: Mapping[str, str]) -> Iterator[Diagnostic]:
    from prefect.exceptions import ObjectNotFound

    for variable, block in sorted(credentials.items()):
        try:
            client.read_block_document_by_name(block, "secret", include_secrets=False)
        except ObjectNotFound:
            yield Diagnostic(
                "ZEN-A107",
                f"Prefect has no Secret block {block!r}",
                f"[adapters.prefect.credentials] {variable}",
                hint=f"make it: Blocks, Secret, name {block!r}; the worker takes the value of {variable} from it",
            )


def _read_deployment(client: Any, flow: PrefectFlow) -> Any | None:
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(f"{flow.name}/{flow.options.deployment_name}")
    except ObjectNotFound:
        return None


def _paused(known: Any | None) -> bool:
    """Whether a person paused the schedule: an upgrade does not start it again."""
    schedules = [item for item in known.schedules if item.slug == _SLUG] if known is not None else []
    return bool(schedules) and not schedules[0].active


def _examine_pool(client: Any, name: str) -> Check:
    from prefect.exceptions import ObjectNotFound

    component = f"prefect: work pool {name}"
    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        return Check(component, "", Diagnostic("ZEN-A104", f"there is no work pool {name!r}", f"{_OPTIONS} work_pool"))
    online = [item.name for item in client.read_workers_for_work_pool(name) if str(item.status).endswith("ONLINE")]
    if not online and pool.type != "prefect:managed":
        hint = f"start one: prefect worker start --pool {name}"
        problem = Diagnostic("ZEN-A109", "no worker of this pool is running", name, hint=hint)
        return Check(component, pool.type, problem, is_warning=True)
    return Check(component, f"{pool.type}, workers: {', '.join(online)}")


def _document(flow: PrefectFlow, request: DeployRequest, folder: Path, paused: bool) -> dict[str, Any]:
    """What the API is sent: the same as prefect.yaml, with the folder."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.flows import load_flow_from_entrypoint
    from prefect.utilities.callables import parameter_schema

    options = flow.options
    module = f"{flow.name}.py"
    schema = parameter_schema(load_flow_from_entrypoint(f"{folder / module}:{flow.identifier}"))
    schedule = flow.schedule
    found: dict[str, Any] = {
        "name": options.deployment_name,
        "version": request.pipeline.digest.removeprefix("sha256:")[:12],
        "entrypoint": f"{module}:{flow.identifier}",
        "path": str(folder),
        "description": apart(flow.description) or None,
        "tags": ["zen", _owner(request), *flow.tags],
        "parameter_openapi_schema": schema.model_dump_for_openapi(),
        "enforce_parameter_schema": True,
        "pull_steps": list(options.pull)
        or [{"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}],
        "work_pool_name": options.work_pool,
        "job_variables": dict(flow.job_variables),
        "schedules": [],
    }
    if options.work_queue:
        found["work_queue_name"] = options.work_queue
    if schedule is not None:
        cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
        found["schedules"] = [DeploymentScheduleCreate(schedule=cron, active=not paused, slug=_SLUG)]
        if schedule.collision:
            found["concurrency_limit"] = 1
            found["concurrency_options"] = ConcurrencyOptions(
                collision_strategy=ConcurrencyLimitStrategy(schedule.collision)
            )
    return found


# -- the folder -------------------------------------------------------------------------------------------------


def _folder(options: PrefectOptions, settings: Settings) -> Path:
    root = settings.root or Path.cwd()
    return (root / (options.flows_folder or settings.state_folder / "prefect")).expanduser()


def _find_folder_problems(request: DeployRequest) -> Iterator[Diagnostic]:
    options = request.options
    assert isinstance(options, PrefectOptions)
    if options.flows_folder is None:
        yield Diagnostic(
            "ZEN-A104",
            "where the flow's files are to go is not known",
            f"{_OPTIONS} flows_folder",
            hint="name a folder that the workers see",
        )
        return
    yield from _find_unusable(_folder(options, request.settings))


def _find_unusable(folder: Path) -> Iterator[Diagnostic]:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Diagnostic(
            "ZEN-A104",
            f"the flows folder {folder} cannot be written",
            f"{_OPTIONS} flows_folder",
            hint="deploy as a user who may write there, or name another folder",
        )
