"""Where the user's exceptions meet Zen: they pass through unchanged, with a note; what is recorded is masked."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from types import TracebackType

from zen_core.errors import ZenError
from zen_metadata.lineage.records import ErrorRecord

_LEADING_HELPERS = ("asyncio.runners", "asyncio.base_events", "contextlib")
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
    return module.partition(".")[0] in _own_packages() or module in _LEADING_HELPERS


@cache
def _own_packages() -> frozenset[str]:
    adapters = (entry_point.value.partition(":")[0] for entry_point in entry_points(group="zen.adapters"))
    return frozenset({"zen_core", "zen_metadata", *(name.partition(".")[0] for name in adapters)})
