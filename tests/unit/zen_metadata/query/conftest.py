"""A project whose store is filled as the shim fills it, one fact after another."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from zen_core.contract.bindings import ConstantBinding, OutputBinding
from zen_core.contract.canonical import digest_json
from zen_core.contract.identity import artifact_id, step_run_id
from zen_core.contract.settings import Settings
from zen_core.ir.specs import CacheSpec, InputSpec, OutputSpec, PipelineSpec, StepSpec
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    ErrorRecord,
    InputRecord,
    RunRecord,
    StepRunRecord,
)
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.query import Client

TICK = timedelta(milliseconds=10)


def chain(name="churn"):
    """load -> train -> score, with score also after load."""
    outputs = (OutputSpec(name="result", type="list"),)
    model = (OutputSpec(name="model", type="dict"),)
    return PipelineSpec(
        name=name,
        steps=(
            _step("load", outputs, depth=ConstantBinding(2)),
            _step("train", model, rows=OutputBinding("load", "result")),
            _step("score", outputs, model=OutputBinding("train", "model"), after=("load",)),
        ),
    )


def _step(name, outputs, after=(), **inputs):
    return StepSpec(
        name=name,
        entry_point=f"demo:{name}",
        inputs=tuple(InputSpec(name=port, type="Any", binding=binding) for port, binding in inputs.items()),
        outputs=outputs,
        after=after,
        cache=CacheSpec(enabled=True),
    )


class History:
    """What a project did. Each fact is a tick later than the one before, and all of them a moment ago."""

    def __init__(self, root):
        self.settings = Settings(root=root, project="demo").with_local_defaults()
        self.store = open_lineage_store(self.settings.lineage_url)
        self.artifacts = ArtifactStore(self.settings.artifact_url)
        self.client = Client(self.settings)
        self.now = datetime.now(UTC) - timedelta(seconds=30)

    def run(self, key="1", *, spec=None, run_id=None, **facts):
        spec = spec or chain()
        self.now += TICK
        run = RunRecord(
            run_id=run_id or str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{spec.name} {key}")),
            project="demo",
            pipeline=spec.name,
            deployment="local",
            orchestrator="local",
            run_key=key,
            ir_digest=spec.digest,
            code_digest="sha256:c0de",
            zen_version="0.1.0",
            parameters={},
            started_at=self.now,
        )
        return self.store.open_run(replace(run, **facts), spec.to_json())

    def begin(self, run, step, map_index=None, **facts):
        """A step run that has begun; `facts` are those of its attempt."""
        self.now += TICK
        step_run = StepRunRecord(step_run_id(run.run_id, step, map_index), "demo", run.run_id, step, map_index)
        attempt = AttemptRecord(
            attempt_id=str(uuid.uuid4()),
            step_run_id=step_run.step_run_id,
            project="demo",
            ir_digest=run.ir_digest,
            code_digest=run.code_digest,
            fingerprint="sha256:f",
            cache_enabled=True,
            cache_key=digest_json("key", step),
            key_parts={},
            environment_digest="sha256:e",
            started_at=self.now,
        )
        attempt = replace(attempt, **facts)
        self.store.start_attempt(step_run, attempt, lease=False, look_up=False)
        return step_run, attempt

    def end(self, run, begun, status="completed", *, outputs=(), inputs=(), **facts):
        """How it ended; `outputs` are (output, value) pairs, `inputs` (port, artifact) pairs."""
        step_run, attempt = begun
        records = {output: self._artifact(run, step_run, attempt, output, value) for output, value in outputs}
        records.update(facts.pop("reused", {}))
        self.now += TICK
        end = AttemptEnd(
            attempt_id=attempt.attempt_id,
            step_run_id=step_run.step_run_id,
            status=status,
            inputs=tuple(InputRecord(port, item.digest, "", item.artifact_id) for port, item in inputs),
            outputs=records,
            ended_at=self.now,
            **facts,
        )
        self.store.end_attempt(run, step_run, attempt, end)
        return records

    def do(self, run, step, status="completed", **facts):
        return self.end(run, self.begin(run, step), status, **facts)

    def fail(self, run, step, message="no such column"):
        error = ErrorRecord("KeyError", message, f"Traceback (most recent call last):\n  …\nKeyError: {message}")
        return self.do(run, step, "failed", error=error)

    def complete(self, run):
        """All three steps, each reading what the one before made."""
        rows = self.do(run, "load", outputs=[("result", [1, 2])])["result"]
        model = self.do(run, "train", outputs=[("model", {"depth": 2})], inputs=[("rows", rows)])["model"]
        score = self.do(run, "score", outputs=[("result", 0.5)], inputs=[("model", model)])["result"]
        self.store.end_run(run.run_id, "completed")
        return rows, model, score

    def _artifact(self, run, step_run, attempt, output, value):
        stored = self.artifacts.save(value, scratch=self.settings.state_folder)
        return ArtifactRecord(
            artifact_id=artifact_id(attempt.attempt_id, output),
            project="demo",
            pipeline=run.pipeline,
            name=step_run.step if output == "result" else output,
            digest=stored.digest,
            stored_digest=stored.stored_digest,
            type=stored.type,
            serializer=stored.serializer,
            serializer_version=stored.serializer_version,
            location=stored.location,
            size_bytes=stored.size_bytes,
            has_inline_value=stored.has_inline_value,
            inline_value=stored.inline_value,
            metadata=stored.metadata,
            step_run_id=step_run.step_run_id,
            attempt_id=attempt.attempt_id,
        )


@pytest.fixture
def other_pipeline():
    return chain("fraud")


@pytest.fixture
def history(tmp_path):
    made = History(tmp_path)
    yield made
    made.store.close()
    made.client.close()


@pytest.fixture
def statements():
    """What is asked of a store by connections that are opened from now on."""
    asked = []

    def listen(connection, record):
        connection.set_trace_callback(asked.append)

    event.listen(Engine, "connect", listen)
    yield asked
    event.remove(Engine, "connect", listen)
