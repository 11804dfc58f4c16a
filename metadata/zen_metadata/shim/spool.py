"""Facts that the lineage store could not take: one file per fact beside the artifacts, until they are replayed.

    spool/events/TIME_RUN_ATTEMPT.json   how an attempt ended; TIME_RUN_end.json: that a run was closed
    spool/artifacts/ARTIFACT.json        what an attempt made, so that later tasks find it while the store is away
    spool/outputs/STEPRUN.json           the same by the step run, where no orchestrator hands over what it made
    spool/refused/…                      events that cannot be recorded, set aside so that they hold up no other

The event is written last: what has no event was never told, and its attempt counts as lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zen_core.contract.canonical import canonical_json
from zen_core.contract.values import TAG, from_json, to_json
from zen_core.errors import ArtifactMissingError, SchemaVersionError, StoreError, StoreUnavailableError
from zen_metadata.lineage.records import ArtifactRecord, AttemptEnd, AttemptRecord, RunRecord, RunStatus, StepRunRecord

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore

FORMAT = 1
"""The version of the documents. Those of an older Zen that name none are of version 1."""
EVENTS_FOLDER = "spool/events"
REFUSED_FOLDER = "spool/refused"
_ARTIFACTS = "spool/artifacts"
_OUTPUTS = "spool/outputs"
_VERSION = "zen_spool"
_END = "end"
_TIME = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"(?P<time>\d{8}T\d{12}Z)_(?P<run>[^_/]+)_(?P<of>[^_/]+)\.json")
_RECORDS = "zen_metadata.lineage.records:"
_KINDS = {
    "run": RunRecord,
    "step_run": StepRunRecord,
    "attempt": AttemptRecord,
    "end": AttemptEnd,
    "ended_at": datetime,
}


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

    @property
    def event_id(self) -> str:
        """What tells that it was applied."""
        return self.attempt.attempt_id


@dataclass(frozen=True, slots=True)
class RunEndEvent:
    """That a run was closed."""

    run: RunRecord
    ir: Mapping[str, Any]
    ended_at: datetime
    status: RunStatus | None
    """None: to be worked out from the steps, once they are all recorded."""

    @property
    def event_id(self) -> str:
        """What tells that it was applied; a run may be closed again after a step of it was run again."""
        return f"end {self.run.run_id} {self.ended_at.strftime(_TIME)}"


Event = AttemptEvent | RunEndEvent


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What lies in the spool.

    Attributes:
        waiting: events that are to be recorded.
        oldest: when the oldest of them happened.
        refused: events that could not be recorded, and were set aside.
    """

    waiting: int
    oldest: datetime | None
    refused: int


# -- writing ---------------------------------------------------------------------------------------------------------


def write_event(artifacts: ArtifactStore, event: AttemptEvent) -> None:
    """Write the event, and its artifacts so that later tasks find them while the store is away."""
    for record in event.end.outputs.values():
        artifacts.write_bytes(location_of(record.artifact_id), _encode({"artifact": record}))
    if is_asked_for(event.step_run, event.end):
        location = _outputs_location(event.step_run.step_run_id)
        artifacts.remove(location)  # what an earlier attempt made
        artifacts.write_bytes(location, _encode_outputs(event))
    _write(artifacts, event, event.end.ended_at or datetime.now(UTC), event.attempt.attempt_id)


def write_run_end(artifacts: ArtifactStore, event: RunEndEvent) -> None:
    """Write that a run was closed."""
    _write(artifacts, event, event.ended_at, _END)


def recorded_nowhere(lineage: StoreError, artifacts: StoreError) -> StoreError:
    """The error where neither the lineage store nor the spool takes what a step did."""
    kind = StoreUnavailableError if lineage.transient or artifacts.transient else StoreError
    return kind(
        "what the step did can be recorded nowhere: both stores are out of reach",
        why=f"{_sentence(lineage)}; and the spool beside the artifacts: {_sentence(artifacts)}",
        hint=f"bring one of them back, then run the step again: {artifacts.diagnostics[0].hint}",
    )


def _sentence(error: StoreError) -> str:
    problem = error.diagnostics[0]
    return ": ".join(filter(None, (problem.where, problem.message, problem.why)))


def _write(artifacts: ArtifactStore, event: Event, happened_at: datetime, of: str) -> None:
    # The name tells time and run, so that order and number are known without reading.
    location = f"{EVENTS_FOLDER}/{happened_at.astimezone(UTC).strftime(_TIME)}_{event.run.run_id}_{of}.json"
    artifacts.write_bytes(location, _encode({field.name: getattr(event, field.name) for field in fields(event)}))


def is_asked_for(step_run: StepRunRecord, end: AttemptEnd) -> bool:
    """Whether later steps ask for this step run by its name, since no orchestrator hands over what it made."""
    is_done = end.status in ("completed", "cached")
    return is_done and (step_run.map_index is not None or step_run.kind in ("gate", "expander"))


def _encode_outputs(event: AttemptEvent) -> bytes:
    return _encode({"outputs": dict(event.end.outputs)})


def _encode(document: Mapping[str, Any]) -> bytes:
    return canonical_json(to_json({_VERSION: FORMAT, **document})).encode()


# -- finding, while the store is away --------------------------------------------------------------------------------


def find_artifact(artifacts: ArtifactStore, artifact_id: str) -> ArtifactRecord | None:
    """An artifact that was recorded in the spool, or None."""
    document = _find(artifacts, location_of(artifact_id))
    record = document.get("artifact") if isinstance(document, dict) else document
    return record if isinstance(record, ArtifactRecord) else None


def find_outputs(artifacts: ArtifactStore, step_run_id: str) -> Mapping[str, ArtifactRecord] | None:
    """What a gate, an expander or an element of a map made, as it was recorded in the spool; else None."""
    document: Mapping[str, Any] | None = _find(artifacts, _outputs_location(step_run_id))
    if document is None or _VERSION not in document:  # an older Zen wrote the outputs alone
        return document
    found: Mapping[str, ArtifactRecord] = document["outputs"]
    return found


def _find(artifacts: ArtifactStore, location: str) -> Any:
    if not artifacts.exists(location):
        return None
    try:
        return _decode(artifacts.read_bytes(location), location)
    except ArtifactMissingError:  # recorded meanwhile, and removed
        return None


def location_of(artifact_id: str) -> str:
    """Where later tasks find an artifact that is recorded in the spool."""
    return f"{_ARTIFACTS}/{artifact_id}.json"


def _outputs_location(step_run_id: str) -> str:
    return f"{_OUTPUTS}/{step_run_id}.json"


# -- what waits ------------------------------------------------------------------------------------------------------


def describe_spool(artifacts: ArtifactStore) -> SpoolState:
    """How much waits, and since when; by the names and times of the files."""
    files = artifacts.files(EVENTS_FOLDER)
    times = [_time_of(file.location) or _from_timestamp(file.modified_at) for file in files]
    oldest = min(filter(None, times), default=None)
    return SpoolState(len(files), oldest, len(artifacts.list(REFUSED_FOLDER)))


def count_spooled(artifacts: ArtifactStore, run_id: str) -> int:
    """How many facts of a run wait; those that an older Zen wrote tell no run, and are not counted."""
    names = (_NAME.fullmatch(location.rpartition("/")[2]) for location in artifacts.list(EVENTS_FOLDER))
    return sum(name is not None and name["run"] == run_id for name in names)


def _time_of(location: str) -> datetime | None:
    name = _NAME.fullmatch(location.rpartition("/")[2])
    return datetime.strptime(name["time"], _TIME).replace(tzinfo=UTC) if name else None


def _from_timestamp(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


# -- reading ---------------------------------------------------------------------------------------------------------


def list_events(artifacts: ArtifactStore) -> list[str]:
    """The locations of all events, the oldest first, and after them those that close runs."""
    order = []
    for location in artifacts.list(EVENTS_FOLDER):
        name = _NAME.fullmatch(location.rpartition("/")[2])
        if name is not None:
            order.append((name["of"] == _END, name["time"], location))
        else:  # an older Zen's, whose name tells no time
            order.append((False, _read_time(artifacts, location), location))
    return [location for *_, location in sorted(order)]


def _read_time(artifacts: ArtifactStore, location: str) -> str:
    try:
        event = decode_event(artifacts.read_bytes(location), location)
    except StoreError:  # whoever replays it says what is wrong
        return ""
    ended_at = event.end.ended_at if isinstance(event, AttemptEvent) else event.ended_at
    return ended_at.astimezone(UTC).strftime(_TIME) if ended_at else ""


def read_events(artifacts: ArtifactStore) -> Iterator[tuple[str, Event]]:
    """All events with their locations. One that another process has recorded and removed meanwhile is left out.

    Those that were set aside are among them, as far as they can be read: what they refer to may yet be recorded.

    Raises:
        StoreError: an event that was not set aside is damaged, or was written by a newer Zen.
    """
    for location in (*artifacts.list(EVENTS_FOLDER), *artifacts.list(REFUSED_FOLDER)):
        try:
            yield location, decode_event(artifacts.read_bytes(location), location)
        except ArtifactMissingError:
            continue
        except StoreError:
            if not location.startswith(REFUSED_FOLDER):
                raise


def decode_event(data: bytes, location: str) -> Event:
    """The event of a file.

    Raises:
        SchemaVersionError: a newer Zen wrote it.
        StoreError: it is damaged.
    """
    document = _decode(data, location)
    try:
        document.pop(_VERSION, None)
        event = RunEndEvent(**document) if "ended_at" in document else AttemptEvent(**document)
    except (AttributeError, TypeError) as error:
        raise _damaged(location, error) from error
    wrong = [name for name, kind in _KINDS.items() if name in document and not isinstance(document[name], kind)]
    if wrong:
        raise _damaged(location, f"its {wrong[0]} is none")
    return event


def outputs_of(event: Event) -> Iterable[ArtifactRecord]:
    """The artifacts that an event tells of."""
    return event.end.outputs.values() if isinstance(event, AttemptEvent) else ()


def locations_of(event: Event) -> list[str]:
    """The files beside an event that tell later tasks of what it made."""
    if isinstance(event, RunEndEvent):
        return []
    records = [location_of(record.artifact_id) for record in event.end.outputs.values()]
    return [*records, _outputs_location(event.step_run.step_run_id)]


def remove_found(artifacts: ArtifactStore, event: Event) -> None:
    """Remove what tells later tasks of an event that is recorded; a later attempt's stays."""
    if isinstance(event, RunEndEvent):
        return
    for record in event.end.outputs.values():
        artifacts.remove(location_of(record.artifact_id))
    if not is_asked_for(event.step_run, event.end):
        return
    location = _outputs_location(event.step_run.step_run_id)
    found = find_outputs(artifacts, event.step_run.step_run_id)
    if found == dict(event.end.outputs):
        artifacts.remove(location)


def _decode(data: bytes, location: str) -> Any:
    try:
        document = json.loads(data)
        version = document.get(_VERSION, FORMAT) if isinstance(document, dict) else FORMAT
        if version == FORMAT:
            _refuse_foreign_classes(document)
            return from_json(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(location, error) from error
    raise SchemaVersionError(
        f"the spool file {location} is of format {version!r}, and this Zen reads {FORMAT}",
        why="a newer Zen wrote it",
        hint="let the newer one record it: zen sync where it is installed",
    )


def _damaged(location: str, why: object) -> StoreError:
    return StoreError(
        f"the spool file {location} is damaged: {why}",
        hint="`zen sync` sets it aside; the attempt that it tells of is then not recorded",
    )


def _refuse_foreign_classes(value: Any) -> None:
    """A spool file names record classes only; any other class would be code of the file's choosing."""
    if isinstance(value, list):
        for item in value:
            _refuse_foreign_classes(item)
    elif isinstance(value, dict):
        is_record = value.get(TAG) == "dataclass" and str(value.get("class")).startswith(_RECORDS)
        if TAG in value and "class" in value and not is_record:
            raise ValueError(f"it holds an object of class {value['class']!r}")
        for item in value.values():
            _refuse_foreign_classes(item)
