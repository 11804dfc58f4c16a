"""One attempt of a step run: who it is, and what is recorded of it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from zen_core.contract.cache_key import CacheKey
from zen_core.contract.identity import artifact_id, step_run_id
from zen_core.contract.manifest import StepManifest
from zen_core.errors import StoreError, SupersededError
from zen_metadata.lineage.records import (
    REPLACING_REASONS,
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    CommitResult,
    MetricRecord,
    StepRunRecord,
)
from zen_metadata.shim.boundary import told
from zen_metadata.shim.calls import StepCall
from zen_metadata.shim.capture import OutputCapture
from zen_metadata.shim.inputs import ResolvedInputs
from zen_metadata.shim.own_work import OWN_KINDS
from zen_metadata.shim.work import WorkResult
from zen_metadata.shim.worker import worker_name
from zen_metadata.shim.workspace import Workspace

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import StoredArtifact

Status = Literal["completed", "cached", "failed", "cancelled"]
_log = logging.getLogger("zen")


class Attempt:
    """Knows itself from the start; its key, its inputs and its number come as they are found.

    Attributes:
        where: how errors name it.
        inputs: what was read, in the records of its end.
        number: the store's, once it began; until then the orchestrator's.
    """

    def __init__(self, call: StepCall, workspace: Workspace) -> None:
        self.call = call
        self.workspace = workspace
        self.step: StepManifest = call.manifest.steps[call.step]
        self.run_record = workspace.open_run(call.run, call.manifest.ir, self.step.fingerprint)
        self.label = call.step if call.map_index is None else f"{call.step}[{call.map_index}]"
        self.where = f"step {self.label!r} of pipeline {call.manifest.pipeline!r}"
        self.step_run = StepRunRecord(
            step_run_id=step_run_id(call.run.run_id, call.step, call.map_index),
            project=call.run.project,
            run_id=call.run.run_id,
            step=call.step,
            map_index=call.map_index,
            kind=self.step.kind,  # type: ignore[arg-type]
        )
        self.record = AttemptRecord(
            attempt_id=str(uuid.uuid4()),
            step_run_id=self.step_run.step_run_id,
            project=call.run.project,
            ir_digest=call.manifest.ir_digest,
            code_digest=call.manifest.code_digest,
            fingerprint=self.step.fingerprint.digest,
            cache_enabled=self.step.cache.enabled,
            cache_key="",
            key_parts={},
            environment_digest=workspace.environment_digest,
            log_url=call.log_url,
            engine={**call.engine, "worker": worker_name()},
        )
        self.inputs = ResolvedInputs({}, (), (), {})
        self.number = call.number
        self.began_at = datetime.now(UTC)

    def set_key(self, key: CacheKey) -> None:
        """What would give the same result, in short and in parts."""
        self.record = replace(self.record, cache_key=key.key, key_parts=key.parts)

    def explain(self, reason: str | None) -> None:
        """Let the record of this attempt say why nothing was reused."""
        if reason != self.record.cache_reason:
            self.record = replace(self.record, cache_reason=reason)

    def artifacts_of(self, stored: Mapping[str, StoredArtifact]) -> dict[str, ArtifactRecord]:
        """The records of what the work made, by output."""
        own = self.step.kind in OWN_KINDS
        return {
            name: ArtifactRecord(
                artifact_id=artifact_id(self.record.attempt_id, name),
                project=self.call.run.project,
                pipeline=self.call.manifest.pipeline,
                # An output without a name of its own is called after its step: "result" would be everybody's.
                name=f"{self.call.step}.{name}" if own else self.call.step if name == "result" else name,
                kind="internal" if own else "value",
                digest=item.digest,
                stored_digest=item.stored_digest,
                type=item.type,
                serializer=item.serializer,
                serializer_version=item.serializer_version,
                location=item.location,
                size_bytes=item.size_bytes,
                has_inline_value=item.has_inline_value,
                inline_value=item.inline_value,
                metadata=item.metadata,
                step_run_id=self.step_run.step_run_id,
                attempt_id=self.record.attempt_id,
            )
            for name, item in stored.items()
        }

    def end(self, status: Status, *, result: WorkResult | None = None, **facts: Any) -> CommitResult:
        """Commit how it ended, with what it read and, by `facts`, the other fields of an `AttemptEnd`.

        Raises:
            SupersededError: a newer attempt has taken over; this one is recorded as superseded.
        """
        done = self.workspace.end_attempt(
            self.run_record,
            self.call.manifest.ir,
            self.step_run,
            self.record,
            self._end(status, result, facts),
            began_at=self.began_at,
            code=self.step.fingerprint.to_document() or None,
        )
        if done.superseded:
            raise SupersededError(
                f"attempt {self.number} of {self.where} was superseded: a newer attempt has taken over",
                why="this worker was taken for dead, or the step was started again",
                hint="nothing to do: the newer attempt's result counts",
            )
        if done.nondeterministic:
            replaced = self.record.cache_reason in REPLACING_REASONS
            _log.warning(
                "%s gave another result for the same inputs and code; the %s in the cache",
                self.where,
                "new result takes the place of the one" if replaced else "first result stays",
            )
        return done

    def end_quietly(self, status: Status, **facts: Any) -> None:
        """Record the end of an attempt that fails anyway: what the user sees is why it failed, not this."""
        try:
            self.end(status, **facts)
        except SupersededError:
            _log.info("%s had been taken over by a newer attempt", self.where)
        except StoreError as error:
            _log.error("the end of %s could not be recorded: %s", self.where, told(error))
        except Exception:
            # A bug of Zen's must not take the place of what the user's code raised.
            _log.exception("the end of %s could not be recorded", self.where)

    def save_log(self, output: OutputCapture) -> str:
        """Store what was printed, without secrets; answers with where, or "" where nothing was or it could not be."""
        text = output.finish()
        if not text:
            return ""
        location = f"logs/{self.call.run.run_id}/{self.label}/{self.record.attempt_id}.log"
        try:
            self.workspace.artifacts.write_bytes(location, self.workspace.mask(text).encode("utf-8", "replace"))
        except StoreError as error:
            _log.warning("the log of %s could not be stored: %s", self.where, told(error))
            return ""
        return location

    def _end(self, status: Status, result: WorkResult | None, facts: Mapping[str, Any]) -> AttemptEnd:
        now = datetime.now(UTC)
        metrics: tuple[MetricRecord, ...] = ()
        if result is not None:
            metrics = tuple(MetricRecord(name, value, step, now) for name, value, step in result.metrics)
        return AttemptEnd(
            attempt_id=self.record.attempt_id,
            step_run_id=self.step_run.step_run_id,
            status=status,
            inputs=self.inputs.records,
            sources=self.inputs.sources,
            metrics=metrics,
            params=self._masked(result.params) if result is not None else {},
            mlflow_run_id=result.mlflow_run_id if result is not None else None,
            ended_at=now,
            **facts,
        )

    def _masked(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What the step's code logged: it may have met a secret, and MLflow shows it to everybody."""
        return {name: self.workspace.mask(value) if type(value) is str else value for name, value in params.items()}
