"""Facts that the lineage store could not take: one file per attempt beside the artifacts, replayed exactly once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zen_core.contract.canonical import canonical_json
from zen_core.contract.values import TAG, from_json, to_json
from zen_core.errors import ArtifactMissingError, StoreError, StoreUnavailableError
from zen_metadata.lineage.records import ArtifactRecord, AttemptEnd, AttemptRecord, RunRecord, StepRunRecord

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.lineage.store import LineageStore

_EVENTS = "spool/events"
_ARTIFACTS = "spool/artifacts"
_OUTPUTS = "spool/outputs"
_RECORDS = "zen_metadata.lineage.records:"


@dataclass(frozen=True, slots=True)
class AttemptEvent:
    """All that there is to record about one attempt: enough for a store that never heard of the run."""

    run: RunRecord
    ir: Mapping[str, Any]
    environment_digest: str
    environment: Mapping[str, Any]
    step_run: StepRunRecord
    attempt: AttemptRecord
    end: AttemptEnd
    code: Mapping[str, Any] | None = None
    """What the attempt's fingerprint covers; None where the store has it."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did."""

    replayed: int = 0
    pending: int = 0
    error: str = ""


def write_event(artifacts: ArtifactStore, event: AttemptEvent) -> None:
    """Write the event, and its artifacts so that later tasks find them while the store is away."""
    for record in event.end.outputs.values():
        artifacts.write_bytes(f"{_ARTIFACTS}/{record.artifact_id}.json", _encode(record))
    if _is_asked_for(event):
        location = _outputs_location(event.step_run.step_run_id)
        artifacts.remove(location)  # what an earlier attempt made
        artifacts.write_bytes(location, _encode(dict(event.end.outputs)))
    fields = {name: getattr(event, name) for name in AttemptEvent.__slots__}
    artifacts.write_bytes(f"{_EVENTS}/{event.attempt.attempt_id}.json", _encode(fields))


def find_artifact(artifacts: ArtifactStore, artifact_id: str) -> ArtifactRecord | None:
    """An artifact that was recorded in the spool, or None."""
    location = f"{_ARTIFACTS}/{artifact_id}.json"
    if not artifacts.exists(location):
        return None
    record = _decode(artifacts.read_bytes(location), location)
    return record if isinstance(record, ArtifactRecord) else None


def find_outputs(artifacts: ArtifactStore, step_run_id: str) -> Mapping[str, ArtifactRecord] | None:
    """What a gate, an expander or an element of a map made, as it was recorded in the spool; else None."""
    location = _outputs_location(step_run_id)
    if not artifacts.exists(location):
        return None
    found: Mapping[str, ArtifactRecord] = _decode(artifacts.read_bytes(location), location)
    return found


def _is_asked_for(event: AttemptEvent) -> bool:
    """Whether later steps ask for this step run by its name, since no orchestrator hands over what it made."""
    step_run = event.step_run
    is_done = event.end.status in ("completed", "cached")
    return is_done and (step_run.map_index is not None or step_run.kind in ("gate", "expander"))


def _outputs_location(step_run_id: str) -> str:
    return f"{_OUTPUTS}/{step_run_id}.json"


def read_events(artifacts: ArtifactStore) -> dict[str, AttemptEvent]:
    """All spooled events, by their location. One that another process has recorded and removed meanwhile is left out.

    Raises:
        StoreError: an event's file is damaged.
    """
    events = {}
    for location in artifacts.list(_EVENTS):
        try:
            data = artifacts.read_bytes(location)
        except ArtifactMissingError:
            continue
        events[location] = AttemptEvent(**_decode(data, location))
    return events


def locations_of(event: AttemptEvent) -> list[str]:
    """The files beside an event that tell later tasks of what it made."""
    records = [location_of(record.artifact_id) for record in event.end.outputs.values()]
    return [*records, _outputs_location(event.step_run.step_run_id)]


def location_of(artifact_id: str) -> str:
    """Where later tasks find an artifact that is recorded in the spool."""
    return f"{_ARTIFACTS}/{artifact_id}.json"


def replay(store: LineageStore, artifacts: ArtifactStore) -> ReplayReport:
    """Record all spooled events, oldest attempt first, and remove their files.

    Safe to call from several processes at once: an event is applied once, whoever comes first. Stops at the first
    sign that the store is away again; what is left stays.
    """
    events = sorted(read_events(artifacts).items(), key=lambda item: (str(item[1].end.ended_at), item[0]))
    replayed = 0
    for location, event in events:
        try:
            _apply(store, event)
        except StoreUnavailableError as error:
            return ReplayReport(replayed, len(events) - replayed, error.message)
        for record in event.end.outputs.values():
            artifacts.remove(f"{_ARTIFACTS}/{record.artifact_id}.json")
        if _is_asked_for(event):
            artifacts.remove(_outputs_location(event.step_run.step_run_id))
        artifacts.remove(location)
        replayed += 1
    return ReplayReport(replayed)


def _apply(store: LineageStore, event: AttemptEvent) -> None:
    def apply() -> None:
        store.open_run(event.run, event.ir)
        store.save_ir(event.run.project, event.attempt.ir_digest, event.ir)
        store.save_environment(event.run.project, event.environment_digest, event.environment)
        if event.code is not None:
            store.save_code(event.run.project, event.attempt.fingerprint, event.code)
        store.end_attempt(event.run, event.step_run, event.attempt, event.end)

    store.apply_once(event.attempt.attempt_id, apply)


def _encode(value: Any) -> bytes:
    return canonical_json(to_json(value)).encode()


def _decode(data: bytes, location: str) -> Any:
    try:
        document = json.loads(data)
        _refuse_foreign_classes(document)
        return from_json(document)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the spool file {location} is damaged: {error}",
            hint="move it away to go on without it; the attempt it tells of is then not recorded",
        ) from error


def _refuse_foreign_classes(value: Any) -> None:
    """A spool file names record classes only; any other class would be code of the file's choosing."""
    if isinstance(value, list):
        for item in value:
            _refuse_foreign_classes(item)
    elif isinstance(value, dict):
        kind = value.get(TAG)
        if kind in ("model", "enum") or (kind == "dataclass" and not str(value.get("class")).startswith(_RECORDS)):
            raise ValueError(f"it holds an object of class {value.get('class')!r}")
        for item in value.values():
            _refuse_foreign_classes(item)
