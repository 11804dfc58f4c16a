"""Runs one step of a run inside a task: the road that every orchestrator takes.

In order: identify, resolve inputs, cache key, look up, lease, load inputs, user's code with logs and metrics
captured, store outputs, one transaction, refs.
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zen_core.contract.identity import artifact_id, step_run_id
from zen_core.contract.manifest import StepManifest
from zen_core.errors import ArtifactMissingError, MissingInputError, StepSkipped, StoreError, SupersededError
from zen_metadata.cache.key import step_cache_key
from zen_metadata.lineage.records import (
    REPLACING_REASONS,
    ArtifactRecord,
    AttemptEnd,
    AttemptRecord,
    AttemptStart,
    CommitResult,
    LookUp,
    MetricRecord,
    StepRunRecord,
    StepRunState,
)
from zen_metadata.shim.boundary import add_run_note, error_record, told
from zen_metadata.shim.calls import RunningStep, StepCall, StepResult, refs_of
from zen_metadata.shim.capture import OutputCapture, capture_output
from zen_metadata.shim.child import ChildProcess, ChildRequest
from zen_metadata.shim.code import load_step
from zen_metadata.shim.inputs import InputResolver, ResolvedInputs, iter_secrets
from zen_metadata.shim.own_work import OWN_KINDS, do_own_work
from zen_metadata.shim.requirements import check_environment
from zen_metadata.shim.secrets import prepare_secrets
from zen_metadata.shim.standing import Standing, UpstreamFailedError
from zen_metadata.shim.termination import on_termination
from zen_metadata.shim.user_run import user_run_of
from zen_metadata.shim.work import Work, WorkResult, do_work
from zen_metadata.shim.worker import is_gone, worker_name
from zen_metadata.shim.workspace import Workspace

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import StoredArtifact

__all__ = ["RunningStep", "StepCall", "StepResult", "refs_of", "reuse_step", "run_step"]
_log = logging.getLogger("zen")
_SHORTEST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.05, 2.0


def run_step(call: StepCall, workspace: Workspace) -> StepResult:
    """Run the step, or take the recorded result of the same work.

    Raises:
        StepSkipped: by the rules of the pipeline the step is skipped; nothing is recorded.
        UpstreamFailedError: by the rules it does not run, since what it reads failed; nothing is recorded.
        BaseException: what the user's code raised, unchanged, with a note that names run and step.
        SupersededError: a newer attempt of this step run has taken over.
        ZenError: an input, the code, an output or a store is not what it must be.
    """
    return _Attempt(call, workspace).run()


class _Attempt:
    """One attempt: its identity, and the road from look-up to commit."""

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
        self.standing = Standing(workspace, call.manifest, call.run.run_id, call.upstream)
        self.attempt = AttemptRecord(
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
        self.child: ChildProcess | None = None

    def run(self) -> StepResult:
        self.standing.refuse_skipped(self.step.name, self.where)
        try:
            ready = self._get_ready()
        except (StepSkipped, UpstreamFailedError):
            raise  # the reader derives what becomes of a step that does not run
        except SupersededError:
            raise  # it is recorded as that
        except Exception as error:
            self._end_before_start(error)
            raise
        return ready if isinstance(ready, StepResult) else self._execute(ready)

    def _get_ready(self) -> StepResult | AttemptStart:
        """Come to where the work begins; or to the result, where the same work was done before."""
        self._resolve()
        found = self._look_up()
        if found.hit is not None:
            taken = self.take(found.hit.outputs, found.hit.attempt_id)
            if taken is not None:
                return taken
            found = LookUp(reason="deleted")
        self._explain(found.reason)
        self._prepare()
        self.workspace.save_code(self.call.run.project, self.step.fingerprint)
        while (start := self._start()).hit is not None:
            taken = self.take(start.hit.outputs, start.hit.attempt_id)
            if taken is not None:
                return taken
            self._explain("deleted")
        self.number = start.number or self.call.number
        return start

    # -- before the work ---------------------------------------------------------------------------------------------

    def _resolve(self) -> None:
        resolver = InputResolver(
            manifest=self.call.manifest,
            run=self.run_record,
            where=self.where,
            upstream=self.call.upstream,
            map_index=self.call.map_index,
            workspace=self.workspace,
            standing=self.standing,
        )
        self.inputs = resolver.resolve(self.step)
        key = step_cache_key(
            self.step,
            self.inputs.digests,
            self.workspace.digest_of_file,
            root=self.workspace.settings.root,
        )
        self.attempt = replace(self.attempt, cache_key=key.key, key_parts=key.parts)

    @property
    def _shared(self) -> bool:
        """Whether a recorded result may be used, and the work be shared with other workers."""
        return self.step.cache.enabled and self.call.look_up

    def _look_up(self) -> LookUp:
        """The result of the same work; else why there is none, where the key's parts will not tell."""
        if not self.step.cache.enabled:
            return LookUp(reason="off")
        if not self.call.look_up:
            return LookUp(reason=self.call.executes_for)
        return self.workspace.look_up(self.call.run.project, self.attempt.cache_key, self.step.cache.ttl_seconds)

    def _explain(self, reason: str | None) -> None:
        """Let the record of this attempt say why nothing was reused."""
        if reason != self.attempt.cache_reason:
            self.attempt = replace(self.attempt, cache_reason=reason)

    def _prepare(self) -> None:
        """See to it that what the work needs around it is there: packages, secrets."""
        check_environment(self.step.environment, self.where)
        secrets = [name for plan in self.inputs.plans.values() for name in iter_secrets(plan)]
        if secrets:
            prepare_secrets(secrets, self.where)

    def _start(self) -> AttemptStart:
        """Begin the attempt; where another worker does the same work, wait for its result, but not for ever."""
        deadline = time.monotonic() + self.step.cache.wait_seconds
        pause = _SHORTEST_POLL_SECONDS
        unusable: str | None = None
        waited = False
        while True:
            wait = self._shared and time.monotonic() < deadline
            if waited and not wait:
                self._explain("waited")
            start = self.workspace.start_attempt(
                self.step_run,
                self.attempt,
                lease=wait,
                look_up=self._shared,
                max_age_seconds=self.step.cache.ttl_seconds,
                but_not=unusable,
                number=self.call.number,
            )
            if start.hit is not None and (damage := self.workspace.find_damage(start.hit)):
                # Its bytes are not there: the work is done again, and takes its place.
                unusable = start.hit.attempt_id
                self._explain(damage)
                continue
            if start.holder is None:
                return start
            waited = True
            if is_gone(start.holder.worker):
                self.workspace.lose_attempt(start.holder.attempt_id)
                continue
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)

    def take(
        self, outputs: Mapping[str, ArtifactRecord], attempt_id: str, *, reason: str | None = None
    ) -> StepResult | None:
        """Let the recorded result of an attempt stand for this step run; None where it was deleted just now."""
        self._explain(reason)
        done = self._commit(self._end("cached", outputs=outputs, reused_attempt_id=attempt_id))
        return None if done.deleted else StepResult("cached", refs_of(outputs), self.number)

    def _end_before_start(self, error: Exception) -> None:
        """Record an attempt that never came to its work."""
        add_run_note(error, run_id=self.call.run.run_id, step=self.label, attempt=self.number)
        self._commit_quietly(self._end("failed", error=error_record(error, self.workspace.mask)))

    # -- the work ----------------------------------------------------------------------------------------------------

    def _execute(self, start: AttemptStart) -> StepResult:
        heartbeat = self.workspace.heartbeat
        if heartbeat is not None:
            heartbeat.add(self.attempt.attempt_id, start.lease)
        scratch = self.workspace.scratch / self.attempt.attempt_id  # made by the first who needs it: most do not
        partial: list[WorkResult] = []
        if self.call.on_start is not None:
            self.call.on_start(RunningStep(self.number, lambda: self._cancel(start, scratch)))
        try:
            with (
                capture_output(self.call.on_output, pass_on=self.call.pass_output, mask=self.workspace.mask) as output,
                on_termination(lambda: self._cancel(start, scratch), enabled=self.call.own_process),
            ):
                try:
                    result = self._work(scratch, output, partial)
                    self._refuse_changed_files()
                except BaseException as error:
                    self._fail(start, error, output, partial)
                    raise
                records = self._artifact_records(result.outputs)
                end = self._end(
                    "completed",
                    outputs=records,
                    lease=start.lease,
                    log_location=self._save_log(output),
                    result=result,
                )
                self._commit(end)
        finally:
            if heartbeat is not None:
                heartbeat.remove(self.attempt.attempt_id)
            if scratch.exists():
                shutil.rmtree(scratch, ignore_errors=True)
        return StepResult("completed", refs_of(records), self.number)

    def _work(self, scratch: Path, output: OutputCapture, partial: list[WorkResult]) -> WorkResult:
        call = self.call
        work = Work(
            step=self.step,
            plans=self.inputs.plans,
            run_id=call.run.run_id,
            pipeline=call.manifest.pipeline,
            attempt_number=self.number,
            map_index=call.map_index,
            scratch=scratch,
            failures=call.failures,
        )
        if self.step.kind in OWN_KINDS:
            return do_own_work(
                work,
                self.workspace.artifacts,
                max_elements=call.max_elements,
                limit_name=call.limit_name,
                chunk=next((step.chunk for step in call.manifest.steps.values() if step.expander == call.step), 1),
            )
        tracked = self.step.fingerprint.imports_mlflow
        alone = self.step.timeout_seconds is not None or (tracked and not call.own_process)
        if alone and not call.debug:
            return self._work_in_child(work, output, tracked)
        function = call.function or load_step(self.step, call.code_root, installed=call.manifest.code == "installed")
        user_run: AbstractContextManager[str | None] | None = None
        if tracked:
            user_run = user_run_of(
                self.workspace.settings,
                self.workspace.lineage_if_there,
                self.run_record,
                work,
                self.attempt.attempt_id,
            )
        return do_work(work, function, self.workspace.artifacts, user_run=user_run, on_metrics=partial.append)

    def _work_in_child(self, work: Work, output: OutputCapture, tracked: bool) -> WorkResult:
        call = self.call
        function: bytes | None = None
        if not call.importable:
            import cloudpickle

            function = cloudpickle.dumps(call.function)
        self.child = ChildProcess(
            ChildRequest(
                work=work,
                settings=self.workspace.settings,
                function=function,
                installed=call.manifest.code == "installed",
                code_root=str(call.code_root) if call.code_root else None,
                run=self.run_record,
                attempt_id=self.attempt.attempt_id,
                user_run=tracked,
            ),
            on_output=lambda text: _write_child_output(text, output),
        )
        return self.child.run(self.step.timeout_seconds)

    def _refuse_changed_files(self) -> None:
        """Raise MissingInputError where a declared file is another one by now than the key tells of."""
        for reference in self.step.cache.files:
            if self.workspace.digest_of_file(reference) != self.attempt.key_parts[f"file:{reference}"]:
                raise MissingInputError(
                    f"the file {reference!r} changed while the step ran",
                    where=self.where,
                    why="Cache(files=[...]) says that the step reads it: the result may belong to another content",
                    hint="run again when whatever writes it is done",
                )

    def _artifact_records(self, stored: Mapping[str, StoredArtifact]) -> dict[str, ArtifactRecord]:
        own = self.step.kind in OWN_KINDS
        return {
            name: ArtifactRecord(
                artifact_id=artifact_id(self.attempt.attempt_id, name),
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
                attempt_id=self.attempt.attempt_id,
            )
            for name, item in stored.items()
        }

    # -- after the work ----------------------------------------------------------------------------------------------

    def _end(
        self,
        status: Literal["completed", "cached", "failed", "cancelled"],
        *,
        result: WorkResult | None = None,
        **facts: Any,
    ) -> AttemptEnd:
        now = datetime.now(UTC)
        metrics: tuple[MetricRecord, ...] = ()
        if result is not None:
            metrics = tuple(MetricRecord(name, value, step, now) for name, value, step in result.metrics)
        return AttemptEnd(
            attempt_id=self.attempt.attempt_id,
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

    def _commit(self, end: AttemptEnd) -> CommitResult:
        done = self.workspace.end_attempt(
            self.run_record,
            self.call.manifest.ir,
            self.step_run,
            self.attempt,
            end,
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
            replaced = self.attempt.cache_reason in REPLACING_REASONS
            _log.warning(
                "%s gave another result for the same inputs and code; the %s in the cache",
                self.where,
                "new result takes the place of the one" if replaced else "first result stays",
            )
        return done

    def _fail(
        self, start: AttemptStart, error: BaseException, output: OutputCapture, partial: list[WorkResult]
    ) -> None:
        add_run_note(error, run_id=self.call.run.run_id, step=self.label, attempt=self.number)
        result = partial[0] if partial else getattr(error, "__zen_partial__", None)
        end = self._end(
            "cancelled" if isinstance(error, self.call.interrupts) else "failed",
            lease=start.lease,
            error=error_record(error, self.workspace.mask),
            log_location=self._save_log(output),
            result=result,
        )
        self._commit_quietly(end)

    def _cancel(self, start: AttemptStart, scratch: Path) -> None:
        """The worker is asked to end: what it would do afterwards is done now."""
        if self.child is not None:
            self.child.end()
        self._commit_quietly(self._end("cancelled", lease=start.lease))
        shutil.rmtree(scratch, ignore_errors=True)

    def _commit_quietly(self, end: AttemptEnd) -> None:
        """Record the end of an attempt that fails anyway: what the user sees is why it failed, not this."""
        try:
            self._commit(end)
        except SupersededError:
            _log.info("%s had been taken over by a newer attempt", self.where)
        except StoreError as error:
            _log.error("the end of %s could not be recorded: %s", self.where, told(error))
        except Exception:
            # A bug of Zen's must not take the place of what the user's code raised.
            _log.exception("the end of %s could not be recorded", self.where)

    def _save_log(self, output: OutputCapture) -> str:
        text = output.finish()
        if not text:
            return ""
        location = f"logs/{self.call.run.run_id}/{self.label}/{self.attempt.attempt_id}.log"
        try:
            self.workspace.artifacts.write_bytes(location, self.workspace.mask(text).encode("utf-8", "replace"))
        except StoreError as error:
            _log.warning("the log of %s could not be stored: %s", self.where, told(error))
            return ""
        return location


def reuse_step(call: StepCall, workspace: Workspace, earlier: StepRunState) -> StepResult:
    """Let a step run of an earlier run stand for this one, whatever its key: what `--only` and `--from` ask for."""
    attempt = _Attempt(call, workspace)
    attempt.inputs = ResolvedInputs({}, earlier.inputs, (), {})
    attempt.attempt = replace(attempt.attempt, cache_key=earlier.attempt.cache_key, key_parts=earlier.attempt.key_parts)
    taken = attempt.take(earlier.outputs, earlier.reused_attempt_id or earlier.attempt.attempt_id, reason="taken")
    if taken is None:
        raise ArtifactMissingError(
            f"the result of {attempt.where} in run {earlier.step_run.run_id[:8]} cannot be reused: it was deleted",
            where=attempt.where,
            hint="run the whole pipeline",
        )
    return taken


def _write_child_output(text: str, output: OutputCapture) -> None:
    output.write(text)
    if output.pass_on:
        sys.stdout.write(output.mask(text))  # this is the reader's thread, where nothing is captured
