"""How commands print: tables, facts and trees in colour on a terminal, plain aligned text elsewhere, and
JSON.

The plain form has no colours, no boxes and no truncation, so that it can be searched and cut. rich is
imported only on a terminal. Nothing that a user wrote is read as markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

STATUS_STYLE: Mapping[str, str] = {
    "completed": "green",
    "cached": "cyan",
    "running": "blue",
    "failed": "bold red",
    "upstream_failed": "red",
    "cancelled": "yellow",
    "lost": "magenta",
    "skipped": "dim",
    "native": "green",
    "lowered": "cyan",
    "unsupported": "red",
}
"""The colour of a cell that holds just this word."""


def is_terminal() -> bool:
    """Whether a person looks at the standard output."""
    return sys.stdout.isatty()


def print_json(document: Any) -> None:
    """Print a JSON document, indented, to the standard output. Raises ValueError for NaN."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows under their columns; columns in `right` are aligned to the right (numbers)."""
    rows = [tuple(row) for row in rows]
    if is_terminal():
        _print_rich_table(columns, rows, right)
        return
    for line in plain_table(columns, rows, right=right):
        click.echo(line)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> list[str]:
    """The lines of a table in plain text: upper-case heads, two spaces between columns."""
    table = [tuple(column.upper() for column in columns), *rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in table
    ]


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values, one a line, aligned; empty values are left out."""
    shown = {name: value for name, value in facts.items() if value}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        style = STATUS_STYLE.get(value, "")
        print_line((f"{name:<{width}}  ", "dim"), (value, style))


def print_heading(text: str) -> None:
    """Print a heading, with an empty line before it."""
    click.echo()
    print_line((text, "bold"))


def print_line(*parts: tuple[str, str]) -> None:
    """Print one line of (text, style) parts; the styles count on a terminal only."""
    if not is_terminal():
        click.echo("".join(text for text, _ in parts))
        return
    from rich.text import Text

    terminal().print(Text.assemble(*parts), soft_wrap=True)


def terminal(*, stderr: bool = False) -> Console:
    """A rich console on the present standard output (or standard error).

    It stays on that stream when `sys.stdout` is replaced: what a command prints is no output of a step.
    """
    from rich.console import Console

    return Console(file=sys.stderr if stderr else sys.stdout, highlight=False, markup=False, emoji=False)


def format_seconds(seconds: float | None) -> str:
    """A duration for people: `0.03 s`, `12.4 s`, `3m 05s`, `2h 05m`; "" for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"


def format_time(moment: datetime | None) -> str:
    """A point in time for people, in this machine's zone; "" for None."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_bytes(size: int) -> str:
    """A size for people: `512 B`, `1.5 KiB`, `3.0 GiB`."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def short_digest(digest: str) -> str:
    """The first twelve digits of a digest, without its prefix."""
    return digest.partition(":")[2][:12] or digest[:12]


def short_id(identifier: str) -> str:
    """The first eight digits of a run id.

    What every command takes in place of the whole, where it is unique.
    """
    return identifier[:8]


def _print_rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STATUS_STYLE.get(cell, "")) for cell in row))
    terminal().print(table)
