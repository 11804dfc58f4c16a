"""How `zen diff` shows two runs in a terminal, and as plain text elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from zen_core.cli.output import (
    format_seconds,
    format_time,
    is_terminal,
    print_facts,
    print_heading,
    print_line,
    short_id,
    terminal,
)
from zen_metadata.cli.diff_view import Entry, Section, sections_of, summary_of, visible
from zen_metadata.query.diff import RunDiff
from zen_metadata.query.runs import Run

_LONGEST_VALUE = 60
_MOST_ALIKE = 20
"""More steps that are alike than this are counted, not listed."""
_STYLES: Mapping[str, str] = {"+": "green", "-": "red", "~": "yellow", "=": "dim", "@": "cyan"}


def print_diff(diff: RunDiff) -> None:
    """Print both runs, what differs in a line, and each section in which something does; at last all steps."""
    print_facts({"before": _run_line(diff.before), "after": _run_line(diff.after)})
    sections = sections_of(diff, longest=_LONGEST_VALUE)
    click.echo()
    print_line((summary_of(diff, sections), "bold"))
    for note in diff.notes:
        print_line((f"note: {visible(note)}", "yellow"))
    for section in sections:
        if section.entries:
            print_heading(section.title)
            _print_entries(_listed(section))
            _print_code(section.diff)


def _run_line(run: Run) -> str:
    took = format_seconds(run.seconds)
    status = f"{run.status} in {took}" if took else run.status
    return visible(f"run {short_id(run.run_id)} of {run.pipeline}, {status}, started {format_time(run.started_at)}")


def _listed(section: Section) -> Sequence[Entry]:
    alike = [entry for entry in section.entries if entry.mark == "="]
    if len(alike) <= _MOST_ALIKE:
        return section.entries
    print_line((f"{len(alike)} are alike; those that are not:" if section.differing else f"{len(alike)} are alike", ""))
    return [entry for entry in section.entries if entry.mark != "="]


def _print_entries(entries: Sequence[Entry]) -> None:
    if is_terminal():
        _draw_entries(entries)
        return
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        click.echo(f"  {entry.mark} {entry.name:<{width}}  {_line(entry)}".rstrip())
        for detail in entry.words.details:
            click.echo(f"      {detail}")


def _draw_entries(entries: Sequence[Entry]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=2)
    table.add_column(overflow="fold", ratio=3)
    for entry in entries:
        style = _STYLES[entry.mark]
        table.add_row(Text(f"  {entry.mark}", style), Text(entry.name), Text(_line(entry), style))
        for detail in entry.words.details:
            table.add_row("", "", Text(detail, "dim"))
    terminal().print(table)


def _line(entry: Entry) -> str:
    words = entry.words
    shown = " -> ".join(filter(None, (words.before, words.after)))
    return "  ".join(filter(None, [shown, f"({words.remark})" if shown and words.remark else words.remark]))


def _print_code(diff: str) -> None:
    if not diff:
        return
    click.echo()
    if not is_terminal():
        click.echo(diff, nl=False)
        return
    from rich.text import Text

    text = Text()
    for line in diff.splitlines(keepends=True):
        text.append(line, "bold" if line.startswith(("--- ", "+++ ")) else _STYLES.get(line[0], ""))
    terminal().print(text, end="", soft_wrap=True)
