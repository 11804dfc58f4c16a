from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zen_core.contract.files import File
from zen_core.contract.values import to_json
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptRecord,
    ErrorRecord,
    MetricRecord,
    RunRecord,
    StepRunRecord,
    StepRunState,
)
from zen_metadata.tracking.projection import KEY_LIMIT, as_text, project_run, project_step, valid_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = RunRecord(
    run_id="11111111-2222-5333-8444-555555555555",
    project="churn",
    pipeline="training",
    deployment="local",
    orchestrator="local",
    run_key="1",
    ir_digest="sha256:ir",
    code_digest="sha256:code",
    zen_version="0.1.0",
    parameters={"depth": 4, "data": to_json(File("data/churn.csv")), "note": "x" * 7000},
    tags=("nightly", "churn"),
    started_at=NOON,
)
IR_STEP = {
    "name": "train",
    "inputs": [
        {"name": "depth", "binding": {"kind": "parameter", "parameter": "depth"}},
        {"name": "rate", "binding": {"kind": "constant", "value": 0.5}},
        {"name": "frame", "binding": {"kind": "output", "step": "load", "output": "result"}},
    ],
}
ARTIFACT = ArtifactRecord(
    artifact_id="a1",
    project="churn",
    pipeline="training",
    name="model",
    digest="sha256:model",
    stored_digest="sha256:bytes",
    type="sklearn.Pipeline",
    serializer="pickle",
    serializer_version=1,
    location="aa/bb",
    size_bytes=10,
)


def state(status: str = "completed", **changes: Any) -> StepRunState:
    base = StepRunState(
        step_run=StepRunRecord("step-run-1", "churn", RUN.run_id, "train"),
        attempt=AttemptRecord(
            "attempt-1",
            "step-run-1",
            "churn",
            "sha256:ir",
            "sha256:code",
            "sha256:f",
            True,
            "sha256:key",
            {},
            "sha256:env",
        ),
        status=status,  # type: ignore[arg-type]
        attempts=1,
        inputs=(),
        outputs={"model": ARTIFACT},
        metrics=(),
        params={},
        error=None,
        reused_attempt_id=None,
        reused_from=None,
        log_location="",
        mlflow_run_id=None,
        started_at=NOON,
        ended_at=None if status == "running" else NOON + timedelta(seconds=5),
    )
    return replace(base, **changes)


def metric(name: str, value: float = 1.0, step: int | None = None) -> MetricRecord:
    return MetricRecord(name, value, step, NOON)


def test_a_run_shows_its_parameters_as_a_person_writes_them() -> None:
    projection = project_run(RUN, "running", None)
    assert projection.name == "training 11111111"
    assert projection.params["depth"] == "4"
    assert projection.params["data"] == "data/churn.csv"
    assert projection.tags["zen.run_id"] == RUN.run_id
    assert projection.tags["zen.tags"] == "nightly, churn"
    assert (projection.status, projection.ended_at) == ("RUNNING", None)


def test_what_is_longer_than_mlflow_takes_is_cut_visibly() -> None:
    text = project_run(RUN, "running", None).params["note"]
    assert len(text) == 6000
    assert text.endswith("[cut by Zen]")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", "FINISHED"),
        ("cached", "FINISHED"),
        ("failed", "FAILED"),
        ("cancelled", "KILLED"),
        ("lost", "KILLED"),
        ("running", "RUNNING"),
    ],
)
def test_status_of_a_step(status: str, expected: str) -> None:
    projection = project_step(RUN, state(status), IR_STEP, run_ended=False)
    assert projection.status == expected
    assert projection.tags["zen.status"] == status


def test_a_step_shows_its_inputs_outputs_and_identity() -> None:
    projection = project_step(RUN, state(params={"chosen": "l2"}), IR_STEP, run_ended=False)
    assert projection.params == {"depth": "4", "rate": "0.5", "chosen": "l2"}
    assert projection.tags == {
        "zen.kind": "step",
        "zen.run_id": RUN.run_id,
        "zen.step_run_id": "step-run-1",
        "zen.attempt_id": "attempt-1",
        "zen.pipeline": "training",
        "zen.step": "train",
        "zen.orchestrator": "local",
        "zen.status": "completed",
        "zen.attempts": "1",
        "zen.cache_key": "sha256:key",
        "zen.environment_digest": "sha256:env",
        "zen.output.model": "sha256:model",
    }
    assert (projection.started_at, projection.ended_at) == (NOON, NOON + timedelta(seconds=5))


def test_a_hit_names_the_run_it_came_from() -> None:
    projection = project_step(RUN, state("cached", reused_from="earlier-run"), IR_STEP, run_ended=False)
    assert projection.tags["zen.reused_from"] == "earlier-run"


def test_an_element_of_a_fan_out_is_named_with_its_index() -> None:
    step_run = StepRunRecord("step-run-1", "churn", RUN.run_id, "train", map_index=3)
    projection = project_step(RUN, state(step_run=step_run), IR_STEP, run_ended=False)
    assert projection.name == "train[3]"
    assert projection.tags["zen.map_index"] == "3"


def test_a_failed_attempt_shows_what_it_logged_only_when_it_can_not_be_tried_again() -> None:
    failed = state("failed", error=ErrorRecord("ValueError", "no", "…"), metrics=(metric("loss"),), params={"rate": 1})
    before = project_step(RUN, failed, IR_STEP, run_ended=False)
    after = project_step(RUN, failed, IR_STEP, run_ended=True)
    assert before.tags["zen.error"] == "ValueError: no"
    assert (before.params, before.metrics) == ({}, ())
    assert after.params["rate"] == "1"
    assert [point.key for point in after.metrics] == ["loss"]


def test_metrics_keep_steps_and_times_and_lose_only_exact_repetitions() -> None:
    metrics = (metric("loss", 0.5, 0), metric("loss", 0.4, 1), metric("loss", 0.4, 1), metric("loss", 0.4))
    points = project_step(RUN, state(metrics=metrics), None, run_ended=False).metrics
    assert [(point.value, point.step) for point in points] == [(0.5, 0), (0.4, 1), (0.4, 0)]
    assert {point.timestamp_ms for point in points} == {int(NOON.timestamp() * 1000)}


def test_names_that_mlflow_cannot_tell_apart_keep_different_keys() -> None:
    metrics = (metric("fold[0]"), metric("fold{0}"), metric("fold[0]", 2.0, 1))
    keys = [point.key for point in project_step(RUN, state(metrics=metrics), None, run_ended=False).metrics]
    assert keys[0] == keys[2] == "fold_0_"
    assert keys[1] != keys[0]
    assert keys[1].startswith("fold_0__")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("accuracy", "accuracy"),
        ("val/loss:mean top-1", "val/loss:mean top-1"),
        ("f1[macro]", "f1_macro_"),
        ("größe", "größe"),
        ("../up", "__/up"),
        ("/rooted//twice/", "rooted/twice"),
        ("", "_"),
        ("..", "_"),
    ],
)
def test_a_key_has_only_what_mlflow_takes(name: str, key: str) -> None:
    assert valid_key(name) == key


def test_long_keys_stay_apart() -> None:
    first, second = valid_key("m" * 300), valid_key("m" * 301)
    assert len(first) == len(second) == KEY_LIMIT
    assert first != second


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        (True, "true"),
        (None, "null"),
        ([1, 2], "[1,2]"),
        (to_json(NOON), "2026-03-01T12:00:00+00:00"),
        (to_json(float("nan")), "nan"),
        (to_json((1, "a")), '[1,"a"]'),
    ],
)
def test_values_read_as_written(value: Any, text: str) -> None:
    assert as_text(value) == text
