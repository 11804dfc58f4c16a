"""Runs one step of a run inside a task: the road that every orchestrator takes.

In order: identify, resolve inputs, cache key, look up, lease, load inputs, user's code with logs and metrics
captured, store outputs, one transaction, refs.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from zen_core.contract.cache_key import CacheKey
from zen_core.contract.manifest import StepManifest
from zen_core.errors import ArtifactMissingError, MissingInputError, StepSkipped, SupersededError
from zen_metadata.cache.key import step_cache_key
from zen_metadata.lineage.records import ArtifactRecord, AttemptStart, LookUp, StepRunState
from zen_metadata.shim.attempt import Attempt
from zen_metadata.shim.boundary import add_run_note, error_record
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
from zen_metadata.shim.worker import is_gone
from zen_metadata.shim.workspace import Workspace

__all__ = ["RunningStep", "StepCall", "StepResult", "refs_of", "reuse_step", "run_step"]
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
    return _StepRun(call, workspace).run()


class _StepRun:
    """The road of one attempt, from look-up to commit."""

    def __init__(self, call: StepCall, workspace: Workspace) -> None:
        self.call = call
        self.workspace = workspace
        self.step: StepManifest = call.manifest.steps[call.step]
        self.attempt = Attempt(call, workspace)
        self.where = self.attempt.where
        self.standing = Standing(workspace, call.manifest, call.run.run_id, call.upstream)
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
        self.attempt.explain(found.reason)
        self._prepare()
        self.workspace.save_code(self.call.run.project, self.step.fingerprint)
        while (start := self._start()).hit is not None:
            taken = self.take(start.hit.outputs, start.hit.attempt_id)
            if taken is not None:
                return taken
            self.attempt.explain("deleted")
        self.attempt.number = start.number or self.call.number
        return start

    # -- before the work ---------------------------------------------------------------------------------------------

    def _resolve(self) -> None:
        resolver = InputResolver(
            manifest=self.call.manifest,
            run=self.attempt.run_record,
            where=self.where,
            upstream=self.call.upstream,
            map_index=self.call.map_index,
            workspace=self.workspace,
            standing=self.standing,
        )
        self.attempt.inputs = resolver.resolve(self.step)
        key = step_cache_key(
            self.step,
            self.attempt.inputs.digests,
            self.workspace.digest_of_file,
            root=self.workspace.settings.root,
        )
        self.attempt.set_key(key)

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
        return self.workspace.look_up(self.call.run.project, self.attempt.record.cache_key, self.step.cache.ttl_seconds)

    def _prepare(self) -> None:
        """See to it that what the work needs around it is there: packages, secrets."""
        check_environment(self.step.environment, self.where)
        secrets = [name for plan in self.attempt.inputs.plans.values() for name in iter_secrets(plan)]
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
                self.attempt.explain("waited")
            start = self.workspace.start_attempt(
                self.attempt.step_run,
                self.attempt.record,
                lease=wait,
                look_up=self._shared,
                max_age_seconds=self.step.cache.ttl_seconds,
                but_not=unusable,
                number=self.call.number,
            )
            if start.hit is not None and (damage := self.workspace.find_damage(start.hit)):
                # Its bytes are not there: the work is done again, and takes its place.
                unusable = start.hit.attempt_id
                self.attempt.explain(damage)
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
        self.attempt.explain(reason)
        done = self.attempt.end("cached", outputs=outputs, reused_attempt_id=attempt_id)
        return None if done.deleted else StepResult("cached", refs_of(outputs), self.attempt.number)

    def _end_before_start(self, error: Exception) -> None:
        """Record an attempt that never came to its work."""
        add_run_note(error, run_id=self.call.run.run_id, step=self.attempt.label, attempt=self.attempt.number)
        self.attempt.end_quietly("failed", error=error_record(error, self.workspace.mask))

    # -- the work ----------------------------------------------------------------------------------------------------

    def _execute(self, start: AttemptStart) -> StepResult:
        heartbeat = self.workspace.heartbeat
        if heartbeat is not None:
            heartbeat.add(self.attempt.record.attempt_id, start.lease)
        scratch = self.workspace.scratch / self.attempt.record.attempt_id  # made by the first who needs it: most do not
        partial: list[WorkResult] = []
        if self.call.on_start is not None:
            self.call.on_start(RunningStep(self.attempt.number, lambda: self._cancel(start, scratch)))
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
                records = self.attempt.artifacts_of(result.outputs)
                self.attempt.end(
                    "completed",
                    outputs=records,
                    lease=start.lease,
                    log_location=self.attempt.save_log(output),
                    result=result,
                )
        finally:
            if heartbeat is not None:
                heartbeat.remove(self.attempt.record.attempt_id)
            if scratch.exists():
                shutil.rmtree(scratch, ignore_errors=True)
        return StepResult("completed", refs_of(records), self.attempt.number)

    def _work(self, scratch: Path, output: OutputCapture, partial: list[WorkResult]) -> WorkResult:
        call = self.call
        work = Work(
            step=self.step,
            plans=self.attempt.inputs.plans,
            run_id=call.run.run_id,
            pipeline=call.manifest.pipeline,
            attempt_number=self.attempt.number,
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
                self.attempt.run_record,
                work,
                self.attempt.record.attempt_id,
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
                run=self.attempt.run_record,
                attempt_id=self.attempt.record.attempt_id,
                user_run=tracked,
            ),
            on_output=lambda text: _write_child_output(text, output),
        )
        return self.child.run(self.step.timeout_seconds)

    def _refuse_changed_files(self) -> None:
        """Raise MissingInputError where a declared file is another one by now than the key tells of."""
        for reference in self.step.cache.files:
            if self.workspace.digest_of_file(reference) != self.attempt.record.key_parts[f"file:{reference}"]:
                raise MissingInputError(
                    f"the file {reference!r} changed while the step ran",
                    where=self.where,
                    why="Cache(files=[...]) says that the step reads it: the result may belong to another content",
                    hint="run again when whatever writes it is done",
                )

    def _fail(
        self, start: AttemptStart, error: BaseException, output: OutputCapture, partial: list[WorkResult]
    ) -> None:
        add_run_note(error, run_id=self.call.run.run_id, step=self.attempt.label, attempt=self.attempt.number)
        result = partial[0] if partial else getattr(error, "__zen_partial__", None)
        self.attempt.end_quietly(
            "cancelled" if isinstance(error, self.call.interrupts) else "failed",
            lease=start.lease,
            error=error_record(error, self.workspace.mask),
            log_location=self.attempt.save_log(output),
            result=result,
        )

    def _cancel(self, start: AttemptStart, scratch: Path) -> None:
        """The worker is asked to end: what it would do afterwards is done now."""
        if self.child is not None:
            self.child.end()
        self.attempt.end_quietly("cancelled", lease=start.lease)
        shutil.rmtree(scratch, ignore_errors=True)


def reuse_step(call: StepCall, workspace: Workspace, earlier: StepRunState) -> StepResult:
    """Let a step run of an earlier run stand for this one, whatever its key: what `--only` and `--from` ask for."""
    step_run = _StepRun(call, workspace)
    attempt = step_run.attempt
    attempt.inputs = ResolvedInputs({}, earlier.inputs, (), {})
    attempt.set_key(CacheKey(earlier.attempt.cache_key, earlier.attempt.key_parts))
    taken = step_run.take(earlier.outputs, earlier.reused_attempt_id or earlier.attempt.attempt_id, reason="taken")
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
