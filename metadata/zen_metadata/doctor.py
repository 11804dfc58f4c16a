"""Uses each component of a project once, and says how that went: what `zen doctor` does.

It makes nothing that was not there: a store that the first run will make is not made here.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from zen_core.adapter.protocol import Check, DeployingAdapter
from zen_core.contract.settings import Settings, without_credentials
from zen_core.diagnostics import Diagnostic
from zen_core.errors import StoreError, StoreUnavailableError, ZenError
from zen_metadata.shim.spool import REFUSED_FOLDER
from zen_metadata.snapshot_check import examine_snapshot

T = TypeVar("T")
Answer = tuple[str, Diagnostic | None]
"""What was seen, and what should be known of it."""

LONGEST_ANSWER_SECONDS = 60.0
_PROBE = "zen-doctor"
_SQLITE = "sqlite:///"
_NOT_MADE = "not made yet, the first run makes it"
_WORTH_SAYING_SECONDS = 1.0
_LATE_SECONDS = 3600.0
"""After so long, what is not shown elsewhere waits for something else than the end of its run."""


def examine(given: Settings, targets: tuple[str, ...]) -> Iterator[Check]:
    """A check for each component, as it is done; a broken one does not keep the others from being used.

    Args:
        given: as files and environment say them; what they leave open is in `.zen/`.
        targets: the adapters to examine.
    """
    from zen_metadata.shim.masking import secret_masker

    settings = given.with_local_defaults()
    mask = secret_masker(settings)
    for check in _examine(given, settings, targets):
        yield replace(check, detail=mask(check.detail), problem=_masked(check.problem, mask))


def _examine(given: Settings, settings: Settings, targets: tuple[str, ...]) -> Iterator[Check]:
    yield Check("settings", f"project {settings.project}" + (f", stack {settings.stack}" if settings.stack else ""))
    yield from examine_snapshot(settings)
    lineage = _use("lineage store", settings.lineage_url, lambda: _use_lineage_store(settings))
    yield lineage
    yield _use("artifact store", settings.artifact_url, lambda: _use_artifact_store(settings))
    yield _use("spool", settings.artifact_url, lambda: _look_into_spool(settings))
    yield _use("MLflow", settings.mlflow_tracking_uri, lambda: _use_mlflow(given, settings))
    if lineage.problem is None or lineage.is_warning:
        yield from _examine_projections(given, settings)
    if settings.openlineage:
        yield _use("OpenLineage", settings.openlineage_url or "its client", lambda: _use_openlineage(settings))
    yield _use("data root", settings.data_root, lambda: _use_data_root(settings))
    for target in targets:
        try:
            yield from _within_time(lambda target=target: list(_examine_adapter(target, settings)))  # type: ignore[misc]
        except Exception as error:  # an adapter's library may raise anything, and the next adapter waits
            yield Check(target, "", Diagnostic("ZEN-A100", _say(error), target))


def _use(component: str, address: str, act: Callable[[], Answer]) -> Check:
    shown = without_credentials(address)
    started = time.perf_counter()
    try:
        seen, warning = _within_time(act)
    except ZenError as error:
        return Check(component, shown, error.diagnostics[0])
    except Exception as error:  # what libraries of stores raise is no closed set, and the next component waits
        return Check(component, shown, Diagnostic("ZEN-M100", _say(error), shown))
    took = (time.perf_counter() - started) * 1000
    return Check(component, f"{shown}: {seen} ({took:.0f} ms)", warning, is_warning=warning is not None)


def _within_time(act: Callable[[], T]) -> T:
    """What `act` answers or raises. Raises StoreUnavailableError when it does neither for a minute."""
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((act(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=work, name="zen-doctor", daemon=True).start()
    try:
        answer, error = answers.get(timeout=LONGEST_ANSWER_SECONDS)
    except queue.Empty:
        raise StoreUnavailableError(
            f"there was no answer for {LONGEST_ANSWER_SECONDS:.0f} seconds",
            hint="see whether its host can be reached from here: name, port, firewall, proxy",
        ) from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


# -- one component each -----------------------------------------------------------------------------------------


def _use_lineage_store(settings: Settings) -> Answer:
    """Connect, compare the schema, write, and read back."""
    from zen_metadata.lineage.sql import open_lineage_store, schema

    url = settings.lineage_url
    if url.startswith(_SQLITE) and _is_to_be_made(Path(url.removeprefix(_SQLITE))):
        return _NOT_MADE, None
    store = open_lineage_store(url, create=False)
    try:
        version = os.urandom(16).hex()
        # One row that the next look replaces. Zen deletes nothing there, so its users need not be allowed to.
        store.remember_file_digest(_PROBE, "1", version)
        if store.find_file_digest(_PROBE, "1") != version:
            raise StoreError("what was written into the lineage store is not what is read back")
        asked = datetime.now(UTC)
        ahead = (store.read_clock() - asked).total_seconds()
    finally:
        store.close()
    return f"written and read, schema {schema.REVISIONS[-1]}{_describe_clock(ahead)}", None


def _describe_clock(ahead_seconds: float) -> str:
    if abs(ahead_seconds) < _WORTH_SAYING_SECONDS:
        return ""
    return f", its clock is {abs(ahead_seconds):.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'} this machine's"


def _use_artifact_store(settings: Settings) -> Answer:
    """Write, read back, remove."""
    from zen_metadata.artifacts.filesystems import is_local, local_part
    from zen_metadata.artifacts.store import ArtifactStore

    url = settings.artifact_url
    if is_local(url) and _is_to_be_made(Path(local_part(url))):
        return _NOT_MADE, None
    artifacts = ArtifactStore(url, allow_pickle=settings.allow_pickle)
    content = os.urandom(32)
    location = f"{_PROBE}-{content[:8].hex()}"
    artifacts.write_bytes(location, content)
    try:
        same = artifacts.read_bytes(location) == content
    finally:
        artifacts.remove(location)
    if not same:
        raise StoreError("what was written into the artifact store is not what is read back", code="ZEN-M103")
    return "written, read and removed", None


def _look_into_spool(settings: Settings) -> Answer:
    """Count what waits there to be recorded."""
    from zen_metadata.artifacts.filesystems import is_local, local_part
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.shim.spool import describe_spool

    url = settings.artifact_url
    if is_local(url) and not Path(local_part(url)).exists():
        return "empty", None
    found = describe_spool(ArtifactStore(url, allow_pickle=settings.allow_pickle))
    seen = f"{found.waiting} waiting" if found.waiting else "empty"
    if found.waiting and found.oldest is not None:
        seen += f", the oldest for {_describe_age((datetime.now(UTC) - found.oldest).total_seconds())}"
    if found.refused:
        return f"{seen}, {found.refused} set aside", Diagnostic(
            "ZEN-M100",
            f"{found.refused} facts could not be recorded, and were set aside",
            REFUSED_FOLDER,
            hint="zen sync says what is wrong with each that is moved back to spool/events; remove what is not wanted",
        )
    if not found.waiting:
        return seen, None
    return seen, Diagnostic(
        "ZEN-M101",
        "the lineage store was away, and what steps did meanwhile is not recorded yet",
        hint="zen sync",
    )


def _describe_age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"


def _use_mlflow(given: Settings, settings: Settings) -> Answer:
    """Make a run, end it, and delete it again."""
    from zen_metadata.tracking.mlflow import MlflowTracker, mlflow_is_installed

    if not mlflow_is_installed():
        if not given.mlflow_tracking_uri:
            return "not installed, so nothing is sent there", None
        return "not installed", Diagnostic(
            "ZEN-T100",
            "MLflow is set up, and not installed here: what runs here is not shown there",
            "MLFLOW_TRACKING_URI",
            hint='pip install "zen-core[mlflow]"',
        )
    uri = settings.mlflow_tracking_uri
    if uri.startswith(_SQLITE) and _is_to_be_made(Path(uri.removeprefix(_SQLITE))):
        return _NOT_MADE, None
    MlflowTracker(uri, settings.project).try_out()
    return "a run made, ended and deleted", None


def _examine_projections(given: Settings, settings: Settings) -> Iterator[Check]:
    """What MLflow and others do not show yet: how much, since when, and why."""
    from zen_metadata.lineage.sql import open_lineage_store
    from zen_metadata.query.words import PROJECTION_NAMES, lag_sentence
    from zen_metadata.tracking.projections import projections_of

    url = settings.lineage_url
    if url.startswith(_SQLITE) and _is_to_be_made(Path(url.removeprefix(_SQLITE))):
        return
    with closing(open_lineage_store(url, create=False)) as store:
        lag_by_name = store.outbox_lag(settings.project)
        now = store.read_clock()
    for name in dict.fromkeys((*projections_of(settings), *lag_by_name)):
        lag, component = lag_by_name.get(name), f"{PROJECTION_NAMES.get(name, name)} backlog"
        if lag is None:
            yield Check(component, "none: all that is recorded is shown")
            continue
        is_wanted = name != "mlflow" or bool(given.mlflow_tracking_uri)
        is_late = is_wanted and (now - lag.oldest_at).total_seconds() > _LATE_SECONDS
        sentence = lag_sentence(name, lag)
        problem = Diagnostic(
            "ZEN-T100", sentence, hint="`zen sync` tries it now; `zen sync --watch` keeps it up to date"
        )
        shown = problem if lag.last_error or is_late else None
        age = _describe_age((now - lag.oldest_at).total_seconds())
        yield Check(component, f"{lag.pending} waiting, the oldest for {age}", shown, is_warning=shown is not None)


def _use_openlineage(settings: Settings) -> Answer:
    """Set the client up. Nothing is sent: a receiver takes events, and an event would stay there."""
    from zen_metadata.tracking.openlineage.target import Target, find_obstacle

    if obstacle := find_obstacle(settings):
        return "not installed", Diagnostic("ZEN-T110", obstacle, "OPENLINEAGE_URL")
    with closing(Target(settings)) as target:
        return f"events go to {target.address}, none was sent now", None


def _use_data_root(settings: Settings) -> Answer:
    """List it."""
    from zen_metadata.artifacts.filesystems import is_local, local_part, open_filesystem

    root = settings.data_root
    if is_local(root):
        folder = Path(local_part(root))
        count = sum(1 for _ in folder.iterdir()) if folder.is_dir() else None
    else:
        filesystem, path = open_filesystem(root)
        count = len(filesystem.ls(path, detail=False)) if filesystem.isdir(path) else None
    if count is None:
        raise StoreError(
            "the data root is not there",
            code="ZEN-S107",
            where=without_credentials(root),
            hint="correct data_root (ZEN_DATA_ROOT); where only the workers have it, run zen doctor there",
        )
    return f"{count} entries", None


def _is_to_be_made(path: Path) -> bool:
    """Whether a path is not there. Raises StoreError where it could not be made either."""
    if path.exists():
        return False
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise StoreError(
            f"{path} is not there, and cannot be made",
            why=f"{above} cannot be written" if above.is_dir() else f"{above} is no folder",
            hint="correct its address, or give this user write access",
        )
    return True


def _examine_adapter(target: str, settings: Settings) -> Iterator[Check]:
    from zen_core.adapter.registry import load_adapter
    from zen_core.compiler.compile import read_options

    try:
        adapter = load_adapter(target)
        options = read_options(adapter, settings)
    except ZenError as error:
        yield from (Check(target, "", problem) for problem in error.diagnostics)
        return
    if isinstance(adapter, DeployingAdapter):
        yield from adapter.examine(options, settings)


def _masked(problem: Diagnostic | None, mask: Callable[[str], str]) -> Diagnostic | None:
    if problem is None:
        return None
    return replace(problem, message=mask(problem.message), why=mask(problem.why), where=mask(problem.where))


def _say(error: Exception) -> str:
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"
