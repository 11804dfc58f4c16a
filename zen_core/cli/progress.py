"""How a run is told while it goes on: a live list of steps on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from zen_core.cli.output import STATUS_STYLE, format_seconds, short_id

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_SIGNS = {"completed": "✓", "cached": "✓", "failed": "✗", "upstream_failed": "✗", "cancelled": "■", "skipped": "-"}
_LINES_KEPT_FREE = 4


class SilentProgress:
    """Says nothing, and remembers how each step ended."""

    def __init__(self) -> None:
        self.status_by_step: dict[str, str] = {}
        self.seconds = 0.0

    def run_started(self, run_id: str, steps: tuple[str, ...]) -> None:
        """See RunObserver."""

    def step_started(self, step: str, attempt: int) -> None:
        """See RunObserver."""

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: BaseException) -> None:
        """See RunObserver."""

    def step_finished(self, step: str, status: str, seconds: float, error: BaseException | None) -> None:
        """See RunObserver."""
        self.status_by_step[step] = status

    def step_output(self, step: str, text: str) -> None:
        """See RunObserver."""

    def run_finished(self, status: str, seconds: float) -> None:
        """See RunObserver."""
        self.seconds = seconds

    def close(self) -> None:
        """Give the terminal back; also when the run broke off."""

    def counts(self) -> str:
        """How many steps ended how: `3 completed, 1 failed`."""
        return ", ".join(f"{number} {status}" for status, number in Counter(self.status_by_step.values()).items())


class PlainProgress(SilentProgress):
    """One line for each event, flushed at once, so that a log shows where a run stands.

    Args:
        stream: where the lines go.
        with_output: whether what the steps print is told too.
    """

    def __init__(self, stream: IO[str], *, with_output: bool = True) -> None:
        super().__init__()
        self._stream = stream
        self._with_output = with_output
        self._reader_left = False

    def run_started(self, run_id: str, steps: tuple[str, ...]) -> None:
        """See RunObserver."""
        self._write(f"run {run_id}: {len(steps)} step{'s' * (len(steps) != 1)}")

    def step_started(self, step: str, attempt: int) -> None:
        """See RunObserver."""
        self._write(f"{step}: started{_attempt(attempt)}")

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: BaseException) -> None:
        """See RunObserver."""
        self._write(f"{step}: {_retry_words(attempt, delay_seconds, error)}")

    def step_finished(self, step: str, status: str, seconds: float, error: BaseException | None) -> None:
        """See RunObserver."""
        super().step_finished(step, status, seconds, error)
        took = f" in {format_seconds(seconds)}" if status in ("completed", "failed") else ""
        why = f": {describe_error(error)}" if error is not None and status == "failed" else ""
        self._write(f"{step}: {status}{took}{why}")

    def step_output(self, step: str, text: str) -> None:
        """See RunObserver."""
        for line in text.splitlines() if self._with_output else ():
            self._write(f"{step} | {line}")

    def _write(self, line: str) -> None:
        if self._reader_left:
            return
        try:
            print(printable(line, self._stream), file=self._stream, flush=True)
        except BrokenPipeError:  # `zen run … | head`: that nobody listens is no failure of a step
            self._reader_left = True


class LiveProgress(SilentProgress):
    """The steps as a list that changes in place; what they print scrolls by above it.

    While the run goes on only as many steps are listed as fit on the screen, those at work first; at the end
    all.
    """

    def __init__(self, console: Console) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        super().__init__()
        self._console = console
        self._steps: tuple[str, ...] = ()
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._over = False
        self._spinner = Spinner("dots")
        # stdout and stderr belong to the shim's capture, which must not be replaced beneath it.
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=10,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def run_started(self, run_id: str, steps: tuple[str, ...]) -> None:
        """See RunObserver."""
        self._steps = steps
        self._console.print(f"run {short_id(run_id)}", style="dim")
        self._live.start()

    def step_started(self, step: str, attempt: int) -> None:
        """See RunObserver."""
        self._began[step] = time.monotonic()
        self._notes[step] = _attempt(attempt).strip(" ()")

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: BaseException) -> None:
        """See RunObserver."""
        self._notes[step] = _retry_words(attempt, delay_seconds, error)

    def step_finished(self, step: str, status: str, seconds: float, error: BaseException | None) -> None:
        """See RunObserver."""
        super().step_finished(step, status, seconds, error)
        self._took[step] = seconds
        self._notes[step] = describe_error(error) if error is not None and status == "failed" else ""

    def step_output(self, step: str, text: str) -> None:
        """See RunObserver."""
        from rich.text import Text

        for line in text.splitlines():
            self._console.print(Text.assemble((f"{step} | ", "dim"), printable(line, self._console.file)))

    def close(self) -> None:
        """Leave the list of all steps on the screen."""
        self._over = True
        if self._live.is_started:
            self._live.stop()

    def _render(self) -> RenderableType:
        from rich.table import Table

        table = Table.grid(padding=(0, 2, 0, 0))
        shown = self._shown_steps()
        for step in shown:
            table.add_row(*self._row(step))
        if len(shown) < len(self._steps):
            table.add_row("", f"… {len(self.status_by_step)} of {len(self._steps)} steps are done")
        return table

    def _shown_steps(self) -> Sequence[str]:
        room = max(self._console.size.height - _LINES_KEPT_FREE, 1)
        if self._over or len(self._steps) <= room:
            return self._steps
        running = [step for step in self._steps if step in self._began and step not in self.status_by_step]
        failed = [step for step in self._steps if self.status_by_step.get(step) == "failed"]
        return (running + failed)[:room]

    def _row(self, step: str) -> tuple[Any, ...]:
        from rich.text import Text

        status = self.status_by_step.get(step)
        note = Text(self._notes.get(step, ""), style="dim", overflow="ellipsis", no_wrap=True)
        if status is not None:
            style = STATUS_STYLE.get(status, "")
            took = format_seconds(self._took[step]) if status in ("completed", "failed") else ""
            return Text(_SIGNS.get(status, " "), style), step, Text(status, style), Text(took, "dim"), note
        if step in self._began:
            elapsed = format_seconds(time.monotonic() - self._began[step])
            return self._spinner, step, Text("running", STATUS_STYLE["running"]), Text(elapsed, "dim"), note
        return " ", Text(step, "dim"), "", "", ""


def describe_error(error: BaseException) -> str:
    """`ValueError: the first line of what it says`."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def printable(text: str, stream: IO[str]) -> str:
    """The text with a question mark for each character that the stream cannot take: telling must never fail."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _attempt(number: int) -> str:
    return f" (attempt {number})" if number > 1 else ""


def _retry_words(attempt: int, delay_seconds: float, error: BaseException) -> str:
    when = f"in {format_seconds(delay_seconds)}" if delay_seconds else "now"
    return f"{describe_error(error)}; attempt {attempt} begins {when}"
