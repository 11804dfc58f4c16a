"""What holds of the lineage store for any records: values come back, replays change nothing, versions have no gaps."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zen_core.contract.identity import step_run_id
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    ErrorRecord,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.store import SqlLineageStore

RUN_ID = "6a3a7d8e-0000-4000-8000-000000000001"
RUN = RunRecord(RUN_ID, "p", "train", "local", "local", "key", "ir", "code", "0.1", {}, started_at=datetime.now(UTC))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
any_text = st.text(st.characters(exclude_categories=()))
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def new_store() -> Iterator[SqlLineageStore]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_lineage_store(f"sqlite:///{folder}/zen.db")
        yield store
        store.close()


@quick
@given(parameters=st.dictionaries(st.text(), json_values, max_size=3), tags=st.lists(st.text(), max_size=3))
def test_any_parameters_and_tags_come_back(parameters: dict[str, Any], tags: list[str]) -> None:
    run_id = str(uuid.uuid4())
    run = RunRecord(
        run_id, "p", "q", "d", "local", "k", "i", "c", "v", parameters, tuple(tags), RUN.started_at, RUN.started_at
    )
    with new_store() as store:
        assert store.open_run(run, {"document": parameters}) == run
        assert store.get_ir("p", "i") == {"document": parameters}


@quick
@given(message=any_text)
def test_any_message_can_be_stored(message: str) -> None:
    step_run, attempt = make_attempt("fit", 0)
    with new_store() as store:
        error = ErrorRecord("E", message, message)
        store.end_attempt(
            RUN, step_run, attempt, AttemptEnd(attempt.attempt_id, step_run.step_run_id, "failed", error=error)
        )
        (state,) = store.get_step_runs(RUN_ID)
        assert state.error is not None
        clean = message.replace("\x00", "\ufffd")
        if not any("\ud800" <= letter <= "\udfff" for letter in clean):
            assert state.error.message == clean


events = st.lists(
    st.tuples(
        st.sampled_from(["fit", "score"]),
        st.sampled_from(["completed", "failed", "cancelled"]),
        st.booleans(),
        st.sampled_from(["d1", "d2"]),
    ),
    min_size=1,
    max_size=8,
)


@quick
@given(events=events, replays=st.lists(st.integers(0, 7), max_size=8))
def test_replays_change_nothing(events: list[tuple[str, Any, bool, str]], replays: list[int]) -> None:
    with new_store() as store:
        ends = [play(store, position, *event) for position, event in enumerate(events)]
        before = dump(store)
        for position in replays:
            if position < len(ends):
                store.end_attempt(RUN, *ends[position])
        assert dump(store) == before
        versions = sorted(artifact.version or 0 for artifact in store.find_artifacts("p"))
        assert versions == list(range(1, len(versions) + 1))
        for states in (store.get_attempts(step_run_id(RUN_ID, step)) for step in ("fit", "score")):
            assert [state.attempts for state in states] == list(range(1, len(states) + 1))


def make_attempt(step: str, position: int) -> tuple[StepRunRecord, AttemptRecord]:
    step_run = StepRunRecord(step_run_id(RUN_ID, step), "p", RUN_ID, step)
    return step_run, AttemptRecord(
        f"attempt-{position}", step_run.step_run_id, "p", "ir", "code", "f", True, "key", {}, "env"
    )


def play(
    store: SqlLineageStore, position: int, step: str, status: Any, started: bool, digest: str
) -> tuple[StepRunRecord, AttemptRecord, AttemptEnd]:
    step_run, attempt = make_attempt(step, position)
    lease = store.start_attempt(step_run, attempt, lease=True, look_up=False).lease if started else None
    made = ArtifactRecord(f"artifact-{position}", "p", "train", "model", digest, digest, "int", "json", 1, "x", 1)
    outputs = {"result": made} if status == "completed" else {}
    end = AttemptEnd(attempt.attempt_id, step_run.step_run_id, status, outputs=outputs, lease=lease)
    store.end_attempt(RUN, step_run, attempt, end)
    return step_run, attempt, end


def dump(store: SqlLineageStore) -> list[Any]:
    return [
        store.get_step_runs(RUN_ID),
        store.find_artifacts("p"),
        store.find_cached("p", "key"),
        store.pending_outbox(),
        [store.get_attempts(step_run_id(RUN_ID, step)) for step in ("fit", "score")],
    ]
