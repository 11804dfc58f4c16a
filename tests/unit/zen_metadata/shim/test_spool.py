"""Spooled facts are recorded once, whoever replays them, and a spool file can name nothing but facts."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path

import pytest

from zen_core.contract.identity import step_run_id
from zen_core.contract.settings import Settings
from zen_core.errors import StoreError
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.records import ArtifactRecord, AttemptEnd, AttemptRecord, RunRecord, StepRunRecord
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.shim.spool import AttemptEvent, find_artifact, replay, write_event

RUN_ID = str(uuid.UUID(int=7))


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
        end=AttemptEnd(ids["attempt_id"], ids["step_run_id"], "completed", outputs={"result": output}),
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


@pytest.mark.parametrize("kind", ["dataclass", "model", "enum"])
def test_a_spool_file_cannot_name_a_class_of_its_own_choice(
    settings: Settings, artifacts: ArtifactStore, kind: str
) -> None:
    bad = {"run": {"$zen": kind, "class": "subprocess:Popen", "value": {"args": ["true"]}}}
    artifacts.write_bytes("spool/events/bad.json", json.dumps(bad).encode())
    store = open_lineage_store(settings.lineage_url)
    with pytest.raises(StoreError, match=r"spool/events/bad.json is damaged: .*subprocess:Popen"):
        replay(store, artifacts)
    store.close()
