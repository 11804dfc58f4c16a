"""Hands a job over: its files go into a Dagster project's `defs/`, and the code location is loaded again.

Dagster loads every module below `defs/`. The job's file is replaced last, by one move, and names the IR that its
manifest must be of; manifest and code of the IR before are kept for an op that has loaded the older file already.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zen_core.adapter.protocol import Adapter, Check, Deployment, DeployRequest
from zen_core.adapter.upgrading import kept_of_before, project_of
from zen_core.adapter.versions import find_untested
from zen_core.codegen.output import write_files
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.errors import AdapterError, CompilationError, DeploymentError
from zen_dagster.options import DagsterOptions

_OPTION = "[adapters.dagster] defs_folder"
_SECONDS = 30.0
_RELOAD_SECONDS = 300.0
"""Dagster imports all that is in the code location."""
_LOCATIONS = """
{ locationStatusesOrError { ... on WorkspaceLocationStatusEntries { entries { name } } } }
"""
_RELOAD = """
mutation($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
    ... on ReloadNotSupported { message }
    ... on RepositoryLocationNotFound { message }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}
"""


def find_problems(request: DeployRequest) -> tuple[Diagnostic, ...]:
    """All that keeps the job from being put into the folder, or the location from being loaded again."""
    options = request.options
    assert isinstance(options, DagsterOptions)
    folder = _folder(options, request.settings)
    if isinstance(folder, Diagnostic):
        return (folder,)
    problems = []
    own = folder / f"{request.pipeline.name}.py"
    owner = project_of(own) if own.is_file() else ""
    if owner and owner != request.settings.project:
        why = f"it belongs to the project {owner!r}"
        message = f"{own.name} in the defs folder would be replaced"
        problems.append(Diagnostic("ZEN-A105", message, str(own), why=why, hint="rename one of the two pipelines"))
    if problem := _find_webserver_problem(options):
        problems.append(problem)
    return tuple(problems)


def deploy(adapter: Adapter, request: DeployRequest) -> Deployment:
    """Write the files into the defs folder, the job's own file last, and load the location. Raises DeploymentError."""
    options = request.options
    assert isinstance(options, DagsterOptions)
    folder = _folder(options, request.settings)
    if isinstance(folder, Diagnostic):
        raise DeploymentError(diagnostics=[folder])
    files = {file.path: file.content for file in request.files}
    try:
        changed = write_files(folder, {**kept_of_before(folder, request.pipeline), **files})
    except CompilationError as error:
        why = f"{error.message} ({error.diagnostics[0].where})"
        hint = "deploy as a user who may write there"
        raise DeploymentError("the job cannot be written", where=str(folder), why=why, hint=hint) from error
    if options.webserver and options.code_location:
        _reload(options.webserver, options.code_location)
    found = _installed_version()
    warning = find_untested(adapter, "Dagster", found) if found else None
    return Deployment(
        request.pipeline.name,
        str(folder),
        changed,
        start=f"dagster job launch -j {request.pipeline.name}",
        warnings=(warning,) if warning else (),
    )


def examine(adapter: Adapter, options: DagsterOptions, settings: Settings) -> Iterator[Check]:
    """The installed version, the defs folder, and the webserver by asking it."""
    found = _installed_version()
    if found is None:
        yield Check("dagster", "not installed here, which compiling and deploying do not need")
    else:
        yield Check("dagster", found, find_untested(adapter, "Dagster", found), is_warning=True)
    component = "dagster: defs folder"
    if options.defs_folder is None:
        yield Check(component, "not set, so `zen deploy` has nowhere to write")
    else:
        folder = _folder(options, settings)
        problem = folder if isinstance(folder, Diagnostic) else None
        yield Check(component, options.defs_folder, problem)
    if options.webserver:
        yield Check("dagster: webserver", options.webserver, _find_webserver_problem(options))


def _installed_version() -> str | None:
    try:
        return version("dagster")
    except PackageNotFoundError:
        return None


def _folder(options: DagsterOptions, settings: Settings) -> Path | Diagnostic:
    """The defs folder, or why it cannot be used."""
    if options.defs_folder is None:
        hint = "write the path of the Dagster project's `defs` folder there"
        return Diagnostic("ZEN-A104", "where the job is to go is not known", where=_OPTION, hint=hint)
    folder = (settings.root or Path.cwd()) / Path(options.defs_folder).expanduser()
    if not folder.is_dir():
        hint = "correct the path, or make the folder where Dagster looks for definitions"
        return Diagnostic("ZEN-A104", f"the defs folder {folder} is not there", where=_OPTION, hint=hint)
    if not os.access(folder, os.W_OK | os.X_OK):
        hint = "deploy as a user who may write there"
        return Diagnostic("ZEN-A104", f"the folder {folder} cannot be written", where=_OPTION, hint=hint)
    return folder


def _find_webserver_problem(options: DagsterOptions) -> Diagnostic | None:
    """That the webserver does not answer, or does not know the code location; None where none is named."""
    address, location = options.webserver, options.code_location
    if not address or not location:
        return None
    try:
        names = sorted(entry["name"] for entry in _ask(address, _LOCATIONS)["locationStatusesOrError"]["entries"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Diagnostic(
            "ZEN-A106",
            f"Dagster's webserver {address} does not answer",
            where="[adapters.dagster] webserver",
            why=str(getattr(error, "reason", error)),
            hint="start it, or correct the address; without it, Dagster loads the job when it starts again",
        )
    if location in names:
        return None
    return Diagnostic(
        "ZEN-A104",
        f"Dagster has no code location {location!r}",
        where="[adapters.dagster] code_location",
        why=f"it has {', '.join(names) or 'none'}",
        hint="correct the name: Dagster shows it under Deployment",
    )


def _ask(address: str, query: str, variables: dict[str, str] | None = None, *, seconds: float = _SECONDS) -> Any:
    """The answer to a GraphQL query."""
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address.rstrip('/')}/graphql", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return json.load(answer)["data"]


def _reload(address: str, location: str) -> None:
    """Have the webserver load the code location again. Raises DeploymentError where that fails."""
    try:
        found: dict[str, Any] = _ask(address, _RELOAD, {"location": location}, seconds=_RELOAD_SECONDS)[
            "reloadRepositoryLocation"
        ]
        inner: dict[str, Any] = found.get("locationOrLoadError") or {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AdapterError(
            f"Dagster's webserver {address} did not load the code location {location!r} again: {error}",
            hint="the files are written: load the location by hand, in Dagster's UI under Deployment",
        ) from error
    message = found.get("message") or inner.get("message")
    if message:
        raise DeploymentError(
            f"Dagster cannot load the code location {location!r}",
            where=address,
            why=message.strip().splitlines()[0],
            hint="correct `code_location`, or what the location's other definitions fail with",
        )
