"""Sends the events of what is pending in the outbox, at least once and in the order in which things happened.

Imports neither the client nor SQLAlchemy until there is something to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from zen_core.contract.settings import Settings
from zen_core.errors import TrackingError
from zen_metadata.lineage.records import OutboxRecord, RunRecord, StepRunState
from zen_metadata.lineage.store import LineageStore
from zen_metadata.query.status import derive_run_status
from zen_metadata.tracking.locks import drain_turn
from zen_metadata.tracking.openlineage.events import Event, RunEvents, RunFacts, is_shown
from zen_metadata.tracking.openlineage.target import REFUSED, BusyError, find_obstacle
from zen_metadata.tracking.outbox import AGAIN, Patience, Stop, SyncReport, count_pending, pending_batches

if TYPE_CHECKING:
    from zen_metadata.tracking.openlineage.target import Target

PROJECTION = "openlineage"
"""The name of this projection in the outbox, and of its links: a run id leads to `OPENED`."""
OPENED = "opened"
_PATIENCE_SECONDS = 20.0
_FINISH_AFTER = 100
_ALL_ROWS = 1_000_000


def sync(
    settings: Settings,
    *,
    run_id: str | None = None,
    wait: bool = True,
    only_due: bool = False,
    stop: Stop | None = None,
) -> SyncReport:
    """Send the events of all pending facts, or of those of one run.

    A client that is not installed and a receiver that cannot be reached are no errors: the report says so, and the
    rows stay.

    Args:
        settings: `lineage_url`, `project`, and what names the target.
        run_id: only this run's facts.
        wait: wait for another process that sends at the moment; else leave the work to it.
        only_due: leave out what was refused, until it is time to try it again.
        stop: asks for an early end.

    Raises:
        StoreError: the lineage store cannot be read.
    """
    from zen_metadata.lineage.sql import open_lineage_store

    stop = stop or Stop()
    with closing(open_lineage_store(settings.lineage_url)) as store:
        pending = count_pending(store, PROJECTION, settings.project, run_id)
        obstacle = find_obstacle(settings) if pending else ""
        if not pending or obstacle:
            return SyncReport(0, pending, error=obstacle)
        drain, error = Drain(store, settings, stop), ""
        with drain_turn(settings.lineage_url, settings.project, PROJECTION, wait=wait, stop=stop) as is_ours:
            if is_ours:
                error = drain.run(run_id=run_id, only_due=only_due)
        left = count_pending(store, PROJECTION, settings.project, run_id)
    return SyncReport(drain.projected, left, len(drain.refused), error or next(iter(drain.refused.values()), ""))


class Drain:
    """One pass over the outbox, which counts the rows whose events were sent."""

    def __init__(self, store: LineageStore, settings: Settings, stop: Stop) -> None:
        self._store = store
        self._settings = settings
        self._stop = stop
        self._patience = Patience(_PATIENCE_SECONDS, stop)
        self.projected = 0
        self.refused: dict[int, str] = {}
        """What the receiver said to events that it does not take. Their rows stay, and a later pass tries again."""

    def run(self, *, run_id: str | None, only_due: bool) -> str:
        """Send what is pending, run by run; answer why it ended early, "" when it did not."""
        from zen_metadata.tracking.openlineage.target import Target

        try:
            target = Target(self._settings)
        except TrackingError as error:
            return str(error)
        seen: set[str] = set()
        batches = pending_batches(self._store, PROJECTION, self._settings.project, run_id=run_id, only_due=only_due)
        with closing(target):
            for batch in batches:
                for found in dict.fromkeys(row.run_id for row in batch):
                    if found in seen:
                        continue
                    seen.add(found)
                    try:
                        self._send_run(target, found, self._rows_of(found, batch))
                    except TrackingError as error:
                        return str(error)
                    if self._stop.requested:
                        return ""
        return ""

    def _rows_of(self, run_id: str, batch: Sequence[OutboxRecord]) -> list[OutboxRecord]:
        """All pending rows of a run together, also those of later batches: its own end is told of once."""
        rows = [row for row in batch if row.run_id == run_id]
        after = batch[-1].outbox_id
        rows += self._store.pending_outbox(
            limit=_ALL_ROWS, run_id=run_id, projection=PROJECTION, project=self._settings.project, after=after
        )
        return rows

    def _send_run(self, target: Target, run_id: str, rows: Sequence[OutboxRecord]) -> None:
        """Send the events of a run. Raises TrackingError when the receiver cannot be reached."""
        work = _RunRows(rows)
        try:
            for run in self._store.find_run(run_id):  # none: it was removed meanwhile
                attempts, events = self._prepare(run, work)
                work.keep_only(attempt.attempt.attempt_id for attempt in attempts)
                for event in events:
                    if self._stop.requested:
                        return
                    self._send(target, run, event, work)
                    if len(work.done) >= _FINISH_AFTER:
                        self._finish(work)
            work.done += work.rest()
        except TrackingError as error:
            self._store.fail_outbox(work.left()[:1], _reason(error), refused=False)  # one tells it for all
            raise
        finally:
            self._finish(work)

    def _prepare(self, run: RunRecord, work: _RunRows) -> tuple[list[StepRunState], list[Event]]:
        states = self._store.get_step_runs(run.run_id)
        ir = self._store.get_ir(run.project, run.ir_digest) or {"steps": ()}
        attempts = self._find_attempts(states, work)
        status = derive_run_status(run, ir, states) if run.closed_status is not None else "running"
        shown = attempts if status == "running" else [*attempts, *states]
        facts = RunFacts(
            run=run,
            status=status,
            states=states,
            ir_steps={step["name"]: step for step in ir["steps"]},
            artifacts=self._store.get_artifacts(_read_by(shown)),
            environments=self._environments(run.project, [*attempts, *states]),
        )
        opened = not work.again and bool(self._store.find_links(PROJECTION, [run.run_id]))
        return attempts, RunEvents(facts, self._settings).in_order(attempts, opened=opened)

    def _find_attempts(self, states: Sequence[StepRunState], work: _RunRows) -> list[StepRunState]:
        """The attempts that rows tell of; all, where the whole run is asked for."""
        latest = {state.attempt.attempt_id: state for state in states}
        if work.again:
            return [state for state in states if is_shown(state)]
        found = [latest[attempt_id] for attempt_id in work.step_by_attempt if attempt_id in latest]
        earlier = {step for attempt_id, step in work.step_by_attempt.items() if attempt_id not in latest}
        for step_run_id in sorted(earlier):  # they were tried again since
            found += [
                state
                for state in self._store.get_attempts(step_run_id)
                if state.attempt.attempt_id in work.step_by_attempt and state.attempt.attempt_id not in latest
            ]
        return [state for state in found if is_shown(state)]

    def _environments(self, project: str, states: Iterable[StepRunState]) -> dict[str, Mapping[str, Any]]:
        digests = dict.fromkeys(state.attempt.environment_digest for state in states)
        found = {digest: self._store.get_environment(project, digest) for digest in digests}
        return {digest: snapshot for digest, snapshot in found.items() if snapshot is not None}

    def _send(self, target: Target, run: RunRecord, event: Event, work: _RunRows) -> None:
        try:
            self._send_patiently(target, event)
        except TrackingError as error:
            if error.diagnostics[0].code != REFUSED:
                raise
            ids = work.take(event.attempt_id)
            self._store.fail_outbox(ids, _reason(error), refused=True)
            self.refused.update(dict.fromkeys(ids, str(error)))
            return
        if event.opens_run:
            self._store.save_link(PROJECTION, run.run_id, OPENED)
        if event.ends_attempt:
            work.done += work.take(event.attempt_id)

    def _send_patiently(self, target: Target, event: Event) -> None:
        document, tries = event.make(), 0
        while True:
            try:
                target.send(document)
                return
            except BusyError:
                tries += 1
                if not self._patience.wait(tries):
                    raise

    def _finish(self, work: _RunRows) -> None:
        self._store.finish_outbox(work.done)
        self.projected += len(work.done)
        work.done.clear()


class _RunRows:
    """The rows of one run: those of each attempt, and those of the run as a whole."""

    def __init__(self, rows: Sequence[OutboxRecord]) -> None:
        self.again = any(row.event == AGAIN for row in rows)
        self.step_by_attempt = {row.attempt_id: row.step_run_id or "" for row in rows if row.attempt_id}
        self._ids: dict[str | None, list[int]] = {}
        for row in rows:
            self._ids.setdefault(row.attempt_id, []).append(row.outbox_id)
        self.done: list[int] = []

    def keep_only(self, attempt_ids: Iterable[str]) -> None:
        """Rows of other attempts have no event of their own: they are done with the run's."""
        kept = set(attempt_ids)
        for attempt_id in [key for key in self._ids if key is not None and key not in kept]:
            self._ids.setdefault(None, []).extend(self._ids.pop(attempt_id))

    def take(self, attempt_id: str | None) -> list[int]:
        """The rows that one event tells of, or the run's own."""
        return self._ids.pop(attempt_id, [])

    def rest(self) -> list[int]:
        """All rows that are left once every event was sent."""
        left = self.left()
        self._ids.clear()
        return left

    def left(self) -> list[int]:
        """The rows that are neither done nor refused."""
        return [outbox_id for ids in self._ids.values() for outbox_id in ids]


def _read_by(states: Iterable[StepRunState]) -> list[str]:
    return list(dict.fromkeys(item.artifact_id for state in states for item in state.inputs if item.artifact_id))


def _reason(error: TrackingError) -> str:
    diagnostic = error.diagnostics[0]
    return diagnostic.why or diagnostic.message
