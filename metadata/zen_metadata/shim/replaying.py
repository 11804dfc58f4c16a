"""Records what was spooled: each fact exactly once, whoever replays it and however often a replay is killed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zen_core.errors import ArtifactMissingError, SchemaVersionError, StoreError
from zen_metadata.lineage.store import FactRefusedError
from zen_metadata.query.status import derive_run_status
from zen_metadata.shim.spool import (
    EVENTS_FOLDER,
    REFUSED_FOLDER,
    AttemptEvent,
    Event,
    RunEndEvent,
    decode_event,
    list_events,
    remove_found,
)

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.lineage.store import LineageStore

_log = logging.getLogger("zen")


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did.

    Attributes:
        replayed: events that are recorded now.
        pending: events that wait on.
        error: why they do; "" where none waits.
        refused: what was set aside, a sentence for each event.
        stopped: whether the lineage store is away or refuses, so that nothing else would get through either.
    """

    replayed: int = 0
    pending: int = 0
    error: str = ""
    refused: Sequence[str] = ()
    stopped: bool = False

    def tell(self) -> None:
        """Say in the log what somebody has to look after."""
        for sentence in self.refused:
            _log.error("%s", sentence)
        if self.pending and not self.stopped:  # that the store is away is told by whoever needs it next
            _log.warning("%d spooled facts wait on: %s", self.pending, self.error)


def replay(store: LineageStore, artifacts: ArtifactStore) -> ReplayReport:
    """Record all spooled events, the oldest first, and remove their files. One event is in memory at a time.

    Safe to call from several processes at once: an event is applied once, whoever comes first. An event that is
    damaged, or that the store refuses for what is in it, is set aside and holds up no other; one of a newer Zen waits
    for that. Stops where the store itself is away or refuses; what is left stays.

    Raises:
        StoreError: the artifact store cannot be read or written.
    """
    return _Replay(store, artifacts).run()


class _Replay:
    def __init__(self, store: LineageStore, artifacts: ArtifactStore) -> None:
        self._store = store
        self._artifacts = artifacts
        self._saved: set[tuple[str, ...]] = set()
        self._refused: list[str] = []

    def run(self) -> ReplayReport:
        replayed = newer = 0
        error = ""
        locations = list_events(self._artifacts)
        for position, location in enumerate(locations):
            try:
                data = self._artifacts.read_bytes(location)
            except ArtifactMissingError:  # another process has recorded it
                continue
            try:
                event = decode_event(data, location)
            except SchemaVersionError as failure:
                newer, error = newer + 1, failure.message
                continue
            except StoreError as failure:
                self._set_aside(location, data, failure.message)
                continue
            try:
                self._store.apply_once(event.event_id, lambda event=event: self._record(event))
            except (FactRefusedError, TypeError, ValueError, AttributeError, KeyError) as failure:
                self._set_aside(location, data, f"the spool file {location} cannot be recorded: {failure}")
                continue
            except StoreError as failure:
                left = newer + len(locations) - position
                return ReplayReport(replayed, left, failure.message, tuple(self._refused), stopped=True)
            remove_found(self._artifacts, event)
            self._artifacts.remove(location)
            replayed += 1
        return ReplayReport(replayed, newer, error, tuple(self._refused))

    def _record(self, event: Event) -> None:
        run = event.run
        self._once(("run", run.run_id), lambda: self._store.open_run(run, event.ir))
        if isinstance(event, RunEndEvent):
            self._end_run(event)
            return
        self._record_attempt(event)

    def _record_attempt(self, event: AttemptEvent) -> None:
        project, attempt, store = event.run.project, event.attempt, self._store
        self._once(("ir", project, attempt.ir_digest), lambda: store.save_ir(project, attempt.ir_digest, event.ir))
        self._once(
            ("environment", project, event.environment_digest),
            lambda: store.save_environment(project, event.environment_digest, event.environment),
        )
        if (code := event.code) is not None:
            fingerprint = attempt.fingerprint
            self._once(("code", project, fingerprint), lambda: store.save_code(project, fingerprint, code))
        store.end_attempt(event.run, event.step_run, attempt, event.end)

    def _end_run(self, event: RunEndEvent) -> None:
        stored = self._store.open_run(event.run, event.ir)
        status = event.status
        if status is None:
            steps = self._store.get_step_runs(stored.run_id)
            status = derive_run_status(replace(stored, closed_status=None, ended_at=None), event.ir, steps)
            # It was closed when nothing ran any more: a step that is missing was kept from running.
            status = "failed" if status == "running" else status
        self._store.end_run(stored.run_id, status, event.ended_at)

    def _once(self, what: tuple[str, ...], save: Callable[[], object]) -> None:
        """What many events tell again and again is sent to the store once."""
        if what not in self._saved:
            save()
            self._saved.add(what)

    def _set_aside(self, location: str, data: bytes, why: str) -> None:
        kept = location.replace(EVENTS_FOLDER, REFUSED_FOLDER, 1)
        self._artifacts.write_bytes(kept, data)
        self._artifacts.remove(location)
        self._refused.append(f"{why}; it was moved to {kept}, and is recorded if you mend it and move it back")
