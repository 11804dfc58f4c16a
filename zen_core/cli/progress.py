"""How a run is told while it goes on: a live list of steps on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from zen_core.cli.output import STATUS_STYLE, format_seconds, short_id

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_SIGNS = {"completed": "✓", "cached": "✓", "failed": "✗", "upstream_failed": "✗", "cancelled": "■", "skipped": "-"}
_WORST_FIRST = ("failed", "cancelled", "upstream_failed", "skipped")
_LINES_KEPT_FREE = 4
_LINES_OF_ONE_MAP = 5
"""How many lines the elements of one map may have: when a thousand fail, the first few say why."""


@dataclass
class MapProgress:
    """How far a map is: how many of its elements ended how, since when, and why the first of them failed.

    `reason` says why all of them ran, or did not.
    """

    elements: int
    began: float = field(default_factory=time.monotonic)
    ended: Counter[str] = field(default_factory=Counter)
    why: str = ""
    reason: str = ""
    lines: int = 0

    @property
    def is_over(self) -> bool:
        """Whether every element has ended."""
        return self.ended.total() >= self.elements

    def words(self) -> str:
        """`998 completed, 2 failed`."""
        return ", ".join(f"{number} {status}" for status, number in self.ended.items())


class SilentProgress:
    """Says nothing, and remembers how each step, and each element of a map, ended."""

    def __init__(self) -> None:
        self.status_by_step: dict[str, str] = {}
        self.maps: dict[str, MapProgress] = {}
        self.seconds = 0.0

    def run_started(self, run_id: str, steps: tuple[str, ...]) -> None:
        """See RunObserver."""

    def step_started(self, step: str, attempt: int) -> None:
        """See RunObserver."""

    def map_started(self, step: str, elements: int) -> None:
        """See RunObserver."""
        self.maps[step] = MapProgress(elements)

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: str) -> None:
        """See RunObserver."""

    def step_finished(self, step: str, status: str, seconds: float, why: str) -> None:
        """See RunObserver."""
        self.status_by_step[step] = status
        if found := self.map_of(step):
            found.ended[status] += 1
            found.why = found.why or why

    def map_of(self, step: str) -> MapProgress | None:
        """The map that `fit[3]` is an element of; None for what is none."""
        name, is_element, _ = step.partition("[")
        return self.maps.get(name) if is_element else None

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

    def map_started(self, step: str, elements: int) -> None:
        """See RunObserver."""
        super().map_started(step, elements)
        if elements:
            self._write(f"{step}: {elements} element{'s' * (elements != 1)}")

    def step_started(self, step: str, attempt: int) -> None:
        """See RunObserver."""
        if self.map_of(step) is None:
            self._write(f"{step}: started{_attempt(attempt)}")

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: str) -> None:
        """See RunObserver."""
        self._write_of_step(f"{step}: {_retry_words(attempt, delay_seconds, error)}", step)

    def step_finished(self, step: str, status: str, seconds: float, why: str) -> None:
        """See RunObserver."""
        super().step_finished(step, status, seconds, why)
        took = f" in {format_seconds(seconds)}" if seconds and status in ("completed", "failed") else ""
        found = self.map_of(step)
        if found is None or status == "failed":
            self._write_of_step(f"{step}: {status}{took}{f': {why}' if why else ''}", step)
        if found is not None and found.is_over:
            took = f" in {format_seconds(time.monotonic() - found.began)}"
            self._write(f"{step.partition('[')[0]}: {found.words()}{took}")

    def step_output(self, step: str, text: str) -> None:
        """See RunObserver."""
        for line in text.splitlines() if self._with_output else ():
            self._write(f"{step} | {line}")

    def _write_of_step(self, line: str, step: str) -> None:
        found = self.map_of(step)
        if found is not None:
            found.lines += 1
            if found.lines > _LINES_OF_ONE_MAP:
                return
        self._write(line)

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

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: str) -> None:
        """See RunObserver."""
        self._notes[step] = _retry_words(attempt, delay_seconds, error)

    def step_finished(self, step: str, status: str, seconds: float, why: str) -> None:
        """See RunObserver."""
        super().step_finished(step, status, seconds, why)
        self._took[step] = seconds
        self._notes[step] = why

    def step_output(self, step: str, text: str) -> None:
        """See RunObserver."""
        from rich.text import Text

        for line in text.splitlines():
            self._console.print(Text.assemble((f"{step} | ", "dim"), printable(line, self._console.file)))

    def explain(self, reasons: Mapping[str, str]) -> None:
        """Note why each step ran, or did not, where nothing else is said of it.

        Args:
            reasons: a few words each, by `STEP` or `STEP[INDEX]`.
        """
        for step, reason in reasons.items():
            self._notes[step] = self._notes.get(step) or reason
        for step, found in self.maps.items():
            told = {reasons.get(f"{step}[{index}]", "") for index in range(found.elements)}
            found.reason = told.pop() if len(told) == 1 else ""

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
            done = sum(step in self.status_by_step or self._is_mapped_through(step) for step in self._steps)
            table.add_row("", f"… {done} of {len(self._steps)} steps are done")
        return table

    def _shown_steps(self) -> Sequence[str]:
        room = max(self._console.size.height - _LINES_KEPT_FREE, 1)
        if self._over or len(self._steps) <= room:
            return self._steps
        running = [step for step in self._steps if self._is_running(step)]
        failed = [step for step in self._steps if self.status_by_step.get(step) == "failed"]
        return (running + failed)[:room]

    def _is_mapped_through(self, step: str) -> bool:
        found = self.maps.get(step)
        return found is not None and found.is_over

    def _is_running(self, step: str) -> bool:
        if found := self.maps.get(step):
            return not found.is_over
        return step in self._began and step not in self.status_by_step

    def _row(self, step: str) -> tuple[Any, ...]:
        from rich.text import Text

        if found := self.maps.get(step):
            return self._map_row(step, found)
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

    def _map_row(self, step: str, found: MapProgress) -> tuple[Any, ...]:
        from rich.text import Text

        status = next((status for status in _WORST_FIRST if found.ended[status]), "completed")
        note = Text(found.words() if len(found.ended) > 1 else "", style="dim", overflow="ellipsis", no_wrap=True)
        if said := found.why or found.reason:
            note.append(f"  {said}" if note else said)
        done = f"{found.ended.total()}/{found.elements}"
        if found.is_over:
            style = STATUS_STYLE.get(status, "")
            return Text(_SIGNS.get(status, " "), style), step, Text(status, style), Text(done, "dim"), note
        return self._spinner, step, Text("running", STATUS_STYLE["running"]), Text(done, "dim"), note


def printable(text: str, stream: IO[str]) -> str:
    """The text with a question mark for each character that the stream cannot take: telling must never fail."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _attempt(number: int) -> str:
    return f" (attempt {number})" if number > 1 else ""


def _retry_words(attempt: int, delay_seconds: float, error: str) -> str:
    when = f"in {format_seconds(delay_seconds)}" if delay_seconds else "now"
    return f"{error}; attempt {attempt} begins {when}"
