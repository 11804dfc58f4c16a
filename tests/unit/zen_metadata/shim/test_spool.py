"""Spooled facts are recorded once, whoever replays them, and a spool file can name nothing but facts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import tracemalloc
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from zen_core.contract.canonical import canonical_json
from zen_core.contract.identity import step_run_id
from zen_core.contract.settings import Settings
from zen_core.contract.values import to_json
from zen_core.errors import SchemaVersionError
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.records import ArtifactRecord, AttemptEnd, AttemptRecord, RunRecord, StepRunRecord
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.store import SqlLineageStore
from zen_metadata.shim.replaying import replay
from zen_metadata.shim.spool import (
    AttemptEvent,
    RunEndEvent,
    SpoolState,
    count_spooled,
    decode_event,
    describe_spool,
    find_artifact,
    list_events,
    location_of,
    write_event,
    write_run_end,
)

RUN_ID = str(uuid.UUID(int=7))
BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path, project="p").with_local_defaults()


@pytest.fixture
def artifacts(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.artifact_url)


def event(artifacts: ArtifactStore, scratch: Path, number: int) -> AttemptEvent:
    """The whole of one attempt, as a task writes it when the store is away; its value holds Zen's own tag."""
    stored = artifacts.save({"$zen": number, "when": (1, 2)}, scratch=scratch)
    step = f"step_{number}"
    ids = {"step_run_id": step_run_id(RUN_ID, step), "attempt_id": str(uuid.uuid5(uuid.UUID(RUN_ID), step))}
    output = ArtifactRecord(
        artifact_id=str(uuid.uuid5(uuid.UUID(RUN_ID), f"{step}.result")),
        project="p",
        pipeline="flow",
        name=step,
        digest=stored.digest,
        stored_digest=stored.stored_digest,
        type=stored.type,
        serializer=stored.serializer,
        serializer_version=stored.serializer_version,
        location=stored.location,
        size_bytes=stored.size_bytes,
        **ids,
    )
    return AttemptEvent(
        run=RunRecord(RUN_ID, "p", "flow", "d", "airflow", "k", "sha256:ir", "sha256:code", "0.1.0", {"a": 1}),
        ir={"steps": []},
        environment_digest="sha256:env",
        environment={"python": "3.11"},
        step_run=StepRunRecord(ids["step_run_id"], "p", RUN_ID, step),
        attempt=AttemptRecord(
            ids["attempt_id"], ids["step_run_id"], "p", "sha256:ir", "sha256:code", "f", True, step, {}, "sha256:env"
        ),
        end=AttemptEnd(
            ids["attempt_id"],
            ids["step_run_id"],
            "completed",
            outputs={"result": output},
            ended_at=BEGAN + timedelta(seconds=number),
        ),
    )


def test_what_is_spooled_is_found_before_and_after_it_is_recorded(
    settings: Settings, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    spooled = event(artifacts, tmp_path, 1)
    output = spooled.end.outputs["result"]
    write_event(artifacts, spooled)
    write_event(artifacts, spooled)
    assert find_artifact(artifacts, output.artifact_id) == output
    assert artifacts.load(output, scratch=tmp_path) == {"$zen": 1, "when": (1, 2)}
    store = open_lineage_store(settings.lineage_url)
    assert replay(store, artifacts).replayed == 1
    assert artifacts.list("spool") == []
    assert store.get_artifacts([output.artifact_id])[output.artifact_id].version == 1
    store.close()


def test_several_replay_at_once_and_each_fact_is_recorded_once(
    settings: Settings, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    for number in range(12):
        write_event(artifacts, event(artifacts, tmp_path, number))
    store = open_lineage_store(settings.lineage_url)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            replay(store, ArtifactStore(settings.artifact_url))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    states = store.get_step_runs(RUN_ID)
    assert sorted(state.step_run.step for state in states) == sorted(f"step_{number}" for number in range(12))
    assert {state.attempts for state in states} == {1}
    assert {artifact.version for artifact in store.find_artifacts("p")} == {1}
    store.close()


@pytest.fixture
def store(settings: Settings) -> Iterator[SqlLineageStore]:
    with closing(open_lineage_store(settings.lineage_url)) as store:
        yield store


def recorded(store: SqlLineageStore) -> list[str]:
    return sorted(state.step_run.step for state in store.get_step_runs(RUN_ID))


@pytest.mark.parametrize("kind", ["dataclass", "model", "enum", "flag", "address"])
def test_a_spool_file_cannot_name_a_class_of_its_own_choice(
    store: SqlLineageStore, artifacts: ArtifactStore, kind: str
) -> None:
    bad = {"run": {"$zen": kind, "class": "subprocess:Popen", "value": {"args": ["true"]}}}
    artifacts.write_bytes("spool/events/bad.json", json.dumps(bad).encode())
    (told,) = replay(store, artifacts).refused
    assert re.search(r"spool/events/bad.json is damaged: .*subprocess:Popen", told)


def test_a_damaged_event_is_set_aside_and_told_and_holds_up_no_other(
    store: SqlLineageStore, artifacts: ArtifactStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        write_event(artifacts, event(artifacts, tmp_path, number))
    first, *_ = locations = artifacts.list("spool/events")
    data = artifacts.read_bytes(first)
    overwrite(artifacts, first, data[: len(data) // 2])
    report = replay(store, artifacts)
    assert (report.replayed, report.pending, report.error, report.stopped) == (2, 0, "", False)
    kept = first.replace("/events/", "/refused/")
    (told,) = report.refused
    assert told.startswith(f"the spool file {first} is damaged: ")
    assert told.endswith(f"it was moved to {kept}, and is recorded if you mend it and move it back")
    report.tell()
    assert told in caplog.text
    assert len(recorded(store)) == len(locations) - 1
    assert describe_spool(artifacts) == SpoolState(0, None, 1)
    artifacts.write_bytes(first, data)  # mended, and moved back
    artifacts.remove(kept)
    assert replay(store, artifacts).replayed == 1
    assert len(recorded(store)) == len(locations)


@pytest.mark.parametrize("damage", [b"", b"null", b"[1]", b'{"zen_spool": 1}', b'{"zen_spool": 1, "run": 3}', b"\xff{"])
def test_whatever_a_spool_file_holds_it_is_told_without_an_error_of_zens(
    store: SqlLineageStore, artifacts: ArtifactStore, damage: bytes
) -> None:
    artifacts.write_bytes("spool/events/bad.json", damage or b" ")
    (told,) = replay(store, artifacts).refused
    assert "spool/events/bad.json is damaged" in told


def test_an_event_that_the_store_cannot_hold_is_set_aside(
    store: SqlLineageStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    for number in range(2):
        write_event(artifacts, event(artifacts, tmp_path, number))
    spooled = event(artifacts, tmp_path, 2)
    run = replace(spooled.run, run_id="other", tags=("\udcff",))
    write_event(artifacts, replace(spooled, run=run, end=replace(spooled.end, log_location="\udcff")))
    report = replay(store, artifacts)
    assert report.replayed == 2
    (told,) = report.refused
    assert "cannot be recorded" in told
    assert "cannot hold a fact" in told
    assert describe_spool(artifacts).refused == 1


def test_an_event_of_a_newer_zen_waits_and_is_refused_in_words(
    store: SqlLineageStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    for number in range(2):
        write_event(artifacts, event(artifacts, tmp_path, number))
    first, _ = artifacts.list("spool/events")
    document = json.loads(artifacts.read_bytes(first))
    assert document["zen_spool"] == 1
    overwrite(artifacts, first, json.dumps({**document, "zen_spool": 2, "more": True}).encode())
    report = replay(store, artifacts)
    assert (report.replayed, report.pending, report.refused) == (1, 1, ())
    assert report.error == f"the spool file {first} is of format 2, and this Zen reads 1"
    assert artifacts.list("spool/events") == [first]
    with pytest.raises(SchemaVersionError, match="let the newer one record it"):
        decode_event(artifacts.read_bytes(first), first)


def test_events_of_an_older_zen_are_read_in_the_order_of_their_times(
    store: SqlLineageStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    for number in range(3):
        spooled = event(artifacts, tmp_path, number)
        write_event(artifacts, spooled)
        (written,) = [name for name in artifacts.list("spool/events") if spooled.attempt.attempt_id in name]
        document = json.loads(artifacts.read_bytes(written))
        del document["zen_spool"]
        artifacts.remove(written)
        artifacts.write_bytes(f"spool/events/{spooled.attempt.attempt_id}.json", json.dumps(document).encode())
        record = next(iter(spooled.end.outputs.values()))
        overwrite(artifacts, location_of(record.artifact_id), canonical_json(to_json(record)).encode())
        assert find_artifact(artifacts, record.artifact_id) == record
    ids = [event(artifacts, tmp_path, number).attempt.attempt_id for number in range(3)]
    assert [location.rpartition("/")[2] for location in list_events(artifacts)] == [f"{one}.json" for one in ids]
    assert replay(store, artifacts).replayed == 3
    assert recorded(store) == ["step_0", "step_1", "step_2"]


def test_what_waits_is_counted_by_run_and_age(artifacts: ArtifactStore, tmp_path: Path) -> None:
    assert describe_spool(artifacts) == SpoolState(0, None, 0)
    for number in range(3):
        write_event(artifacts, event(artifacts, tmp_path, number))
    assert describe_spool(artifacts) == SpoolState(3, BEGAN, 0)
    assert (count_spooled(artifacts, RUN_ID), count_spooled(artifacts, "another")) == (3, 0)


def test_the_end_of_a_run_is_recorded_after_its_steps(
    store: SqlLineageStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    spooled = event(artifacts, tmp_path, 1)
    write_run_end(artifacts, RunEndEvent(spooled.run, spooled.ir, BEGAN - timedelta(minutes=1), "completed"))
    write_event(artifacts, spooled)
    assert [location.endswith("_end.json") for location in list_events(artifacts)] == [False, True]
    assert replay(store, artifacts).replayed == 2
    (run,) = store.find_runs("p")
    assert run.closed_status == "completed"
    assert [row.event for row in store.pending_outbox()] == ["attempt_ended", "run_ended"]


def test_a_store_that_goes_again_leaves_the_rest(settings: Settings, artifacts: ArtifactStore, tmp_path: Path) -> None:
    for number in range(4):
        write_event(artifacts, event(artifacts, tmp_path, number))
    with closing(open_lineage_store("postgresql://zen@127.0.0.1:1/zen")) as away:
        report = replay(away, artifacts)
    assert (report.replayed, report.pending, report.stopped) == (0, 4, True)
    assert "cannot be used at present" in report.error
    assert len(artifacts.list("spool/events")) == 4


# Processes that replay, each killed when it is about to remove so many files: right after the record, or in between.
KILLED = """
import os, sys
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.shim.replaying import replay
for removals in (0, 1, 3):
    if os.fork() == 0:
        artifacts = ArtifactStore(sys.argv[2])
        remove, left = artifacts.remove, [removals]
        def remove_or_die(location):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), 9)
            remove(location)
        artifacts.remove = remove_or_die
        replay(open_lineage_store(sys.argv[1]), artifacts)
    assert os.wait()[1] == 9
"""


def test_a_replay_that_is_killed_doubles_nothing_for_the_next(
    settings: Settings, store: SqlLineageStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    for number in range(3):
        write_event(artifacts, event(artifacts, tmp_path, number))
    subprocess.run([sys.executable, "-c", KILLED, settings.lineage_url, settings.artifact_url], check=True)
    assert replay(store, artifacts).pending == 0
    assert recorded(store) == ["step_0", "step_1", "step_2"]
    assert {state.attempts for state in store.get_step_runs(RUN_ID)} == {1}
    assert {artifact.version for artifact in store.find_artifacts("p")} == {1}
    assert len(store.pending_outbox()) == 3
    assert artifacts.list("spool") == []


def test_a_spool_of_any_size_is_drained_in_bounded_memory(
    store: SqlLineageStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    large = {"steps": [], "note": "x" * 1_000_000}
    for number in range(40):
        write_event(artifacts, replace(event(artifacts, tmp_path, number), ir=large))
    tracemalloc.start()
    try:
        assert replay(store, artifacts).replayed == 40
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000, "one event at a time, as text, as a document and as records"


def overwrite(artifacts: ArtifactStore, location: str, data: bytes) -> None:
    artifacts.remove(location)
    artifacts.write_bytes(location, data)
