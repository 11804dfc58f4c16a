"""The manifest: what a task must know, as one JSON file."""

import json
from pathlib import Path
from typing import Any

import pytest

from zen_core.contract.bindings import OutputBinding
from zen_core.contract.manifest import (
    MANIFEST_FILE,
    CodeFingerprint,
    PipelineManifest,
    manifest_from_json,
    read_manifest,
)
from zen_core.errors import ManifestError
from zen_core.ir.specs import (
    CacheSpec,
    InputSpec,
    OutputSpec,
    ParameterSpec,
    PipelineSpec,
    ScheduleSpec,
    StepSpec,
)

SPEC = PipelineSpec(
    name="churn",
    parameters=(
        ParameterSpec(name="depth", type="int", default=4),
        ParameterSpec(name="day", type="datetime.datetime", scheduled_time=True),
    ),
    steps=(
        StepSpec(
            name="load",
            entry_point="m:load",
            outputs=(OutputSpec(name="result", type="int"),),
            cache=CacheSpec(enabled=False),
        ),
        StepSpec(
            name="train",
            entry_point="m:train",
            inputs=(InputSpec(name="frame", type="int", binding=OutputBinding("load", "result")),),
            cache=CacheSpec(enabled=True, ttl_seconds=60.0, files=("a",), env=("X",), salt="s"),
            timeout_seconds=5.0,
        ),
    ),
    schedule=ScheduleSpec(cron="0 6 * * *", timezone="Europe/Berlin"),
)
MANIFEST = PipelineManifest(
    project="shop",
    pipeline="churn",
    zen_version="0.1.0",
    ir_digest=SPEC.digest,
    code_digest="sha256:c",
    code="bundle",
    ir=SPEC.to_json(),
    fingerprints={
        "load": CodeFingerprint("sha256:l", "function"),
        "train": CodeFingerprint("sha256:t", "function", ("mlflow", "pandas")),
    },
)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).write_text(MANIFEST.to_text(), encoding="utf-8")
    again = read_manifest(tmp_path)
    assert again == MANIFEST
    assert again.folder == tmp_path


def test_the_text_is_the_same_each_time() -> None:
    assert MANIFEST.to_text() == manifest_from_json(json.loads(MANIFEST.to_text())).to_text()


def test_steps_and_parameters_are_as_the_ir_has_them() -> None:
    train = MANIFEST.steps["train"]
    assert list(MANIFEST.steps) == ["load", "train"]
    assert train.inputs[0].binding == OutputBinding("load", "result")
    assert (train.cache.ttl_seconds, train.cache.files, train.cache.env) == (60.0, ("a",), ("X",))
    assert train.timeout_seconds == 5.0
    assert train.fingerprint.imports_mlflow
    assert not MANIFEST.steps["load"].fingerprint.imports_mlflow
    assert MANIFEST.parameters["depth"].default == 4
    assert (MANIFEST.parameters["day"].scheduled_time, MANIFEST.parameters["day"].timezone) == (True, "Europe/Berlin")


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"manifest_version": 9}, "the manifest has version 9, this Zen reads version 1", "compile it again"),
        ({"steps": {"load": {}}}, "the manifest is damaged: KeyError 'fingerprint'", "compile the pipeline again"),
        ({"steps": None}, "the manifest is damaged", "compile the pipeline again"),
    ],
)
def test_a_manifest_that_cannot_be_used(change: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest_from_json({**MANIFEST.to_json(), **change}, where="churn/manifest.json")
    (problem,) = caught.value.diagnostics
    assert message in problem.message
    assert hint in problem.hint
    assert problem.where == "churn/manifest.json"


def test_a_manifest_that_is_missing_or_no_json(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read: No such file") as caught:
        read_manifest(tmp_path)
    assert "copy the whole folder" in caught.value.diagnostics[0].hint
    (tmp_path / MANIFEST_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(ManifestError, match="the manifest is no JSON"):
        read_manifest(tmp_path)
