"""Runs a step in a child process: one that can be ended at its timeout, and that is MLflow's own.

The parent writes a request file, into the attempt's scratch folder, which only this user can read, and starts a Python
of its own. The child does the work and answers through a pipe: a disk that is full by then takes no answer away.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from zen_core.contract.settings import Settings
from zen_core.errors import ShimError, StepTimeoutError
from zen_metadata.lineage.records import RunRecord
from zen_metadata.shim.boundary import scratch_failure
from zen_metadata.shim.work import Work, WorkResult, do_work

_REQUEST = "request.pickle"
_GRACE_SECONDS = 2.0
_LENGTH_BYTES = 8
# Not `-m`: as `__main__` this module's classes would be pickled under a name that the parent does not know.
_BOOTSTRAP = "import sys; from zen_metadata.shim.child import main; sys.exit(main(sys.argv[1], int(sys.argv[2])))"


@dataclass(frozen=True)
class ChildRequest:
    """What the child needs. `function` is the pickled function where no module holds it."""

    work: Work
    settings: Settings
    function: bytes | None
    installed: bool
    code_root: str | None
    run: RunRecord
    attempt_id: str
    user_run: bool


@dataclass(frozen=True)
class ChildAnswer:
    """What the child did."""

    result: WorkResult | None = None
    partial: WorkResult | None = None
    """Metrics and parameters of an execution that failed."""
    error: bytes | None = None
    error_type: str = ""
    error_text: str = ""


class ChildProcess:
    """A child at work. `run` blocks; `end` may be called from another thread."""

    def __init__(self, request: ChildRequest, *, on_output: Callable[[str], None]) -> None:
        self._request = request
        self._on_output = on_output
        self._process: subprocess.Popen[str] | None = None
        self._answer = b""
        self._ended = False

    def run(self, timeout_seconds: float | None) -> WorkResult:
        """Do the work in a child.

        Raises:
            StepTimeoutError: it took longer; the child and all that it started are gone.
            BaseException: what the user's code raised, with the child's traceback.
            CancelledError: `end` was called.
            ShimError: the child died.
            StoreUnavailableError: there is no room for what it is to be told.
        """
        folder = self._request.work.scratch
        try:
            folder.mkdir(exist_ok=True)
            (folder / _REQUEST).write_bytes(pickle.dumps(self._request))
        except OSError as error:
            raise scratch_failure(error, folder) from error
        answer, told = os.pipe()
        try:
            self._start(folder, told)
        except BaseException:
            os.close(answer)
            raise
        finally:
            os.close(told)
        hearing = threading.Thread(target=self._hear, args=(answer,), daemon=True)
        hearing.start()
        code = self._wait(timeout_seconds)
        hearing.join(_GRACE_SECONDS)  # a process that the step left behind may hold the pipe open
        return _read_answer(self._answer, code, self._request)

    def _start(self, folder: Path, answer: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOTSTRAP, str(folder), str(answer)],  # -P: no imports from where it runs
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "PYTHONUNBUFFERED": "1",
            },
            start_new_session=True,
            pass_fds=[answer],
        )

    def _wait(self, timeout_seconds: float | None) -> int:
        assert self._process is not None, "it was started"
        reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        reader.start()
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise StepTimeoutError(
                f"the step ran longer than its timeout of {timeout_seconds:g} seconds and was ended",
                where=f"step {self._request.work.step.name!r} of pipeline {self._request.work.pipeline!r}",
                hint="raise the step's timeout, or make the work smaller",
            ) from None
        except BaseException:
            self.end()
            raise
        if self._ended:
            raise CancelledError("the step was cancelled")
        reader.join(_GRACE_SECONDS)  # as above
        return code

    def end(self) -> None:
        """End the child and all that it started."""
        process = self._process
        if process is None or self._ended:
            return
        self._ended = True
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        process.wait()

    def _hear(self, answer: int) -> None:
        """Take the answer in: its length and then itself, since the end of the pipe may never come."""
        with open(answer, "rb") as pipe:
            length = int.from_bytes(pipe.read(_LENGTH_BYTES), "big")
            data = pipe.read(length)
        if len(data) == length:  # else the child was killed while it wrote
            self._answer = data

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            with process.stdout:
                for line in process.stdout:
                    self._on_output(line)


def _read_answer(data: bytes, code: int, request: ChildRequest) -> WorkResult:
    where = f"step {request.work.step.name!r} of pipeline {request.work.pipeline!r}"
    if not data:
        ended = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        raise ShimError(
            f"the process that ran the step ended {ended}",
            where=where,
            code="ZEN-S110",
            hint="SIGKILL most often means that the machine ran out of memory; the step's log has its last words",
        )
    answer: ChildAnswer = pickle.loads(data)
    if answer.result is not None:
        return answer.result
    raise _rebuild_error(answer, where)


def _rebuild_error(answer: ChildAnswer, where: str) -> BaseException:
    error: BaseException
    try:
        error = pickle.loads(answer.error or b"")
    except Exception:  # whatever the user's own class does when it is rebuilt
        error = ShimError(f"the step raised {answer.error_type}", where=where, code="ZEN-S111")
    error.__zen_traceback__ = answer.error_text  # type: ignore[attr-defined]
    error.__zen_partial__ = answer.partial  # type: ignore[attr-defined]
    return error


# -- in the child --------------------------------------------------------------------------------------------------


def main(scratch: str, pipe: int) -> int:
    """Do the work that the request in the folder `scratch` describes, and answer through the pipe."""
    os.set_inheritable(pipe, False)
    folder = Path(scratch)
    _end_with_parent(os.getppid())
    request: ChildRequest = pickle.loads((folder / _REQUEST).read_bytes())
    partial: list[WorkResult] = []
    try:
        answer = ChildAnswer(result=_do(request, partial.append))
    except BaseException as error:
        answer = _failed(error, partial)
    data = pickle.dumps(answer)
    with open(pipe, "wb") as stream:
        stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    return 0 if answer.result is not None else 1


def _do(request: ChildRequest, on_metrics: Callable[[WorkResult], None]) -> WorkResult:
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.shim.code import load_step
    from zen_metadata.shim.user_run import user_run_of
    from zen_metadata.shim.workspace import find_lineage_store

    if request.function is not None:
        function = pickle.loads(request.function)
    else:
        root = Path(request.code_root) if request.code_root else None
        function = load_step(request.work.step, root, installed=request.installed)
    artifacts = ArtifactStore(request.settings.artifact_url, allow_pickle=request.settings.allow_pickle)
    user_run: AbstractContextManager[str | None] | None = None
    if request.user_run:
        store = find_lineage_store(request.settings)
        user_run = user_run_of(request.settings, store, request.run, request.work, request.attempt_id)
    return do_work(request.work, function, artifacts, user_run=user_run, on_metrics=on_metrics)


def _failed(error: BaseException, partial: list[WorkResult]) -> ChildAnswer:
    from zen_metadata.shim.boundary import user_traceback

    text = user_traceback(error)
    try:
        import cloudpickle  # also classes that the step's own module defines

        data = cloudpickle.dumps(error)
    except Exception:  # an exception may hold anything, also what cannot be pickled
        data = None
    return ChildAnswer(
        partial=partial[0] if partial else None,
        error=data,
        error_type=f"{type(error).__module__}.{type(error).__qualname__}: {error}",
        error_text=text,
    )


def _end_with_parent(parent: int) -> None:
    """A step must not go on when the worker that started it was killed: its next attempt starts at once."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os.killpg(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="zen-parent-watch", daemon=True).start()
