"""`zen store`: an operator's half of the lineage store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_bytes, print_json, print_line
from zen_core.contract.settings import without_credentials
from zen_core.diagnostics import render_all
from zen_core.errors import StoreError
from zen_metadata.cli.prune_command import prune
from zen_metadata.cli.transfer_commands import export_command, import_command

if TYPE_CHECKING:
    from zen_metadata.store_check import StoreCheck


@click.group()
def store() -> None:
    """Look after the lineage store: check, upgrade, carry over, prune."""


@store.command()
@click.option("--bytes", "with_bytes", is_flag=True, help="Also look whether the bytes of each artifact are there.")
@json_option
@click.pass_obj
def check(context: CliContext, with_bytes: bool, as_json: bool) -> None:
    """Find out whether the lineage store is whole, and of this version.

    Writes nothing, and may be called while pipelines run. The answer is no (exit code 4) for a schema that this Zen
    may not use, a damaged file, tables that somebody changed, rows that lead nowhere and, with --bytes, artifacts
    whose bytes are gone. What only waits is told, and no error: attempts whose process died, leases that nobody
    holds, facts that MLflow does not show yet or that are still in the spool.
    """
    from zen_metadata.store_check import check_store

    done = check_store(context.local_settings(), with_bytes=with_bytes)
    if as_json:
        print_json(done.to_json())
    else:
        _print_check(done)
    if done.problems:
        sys.exit(StoreError.exit_code)


def _print_check(done: StoreCheck) -> None:
    if done.problems:  # alone: what waits can wait
        click.echo(render_all(done.problems), err=True)
        return
    for notice in done.notices:
        print_line((f"{notice.code}  ", "dim"), (f"{notice.message}: {notice.hint}", "yellow"))
    click.echo(", ".join(f"{number} {name.replace('_', ' ')}" for name, number in done.counts.items()))
    if done.checked_bytes is not None:
        click.echo(f"the bytes of {done.checked_bytes} artifacts are there")
    click.echo(f"{done.url} is sound, schema {done.schema}")


@store.command()
@click.option("--no-backup", is_flag=True, help="Do not copy a SQLite file before it is changed.")
@json_option
@click.pass_obj
def upgrade(context: CliContext, no_backup: bool, as_json: bool) -> None:
    """Bring the lineage store to this version's schema, or make it where there is none.

    All or nothing: what is interrupted has changed nothing. A SQLite file is copied first, to FILE.schema-REVISION
    beside it; of PostgreSQL make a backup with pg_dump. Steps may run meanwhile: they wait while the tables change,
    and those of the version before go on (docs/how-to/upgrade-the-store.md).
    """
    from zen_metadata.lineage.sql import upgrading

    url = context.local_settings().lineage_url
    done = upgrading.upgrade(url, backup=not no_backup)
    shown = without_credentials(url)
    if as_json:
        backup = str(done.backup) if done.backup else None
        print_json({"url": shown, "revision": done.after, "before": done.before, "backup": backup})
        return
    if done.backup:
        click.echo(f"{done.backup} is the store as it was, {format_bytes(done.backup.stat().st_size)}")
    how = "" if done.before == done.after else f", upgraded from {done.before}" if done.before else ", made"
    click.echo(f"{shown} has schema {done.after}{how}")


store.add_command(export_command)
store.add_command(import_command)
store.add_command(prune)
