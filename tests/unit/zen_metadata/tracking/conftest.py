"""Runs that are recorded in a lineage store as the shim records them, without an engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zen_core.contract.identity import RunIdentity, artifact_id, step_run_id
from zen_core.contract.settings import Settings
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    ErrorRecord,
    MetricRecord,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.store import LineageStore


@dataclass
class RecordedRun:
    """A run of a pipeline whose steps each have the parameter `depth` and the constant `rate` as inputs."""

    store: LineageStore
    project: str
    key: str = "1"
    steps: tuple[str, ...] = ("load", "train")
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"depth": 4})

    def __post_init__(self) -> None:
        identity = RunIdentity(self.project, "local", "training", self.key)
        self.run_id = identity.run_id
        self.record = self.store.open_run(
            RunRecord(
                run_id=self.run_id,
                project=self.project,
                pipeline="training",
                deployment="local",
                orchestrator="local",
                run_key=self.key,
                ir_digest="sha256:ir",
                code_digest="sha256:code",
                zen_version="0.1.0",
                parameters=self.parameters,
                started_at=datetime.now(UTC),
            ),
            {"name": "training", "parameters": [], "steps": [_ir_step(step) for step in self.steps]},
        )

    def start(self, step: str) -> AttemptRecord:
        """An attempt begins."""
        attempt = AttemptRecord(
            attempt_id=str(uuid.uuid4()),
            step_run_id=step_run_id(self.run_id, step),
            project=self.project,
            ir_digest="sha256:ir",
            code_digest="sha256:code",
            fingerprint="sha256:fingerprint",
            cache_enabled=True,
            cache_key=f"sha256:key-of-{step}",
            key_parts={"code": "sha256:fingerprint"},
            environment_digest="sha256:env",
        )
        self.store.start_attempt(self._step_run(step), attempt, lease=False, look_up=False)
        return attempt

    def end(
        self,
        step: str,
        attempt: AttemptRecord,
        status: str = "completed",
        *,
        metrics: Mapping[str, float] = {},
        params: Mapping[str, Any] = {},
        error: str = "",
        mlflow_run_id: str | None = None,
    ) -> None:
        """The attempt ends, with an outbox row."""
        outputs = {"result": self._artifact(step, attempt)} if status == "completed" else {}
        now = datetime.now(UTC)
        end = AttemptEnd(
            attempt_id=attempt.attempt_id,
            step_run_id=attempt.step_run_id,
            status=status,  # type: ignore[arg-type]
            outputs=outputs,
            metrics=tuple(MetricRecord(name, value, None, now) for name, value in metrics.items()),
            params=params,
            error=ErrorRecord("ValueError", error, "…") if error else None,
            mlflow_run_id=mlflow_run_id,
            ended_at=now,
        )
        self.store.end_attempt(self.record, self._step_run(step), attempt, end)

    def do(self, step: str, status: str = "completed", **facts: Any) -> AttemptRecord:
        """A whole attempt."""
        attempt = self.start(step)
        self.end(step, attempt, status, **facts)
        return attempt

    def close(self, status: str = "completed") -> None:
        """The run ends, with an outbox row."""
        self.store.end_run(self.run_id, status)  # type: ignore[arg-type]

    def do_all(self) -> RecordedRun:
        """Every step, and the end of the run."""
        for step in self.steps:
            self.do(step, metrics={"score": 0.5})
        self.close()
        return self

    def _step_run(self, step: str) -> StepRunRecord:
        return StepRunRecord(step_run_id(self.run_id, step), self.project, self.run_id, step)

    def _artifact(self, step: str, attempt: AttemptRecord) -> ArtifactRecord:
        return ArtifactRecord(
            artifact_id=artifact_id(attempt.attempt_id, "result"),
            project=self.project,
            pipeline="training",
            name="result",
            digest=f"sha256:result-of-{step}",
            stored_digest=f"sha256:bytes-of-{step}",
            type="int",
            serializer="json",
            serializer_version=1,
            location=f"{step}.json",
            size_bytes=1,
            step_run_id=attempt.step_run_id,
            attempt_id=attempt.attempt_id,
        )


def _ir_step(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "entry_point": f"steps:{name}",
        "inputs": [
            {"name": "depth", "type": "int", "binding": {"kind": "parameter", "parameter": "depth"}},
            {"name": "rate", "type": "float", "binding": {"kind": "constant", "value": 0.5}},
        ],
        "outputs": [{"name": "result", "type": "int"}],
    }


@pytest.fixture(scope="session")
def mlflow_tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow database for all tests, since its schema takes seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def settings(tmp_path: Path, mlflow_tracking_uri: str) -> Settings:
    """A project of its own, so an MLflow experiment too, with a store in a temporary folder."""
    (tmp_path / ".zen").mkdir()
    project = f"churn-{uuid.uuid4().hex[:8]}"
    return Settings(root=tmp_path, project=project, mlflow_tracking_uri=mlflow_tracking_uri).with_local_defaults()


@pytest.fixture
def store(settings: Settings) -> Iterator[LineageStore]:
    with closing(open_lineage_store(settings.lineage_url)) as opened:
        yield opened


@pytest.fixture
def new_run(store: LineageStore, settings: Settings) -> Callable[..., RecordedRun]:
    """Makes runs in the store: `new_run(key="2", steps=("a", "b"))`."""
    return lambda **facts: RecordedRun(store, **{"project": settings.project, **facts})
