"""Where the user's exceptions meet Zen: they pass through unchanged, with a note; what is recorded is masked."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import TracebackType

from zen_core.errors import ZenError
from zen_metadata.lineage.records import ErrorRecord

_OWN_PACKAGES = ("zen_core", "zen_metadata", "zen_local", "zen_airflow")
_LONGEST_MESSAGE = 10_000
_LONGEST_TRACEBACK = 100_000


def add_run_note(error: BaseException, *, run_id: str, step: str, attempt: int) -> None:
    """Say in the exception itself which run and step it came from, once."""
    note = f"zen: run {run_id}, step {step!r}, attempt {attempt}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def error_record(error: BaseException, mask: Callable[[str], str]) -> ErrorRecord:
    """What is kept of an exception: its type, message and the user's part of the traceback, masked."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return ErrorRecord(
        type=name,
        message=mask(error.message if isinstance(error, ZenError) else str(error))[:_LONGEST_MESSAGE],
        traceback=mask(user_traceback(error))[-_LONGEST_TRACEBACK:],
    )


def user_traceback(error: BaseException) -> str:
    """The traceback without the frames of Zen that lead to the user's code."""
    remote = getattr(error, "__zen_traceback__", None)
    if remote is not None:
        return str(remote)
    frames = error.__traceback__
    while frames is not None and _is_own(frames):
        frames = frames.tb_next
    if frames is None:  # it was raised by Zen itself, whose insides tell a user nothing
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(type(error), error, frames))


def _is_own(frame: TracebackType) -> bool:
    module = str(frame.tb_frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in _OWN_PACKAGES or module in (
        "asyncio.runners",
        "asyncio.base_events",
        "contextlib",
    )
