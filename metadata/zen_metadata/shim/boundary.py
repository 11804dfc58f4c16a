"""Where the user's exceptions meet Zen: they pass through unchanged, with a note; what is recorded is masked."""

from __future__ import annotations

import re
import tempfile
import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType

from zen_core.errors import StoreUnavailableError, ZenError
from zen_metadata.lineage.records import ErrorRecord

_LEADING_HELPERS = ("asyncio.runners", "asyncio.base_events", "contextlib")
_LONGEST_MESSAGE = 10_000
_LONGEST_TRACEBACK = 100_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no database takes as text: NUL, and the halves of characters that stand for undecodable bytes."""


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
        message=_storable(mask(_message_of(error)))[:_LONGEST_MESSAGE],
        traceback=_storable(mask(user_traceback(error)))[-_LONGEST_TRACEBACK:],
    )


def told(error: ZenError) -> str:
    """An error of Zen in one line, for a log: what happened, why, what to do."""
    problem = error.diagnostics[0]
    return "; ".join(filter(None, (problem.message, problem.where, problem.why, problem.hint)))


def scratch_failure(error: OSError, folder: Path | None = None) -> StoreUnavailableError:
    """The error where the folder for temporary files cannot be used: it is full, say."""
    return StoreUnavailableError(
        "the folder for temporary files cannot be used",
        where=str(folder or tempfile.gettempdir()),
        why=f"{type(error).__name__}: {error.strerror or error}",
        hint="make room there, or set TMPDIR to a folder that has room and that this user can write",
    )


def _message_of(error: BaseException) -> str:
    if isinstance(error, ZenError):
        return error.message
    try:
        return str(error)
    except Exception:  # the user's own class may be unable to say what it is
        return f"<{type(error).__name__}, which cannot be shown as text>"


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


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
