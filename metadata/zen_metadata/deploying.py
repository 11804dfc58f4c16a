"""What would fail later, found before anything is handed over: settings that the workers will not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zen_core.contract.settings import Settings
from zen_core.contract.values import TAG
from zen_core.diagnostics import Diagnostic
from zen_core.errors import SchemaVersionError, StoreError
from zen_core.ir.specs import PipelineSpec

_NEEDED = (
    ("deployment", "ZEN_DEPLOYMENT", "the name of the deployment that its runs belong to"),
    ("lineage_url", "ZEN_LINEAGE_URL", "the address of the lineage store"),
    ("artifact_url", "ZEN_ARTIFACT_URL", "the address of the artifact store"),
)
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Findings:
    """What keeps a pipeline from being handed over, and what should be known."""

    problems: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


def examine_for_workers(
    pipeline: PipelineSpec, settings: Settings, written: Settings, credentials: Mapping[str, str]
) -> Findings:
    """Compare what a task will need with what it will find.

    Args:
        settings: as they are here, with the environment merged in.
        written: as the project's files alone say them: what travels with the code.
        credentials: environment variables whose values the orchestrator keeps.
    """
    problems: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    for key, variable, what in _NEEDED:
        if getattr(written, key) or variable in credentials:
            continue
        if getattr(settings, key):
            warnings.append(_only_here(variable, what))
        else:
            problems.append(_missing(key, variable, what))
    shared = settings.shared_filesystem
    if shared and not written.shared_filesystem:
        warnings.append(_only_here("ZEN_SHARED_FILESYSTEM", "to know that local paths are shared"))
    if not shared:
        problems += _find_local_stores(settings, written, credentials)
    if "ZEN_DATA_ROOT" not in credentials and (relative := list(_relative_files(pipeline))):
        if not settings.data_root:
            problems += [_without_root(reference, where) for reference, where in relative]
        elif not written.data_root:
            warnings.append(_only_here("ZEN_DATA_ROOT", "the folder or URL that relative files lie below"))
    problems += _find_passwords(pipeline, settings)
    return Findings(tuple(problems), tuple(warnings))


def examine_store(settings: Settings) -> Findings:
    """Look whether the lineage store has this version's schema; one that cannot be reached from here is a warning."""
    from zen_metadata.lineage.sql.schema import look_at

    url = settings.lineage_url
    if not url or (url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists()):
        return Findings()
    try:
        look_at(url)
    except SchemaVersionError as error:
        return Findings(problems=error.diagnostics)
    except StoreError as error:
        return Findings(warnings=error.diagnostics)
    return Findings()


def _missing(key: str, variable: str, what: str) -> Diagnostic:
    return Diagnostic(
        "ZEN-S108",
        f"a task will need {what}, and nothing says it",
        where=variable,
        hint=f"set {key} in the stack that you deploy with (zen.toml, --stack), or {variable} here and for the workers",
    )


def _only_here(variable: str, what: str) -> Diagnostic:
    return Diagnostic(
        "ZEN-S113",
        f"a task will need {what}, which only the environment here says",
        where=variable,
        hint=f"set {variable} in the workers' environment too, or write it into a stack of zen.toml",
    )


def _find_local_stores(settings: Settings, written: Settings, credentials: Mapping[str, str]) -> Iterator[Diagnostic]:
    for key, variable, _ in _NEEDED[1:]:
        # What is written travels to the workers; what the environment here says does not.
        url = getattr(written, key) or getattr(settings, key)
        if variable not in credentials and url and _is_local(url):
            yield Diagnostic(
                "ZEN-S109",
                "a store lies at a path of this machine, and the workers may not see it",
                where=variable,
                hint="use a URL that all workers reach, or set shared_filesystem = true where they share the path",
            )


def _is_local(url: str) -> bool:
    return urlsplit(url).scheme in ("", "file", "local", "sqlite") or Path(url).is_absolute()


def _without_root(reference: str, where: str) -> Diagnostic:
    return Diagnostic(
        "ZEN-S107",
        f"the file {reference!r} is relative, and there is no data root",
        where=where,
        why="a worker does not have this project's folder",
        hint="set data_root in the stack (ZEN_DATA_ROOT) to the folder or URL that it lies below",
    )


def _relative_files(pipeline: PipelineSpec) -> Iterator[tuple[str, str]]:
    for reference, where in _files(pipeline):
        if "://" not in reference and not Path(reference).is_absolute():
            yield reference, where


def _files(pipeline: PipelineSpec) -> Iterator[tuple[str, str]]:
    place = f"pipeline {pipeline.name!r}"
    for parameter in pipeline.parameters:
        for reference in _references(parameter.default):
            yield reference, f"parameter {parameter.name!r} of {place}"
    for step in pipeline.steps:
        for reference in (*_references(step.model_dump(mode="json")["inputs"]), *step.cache.files):
            yield reference, f"{step.source or ''} step {step.name!r} of {place}".strip()


def _references(value: Any) -> Sequence[str]:
    """The paths of all files in a value in its JSON form."""
    if isinstance(value, dict):
        if value.get(TAG) == "file":
            return [str(value["value"])]
        return [found for item in value.values() for found in _references(item)]
    if isinstance(value, (list, tuple)):
        return [found for item in value for found in _references(item)]
    return []


def _find_passwords(pipeline: PipelineSpec, settings: Settings) -> Iterator[Diagnostic]:
    """URLs with a password in what is written down: the emitted code, the manifest, the settings in the bundle."""
    places = [(f"parameter {item.name!r} of pipeline {pipeline.name!r}", item.default) for item in pipeline.parameters]
    for step in pipeline.steps:
        where = f"{step.source or ''} step {step.name!r} of pipeline {pipeline.name!r}".strip()
        places.append((where, step.model_dump(mode="json")["inputs"]))
    places += [(f"zen.toml {name}", value) for name, value in settings.to_bundle_json().items()]
    for where, value in places:
        if any(_holds_password(text) for text in _texts(value)):
            yield Diagnostic(
                "ZEN-U205",
                "an address with a password would be written down",
                where=where,
                why="emitted code, manifest and settings are files that others read",
                hint="keep it where the orchestrator keeps secrets: [adapters.NAME.credentials] names it",
            )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _holds_password(text: str) -> bool:
    try:
        return "://" in text and bool(urlsplit(text).password)
    except ValueError:  # brackets that are no IPv6 address
        return False
