"""Uses each component of a project once, and says how that went: what `zen doctor` does."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from zen_core.adapter.protocol import Check, DeployingAdapter
from zen_core.contract.settings import Settings, without_credentials
from zen_core.diagnostics import Diagnostic
from zen_core.errors import ZenError

_PROBE = "doctor/round-trip"
Answer = tuple[str, Diagnostic | None]


def examine(settings: Settings, targets: tuple[str, ...]) -> Iterator[Check]:
    """A check for each component, as it is done; a broken one does not keep the others from being used.

    Args:
        settings: with the local defaults merged in, where this project uses them.
        targets: the adapters to examine.
    """
    yield Check("settings", f"project {settings.project}" + (f", stack {settings.stack}" if settings.stack else ""))
    yield _use("lineage store", settings.lineage_url, lambda: _use_lineage_store(settings))
    yield _use("artifact store", settings.artifact_url, lambda: _use_artifact_store(settings))
    yield _use("MLflow", settings.mlflow_tracking_uri, lambda: _use_mlflow(settings))
    yield _use("data root", settings.data_root, lambda: _use_data_root(settings))
    for target in targets:
        yield from _examine_adapter(target, settings)


def _use(component: str, address: str, act: Callable[[], Answer]) -> Check:
    shown = without_credentials(address)
    started = time.perf_counter()
    try:
        seen, warning = act()
    except ZenError as error:
        return Check(component, shown, error.diagnostics[0])
    except Exception as error:  # what libraries of stores raise is no closed set, and the next component waits
        return Check(component, shown, Diagnostic("ZEN-M100", f"{type(error).__name__}: {_first_line(error)}", shown))
    took = (time.perf_counter() - started) * 1000
    return Check(component, f"{shown}: {seen} ({took:.0f} ms)", warning, is_warning=warning is not None)


def _use_lineage_store(settings: Settings) -> Answer:
    """Connect, compare the schema, write and read back."""
    from zen_metadata.lineage.sql import open_lineage_store, schema

    if _is_not_made_yet(settings):
        return "not made yet, the first run makes it", None
    store = open_lineage_store(settings.lineage_url, create=False)
    try:
        version = hashlib.sha256(os.urandom(16)).hexdigest()
        store.remember_file_digest(_PROBE, "1", version)
        if store.find_file_digest(_PROBE, "1") != version:
            return "reached", Diagnostic("ZEN-M100", "what was written cannot be read back", "lineage store")
    finally:
        store.close()
    problems = schema.check(settings.lineage_url)
    if problems:
        return "written and read", problems[0]
    return f"written and read, schema {schema.REVISIONS[-1]}", None


def _is_not_made_yet(settings: Settings) -> bool:
    path = settings.lineage_url.removeprefix("sqlite:///")
    return settings.lineage_url.startswith("sqlite:///") and not Path(path).exists()


def _use_artifact_store(settings: Settings) -> Answer:
    """Write, read back, remove."""
    from zen_metadata.artifacts.store import ArtifactStore

    local = settings.artifact_url.removeprefix("file://")
    if "://" not in local and not Path(local).exists() and settings.state_folder in Path(local).parents:
        return "not made yet, the first run makes it", None
    artifacts = ArtifactStore(settings.artifact_url, allow_pickle=settings.allow_pickle)
    content = os.urandom(32)
    location = f"{_PROBE}-{content[:8].hex()}"
    artifacts.write_bytes(location, content)
    try:
        same = artifacts.read_bytes(location) == content
    finally:
        artifacts.remove(location)
    if not same:
        return "reached", Diagnostic("ZEN-M103", "what was written is not what is read back", "artifact store")
    return "written, read and removed", None


def _use_mlflow(settings: Settings) -> Answer:
    """Make a run, end it, and delete it again."""
    from zen_metadata.tracking.mlflow import MlflowTracker, mlflow_is_installed

    if not mlflow_is_installed():
        return "not installed: nothing is projected", None
    path = settings.mlflow_tracking_uri.removeprefix("sqlite:///")
    if settings.mlflow_tracking_uri.startswith("sqlite:///") and not Path(path).exists():
        return "not made yet, the first run makes it", None
    MlflowTracker(settings.mlflow_tracking_uri, settings.project).try_out()
    return "a run made, ended and deleted", None


def _use_data_root(settings: Settings) -> Answer:
    """List it."""
    import fsspec

    filesystem, path = fsspec.url_to_fs(settings.data_root)
    if not filesystem.isdir(path):
        hint = "correct data_root in zen.toml, or ZEN_DATA_ROOT"
        return "", Diagnostic("ZEN-S107", "the data root is not there", settings.data_root, hint=hint)
    return f"{len(filesystem.ls(path, detail=False))} entries", None


def _examine_adapter(target: str, settings: Settings) -> Iterator[Check]:
    from zen_core.adapter.registry import load_adapter
    from zen_core.compiler.compile import read_options

    try:
        adapter = load_adapter(target)
        options = read_options(adapter, settings)
    except ZenError as error:
        yield from (Check(target, "", problem) for problem in error.diagnostics)
        return
    if not isinstance(adapter, DeployingAdapter):
        return
    try:
        yield from adapter.examine(options, settings)
    except Exception as error:  # an adapter's library may raise anything, and the next adapter waits
        yield Check(target, "", Diagnostic("ZEN-A100", f"{type(error).__name__}: {_first_line(error)}", target))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
