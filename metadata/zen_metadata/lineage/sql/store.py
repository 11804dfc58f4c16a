"""The lineage store in SQL: each method of the protocol, and the transaction that it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

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
from zen_metadata.lineage.sql import (
    attempts,
    cache_reading,
    caching,
    earlier,
    naming,
    outbox,
    outputs,
    projections,
    reading,
    retention,
    runs,
    states,
)
from zen_metadata.lineage.sql.database import Database
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.schema import prepare


class SqlLineageStore:
    """A lineage store in SQLite or PostgreSQL. The methods are those of `LineageStore`, and documented there.

    May be used from several threads at once and after a fork. Connections are opened when they are needed; the first
    one checks the schema.

    Args:
        url: `sqlite:////path/zen.db` or `postgresql://USER@HOST/DATABASE`.
        create: whether to make the store where there is none; else its absence is a StoreError on first use.
        openlineage: whether facts are to be projected to OpenLineage too.

    Raises:
        StoreError: the URL is none, or names what cannot hold a lineage store.
    """

    def __init__(self, url: str, *, create: bool = True, openlineage: bool = False) -> None:
        self._openlineage = openlineage
        self._database = Database(make_engine(url), partial(prepare, create=create))

    def close(self) -> None:
        """Close all connections. A later call opens new ones."""
        self._database.close()

    # -- writing, by the shim ------------------------------------------------------------------------------------

    def open_run(
        self,
        run: RunRecord,
        ir: Mapping[str, Any],
        *,
        environment: tuple[str, Mapping[str, Any]] | None = None,
        code: tuple[str, Mapping[str, Any]] | None = None,
    ) -> RunRecord:
        """Store the run and these documents if they are new; answer with the run as it is stored."""
        return runs.open_run(self._database, run, ir, environment, code)

    def save_environment(self, project: str, digest: str, snapshot: Mapping[str, Any]) -> None:
        """Store an environment snapshot, once per content."""
        runs.save_environment(self._database, project, digest, snapshot)

    def save_ir(self, project: str, digest: str, document: Mapping[str, Any]) -> None:
        """Store an IR document, once per content."""
        runs.save_ir(self._database, project, digest, document)

    def save_code(self, project: str, digest: str, document: Mapping[str, Any]) -> None:
        """Store what a fingerprint covers, once per fingerprint."""
        runs.save_code(self._database, project, digest, document)

    def save_left_out(self, project: str, digest: str, left_out: Sequence[Mapping[str, str]]) -> None:
        """Record which files of the project a code bundle lacks. The first one wins."""
        runs.save_left_out(self._database, project, digest, left_out)

    def find_cached(self, project: str, cache_key: str, *, max_age_seconds: float | None = None) -> CachedResult | None:
        """The cache entry of a key, if it may still be used."""
        return self.look_up(project, cache_key, max_age_seconds=max_age_seconds).hit

    def look_up(self, project: str, cache_key: str, *, max_age_seconds: float | None = None) -> LookUp:
        """The same, with the reason where there is an entry that may not be used."""
        return self._database.ask(lambda work: caching.find_entry(work, project, cache_key, max_age_seconds))

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
        """Begin an attempt: with a lease, a holder or a hit."""
        return self._database.write(
            lambda work: attempts.start_attempt(
                work,
                step_run,
                attempt,
                lease=lease,
                look_up=look_up,
                max_age_seconds=max_age_seconds,
                but_not=but_not,
            )
        )

    def lose_attempt(self, attempt_id: str) -> None:
        """An attempt's process is known to be gone."""
        self._database.write(lambda work: attempts.lose_attempt(work, attempt_id))

    def heartbeat(self, attempt_ids: Sequence[str], leases: Sequence[Lease]) -> None:
        """Say that these attempts are alive, and extend their leases."""
        if attempt_ids or leases:
            self._database.write(lambda work: attempts.heartbeat(work, attempt_ids, leases))

    def end_attempt(
        self, run: RunRecord, step_run: StepRunRecord, attempt: AttemptRecord, end: AttemptEnd
    ) -> CommitResult:
        """Commit how an attempt ended, with everything that hangs on it."""
        return self._database.write(
            lambda work: attempts.end_attempt(work, run, step_run, attempt, end, openlineage=self._openlineage)
        )

    def end_run(self, run_id: str, status: RunStatus, ended_at: datetime | None = None) -> None:
        """Record how a run was closed. Raises NotFoundError for a run that is not in the store."""
        self._database.write(lambda work: runs.end_run(work, run_id, status, ended_at, openlineage=self._openlineage))

    def apply_once(self, event_id: str, apply: Any) -> bool:
        """Call `apply()` unless an event of this id was applied before; answer whether it was called."""
        return projections.apply_once(self._database, event_id, apply)

    def claim_once(self, event_id: str) -> bool:
        """Whether the caller is the first to claim this id."""
        return self._database.write(lambda work: projections.claim_once(work, event_id))

    def pin_artifact(self, run_id: str, name: str, artifact_id: str) -> str | None:
        """Let an artifact stand for a name in a run; answer with the one that does, None if it is deleted."""
        return self._database.write(lambda work: projections.pin_artifact(work, run_id, name, artifact_id))

    def adopt_artifacts(self, records: Sequence[ArtifactRecord]) -> None:
        """Record artifacts of another store under their own ids, without the runs that made them."""
        if records:
            self._database.write(lambda work: attempts.adopt_artifacts(work, records))

    def find_pins(self, run_id: str, names: Sequence[str]) -> Mapping[str, str]:
        """The artifacts that stand for names in a run, by name."""
        return self._database.read(lambda work: projections.find_pins(work, run_id, names))

    def find_file_digest(self, url: str, version: str) -> str | None:
        """The remembered digest of a file's content."""
        return self._database.read(lambda work: projections.find_file_digest(work, url, version))

    def remember_file_digest(self, url: str, version: str, digest: str) -> None:
        """Remember the digest of a file's content, in place of an earlier version's."""
        self._database.write(lambda work: projections.remember_file_digest(work, url, version, digest))

    def read_clock(self) -> datetime:
        """The database's time: what leases, heartbeats and ages go by."""
        return self._database.read(lambda work: work.now())

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
        return self._database.read(lambda work: outbox.pending_outbox(work, limit, run_id, projection, project, after))

    def finish_outbox(self, outbox_ids: Sequence[int]) -> None:
        """These rows are projected."""
        if outbox_ids:
            self._database.write(lambda work: outbox.finish_outbox(work, outbox_ids))

    def fail_outbox(self, outbox_ids: Sequence[int], error: str, *, refused: bool = True) -> None:
        """These rows could not be projected; they stay, with the error's text, and with one more try if `refused`."""
        if outbox_ids:
            self._database.write(lambda work: outbox.fail_outbox(work, outbox_ids, error, refused=refused))

    def outbox_lag(self, project: str, *, run_id: str | None = None) -> Mapping[str, OutboxLag]:
        """What each projection does not show yet of the project, or of one run."""
        return self._database.read(lambda work: outbox.outbox_lag(work, project, run_id))

    def has_projected(self, project: str, projection: str, *, before: datetime) -> bool:
        """Whether anything of the project was projected before a time."""
        return self._database.read(lambda work: outbox.has_projected(work, project, projection, before))

    def request_projection(self, project: str, projection: str, run_ids: Sequence[str] | None) -> int:
        """Have whole runs projected anew, all of the project's for None."""
        return self._database.write(lambda work: outbox.request_projection(work, project, projection, run_ids))

    def claim_link(self, tracker: str, subject_id: str, *, claimant: str, expires_seconds: float = 60.0) -> str | None:
        """The external id of a run or attempt, or None when the caller is to make it."""
        return projections.claim_link(
            self._database, tracker, subject_id, claimant=claimant, expires_seconds=expires_seconds
        )

    def save_link(self, tracker: str, subject_id: str, external_id: str) -> None:
        """Record the external id. The first one wins."""
        self._database.write(lambda work: projections.save_link(work, tracker, subject_id, external_id))

    def drop_links(self, tracker: str, external_ids: Mapping[str, str]) -> None:
        """These external ids, by subject, stand for nothing any more."""
        if external_ids:
            self._database.write(lambda work: projections.drop_links(work, tracker, external_ids))

    def find_links(self, tracker: str, subject_ids: Iterable[str]) -> Mapping[str, str]:
        """The external ids that are known."""
        wanted = list(subject_ids)
        return self._database.read(lambda work: projections.find_links(work, tracker, wanted))

    # -- reading -------------------------------------------------------------------------------------------------

    def get_artifacts(self, artifact_ids: Sequence[str]) -> Mapping[str, ArtifactRecord]:
        """The artifacts by id; unknown ids are left out."""
        return self._database.read(lambda work: reading.get_artifacts(work, artifact_ids))

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
        """Versions of artifacts, newest first."""
        wanted = {"name": name, "pipeline": pipeline, "version": version, "kind": kind}
        return self._database.read(
            lambda work: reading.find_artifacts(work, project, wanted, limit=limit, before=before, after=after)
        )

    def find_artifact_names(self, project: str, *, name: str | None = None) -> Sequence[tuple[str, str]]:
        """All pairs of pipeline and artifact name that have versions; with `name`, those of this name."""
        return self._database.read(lambda work: reading.find_artifact_names(work, project, name))

    def find_version(self, project: str, pipeline: str, name: str, version: int | None) -> ArtifactRecord | None:
        """One version of an artifact, deleted or not; without a version, the one that the name stands for."""
        return self._database.read(lambda work: naming.find_version(work, project, pipeline, name, version))

    def find_newest(self, artifact_ids: Sequence[str]) -> set[str]:
        """Those of the artifacts that are the latest of their names that is not deleted."""
        return self._database.read(lambda work: naming.find_newest(work, artifact_ids))

    def find_rolled_back(self, project: str) -> Mapping[tuple[str, str], int]:
        """The versions that stand for names because somebody rolled them back, by pipeline and name."""
        return self._database.read(lambda work: naming.find_rolled_back(work, project))

    def find_rollbacks(self, project: str, pipeline: str, name: str) -> Sequence[RollbackRecord]:
        """Every rollback of a name, newest first."""
        return self._database.read(lambda work: naming.find_rollbacks(work, project, pipeline, name))

    def roll_back(
        self, project: str, pipeline: str, name: str, version: int, *, by: str, reason: str
    ) -> RollbackRecord:
        """Let a name stand for this version until a later one is made."""
        return self._database.write(
            lambda work: naming.roll_back(work, project, pipeline, name, version, by=by, reason=reason)
        )

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
        """Runs, newest first."""
        return self._database.read(
            lambda work: reading.find_runs(
                work, project, pipeline=pipeline, limit=limit, skip=skip, before=before, after=after
            )
        )

    def find_pipelines(self, project: str) -> Sequence[str]:
        """The pipelines that have runs, by name."""
        return self._database.read(lambda work: reading.find_pipelines(work, project))

    def find_run(self, run_id_prefix: str, project: str | None = None) -> Sequence[RunRecord]:
        """The runs whose id begins so."""
        return self._database.read(lambda work: reading.find_run(work, run_id_prefix, project))

    def get_ir(self, project: str, digest: str) -> Mapping[str, Any] | None:
        """An IR document."""
        return self._database.read(lambda work: reading.get_ir(work, project, digest))

    def get_codes(self, project: str, digests: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """What fingerprints cover, by their digests; unknown ones are left out."""
        return self._database.read(lambda work: reading.get_codes(work, project, digests))

    def find_left_out(self, project: str, digest: str) -> Sequence[Mapping[str, str]]:
        """Which files of the project a code bundle lacks."""
        return self._database.read(lambda work: runs.find_left_out(work, project, digest) or ())

    def get_environment(self, project: str, digest: str) -> Mapping[str, Any] | None:
        """An environment snapshot."""
        return self._database.read(lambda work: reading.get_environment(work, project, digest))

    def get_step_runs(self, run_id: str) -> Sequence[StepRunState]:
        """All step runs of a run that have at least one attempt, in the order in which they first started."""
        return self._database.read(lambda work: states.get_step_runs(work, run_id))

    def get_attempts(self, step_run_id: str) -> Sequence[StepRunState]:
        """Every attempt at a step run, the first one first."""
        return self._database.read(lambda work: states.get_attempts(work, step_run_id))

    def get_step_run_records(self, step_run_ids: Sequence[str]) -> Mapping[str, StepRunRecord]:
        """The step runs by id; unknown ids are left out."""
        return self._database.read(lambda work: reading.get_step_run_records(work, step_run_ids))

    def find_earlier_attempts(
        self, project: str, pipeline: str, steps: Sequence[str], *, before: datetime, but_run: str
    ) -> Sequence[EarlierAttempt]:
        """What later attempts at these steps are compared with, newest first."""
        return self._database.read(
            lambda work: earlier.find_earlier_attempts(work, project, pipeline, steps, before=before, but_run=but_run)
        )

    def find_step_statuses(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, StepRunStatus]]:
        """For many runs at once: the status of each step run but hooks."""
        return self._database.read(lambda work: states.find_step_statuses(work, run_ids))

    def find_answers(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """For many runs at once: what gates and expanders answered."""
        return self._database.read(lambda work: outputs.find_answers(work, run_ids))

    def find_outputs(
        self, run_id: str, step: str, *, map_index: int | None = None
    ) -> Mapping[int | None, StepRunOutputs]:
        """The step runs of one step by map index, or the one of an index."""
        return self._database.read(lambda work: outputs.find_outputs(work, run_id, step, map_index))

    def find_producers(self, artifact_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """For each artifact, the artifacts that it was made from."""
        return self._database.read(lambda work: reading.find_producers(work, artifact_ids))

    def find_consumers(
        self, artifact_ids: Sequence[str], *, limit: int | None = None
    ) -> Mapping[str, Sequence[tuple[str, Sequence[str]]]]:
        """For each artifact, the step runs that read it, each with the artifacts that it has as outputs."""
        return self._database.read(lambda work: reading.find_consumers(work, artifact_ids, limit))

    def find_ancestors(self, artifact_ids: Sequence[str], *, limit: int) -> Sequence[str]:
        """Artifacts with all that they were made from."""
        return self._database.read(lambda work: reading.find_ancestors(work, artifact_ids, limit))

    def find_descendants(self, artifact_ids: Sequence[str], *, limit: int) -> Sequence[str]:
        """Artifacts with all that was made of them."""
        return self._database.read(lambda work: reading.find_descendants(work, artifact_ids, limit))

    # -- cleaning up ---------------------------------------------------------------------------------------------

    def list_artifacts(self, *, after: str = "") -> Sequence[ArtifactFacts]:
        """The next page of all artifacts of all projects, by id."""
        return self._database.read(lambda work: retention.list_artifacts(work, after))

    def find_open_runs(self, *, since: datetime) -> Sequence[OpenRun]:
        """Runs that may go on, as far as their records tell."""
        return self._database.read(lambda work: retention.find_open_runs(work, since))

    def find_oldest_running(self, *, since: datetime) -> datetime | None:
        """When the oldest attempt began that runs."""
        return self._database.read(lambda work: retention.find_oldest_running(work, since))

    def find_used(self, artifact_ids: Sequence[str], in_use: InUse) -> set[str]:
        """Those of the artifacts that an open run uses."""
        return self._database.read(lambda work: retention.find_used(work, artifact_ids, in_use))

    def find_same_content(self, records: Sequence[ArtifactRecord]) -> Sequence[ArtifactRecord]:
        """All artifacts that live and share their value or their bytes with one of these."""
        return self._database.read(lambda work: retention.find_same_content(work, records))

    def bury_unused(self, artifact_ids: Sequence[str], tombstone: Tombstone, in_use: InUse) -> Sequence[str]:
        """Make tombstones of those that may go; answer which."""
        return self._database.write(lambda work: retention.bury_unused(work, artifact_ids, tombstone, in_use))

    def bury(self, artifact_ids: Sequence[str], tombstone: Tombstone) -> None:
        """Make tombstones of these artifacts, whoever uses them."""
        self._database.write(lambda work: retention.bury(work, artifact_ids, tombstone))

    def find_applied_events(self, event_ids: Sequence[str]) -> set[str]:
        """Those of the spooled events that were applied."""
        return self._database.read(lambda work: retention.find_applied_events(work, event_ids))

    def find_known_attempts(self, attempt_ids: Sequence[str]) -> set[str]:
        """Those of the attempts that are recorded."""
        return self._database.read(lambda work: retention.find_known_attempts(work, attempt_ids))

    def find_known_runs(self, run_ids: Sequence[str]) -> set[str]:
        """Those of the runs of which a step is recorded."""
        return self._database.read(lambda work: retention.find_known_runs(work, run_ids))

    def find_code_digests(self) -> set[str]:
        """The code that runs and attempts name, of all projects."""
        return self._database.read(retention.find_code_digests)

    # -- removing runs: imported when it is asked for, since no step ever does ---------------------------------------

    def find_old_runs(self, project: str, *, before: datetime) -> OldRuns:
        """The runs that are older than this, newest first; and what needs them."""
        from zen_metadata.lineage.sql import pruning

        return self._database.read(lambda work: pruning.find_old_runs(work, project, before))

    def delete_attempts(self, run_id: str, *, before: datetime) -> int | None:
        """Delete some of the latest attempts at a run's steps with all that hangs on them; answer how many."""
        from zen_metadata.lineage.sql import pruning

        return self._database.write(lambda work: pruning.delete_attempts(work, run_id, before))

    def delete_run(self, run_id: str) -> bool:
        """Delete a run that has no attempts; answer whether it was there, and had none."""
        from zen_metadata.lineage.sql import pruning

        return self._database.write(lambda work: pruning.delete_run(work, run_id))

    def delete_traces(self, run_ids: Sequence[str]) -> None:
        """Delete what else is remembered of runs that were deleted."""
        from zen_metadata.lineage.sql import pruning

        self._database.write(lambda work: pruning.delete_traces(work, run_ids))

    def delete_done_events(self, project: str, *, before: datetime, after: int) -> int | None:
        """Delete some rows of the outbox that are done and whose run is not there any more."""
        from zen_metadata.lineage.sql import pruning

        return self._database.write(lambda work: pruning.delete_done_events(work, project, before, after))

    def find_unnamed_documents(self, project: str, *, before: datetime) -> Mapping[str, Sequence[str]]:
        """The digests of documents from before this time that no run names, by table."""
        from zen_metadata.lineage.sql import pruning

        return self._database.read(lambda work: pruning.find_unnamed_documents(work, project, before))

    def delete_documents(self, project: str, table: str, digests: Sequence[str]) -> int:
        """Delete those of these documents that still no run names; answer how many."""
        from zen_metadata.lineage.sql import pruning

        return self._database.write(lambda work: pruning.delete_documents(work, project, table, digests))

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
        """Cache entries, newest first."""
        return self._database.read(
            lambda work: cache_reading.list_entries(work, project, pipeline=pipeline, step=step, key=key, limit=limit)
        )

    def invalidate_cache_entries(self, project: str, cache_keys: Sequence[str]) -> int:
        """Let no later look-up use these entries; answer how many were in use before."""
        return self._database.write(lambda work: cache_reading.invalidate(work, project, cache_keys))

    def find_cache_use(self, project: str, *, since: datetime) -> Sequence[CacheUse]:
        """What the cache did for each step since then."""
        return self._database.read(lambda work: cache_reading.find_use(work, project, since))
