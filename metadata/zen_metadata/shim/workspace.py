"""The stores that a process works with, opened once; and what happens when the lineage store is away."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zen_core.contract.manifest import CodeFingerprint
from zen_core.contract.settings import Settings
from zen_core.environment.capture import capture_environment
from zen_core.errors import ShimError, StoreError, StoreUnavailableError
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    AttemptStart,
    CachedResult,
    CommitResult,
    LookUp,
    RunRecord,
    RunStatus,
    StepRunRecord,
    StepRunState,
)
from zen_metadata.query.rules import PipelineRules, rules_of
from zen_metadata.shim import spool
from zen_metadata.shim.boundary import scratch_failure
from zen_metadata.shim.elements import Collections
from zen_metadata.shim.heartbeat import Heartbeat
from zen_metadata.shim.masking import secret_masker
from zen_metadata.shim.outage import Outage
from zen_metadata.shim.remote import find_remote_problems
from zen_metadata.shim.replaying import replay
from zen_metadata.shim.spool import AttemptEvent, RunEndEvent

if TYPE_CHECKING:
    from zen_metadata.artifacts.files import SourceFile
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.lineage.store import LineageStore

T = TypeVar("T")
_log = logging.getLogger("zen")
_PATIENCE_SECONDS = 60.0
"""How long a step waits for a store that is away and alone has what it needs."""
_PATIENT_PAUSE_SECONDS = 1.0
_REMEMBERED_ARTIFACTS = 10_000
_REMEMBER_DIGESTS_FROM_BYTES = 1_000_000


class Workspace:
    """The stores of one project, with the policy for a lineage store that is away.

    Policy `spool`: while it is away nothing is looked up and no lease is taken; steps execute, and what there is to
    record goes into the spool. What only the store has is waited for, for a minute. Policy `fail`: the error passes
    through.
    """

    def __init__(self, settings: Settings, lineage: LineageStore | None, artifacts: ArtifactStore) -> None:
        self.settings = settings
        self.artifacts = artifacts
        self.mask = secret_masker(settings)
        self.environment_digest, self.environment = capture_environment(settings.root, mask=self.mask)
        self._lineage = lineage
        self._heartbeat = Heartbeat(lineage) if lineage is not None else None
        self._outage = Outage(artifacts.url)
        self._has_spooled = False
        self._lock = threading.Lock()
        self._runs: dict[str, RunRecord] = {}
        self._begun_away: dict[str, datetime] = {}
        """When runs began that the store had not heard of, by this machine's clock."""
        self._artifacts: OrderedDict[str, ArtifactRecord] = OrderedDict()
        self._outputs: OrderedDict[str, Mapping[str, ArtifactRecord]] = OrderedDict()
        self._file_digests: dict[tuple[str, str], str] = {}
        self._saved_codes: set[tuple[str, str]] = set()
        self._scratch: Path | None = None
        self._rules: dict[str, PipelineRules] = {}
        self.collections = Collections(artifacts)
        self.pinned: dict[tuple[str, str], str] = {}
        """Which artifact a name stands for, by run and name."""
        self.cleared: set[tuple[str, str]] = set()
        """Mapped steps, by run and name, that are known not to be skipped."""

    # -- the lineage store, or the spool in its place --------------------------------------------------------------

    @property
    def lineage(self) -> LineageStore:
        """The lineage store itself, without the policy. Raises StoreUnavailableError when it could not be opened."""
        if self._lineage is None:
            self._lineage = _open_lineage(self.settings)
            self._heartbeat = Heartbeat(self._lineage)
        return self._lineage

    @property
    def lineage_if_there(self) -> LineageStore | None:
        """The lineage store, or None while it is away."""
        return None if self.is_away else self._lineage

    @property
    def heartbeat(self) -> Heartbeat | None:
        """Keeps this process's attempts alive; None while the store is away."""
        return self._heartbeat

    def open_run(self, run: RunRecord, ir: Mapping[str, Any], fingerprint: CodeFingerprint | None = None) -> RunRecord:
        """The run as it is stored; while the store is away, as it was given, and begun when it was first asked for.

        Args:
            fingerprint: of the step that is about to run, which is then stored by the way: see `save_code`.
        """
        known = self._runs.get(run.run_id)
        if known is not None:
            return known
        stored, is_stored = self.ask(lambda lineage: self._open_run(lineage, run, ir, fingerprint), run)
        if is_stored or run.started_at is not None:
            return stored
        return replace(run, started_at=self._begun_away.setdefault(run.run_id, datetime.now(UTC)))

    def _open_run(
        self,
        lineage: LineageStore,
        run: RunRecord,
        ir: Mapping[str, Any],
        fingerprint: CodeFingerprint | None = None,
    ) -> RunRecord:
        has_code = fingerprint is not None and bool(fingerprint.definitions)
        code = (fingerprint.digest, fingerprint.to_document()) if fingerprint is not None and has_code else None
        environment = (self.environment_digest, self.environment)
        stored = self._runs[run.run_id] = lineage.open_run(run, ir, environment=environment, code=code)
        if code is not None:
            self._saved_codes.add((run.project, code[0]))
        return stored

    def end_run(self, run: RunRecord, ir: Mapping[str, Any], status: RunStatus | None) -> None:
        """Record how a run was closed, in the store or in the spool.

        Args:
            status: None where the steps' records, which are out of reach, are to tell it when this one is replayed.
        """

        def store(lineage: LineageStore) -> None:
            if self._has_spooled:
                report = replay(lineage, self.artifacts)
                report.tell()
                self._has_spooled = report.stopped
            if run.run_id not in self._runs:
                self._open_run(lineage, run, ir)
            if status is not None:
                lineage.end_run(run.run_id, status)

        if status is None or not self._record(store, None)[1]:
            self._spool(lambda: spool.write_run_end(self.artifacts, RunEndEvent(run, ir, datetime.now(UTC), status)))

    def save_code(self, project: str, fingerprint: CodeFingerprint) -> None:
        """Let the store know what a fingerprint covers, so that a later miss can be explained."""
        key = (project, fingerprint.digest)
        if not fingerprint.definitions or key in self._saved_codes:
            return
        document = fingerprint.to_document()
        if self.ask(lambda lineage: lineage.save_code(*key, document), None)[1]:
            self._saved_codes.add(key)

    def rules_of(self, ir_digest: str, ir: Mapping[str, Any]) -> PipelineRules:
        """The rules of a pipeline, worked out once."""
        found = self._rules.get(ir_digest)
        if found is None:
            found = self._rules[ir_digest] = rules_of(ir)
        return found

    def get_artifact(self, artifact_id: str) -> ArtifactRecord | None:
        """The recorded artifact, from the store or from the spool."""
        known = self._artifacts.get(artifact_id)
        if known is not None:
            return known
        found = self.ask(lambda lineage: lineage.get_artifacts([artifact_id]).get(artifact_id), None)[0]
        if found is None:
            found = spool.find_artifact(self.artifacts, artifact_id)
        if found is None:  # it may have been recorded from the spool between the two looks
            found = self.ask_surely(lambda lineage: lineage.get_artifacts([artifact_id]).get(artifact_id))
        if found is not None:
            self._remember((found,))
        return found

    def look_up(self, project: str, cache_key: str, max_age_seconds: float | None) -> LookUp:
        """A result whose artifacts are all there and whole; else why there is none, where that can be told."""
        found, answered = self.ask(
            lambda lineage: lineage.look_up(project, cache_key, max_age_seconds=max_age_seconds), LookUp()
        )
        if not answered:
            return LookUp(reason="away")
        damage = None if found.hit is None else self.find_damage(found.hit)
        return found if damage is None else LookUp(reason=damage)

    def find_damage(self, cached: CachedResult | StepRunState) -> str | None:
        """`deleted`, `gone` or `damaged`, where an artifact is not in the store as it was stored; None: all are."""
        if any(record.deleted_at is not None for record in cached.outputs.values()):
            return "deleted"
        states = map(self.artifacts.state_of, cached.outputs.values())
        return next((state for state in states if state != "whole"), None)

    def is_whole(self, cached: CachedResult | StepRunState) -> bool:
        """Whether the bytes of all its artifacts are still in the artifact store."""
        return self.find_damage(cached) is None

    def start_attempt(
        self,
        step_run: StepRunRecord,
        attempt: AttemptRecord,
        *,
        lease: bool,
        look_up: bool,
        max_age_seconds: float | None,
        but_not: str | None,
        number: int,
    ) -> AttemptStart:
        """Begin an attempt; while the store is away it gets the engine's own number and no lease."""
        return self.ask(
            lambda lineage: lineage.start_attempt(
                step_run, attempt, lease=lease, look_up=look_up, max_age_seconds=max_age_seconds, but_not=but_not
            ),
            AttemptStart(number=number),
        )[0]

    def lose_attempt(self, attempt_id: str) -> None:
        """The process of an attempt is known to be gone."""
        self.ask(lambda lineage: lineage.lose_attempt(attempt_id), None)

    def end_attempt(
        self,
        run: RunRecord,
        ir: Mapping[str, Any],
        step_run: StepRunRecord,
        attempt: AttemptRecord,
        end: AttemptEnd,
        *,
        began_at: datetime,
        code: Mapping[str, Any] | None = None,
    ) -> CommitResult:
        """Commit how an attempt ended, in the store or in the spool.

        With the policy `spool` nothing that a step did is lost: not even where the store refuses by now.

        Args:
            began_at: by this machine's clock; tells the attempt's place among others where the store did not hear of
                its beginning.
            code: what its fingerprint covers, for the replay.
        """
        begun = replace(attempt, started_at=attempt.started_at or began_at)

        def store(lineage: LineageStore) -> CommitResult:
            if run.run_id not in self._runs:  # the store was away when the step began
                self._open_run(lineage, run, ir)
            if self._outage.last is None:
                return lineage.end_attempt(run, step_run, attempt, end)
            if code is not None:
                lineage.save_code(run.project, attempt.fingerprint, code)
            # What takes a recorded result begins where it ends.
            return lineage.end_attempt(run, step_run, attempt if end.status == "cached" else begun, end)

        result, stored = self._record(store, CommitResult())
        if not stored:
            event = AttemptEvent(run, ir, self.environment_digest, self.environment, step_run, begun, end, code)
            self._spool(lambda: spool.write_event(self.artifacts, event))
        if not (result.superseded or result.deleted):
            self._remember(end.outputs.values())
            if spool.is_asked_for(step_run, end):
                self._remember_outputs(step_run.step_run_id, end.outputs)
        return result

    def own_outputs(self, step_run_id: str) -> Mapping[str, ArtifactRecord] | None:
        """What an element of a map, an expander or a gate made, where this process ran it; else None."""
        return self._outputs.get(step_run_id)

    def _record(self, operation: Callable[[LineageStore], T], otherwise: T) -> tuple[T, bool]:
        """The same as `ask` for what must not be lost: a store that refuses is no better than one that is away."""
        try:
            return self.ask(operation, otherwise)
        except StoreError as error:
            if self.settings.on_store_error == "fail":
                raise
            # A password that was changed while the step ran, say. The next attempt fails at its start and tells of it;
            # what this one did is not lost.
            self._outage.refused(error)
            return otherwise, False

    def _spool(self, write: Callable[[], None]) -> None:
        """Keep a fact beside the artifacts. Raises StoreError, which names both stores, where that fails too."""
        try:
            write()
        except StoreError as error:
            raise spool.recorded_nowhere(self._outage.why, error) from error
        self._has_spooled = True

    def ask(self, operation: Callable[[LineageStore], T], otherwise: T, *, though_away: bool = False) -> tuple[T, bool]:
        """The store's answer and True; `otherwise` and False while it is away and the policy is `spool`.

        Args:
            though_away: ask also where it was found away a moment ago.
        """
        if self.settings.on_store_error == "fail":
            return operation(self.lineage), True
        if self.is_away and not though_away:
            return otherwise, False
        began = time.monotonic()
        try:
            answer = operation(self.lineage)
        except StoreUnavailableError as error:
            self.note_away(error, took_seconds=time.monotonic() - began)
            return otherwise, False
        if though_away:
            self._outage.end()
        return answer, True

    def ask_surely(self, operation: Callable[[LineageStore], T]) -> T:
        """The answer to what nobody but the store knows. While it is away, it is waited for, but not for ever.

        Raises:
            StoreUnavailableError: it is away for longer than a minute; or at once, where the policy is `fail`.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        answers: list[T] = []
        while True:
            if self.ask(lambda lineage: answers.append(operation(lineage)), None, though_away=True)[1]:
                return answers[0]
            if time.monotonic() >= deadline:
                problem = self._outage.why.diagnostics[0]
                raise StoreUnavailableError(
                    f"what earlier steps made is recorded in the lineage store alone, which is away: {problem.message}",
                    why=problem.why,
                    hint="run the step again when the store is back: with @step(retry=...) the orchestrator does it",
                )
            time.sleep(_PATIENT_PAUSE_SECONDS)

    @property
    def is_away(self) -> bool:
        """Whether the store was found away a moment ago."""
        return self._outage.is_on

    def note_away(self, error: StoreUnavailableError, *, took_seconds: float = 0.0) -> None:
        """Remember that the store is away, so that not every call waits for it, and say so once for each cause."""
        self._outage.begin(error, took_seconds=took_seconds)

    def _remember(self, records: Any) -> None:
        with self._lock:
            for record in records:
                self._artifacts[record.artifact_id] = record
            while len(self._artifacts) > _REMEMBERED_ARTIFACTS:
                self._artifacts.popitem(last=False)

    def _remember_outputs(self, step_run_id: str, outputs: Mapping[str, ArtifactRecord]) -> None:
        with self._lock:
            self._outputs[step_run_id] = outputs
            while len(self._outputs) > _REMEMBERED_ARTIFACTS:
                self._outputs.popitem(last=False)

    @property
    def scratch(self) -> Path:
        """A folder of this process's own, which only this user can read; removed when the workspace is closed."""
        with self._lock:
            if self._scratch is None:
                try:
                    self._scratch = Path(tempfile.mkdtemp(prefix="zen-"))
                except OSError as error:
                    raise scratch_failure(error) from error
            return self._scratch

    # -- files -----------------------------------------------------------------------------------------------------

    def find_source(self, reference: str) -> tuple[SourceFile, str]:
        """The file of a reference with the digest of its content, which is remembered by size, time or ETag."""
        from zen_metadata.artifacts.files import digest_source, find_source

        source = find_source(reference, self._data_root_for(reference))
        key = (source.url, source.version)
        digest = self._file_digests.get(key)
        large = source.size_bytes >= _REMEMBER_DIGESTS_FROM_BYTES
        if digest is None and large:
            digest = self.ask(lambda lineage: lineage.find_file_digest(*key), None)[0]
        if digest is None:
            digest = digest_source(source)
            if large and source.is_settled:
                self.ask(lambda lineage: lineage.remember_file_digest(*key, digest), None)
        if source.is_settled:
            self._file_digests[key] = digest
        return source, digest

    def digest_of_file(self, reference: str) -> str:
        """The digest of a file's content."""
        return self.find_source(reference)[1]

    def _data_root_for(self, reference: str) -> str:
        if not self.settings.data_root and not _is_absolute(reference):
            raise ShimError(
                f"the file {reference!r} is relative, and there is no data root",
                code="ZEN-S107",
                hint="set ZEN_DATA_ROOT on the workers, or data_root in the stack, to the folder or URL it lies below",
            )
        return self.settings.data_root

    def close(self) -> None:
        """Close the stores, and leave no temporary file behind."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        if self._heartbeat is not None:
            self._heartbeat.stop()
        close = getattr(self._lineage, "close", None)
        if close is not None:
            close()


def open_workspace(settings: Settings, *, remote: bool) -> Workspace:
    """Open the stores.

    Args:
        remote: whether this is a task of an orchestrator: every address must then be set, and reach all workers.

    Raises:
        ShimError: what a remote task lacks, all at once.
        StoreError: a store refuses (with `on_store_error = "spool"` a lineage store that is away is no error).
    """
    from zen_metadata.artifacts.store import ArtifactStore

    if remote:
        problems = find_remote_problems(settings)
        if problems:
            raise ShimError(diagnostics=problems)
    artifacts = ArtifactStore(settings.artifact_url, allow_pickle=settings.allow_pickle)
    if settings.on_store_error == "fail":
        return Workspace(settings, _open_lineage(settings), artifacts)
    try:
        return Workspace(settings, _open_lineage(settings), artifacts)
    except StoreUnavailableError as error:
        workspace = Workspace(settings, None, artifacts)
        workspace.note_away(error)
        return workspace


def find_lineage_store(settings: Settings) -> LineageStore | None:
    """The lineage store, or None while it is away and the policy is `spool`."""
    try:
        return _open_lineage(settings)
    except StoreUnavailableError:
        if settings.on_store_error == "fail":
            raise
        return None


def _open_lineage(settings: Settings) -> LineageStore:
    from zen_metadata.lineage.sql import open_lineage_store

    return open_lineage_store(settings.lineage_url, openlineage=settings.openlineage)


def _is_absolute(reference: str) -> bool:
    return "://" in reference or Path(reference).is_absolute()
