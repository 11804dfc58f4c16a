"""The embedded engine: runs ready steps in parallel threads, each through the shim, and stops cleanly on Ctrl-C.

The caller's thread waits, so that it hears Ctrl-C; workers run steps and decide, one at a time, what comes next. They
are daemon threads, because the user's code in a thread cannot be interrupted: after Ctrl-C its attempt is recorded as
cancelled and the process may end.
"""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zen_core.adapter.protocol import RunObserver, RunOutcome, RunRequest
from zen_core.errors import NotFoundError, StoreError, UsageError
from zen_local.lowering import LocalPlan, lower_pipeline, this_machine
from zen_local.options import LocalOptions
from zen_local.workers import Capacity, Finished, Workers
from zen_metadata.lineage.records import RunRecord, StepRunState
from zen_metadata.shim.capture import release_streams
from zen_metadata.shim.run_step import RunningStep, StepCall, reuse_step, run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.spool import replay
from zen_metadata.shim.workspace import Workspace, open_workspace

_DONE = ("completed", "cached")


def run_pipeline(request: RunRequest) -> RunOutcome:
    """Run a pipeline to its end. A step that fails is an outcome; what is wrong before the first step is raised."""
    settings = request.settings.with_local_defaults()
    plan = lower_pipeline(request.manifest.ir, this_machine())
    for name in (*request.refresh, *filter(None, (request.only, request.from_step))):
        _refuse_unknown(name, plan)
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
    statuses: dict[str, str] = field(default_factory=dict)
    refs: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: dict[str, RunningStep] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> RunOutcome:
        started = time.monotonic()
        observer = _Told(self.request.observer)
        stored = self.workspace.open_run(self.run_record, self.request.manifest.ir)
        observer.run_started(stored.run_id, tuple(self.plan.steps))
        error: BaseException | None = None
        try:
            with _terminate_as_interrupt():
                waiting = self._reuse_earlier(observer)
                error = self._run_serially(waiting, observer) if self.request.debug else self._run(waiting, observer)
        except KeyboardInterrupt as interrupt:
            error = interrupt
            self._cancel(observer)
        status = self._close(error)
        observer.run_finished(status, time.monotonic() - started)
        return RunOutcome(stored.run_id, status, error)

    # -- scheduling --------------------------------------------------------------------------------------------------

    def _run(self, waiting: dict[str, int], observer: _Told) -> BaseException | None:
        """Start what is ready and fits, until nothing is left. Answers with the first failure."""
        capacity = self._whole_capacity()
        ready = [name for name, missing in waiting.items() if missing == 0]
        errors: list[BaseException] = []

        def settle(done: Finished) -> list[str]:
            capacity.give_back(self.plan.steps[done.step])
            if done.error is not None:
                errors.append(done.error)
            ready.extend(self._settle(done, waiting, observer))
            return [] if self.stopping.is_set() else self._take_ready(ready, capacity)

        workers = Workers(lambda name: self._attempt_all(name, observer), settle)
        workers.run(self._take_ready(ready, capacity))
        return errors[0] if errors else None

    def _take_ready(self, ready: list[str], capacity: Capacity) -> list[str]:
        """Take the steps that fit out of `ready`, the longest waiting first; a large one does not hold up others."""
        taken: list[str] = []
        for name in ready:
            if capacity.places == 0:
                break
            if capacity.takes(self.plan.steps[name]):
                capacity.take(self.plan.steps[name])
                taken.append(name)
        for name in taken:
            ready.remove(name)
        return taken

    def _run_serially(self, waiting: dict[str, int], observer: _Told) -> BaseException | None:
        """One step after another in this thread, so that a debugger works."""
        first_error: BaseException | None = None
        ready = [name for name, missing in waiting.items() if missing == 0]
        while ready:
            done = self._attempt_all(ready.pop(0), observer)
            first_error = first_error or done.error
            ready.extend(self._settle(done, waiting, observer))
        return first_error

    def _settle(self, done: Finished, waiting: dict[str, int], observer: _Told) -> list[str]:
        """Take a report in; answer with the steps that are ready now."""
        status = done.result.status if done.result is not None else "failed"
        self.statuses[done.step] = status
        observer.step_finished(done.step, status, done.seconds, done.error)
        if done.result is not None:
            self.refs[done.step] = dict(done.result.refs)
            ready = []
            for name in self.plan.downstream[done.step]:
                if name in waiting and name not in self.statuses:
                    waiting[name] -= 1
                    if waiting[name] == 0:
                        ready.append(name)
            return ready
        blocked = list(self.plan.downstream[done.step])
        for name in blocked:
            if name in waiting and name not in self.statuses:
                self.statuses[name] = "upstream_failed"
                observer.step_finished(name, "upstream_failed", 0.0, None)
                blocked.extend(self.plan.downstream[name])
        return []

    def _whole_capacity(self) -> Capacity:
        machine = this_machine()
        options = self.request.options
        places = options.max_workers if isinstance(options, LocalOptions) else None
        return Capacity(machine.cpu, machine.memory_bytes, machine.gpu, places or max(2, int(machine.cpu)))

    # -- one step ----------------------------------------------------------------------------------------------------

    def _attempt_all(self, name: str, observer: _Told) -> Finished:
        """All attempts at one step."""
        step = self.plan.steps[name]
        started = time.monotonic()
        attempt = 1
        while True:
            try:
                result = run_step(self._call(name, attempt, observer), self.workspace)
                return Finished(name, result, None, time.monotonic() - started)
            except KeyboardInterrupt:
                if self.request.debug:
                    raise
                return Finished(name, None, KeyboardInterrupt(), time.monotonic() - started)
            except BaseException as error:
                if attempt > step.further_attempts or self.stopping.is_set():
                    return Finished(name, None, error, time.monotonic() - started)
                attempt += 1
                delay = step.delay_before(attempt)
                observer.step_retrying(name, attempt, delay, error)
                if self.stopping.wait(delay):
                    return Finished(name, None, error, time.monotonic() - started)
            finally:
                self.running.pop(name, None)

    def _call(self, name: str, attempt: int, observer: _Told) -> StepCall:
        request = self.request
        step = request.manifest.steps[name]
        function = request.functions[step.entry_point]

        def started(running: RunningStep) -> None:
            self.running[name] = running
            observer.step_started(name, running.number)

        return StepCall(
            manifest=request.manifest,
            step=name,
            run=self.run_record,
            upstream=self.refs,
            look_up=not request.no_cache and name not in request.refresh,
            own_process=request.debug,
            debug=request.debug,
            number=attempt,
            function=function,
            importable=not step.entry_point.startswith("__main__:"),
            on_output=None if request.observer is None else lambda text: observer.step_output(name, text),
            pass_output=request.observer is None or request.debug,
            on_start=started,
        )

    # -- what an earlier run did -------------------------------------------------------------------------------------

    def _reuse_earlier(self, observer: _Told) -> dict[str, int]:
        """The steps to run, each with the number of steps it waits for; others are taken from the latest run."""
        chosen, needed = self._choose()
        if needed:
            states = self._latest_states(needed)
            for name in (name for name in self.plan.steps if name in needed):
                result = reuse_step(self._call(name, 1, observer), self.workspace, states[name])
                self.statuses[name] = result.status
                self.refs[name] = dict(result.refs)
                observer.step_finished(name, result.status, 0.0, None)
        return {
            name: len([other for other in step.upstream if other in chosen])
            for name, step in self.plan.steps.items()
            if name in chosen
        }

    def _choose(self) -> tuple[set[str], set[str]]:
        """The steps to run, and those whose earlier results are needed."""
        if self.request.only is not None:
            return {self.request.only}, set(self.plan.steps[self.request.only].upstream)
        if self.request.from_step is not None:
            chosen = {self.request.from_step, *self.plan.descendants(self.request.from_step)}
            return chosen, set(self.plan.steps) - chosen
        return set(self.plan.steps), set()

    def _latest_states(self, needed: set[str]) -> dict[str, StepRunState]:
        lineage = self.workspace.lineage
        for run in lineage.find_runs(self.run_record.project, pipeline=self.run_record.pipeline, limit=50):
            states = {
                state.step_run.step: state for state in lineage.get_step_runs(run.run_id) if state.status in _DONE
            }
            if needed <= states.keys():
                return {name: states[name] for name in needed}
        raise NotFoundError(
            f"no earlier run of {self.run_record.pipeline!r} has results of {', '.join(sorted(needed))}",
            hint="run the whole pipeline once",
        )

    # -- the end -----------------------------------------------------------------------------------------------------

    def _cancel(self, observer: _Told) -> None:
        self.stopping.set()
        for name, running in list(self.running.items()):
            running.cancel()
            self.statuses[name] = "cancelled"
            observer.step_finished(name, "cancelled", 0.0, None)

    def _close(self, error: BaseException | None) -> str:
        status = "completed"
        if error is not None:
            status = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
        release_streams()
        try:
            self.workspace.lineage.end_run(self.run_record.run_id, status)  # type: ignore[arg-type]
        except StoreError:
            if self.workspace.settings.on_store_error == "fail":
                raise
        return status


class _Told:
    """Hands on what happens to the observer, one call at a time."""

    def __init__(self, observer: RunObserver | None) -> None:
        self._observer = observer
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        observer = self._observer
        if observer is None:
            return lambda *facts: None
        method = getattr(observer, name)

        def tell(*facts: Any) -> None:
            with self._lock:
                method(*facts)

        return tell


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


def _refuse_unknown(name: str, plan: LocalPlan) -> None:
    if name not in plan.steps:
        raise UsageError(f"the pipeline has no step {name!r}", hint=f"its steps: {', '.join(plan.steps)}")


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
    if not workspace.is_away:
        replay(workspace.lineage, workspace.artifacts)


def _project(workspace: Workspace) -> None:
    """Hand the run on to MLflow: in the background, unless the settings say otherwise."""
    from zen_metadata.tracking.sync import find_obstacle, start_background_sync, sync

    if find_obstacle(workspace.settings):
        return  # `zen sync` says what is in the way
    if workspace.settings.mlflow_sync == "wait":
        sync(workspace.settings)
    elif workspace.settings.mlflow_sync == "background":
        start_background_sync(workspace.settings)
