"""Removing the records of old runs that nothing needs any more, with the logs of their steps.

What stays keeps what it was made from: a run goes only when no run that stays read, reused or pinned anything of it.
So no lineage of what is kept loses anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from zen_core.errors import NotFoundError
from zen_metadata.lineage.retention import OldRun, OldRuns
from zen_metadata.query.nearest import did_you_mean
from zen_metadata.query.stores import ReadStores
from zen_metadata.retention.choosing import Policy, find_in_use
from zen_metadata.retention.inventory import in_batches
from zen_metadata.shim import spool

REASONS = ("running", "live", "cached", "waiting", "lineage")
"""Why an old run stays, the first that holds."""


@dataclass(frozen=True)
class Pruned:
    """What goes, or went.

    Attributes:
        deleted: whether it is gone; else it would go.
        older_than_seconds: runs that gave a sign of life within this time stay.
        runs: the runs that go.
        kept: how many older runs stay, by reason: running, live (made a version that is not deleted), cached (its
            result may be reused), waiting (something of it is still to be recorded or projected), lineage (what stays
            was made from it).
        attempts: how many attempts went with them.
        logs: how many files of logs.
        documents: how many IR, code and environment documents went that no run names any more, by kind.
    """

    deleted: bool
    older_than_seconds: float
    runs: Sequence[OldRun]
    kept: Mapping[str, int]
    attempts: int = 0
    logs: int = 0
    documents: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document of `zen store prune --json`."""
        return {
            "deleted": self.deleted,
            "older_than_seconds": self.older_than_seconds,
            "runs": [
                {"run_id": run.run_id, "pipeline": run.pipeline, "started_at": run.started_at.isoformat()}
                for run in self.runs
            ],
            "kept": dict(self.kept),
            "attempts": self.attempts,
            "logs": self.logs,
            "documents": dict(self.documents),
        }


def prune(
    stores: ReadStores,
    *,
    older_than_seconds: float,
    pipelines: Collection[str] = (),
    delete: bool,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pruned:
    """Find which runs of the project may go, and with `delete` let them go.

    Safe beside running pipelines, and beside another one of its kind. Whoever is interrupted leaves a run without some
    of its steps at worst, which the next call removes.

    Args:
        pipelines: only runs of these; none for all.
        on_progress: told how many runs are done, of how many.

    Raises:
        NotFoundError: no run is of such a pipeline.
        StoreError: a store refuses; on PostgreSQL the role may need the right to DELETE.
    """
    lineage, project = stores.lineage, stores.settings.project
    before = lineage.read_clock() - timedelta(seconds=older_than_seconds)
    # First what runs, then what is spooled, then what is recorded: a fact on its way is met at least once.
    running = _find_running(stores)
    spooled = {event.run.run_id for _, event in spool.read_events(stores.artifacts)}
    old = lineage.find_old_runs(project, before=before)
    _refuse_unknown(stores, pipelines, old.runs)
    going, kept = choose_runs(old, running=running, spooled=spooled, pipelines=pipelines)
    if not delete:
        return Pruned(False, older_than_seconds, going, kept)
    attempts, logs, gone = 0, 0, []
    for number, run in enumerate(going, 1):
        counts = _delete(stores, run, before)
        if counts is not None:
            gone.append(run)
            attempts += counts[0]
            logs += counts[1]
        on_progress(number, len(going))
    for batch in in_batches([run.run_id for run in gone]):
        lineage.delete_traces(batch)
    _delete_done_events(stores, before)
    documents = _delete_documents(stores, before)
    return Pruned(True, older_than_seconds, gone, kept, attempts, logs, documents)


def choose_runs(
    old: OldRuns, *, running: Collection[str], spooled: Collection[str], pipelines: Collection[str]
) -> tuple[list[OldRun], dict[str, int]]:
    """Those of the old runs that may go, newest first; and how many stay, by reason."""
    wanted = [run for run in old.runs if not pipelines or run.pipeline in pipelines]
    reasons: dict[str, str] = {}
    for run in wanted:
        facts = (running, old.live, old.cached, old.waiting | frozenset(spooled))
        for reason, ids in zip(REASONS, facts, strict=False):
            if run.run_id in ids:
                reasons[run.run_id] = reason
                break
    candidates = {run.run_id for run in wanted} - reasons.keys()
    # Everything that stays holds on to what it was made from, and that to what it was made from.
    waiting = [reader for reader in old.makers if reader not in candidates]
    while waiting:
        for maker in old.makers.get(waiting.pop(), ()):
            if maker in candidates:
                candidates.discard(maker)
                reasons[maker] = "lineage"
                waiting.append(maker)
    counted = Counter(reasons.values())
    return (
        [run for run in wanted if run.run_id in candidates],
        {reason: counted[reason] for reason in REASONS if counted[reason]},
    )


def _find_running(stores: ReadStores) -> set[str]:
    in_use = find_in_use(stores, stores.lineage.read_clock(), Policy())
    return {run.run_id for run in stores.lineage.find_open_runs(since=in_use.since)} - set(in_use.over)


def _delete(stores: ReadStores, run: OldRun, before: datetime) -> tuple[int, int] | None:
    """How many attempts and logs went with a run; None where it is needed again, or somebody else removed it."""
    attempts = 0
    while count := stores.lineage.delete_attempts(run.run_id, before=before):
        attempts += count
    if count is None:
        return None
    # Before the run itself: logs of a run that nobody knows look like those of another lineage store.
    logs = [file.location for file in stores.artifacts.files(f"logs/{run.run_id}")]
    for location in logs:
        stores.artifacts.remove(location)
    return (attempts, len(logs)) if stores.lineage.delete_run(run.run_id) else None


def _delete_done_events(stores: ReadStores, before: datetime) -> None:
    position: int | None = 0
    while position is not None:
        position = stores.lineage.delete_done_events(stores.settings.project, before=before, after=position)


def _delete_documents(stores: ReadStores, before: datetime) -> dict[str, int]:
    """What no run names any more, unless it is as young as what is kept."""
    project = stores.settings.project
    counts: Counter[str] = Counter()
    for table, digests in stores.lineage.find_unnamed_documents(project, before=before).items():
        for batch in in_batches(digests):
            counts[table.removeprefix("zen_")] += stores.lineage.delete_documents(project, table, batch)
    return {name: count for name, count in sorted(counts.items()) if count}


def _refuse_unknown(stores: ReadStores, pipelines: Iterable[str], old: Sequence[OldRun]) -> None:
    known = {run.pipeline for run in old}
    for name in pipelines:
        if name not in known and not stores.lineage.find_runs(stores.settings.project, pipeline=name, limit=1):
            raise NotFoundError(
                f"project {stores.settings.project!r} has no run of a pipeline {name!r}",
                hint=did_you_mean(name, sorted(known)) or "zen runs lists what there is",
            )
