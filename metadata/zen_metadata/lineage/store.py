"""What the shim, the projections and the read side ask of a lineage store.

Every method is one transaction. Writing methods are idempotent: the same record twice changes nothing, so that a
spooled event may be replayed by two processes at once. Raises StoreUnavailableError when the store cannot be
reached (after a short, bounded number of tries), SchemaVersionError when its schema is not this version's,
FactRefusedError when it cannot hold a fact for what is in it, another StoreError when it refuses altogether.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from zen_core.errors import StoreError
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    AttemptStart,
    CachedResult,
    CommitResult,
    EarlierAttempt,
    Lease,
    LookUp,
    OutboxLag,
    OutboxRecord,
    RollbackRecord,
    RunRecord,
    RunStatus,
    StepRunOutputs,
    StepRunRecord,
    StepRunState,
    StepRunStatus,
)
from zen_metadata.lineage.retention import ArtifactFacts, CacheEntry, CacheUse, InUse, OldRuns, OpenRun, Tombstone

HEARTBEAT_SECONDS = 30.0
LEASE_SECONDS = 120.0
"""A lease whose holder gave no heartbeat for so long is free."""
LOST_AFTER_SECONDS = 3 * HEARTBEAT_SECONDS
COMPARED_ATTEMPTS = 20
"""How many earlier attempts at its step an attempt is compared with, to say why it ran."""
COMPARED_RUNS = 20
"""The earlier runs of the pipeline among which they are looked for."""
MOST_RUNS_BEGINNING = 21
"""How many runs are told at most whose id begins with a text."""


class FactRefusedError(StoreError):
    """The store works, and cannot hold this one fact: text or a number that its database does not take."""


class LineageStore(Protocol):
    """The store's face. `SqlLineageStore` is the implementation."""

    # -- writing, by the shim ------------------------------------------------------------------------------------

    def open_run(
        self,
        run: RunRecord,
        ir: Mapping[str, Any],
        *,
        environment: tuple[str, Mapping[str, Any]] | None = None,
        code: tuple[str, Mapping[str, Any]] | None = None,
    ) -> RunRecord:
        """Store the run and its IR if they are new; answer with the run as it is stored (the first one wins).

        So it does with an environment snapshot and with what a fingerprint covers, each with its digest: see
        `save_environment`, `save_code`. One look where all is there already.
        """

    def save_environment(self, project: str, digest: str, snapshot: Mapping[str, Any]) -> None:
        """Store an environment snapshot, once per content."""

    def save_ir(self, project: str, digest: str, document: Mapping[str, Any]) -> None:
        """Store an IR document, once per content."""

    def save_code(self, project: str, digest: str, document: Mapping[str, Any]) -> None:
        """Store what a fingerprint covers (`CodeFingerprint.to_document`), once per fingerprint."""

    def save_left_out(self, project: str, digest: str, left_out: Sequence[Mapping[str, str]]) -> None:
        """Record which files of the project a code bundle lacks: `file` and `reason` of each. The first one wins."""

    def find_cached(self, project: str, cache_key: str, *, max_age_seconds: float | None = None) -> CachedResult | None:
        """The cache entry of a key, unless an artifact of it is deleted or the entry is too old."""

    def look_up(self, project: str, cache_key: str, *, max_age_seconds: float | None = None) -> LookUp:
        """The same, with the reason where there is an entry that may not be used."""

    def start_attempt(
        self,
        step_run: StepRunRecord,
        attempt: AttemptRecord,
        *,
        lease: bool,
        look_up: bool,
        max_age_seconds: float | None = None,
        but_not: str | None = None,
    ) -> AttemptStart:
        """Begin an attempt, in one transaction.

        With `look_up`, a cache entry that is there by now is answered as a hit, unless it stands for the result of the
        attempt `but_not`, whose artifacts are known to be gone. With `lease`, the key is claimed: a
        free, expired or released lease, or one held by an earlier attempt of the same step run, is taken with a
        higher token; one held by a live attempt of another step run is answered as `holder`, and nothing is recorded.
        Earlier attempts of the step run that are still `running` become `lost`. The number counts up from 1.
        """

    def lose_attempt(self, attempt_id: str) -> None:
        """An attempt's process is known to be gone: if it is still `running` it becomes `lost`, and its lease free."""

    def heartbeat(self, attempt_ids: Sequence[str], leases: Sequence[Lease]) -> None:
        """Say that these attempts are alive, and extend their leases (only those whose token still holds)."""

    def end_attempt(
        self, run: RunRecord, step_run: StepRunRecord, attempt: AttemptRecord, end: AttemptEnd
    ) -> CommitResult:
        """Commit how an attempt ended, with artifacts, edges, metrics, cache entry, outbox row; release the lease.

        The attempt need not have been started here (a cached one never is; a spooled one may not have been): it is
        then recorded as a whole. An attempt that is not the newest of its step run is recorded as `superseded`,
        without outputs; so is a completed one whose lease token is not the key's highest any more.
        """

    def end_run(self, run_id: str, status: RunStatus, ended_at: datetime | None = None) -> None:
        """A closing call: record the status and an outbox row. The first one wins, but `failed` beats `completed`."""

    def apply_once(self, event_id: str, apply: Any) -> bool:
        """Call `apply()` unless an event of this id was applied before; answer whether it was called."""

    def claim_once(self, event_id: str) -> bool:
        """Whether the caller is the first to claim this id, for all time: of several at once, one."""

    def pin_artifact(self, run_id: str, name: str, artifact_id: str) -> str | None:
        """Let an artifact stand for a name in a run; answer with the one that does. The first one wins.

        None: it was deleted meanwhile, and nothing is pinned.
        """

    def adopt_artifacts(self, records: Sequence[ArtifactRecord]) -> None:
        """Record artifacts of another store under their own ids, without the runs that made them."""

    def find_pins(self, run_id: str, names: Sequence[str]) -> Mapping[str, str]:
        """The artifacts that stand for names in a run, by name."""

    def find_file_digest(self, url: str, version: str) -> str | None:
        """The remembered digest of a file's content, for this version of it (size and mtime, or ETag)."""

    def remember_file_digest(self, url: str, version: str, digest: str) -> None:
        """Remember it."""

    # -- projections ---------------------------------------------------------------------------------------------

    def pending_outbox(
        self,
        *,
        limit: int = 500,
        run_id: str | None = None,
        projection: str = "mlflow",
        project: str | None = None,
        after: int = 0,
    ) -> Sequence[OutboxRecord]:
        """The oldest rows that are not projected yet, behind the row `after`."""

    def finish_outbox(self, outbox_ids: Sequence[int]) -> None:
        """These rows are projected."""

    def fail_outbox(self, outbox_ids: Sequence[int], error: str, *, refused: bool = True) -> None:
        """These rows could not be projected; they stay, with the error's text.

        `refused`: they were tried and not taken, which counts as a try; else there was nobody to take them.
        """

    def outbox_lag(self, project: str, *, run_id: str | None = None) -> Mapping[str, OutboxLag]:
        """What each projection does not show yet of the project, or of one run; those that show all are left out."""

    def has_projected(self, project: str, projection: str, *, before: datetime) -> bool:
        """Whether anything of the project was projected before a time."""

    def request_projection(self, project: str, projection: str, run_ids: Sequence[str] | None) -> int:
        """Have whole runs projected anew, all of the project's for None; answer how many were not waiting for it."""

    def claim_link(self, tracker: str, subject_id: str, *, claimant: str, expires_seconds: float = 60.0) -> str | None:
        """The external id (an MLflow run id) of a run or attempt, or None when the caller is to make it.

        Blocks while another process that made the same claim is at work, until its claim expires.
        """

    def save_link(self, tracker: str, subject_id: str, external_id: str) -> None:
        """Record the external id. The first one wins."""

    def drop_links(self, tracker: str, external_ids: Mapping[str, str]) -> None:
        """These external ids, by subject, stand for nothing any more. One that was replaced meanwhile stays."""

    def find_links(self, tracker: str, subject_ids: Iterable[str]) -> Mapping[str, str]:
        """The external ids that are known."""

    # -- reading -------------------------------------------------------------------------------------------------

    def get_artifacts(self, artifact_ids: Sequence[str]) -> Mapping[str, ArtifactRecord]:
        """The artifacts by id; unknown ids are left out."""

    def find_artifacts(
        self,
        project: str,
        *,
        name: str | None = None,
        pipeline: str | None = None,
        version: int | None = None,
        kind: Literal["value", "source"] = "value",
        limit: int | None = None,
        before: ArtifactRecord | None = None,
        after: ArtifactRecord | None = None,
    ) -> Sequence[ArtifactRecord]:
        """Versions of artifacts, newest first. Of `kind` "source": the files that were read, which have no versions.

        `before` and `after`: those that are older or newer than an artifact, the nearest to it within the limit.
        """

    def find_artifact_names(self, project: str, *, name: str | None = None) -> Sequence[tuple[str, str]]:
        """All pairs of pipeline and artifact name that have versions; with `name`, those of this name."""

    def find_version(self, project: str, pipeline: str, name: str, version: int | None) -> ArtifactRecord | None:
        """One version of an artifact, deleted or not; without a version, the one that the name stands for.

        That is the latest that is not deleted, or the one that the name was rolled back to, until a later one is made.
        """

    def find_newest(self, artifact_ids: Sequence[str]) -> set[str]:
        """Those of the artifacts that are the latest of their names that is not deleted, whatever was rolled back."""

    def find_rolled_back(self, project: str) -> Mapping[tuple[str, str], int]:
        """The versions that stand for names because somebody rolled them back, by pipeline and name."""

    def find_rollbacks(self, project: str, pipeline: str, name: str) -> Sequence[RollbackRecord]:
        """Every rollback of a name, newest first."""

    def roll_back(
        self, project: str, pipeline: str, name: str, version: int, *, by: str, reason: str
    ) -> RollbackRecord:
        """Let a name stand for this version until a later one than there is now is made. Each call is recorded."""

    def find_runs(
        self,
        project: str | None = None,
        *,
        pipeline: str | None = None,
        limit: int | None = None,
        skip: int = 0,
        before: RunRecord | None = None,
        after: RunRecord | None = None,
    ) -> Sequence[RunRecord]:
        """Runs, newest first: those that began before a run, or after it, the nearest to it within the limit.

        `skip`: leave out so many at the beginning.
        """

    def find_pipelines(self, project: str) -> Sequence[str]:
        """The pipelines that have runs, by name."""

    def find_run(self, run_id_prefix: str, project: str | None = None) -> Sequence[RunRecord]:
        """The runs whose id begins so, by id, `MOST_RUNS_BEGINNING` at most."""

    def get_ir(self, project: str, digest: str) -> Mapping[str, Any] | None:
        """An IR document."""

    def get_codes(self, project: str, digests: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """What fingerprints cover, by their digests; unknown ones are left out."""

    def find_left_out(self, project: str, digest: str) -> Sequence[Mapping[str, str]]:
        """Which files of the project a code bundle lacks: `file` and `reason` of each; none for an unknown one."""

    def get_environment(self, project: str, digest: str) -> Mapping[str, Any] | None:
        """An environment snapshot."""

    def get_step_runs(self, run_id: str) -> Sequence[StepRunState]:
        """All step runs of a run that have at least one attempt."""

    def get_attempts(self, step_run_id: str) -> Sequence[StepRunState]:
        """Every attempt at a step run, the first one first, each with its own number as `attempts`."""

    def get_step_run_records(self, step_run_ids: Sequence[str]) -> Mapping[str, StepRunRecord]:
        """The step runs by id, which say run and step; unknown ids are left out."""

    def find_earlier_attempts(
        self, project: str, pipeline: str, steps: Sequence[str], *, before: datetime, but_run: str
    ) -> Sequence[EarlierAttempt]:
        """What later attempts at these steps are compared with, newest first.

        Of each step the last 20 attempts that ended well, and the last one of each of its elements: all in the last 20
        runs of the pipeline but `but_run`, and begun before this time.
        """

    def find_step_statuses(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, StepRunStatus]]:
        """For many runs at once: the status of each step run but hooks, by run id and `step` or `step[index]`."""

    def find_answers(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """For many runs at once: what gates (a bool) and expanders (a count) answered, by run id and step."""

    def find_outputs(
        self, run_id: str, step: str, *, map_index: int | None = None
    ) -> Mapping[int | None, StepRunOutputs]:
        """The step runs of one step by map index, or the one of an index."""

    def find_producers(self, artifact_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """For each artifact, the artifacts that the attempt which stored it had as inputs."""

    def find_consumers(
        self, artifact_ids: Sequence[str], *, limit: int | None = None
    ) -> Mapping[str, Sequence[tuple[str, Sequence[str]]]]:
        """For each artifact, the step runs that read it, each with the artifacts that it has as outputs.

        The earliest first; with a limit to how many uses are told (step run and output), in any order.
        """

    def find_ancestors(self, artifact_ids: Sequence[str], *, limit: int) -> Sequence[str]:
        """Artifacts with all that they were made from, each once: first they, then what is nearest to them."""

    def find_descendants(self, artifact_ids: Sequence[str], *, limit: int) -> Sequence[str]:
        """Artifacts with all that was made of them, each once: first they, then what is nearest to them."""

    # -- cleaning up ---------------------------------------------------------------------------------------------

    def read_clock(self) -> datetime:
        """The store's own time: what leases, heartbeats and ages go by."""

    def list_artifacts(self, *, after: str = "") -> Sequence[ArtifactFacts]:
        """The next page of all artifacts of all projects, source files left out, by id; empty at the end."""

    def find_open_runs(self, *, since: datetime) -> Sequence[OpenRun]:
        """Runs that may go on, as far as their records tell, and that gave a sign of life since then."""

    def find_oldest_running(self, *, since: datetime) -> datetime | None:
        """When the oldest attempt began that runs, and gave a sign of life since then."""

    def find_used(self, artifact_ids: Sequence[str], in_use: InUse) -> set[str]:
        """Those of the artifacts that an open run has as an output or input, or pins."""

    def find_same_content(self, records: Sequence[ArtifactRecord]) -> Sequence[ArtifactRecord]:
        """All artifacts that live and share their value or their bytes with one of these, which are among them."""

    def bury_unused(self, artifact_ids: Sequence[str], tombstone: Tombstone, in_use: InUse) -> Sequence[str]:
        """Make tombstones of those that may go; answer which.

        An artifact stays that is in use, the newest version of its name that lives, or rolled back to. A step run
        that begins to use one at the same moment either comes first, or finds a tombstone.
        """

    def bury(self, artifact_ids: Sequence[str], tombstone: Tombstone) -> None:
        """Make tombstones of these artifacts, whoever uses them; what is known of their content goes too."""

    def find_applied_events(self, event_ids: Sequence[str]) -> set[str]:
        """Those of the spooled events that were applied."""

    def find_known_attempts(self, attempt_ids: Sequence[str]) -> set[str]:
        """Those of the attempts that are recorded."""

    def find_known_runs(self, run_ids: Sequence[str]) -> set[str]:
        """Those of the runs of which a step is recorded."""

    def find_code_digests(self) -> set[str]:
        """The code that runs and attempts name, of all projects."""

    # -- removing runs -------------------------------------------------------------------------------------------

    def find_old_runs(self, project: str, *, before: datetime) -> OldRuns:
        """The runs that began and gave their last sign of life before this time, newest first; and what needs them."""

    def delete_attempts(self, run_id: str, *, before: datetime) -> int | None:
        """Delete some of the latest attempts at a run's steps with all that hangs on them; answer how many.

        0: none is left. None: nothing was deleted, since the run gave a sign of life after this time, made a version
        that is not deleted, or is still to be projected.
        """

    def delete_run(self, run_id: str) -> bool:
        """Delete a run that has no attempts; answer whether it was there, and had none."""

    def delete_traces(self, run_ids: Sequence[str]) -> None:
        """Delete what else is remembered of runs that were deleted: pins, and what was done once for them."""

    def delete_done_events(self, project: str, *, before: datetime, after: int) -> int | None:
        """Delete some rows of the outbox, behind the row `after`, that are done and whose run is not there any more.

        Answers up to which row it looked, None at the end.
        """

    def find_unnamed_documents(self, project: str, *, before: datetime) -> Mapping[str, Sequence[str]]:
        """The digests of IR, code and environment documents from before this time that no run names, by table."""

    def delete_documents(self, project: str, table: str, digests: Sequence[str]) -> int:
        """Delete those of these documents that still no run names; answer how many."""

    # -- the cache, as people look at it -------------------------------------------------------------------------

    def list_cache_entries(
        self,
        project: str,
        *,
        pipeline: str | None = None,
        step: str | None = None,
        key: str | None = None,
        limit: int | None = None,
    ) -> Sequence[CacheEntry]:
        """Cache entries, newest first: of the pipeline, of the step, and whose key begins so."""

    def invalidate_cache_entries(self, project: str, cache_keys: Sequence[str]) -> int:
        """Let no later look-up use these entries; answer how many were in use before."""

    def find_cache_use(self, project: str, *, since: datetime) -> Sequence[CacheUse]:
        """What the cache did for each step since then."""
