"""The embedded engine: runs ready steps in parallel threads, each through the shim, and stops cleanly on Ctrl-C.

The caller's thread waits, so that it hears Ctrl-C; workers run steps and decide, one at a time, what comes next. They
are daemon threads, because the user's code in a thread cannot be interrupted: after Ctrl-C its attempt is recorded as
cancelled and the process may end.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zen_core.adapter.protocol import RunOutcome, RunRequest
from zen_core.contract.conditions import condition_text
from zen_core.errors import StoreError
from zen_local.capacity import Capacity, ReadyTasks
from zen_local.code import keep_code
from zen_local.earlier import Earlier, choose_steps, find_earlier
from zen_local.lowering import LocalPlan, lower_pipeline, this_machine
from zen_local.options import LocalOptions
from zen_local.scheduling import NotStarted, Schedule, Settled, Task
from zen_local.telling import Told
from zen_local.workers import Finished, Workers
from zen_metadata.lineage.records import RunRecord, RunStatus
from zen_metadata.query.nearest import refuse_unknown_steps
from zen_metadata.query.rules import PipelineRules
from zen_metadata.shim.boundary import error_record, told
from zen_metadata.shim.capture import release_streams
from zen_metadata.shim.hooks import run_hooks
from zen_metadata.shim.replaying import replay
from zen_metadata.shim.run_step import RunningStep, StepCall, reuse_step, run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import Workspace, open_workspace

_log = logging.getLogger("zen")


def run_pipeline(request: RunRequest) -> RunOutcome:
    """Run a pipeline to its end. A step that fails is an outcome; what is wrong before the first step is raised."""
    settings = request.settings.with_local_defaults()
    plan = lower_pipeline(request.manifest.ir, this_machine())
    named = (*sorted(request.refresh), *filter(None, (request.only, request.from_step)))
    refuse_unknown_steps(request.manifest.pipeline, named, plan.steps)
    run = new_run(
        request.manifest,
        settings,
        orchestrator="local",
        run_key=uuid.uuid4().hex,
        overrides=request.parameters,
        texts=request.texts,
        tick=datetime.now(UTC),
    )
    _make_state_folder(settings.state_folder)
    workspace = open_workspace(settings, remote=False)
    try:
        _replay_spool(workspace)
        if request.code is not None:
            keep_code(request.code, workspace, run.project)
        return _Engine(request, plan, workspace, run).run()
    finally:
        workspace.close()
        _project(workspace)


@dataclass
class _Engine:
    """One run."""

    request: RunRequest
    plan: LocalPlan
    workspace: Workspace
    run_record: RunRecord
    refs: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: dict[str, RunningStep] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    traceback: str = ""
    rules: PipelineRules = field(init=False)
    schedule: Schedule = field(init=False)

    def __post_init__(self) -> None:
        self.rules = self.workspace.rules_of(self.request.manifest.ir_digest, self.request.manifest.ir)

    def run(self) -> RunOutcome:
        started = time.monotonic()
        observer = Told(self.request.observer, self.workspace.mask)
        chosen, needed = choose_steps(self.rules, only=self.request.only, from_step=self.request.from_step)
        earlier = find_earlier(self.workspace, self.run_record, self.rules, needed) if needed else Earlier()
        stored = self.workspace.open_run(self.run_record, self.request.manifest.ir)
        for name, artifact_id in self.request.pins.items():
            self.workspace.lineage.pin_artifact(stored.run_id, name, artifact_id)
        observer.run_started(stored.run_id, tuple(self.plan.steps))
        try:
            with _terminate_as_interrupt():
                first = self._begin(chosen, earlier, observer)
                if self.request.debug:
                    self._run_serially(first, observer)
                else:
                    self._run(first, observer)
        except KeyboardInterrupt as interrupt:
            self.error = interrupt
            self._cancel(observer)
        status = self._close(observer)
        observer.run_finished(status, time.monotonic() - started)
        return RunOutcome(stored.run_id, status, self.error, self.traceback)

    # -- scheduling --------------------------------------------------------------------------------------------------

    def _run(self, first: list[Task], observer: Told) -> None:
        """Start what is ready and fits, until nothing is left."""
        waiting = ReadyTasks(self.plan.steps, self._whole_capacity())
        waiting.add(first)

        def settle(done: Finished) -> list[Task]:
            waiting.end(done.task)
            waiting.add(self._settle(done, observer))
            return [] if self.stopping.is_set() else waiting.take()

        Workers(lambda task: self._attempt_all(task, observer), settle).run(waiting.take())

    def _run_serially(self, first: list[Task], observer: Told) -> None:
        """One task after another in this thread, so that a debugger works."""
        waiting = ReadyTasks(self.plan.steps, replace(self._whole_capacity(), places=1))
        waiting.add(first)
        while tasks := waiting.take():
            for task in tasks:
                done = self._attempt_all(task, observer)
                waiting.end(task)
                waiting.add(self._settle(done, observer))

    def _settle(self, done: Finished, observer: Told) -> list[Task]:
        """Take a report in; answer with the tasks that are ready now."""
        if done.error is not None and self.error is None:
            self.error = done.error
            self.traceback = error_record(done.error, self.workspace.mask).traceback
        task = done.task
        refs = dict(done.result.refs) if done.result is not None else {}
        if task.part is None:
            self.refs[task.step] = refs
            observer.step_ended(task.step, _status_of(done), done.seconds, done.error)
        return self._tell(self.schedule.settle(task, failed=done.failed, refs=refs), observer)

    def _tell(self, settled: Settled, observer: Told) -> list[Task]:
        """Tell of maps that begin and of what will never start; answer with what is ready."""
        for step, count in settled.maps:
            observer.map_started(step, count)
            if count == 0:
                observer.step_left_out(step, "completed", "the list is empty")
        for found in settled.never:
            observer.step_left_out(label(found.step, found.index), found.status, self._why(found))
        return settled.ready

    def _why(self, found: NotStarted) -> str:
        """Why a step is skipped, in words; that one waits for what failed is seen beside it."""
        if found.status != "skipped":
            return ""
        condition, answer = self.request.manifest.steps[found.because].condition, self.schedule.answer(found.because)
        if condition is None or answer is None:
            return f"{found.because} was skipped"
        return f"{condition_text(condition)} is {str(answer).lower()}"

    def _whole_capacity(self) -> Capacity:
        machine = this_machine()
        options = self.request.options
        chosen = options.max_workers if isinstance(options, LocalOptions) else None
        places = chosen or max(2, int(machine.cpu))
        return Capacity(machine.cpu, machine.memory_bytes, machine.gpu, min(places, self.plan.max_parallel or places))

    # -- one task ----------------------------------------------------------------------------------------------------

    def _attempt_all(self, task: Task, observer: Told) -> Finished:
        """All attempts at one step; for a part of a map, at each of its elements: one that fails stops no other."""
        if task.part is None:
            return self._attempt_one(task, None, observer)
        started = time.monotonic()
        failed: set[int | None] = set()
        first_error: BaseException | None = None
        for index in self.schedule.elements(task):
            done = self._attempt_one(task, index, observer)
            observer.step_ended(label(task.step, index), _status_of(done), done.seconds, done.error)
            failed |= done.failed
            first_error = first_error or done.error
            if self.stopping.is_set():
                break
        return Finished(task, None, frozenset(failed), first_error, time.monotonic() - started)

    def _attempt_one(self, task: Task, index: int | None, observer: Told) -> Finished:
        step = self.plan.steps[task.step]
        name = label(task.step, index)
        started = time.monotonic()
        attempt = 1
        while True:
            try:
                result = run_step(self._call(task.step, index, attempt, observer), self.workspace)
                return Finished(task, result, frozenset(), None, time.monotonic() - started)
            except BaseException as error:
                interrupted = isinstance(error, KeyboardInterrupt)
                if interrupted and self.request.debug:
                    raise
                failed = Finished(task, None, frozenset({index}), error, time.monotonic() - started)
                if interrupted or attempt > step.further_attempts or self.stopping.is_set():
                    return failed
                attempt += 1
                delay = step.delay_before(attempt)
                observer.step_retrying(name, attempt, delay, error)
                if self.stopping.wait(delay):
                    return failed
            finally:
                self.running.pop(name, None)

    def _call(self, name: str, index: int | None, attempt: int, observer: Told) -> StepCall:
        request = self.request
        step = request.manifest.steps[name]
        told = label(name, index)

        def started(running: RunningStep) -> None:
            self.running[told] = running
            if self.stopping.is_set():  # too late for `_cancel` to see it
                running.cancel()
                raise KeyboardInterrupt
            observer.step_started(told, running.number)

        return StepCall(
            manifest=request.manifest,
            step=name,
            run=self.run_record,
            upstream=self.refs,
            map_index=index,
            look_up=not request.no_cache and name not in request.refresh,
            own_process=request.debug,
            debug=request.debug,
            number=attempt,
            function=request.functions.get(step.entry_point),
            importable=not step.entry_point.startswith("__main__:"),
            on_output=None if request.observer is None else lambda text: observer.step_output(told, text),
            pass_output=request.observer is None or request.debug,
            on_start=started,
        )

    # -- what an earlier run did -------------------------------------------------------------------------------------

    def _begin(self, chosen: frozenset[str], earlier: Earlier, observer: Told) -> list[Task]:
        """The tasks that can start at once; what is not to run is taken from the latest run."""
        for state in earlier.states:
            step, index = state.step_run.step, state.step_run.map_index
            result = reuse_step(self._call(step, index, 1, observer), self.workspace, state)
            if index is None:
                self.refs[step] = dict(result.refs)
            observer.step_left_out(label(step, index), result.status)
        chunks = {step.name: step.chunk for step in self.plan.steps.values()}
        self.schedule = Schedule(self.rules, chunks, chosen)
        return self._tell(self.schedule.begin(earlier.outcomes, self.refs), observer)

    # -- the end -----------------------------------------------------------------------------------------------------

    def _cancel(self, observer: Told) -> None:
        self.stopping.set()
        for name, running in list(self.running.items()):
            running.cancel()
            observer.step_left_out(name, "cancelled")

    def _close(self, observer: Told) -> str:
        status: RunStatus = "completed"
        if self.error is not None:
            status = "cancelled" if isinstance(self.error, KeyboardInterrupt) else "failed"
        release_streams()
        try:
            self.workspace.end_run(self.run_record, self.request.manifest.ir, status)
        except StoreError as error:
            if self.workspace.settings.on_store_error == "fail":
                raise
            _log.error("the end of the run is not recorded: %s", told(error))
        if status != "cancelled":
            run_hooks(
                self.workspace,
                self.run_record,
                self.request.manifest,
                status,
                functions=self.request.functions,
                on_output=None if self.request.observer is None else observer.step_output,
                pass_output=self.request.observer is None or self.request.debug,
                debug=self.request.debug,
            )
        return status


def label(step: str, index: int | None) -> str:
    """`fit`, or `fit[3]` for an element of a map."""
    return step if index is None else f"{step}[{index}]"


def _status_of(done: Finished) -> str:
    return done.result.status if done.result is not None else "failed"


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does; only the main thread can hear it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _make_state_folder(folder: Path) -> None:
    """`.zen/`, which keeps itself out of version control. Raises StoreError where it cannot be made."""
    ignore = folder / ".gitignore"
    try:
        folder.mkdir(exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the folder {folder} cannot be written: {error.strerror}",
            hint="make the project's folder writable, or set ZEN_LINEAGE_URL and ZEN_ARTIFACT_URL and run elsewhere",
        ) from error


def _replay_spool(workspace: Workspace) -> None:
    """What could not be recorded earlier comes first, if the store is back."""
    workspace.ask(lambda lineage: replay(lineage, workspace.artifacts).tell(), None)


def _project(workspace: Workspace) -> None:
    """Hand the run on to MLflow: in the background, unless the settings say otherwise."""
    from zen_metadata.tracking.background import start_background_sync
    from zen_metadata.tracking.projections import has_projections, sync_projections

    if not has_projections(workspace.settings):
        return  # `zen sync` says what is in the way
    if workspace.settings.mlflow_sync == "wait":
        sync_projections(workspace.settings)
    elif workspace.settings.mlflow_sync == "background":
        start_background_sync(workspace.settings)
