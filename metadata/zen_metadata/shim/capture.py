"""Captures what a step prints and logs, also when several steps run in threads of one process.

`sys.stdout` and `sys.stderr` are wrapped once; what is written goes on to the original, and to the capture of the
step that runs in the writing thread, which a context variable names.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_MAX_CHARACTERS = 8_000_000


def _as_it_is(text: str) -> str:
    return text


class OutputCapture:
    """Collects the text of one attempt, up to 8 million characters; `on_line` is told each full line."""

    def __init__(
        self, on_line: Callable[[str], None] | None, *, pass_on: bool, mask: Callable[[str], str] | None
    ) -> None:
        self.pass_on = pass_on
        self.mask = mask or _as_it_is
        self._on_line = on_line
        self._parts: list[str] = []
        self._size = 0
        self._line = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Take in some text."""
        with self._lock:
            room = _MAX_CHARACTERS - self._size
            if room > 0:
                self._parts.append(text[:room])
                self._size += len(text)
                if self._size >= _MAX_CHARACTERS:
                    self._parts.append("\n[the log is cut here: it is longer than 8 million characters]\n")
            if self._on_line is not None:
                *lines, self._line = (self._line + text).split("\n")
                self._tell(lines)

    def finish(self) -> str:
        """All text; a last line without an end is told too."""
        with self._lock:
            if self._line:
                self._tell([self._line])
                self._line = ""
            return "".join(self._parts)

    def _tell(self, lines: list[str]) -> None:
        """What the listener itself writes, such as an orchestrator's log line, is not the step's."""
        if self._on_line is None:
            return
        token = _capture.set(None)
        try:
            for line in lines:
                self._on_line(self.mask(line))
        finally:
            _capture.reset(token)


_capture: ContextVar[OutputCapture | None] = ContextVar("zen_output_capture", default=None)
_install_lock = threading.Lock()


class _Router(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def write(self, text: str) -> int:
        capture = _capture.get()
        if capture is None:
            return int(self.original.write(text) or 0)
        capture.write(text)
        if capture.pass_on:
            self.original.write(capture.mask(text))
        return len(text)

    def flush(self) -> None:
        self.original.flush()

    def isatty(self) -> bool:
        return _capture.get() is None and bool(self.original.isatty())

    def fileno(self) -> int:
        return int(self.original.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.original, "encoding", None) or "utf-8"

    @property
    def buffer(self) -> Any:
        return self.original.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _LogHandler(logging.Handler):
    """Log records of the running step go into its capture."""

    def emit(self, record: logging.LogRecord) -> None:
        capture = _capture.get()
        if capture is not None:
            capture.write(self.format(record) + "\n")


_log_handler = _LogHandler()
_log_handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))


@contextmanager
def capture_output(
    on_line: Callable[[str], None] | None = None, *, pass_on: bool, mask: Callable[[str], str] | None = None
) -> Iterator[OutputCapture]:
    """Capture what this thread prints and logs within the block.

    Args:
        on_line: told each line as it comes.
        pass_on: whether the text also goes where it would have gone.
        mask: takes secrets out of the text for both of these; what is captured is left as it is.
    """
    with _install_lock:
        # Test runners and notebooks put their own streams in place at any time, so this is looked at each time.
        if not isinstance(sys.stdout, _Router):
            sys.stdout = _Router(sys.stdout)
        if not isinstance(sys.stderr, _Router):
            sys.stderr = _Router(sys.stderr)
        if _log_handler not in logging.getLogger().handlers:
            logging.getLogger().addHandler(_log_handler)
    capture = OutputCapture(on_line, pass_on=pass_on, mask=mask)
    token = _capture.set(capture)
    try:
        yield capture
    finally:
        _capture.reset(token)


def release_streams() -> None:
    """Put the original streams back, when no step runs in this process any more."""
    with _install_lock:
        if isinstance(sys.stdout, _Router):
            sys.stdout = sys.stdout.original
        if isinstance(sys.stderr, _Router):
            sys.stderr = sys.stderr.original
        logging.getLogger().removeHandler(_log_handler)
