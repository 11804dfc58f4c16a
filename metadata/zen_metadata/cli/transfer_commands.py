"""`zen store export` and `zen store import`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_bytes, print_json, print_line, terminal
from zen_core.contract.settings import without_credentials

_LINE_SECONDS = 10.0
"""How often a long export says where it stands, where nobody watches a terminal."""


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Of this project; else of the current one.")
@click.option("--all-projects", is_flag=True, help="Of all projects of the store.")
@click.option("--pipeline", "pipelines", metavar="NAME", multiple=True, help="Only runs of this pipeline.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only runs that began then or later, in UTC.",
)
@json_option
@click.pass_obj
def export_command(
    context: CliContext,
    file: Path,
    projects: tuple[str, ...],
    all_projects: bool,
    pipelines: tuple[str, ...],
    since: datetime | None,
    as_json: bool,
) -> None:
    """Write the records of the lineage store to FILE: JSON Lines in gzip, with a checksum.

    It has one moment of the store, whatever is written to it meanwhile; what the chosen runs were made from comes
    along. Bytes of artifacts are not in it: their addresses are relative to the artifact store, so copy that folder or
    bucket too, or go on using it.
    """
    from zen_metadata.transfer.exporting import export_store
    from zen_metadata.transfer.selecting import Selection

    settings = context.local_settings()
    if all_projects and projects:
        raise click.UsageError("--all-projects and --project exclude each other")
    selection = Selection(
        None if all_projects else projects or (settings.project,),
        pipelines or None,
        since and since.replace(tzinfo=UTC),
    )
    with _progress() as tell:
        done = export_store(
            settings.lineage_url, file, selection, lambda table, count: tell(f"{count} rows, {table}", 0, 0)
        )
    if as_json:
        print_json({"file": str(file), "rows": done.rows, "size_bytes": done.size_bytes, "sha256": done.sha256})
        return
    click.echo(f"{file} has {_counted(done.rows)}, {format_bytes(done.size_bytes)}")
    print_line(("bytes of artifacts are not in it; they are below ", "dim"), (_shown(settings.artifact_url), "dim"))


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def import_command(context: CliContext, file: Path, as_json: bool) -> None:
    """Read FILE, which `zen store export` wrote, into the lineage store.

    Every line is checked before anything is written. What is there stays as it is, what is missing is added, what
    went on since is brought forward, and ids are kept: the same file twice changes nothing. Steps may run meanwhile.
    """
    from zen_metadata.transfer.importing import import_store

    settings = context.local_settings()
    size_bytes = file.stat().st_size if file.exists() else 0
    with _progress() as tell:
        done = import_store(settings.lineage_url, file, lambda phase, position: tell(phase, position, size_bytes))
    shown = _shown(settings.lineage_url)
    if as_json:
        print_json({"url": shown, "file": str(file), "rows": done.rows, "changed": done.changed})
        return
    if done.changed:
        click.echo(f"{shown} has {_counted(done.changed)} more, or newer")
    else:
        click.echo(f"{shown} has all of it already")
    print_line(
        ("bytes of artifacts are not in it; they are looked for below ", "dim"), (_shown(settings.artifact_url), "dim")
    )


def _counted(rows: Mapping[str, int]) -> str:
    named = [f"{rows[name]} {name.replace('_', ' ')}" for name in ("runs", "attempts", "artifacts") if name in rows]
    rest = sum(rows.values()) - sum(rows[name] for name in ("runs", "attempts", "artifacts") if name in rows)
    return ", ".join([*named, f"{rest} other rows"] if rest else named) or "nothing"


def _shown(url: str) -> str:
    return without_credentials(url)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """What tells how far it is, by words, position and total (0: unknown): a bar on a terminal, now and then a line."""
    if not sys.stderr.isatty():
        last = time.monotonic()

        def tell_line(words: str, position: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last >= _LINE_SECONDS:
                last = time.monotonic()
                click.echo(f"{words}{f' {position * 100 // total} %' if total else ''}", err=True)

        yield tell_line
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=terminal(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)

        def tell_bar(words: str, position: int, total: int) -> None:
            bar.update(task, description=words, completed=position, total=total or None)

        yield tell_bar
