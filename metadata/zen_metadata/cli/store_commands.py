"""`zen sync`, `zen store`."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_json
from zen_core.contract.settings import without_credentials
from zen_core.diagnostics import render_all
from zen_core.errors import StoreError, TrackingError

if TYPE_CHECKING:
    from zen_core.contract.settings import Settings

_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SyncPass:
    """What one pass did.

    Attributes:
        recorded: attempts that went from the spool into the lineage store.
        spooled: attempts that are still in the spool.
        projected: facts that MLflow shows now.
        pending: facts that MLflow does not show yet.
        error: why something is left, "" when nothing is wrong.
    """

    recorded: int
    spooled: int
    projected: int
    pending: int
    error: str

    def to_json(self) -> dict[str, Any]:
        """The document of `zen sync --json`."""
        return {name: getattr(self, name) for name in self.__slots__}

    def describe(self) -> str:
        """What was done, in one line."""
        parts = [
            f"{number} {what}"
            for number, what in (
                (self.recorded, "recorded from the spool"),
                (self.spooled, "still in the spool"),
                (self.projected, "brought to MLflow"),
                (self.pending, "not yet in MLflow"),
            )
            if number
        ]
        return ", ".join(parts) or "nothing to do"


@click.command()
@click.option("--watch", is_flag=True, help="Go on until interrupted, looking again every ten seconds.")
@json_option
@click.pass_obj
def sync(context: CliContext, watch: bool, as_json: bool) -> None:
    """Record what was kept back, and bring MLflow up to date.

    Facts that a task could not record, because the lineage store was away, wait in a spool beside the
    artifacts; runs that MLflow does not show yet wait in the lineage store. Every fact arrives exactly once,
    however often and by whomever this is called.
    """
    settings = context.local_settings()
    done = run_sync(settings)
    _print(done, as_json)
    while watch:
        time.sleep(_PAUSE_SECONDS)
        following = run_sync(settings)
        if following.recorded or following.projected or following.error != done.error:
            _print(following, as_json)
        done = following
    if done.error:
        sys.exit(TrackingError.exit_code)


def run_sync(settings: Settings) -> SyncPass:
    """One pass: the spool first, so that what was in it is projected too.

    Raises:
        NotFoundError: the project has no store yet.
        StoreError: a store refuses.
    """
    from zen_metadata.query.stores import ReadStores
    from zen_metadata.shim.spool import replay
    from zen_metadata.tracking.sync import sync as sync_tracking

    stores = ReadStores(settings)
    try:
        replayed = replay(stores.lineage, stores.artifacts)
    finally:
        stores.close()
    if replayed.error:
        return SyncPass(replayed.replayed, replayed.pending, 0, 0, replayed.error)
    report = sync_tracking(settings, wait=True)
    return SyncPass(replayed.replayed, 0, report.projected, report.pending, report.error)


def _print(done: SyncPass, as_json: bool) -> None:
    if as_json:
        print_json(done.to_json())
        return
    click.echo(done.describe())
    if done.error:
        click.echo(done.error, err=True)


@click.group()
def store() -> None:
    """Check or upgrade the lineage store."""


@store.command()
@json_option
@click.pass_obj
def check(context: CliContext, as_json: bool) -> None:
    """Find out whether the lineage store is whole, and of this version.

    Writes nothing. The answer is no (exit code 4) for another schema version, for tables that somebody changed, and
    for rows that hang in the air.
    """
    from zen_metadata.lineage.sql import schema

    url = context.local_settings().lineage_url
    problems = schema.check(url)
    if as_json:
        document = {"url": without_credentials(url), "problems": [problem.to_json() for problem in problems]}
        print_json({**document, "sound": not problems})
    elif problems:
        click.echo(render_all(problems), err=True)
    else:
        click.echo(f"{without_credentials(url)} is sound, schema {schema.REVISIONS[-1]}")
    if problems:
        sys.exit(StoreError.exit_code)


@store.command()
@json_option
@click.pass_obj
def upgrade(context: CliContext, as_json: bool) -> None:
    """Bring the lineage store to this version's schema, or make it where there is none.

    Stop what writes to it first, and make a backup.
    """
    from zen_metadata.lineage.sql import schema

    url = context.local_settings().lineage_url
    revision = schema.upgrade(url)
    if as_json:
        print_json({"url": without_credentials(url), "revision": revision})
    else:
        click.echo(f"{without_credentials(url)} has schema {revision}")
