"""`zen sync`: what was kept back is recorded, and what is shown elsewhere is brought up to date."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_json
from zen_core.errors import StoreUnavailableError, TrackingError
from zen_metadata.cli.opening import open_client, open_stores
from zen_metadata.query.words import PROJECTION_NAMES
from zen_metadata.tracking.outbox import Stop, SyncReport, backoff_seconds

if TYPE_CHECKING:
    from zen_core.contract.settings import Settings

_ALL = "all"


@dataclass(frozen=True, slots=True)
class SyncPass:
    """What one pass did.

    Attributes:
        recorded: facts that went from the spool into the lineage store.
        spooled: facts that are still in the spool.
        refused: facts of the spool that cannot be recorded, and were set aside by this pass.
        reports: what was brought where, by projection.
        spool_error: why something is left in the spool, or was set aside; "" when nothing is wrong.
    """

    recorded: int = 0
    spooled: int = 0
    refused: int = 0
    reports: dict[str, SyncReport] = field(default_factory=dict)
    spool_error: str = ""

    @property
    def error(self) -> str:
        """Why something is left that should not be, "" when nothing is wrong."""
        return "\n".join(filter(None, (self.spool_error, *(report.error for report in self.reports.values()))))

    @property
    def note(self) -> str:
        """What else people should know."""
        return "\n".join(filter(None, (report.note for report in self.reports.values())))

    @property
    def has_changed_something(self) -> bool:
        """Whether anything was recorded, set aside or projected."""
        return bool(self.recorded or self.refused or any(report.projected for report in self.reports.values()))

    def to_json(self) -> dict[str, Any]:
        """The document of `zen sync --json`. `projected` and `pending` are MLflow's."""
        mlflow = self.reports.get("mlflow", SyncReport(0, 0))
        return {
            "recorded": self.recorded,
            "spooled": self.spooled,
            "refused": self.refused,
            "projected": mlflow.projected,
            "pending": mlflow.pending,
            "error": self.error,
            "note": self.note,
            "projections": {name: asdict(report) for name, report in self.reports.items()},
        }

    def describe(self) -> str:
        """What was done, in one line."""
        counts = [
            (self.recorded, "recorded from the spool"),
            (self.spooled, "still in the spool"),
            (self.refused, "set aside"),
        ]
        for name, report in self.reports.items():
            counts += [
                (report.projected, f"brought to {PROJECTION_NAMES[name]}"),
                (report.pending, f"not yet in {PROJECTION_NAMES[name]}"),
            ]
        return ", ".join(f"{number} {what}" for number, what in counts if number) or "nothing to do"


@click.command()
@click.option("--watch", is_flag=True, help="Go on until interrupted, and say what changes.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="With --watch: seconds between two looks; after a failure longer, up to five minutes.",
)
@click.option(
    "--again",
    multiple=True,
    metavar="RUN",
    help=f"Bring this run anew, whole, also what was brought there before; {_ALL}: every run of the project.",
)
@json_option
@click.pass_obj
def sync(context: CliContext, watch: bool, interval: float, again: tuple[str, ...], as_json: bool) -> None:
    """Record what was kept back, and bring MLflow and OpenLineage up to date.

    Facts that a task could not record, because the lineage store was away, wait in a spool beside the
    artifacts; runs that MLflow does not show yet wait in the lineage store. Every fact arrives exactly once,
    however often and by whomever this is called.

    The exit code is 4 where something is left that could not be brought on; with --watch it is 0 once it was
    told to end.
    """
    settings = context.local_settings()
    if again:
        _request(context, again)
    if watch:
        _watch(settings, interval, as_json)
        return
    done = run_sync(settings)
    _print(done, as_json)
    if done.error:
        sys.exit(TrackingError.exit_code)


def run_sync(settings: Settings, *, only_due: bool = False, stop: Stop | None = None) -> SyncPass:
    """One pass: the spool first, so that what was in it is projected too.

    Raises:
        NotFoundError: the project has no store yet, and nothing waits to be recorded.
        StoreError: a store refuses.
    """
    from zen_metadata.lineage.sql import open_lineage_store
    from zen_metadata.query.stores import ReadStores
    from zen_metadata.shim.replaying import replay
    from zen_metadata.shim.spool import describe_spool
    from zen_metadata.tracking.projections import sync_projections

    stores = ReadStores(settings)
    try:
        if describe_spool(stores.artifacts).waiting:  # facts are worth a store, where there is none yet
            with closing(open_lineage_store(settings.lineage_url, openlineage=settings.openlineage)) as lineage:
                replayed = replay(lineage, stores.artifacts)
        else:
            replayed = replay(stores.lineage, stores.artifacts)
    finally:
        stores.close()
    error = "\n".join(filter(None, (*replayed.refused, replayed.error)))
    reports = {} if replayed.stopped else sync_projections(settings, only_due=only_due, stop=stop)
    return SyncPass(replayed.replayed, replayed.pending, len(replayed.refused), reports, error)


def _request(context: CliContext, again: tuple[str, ...]) -> None:
    """Have the runs projected again. It is written down, so that it happens even if MLflow is away now."""
    from zen_metadata.tracking.projections import projections_of

    run_ids = None if _ALL in again else [open_client(context).run(name).run_id for name in again]
    settings = context.local_settings()
    for name in projections_of(settings):
        open_stores(context).lineage.request_projection(settings.project, name, run_ids)


def _watch(settings: Settings, interval: float, as_json: bool) -> None:
    """Pass after pass, until a signal; a line for each that changed something, or found another trouble."""
    with _ended_by_signals() as stop:
        before, failures = run_sync(settings, stop=stop), 0
        _print(before, as_json, one_line=True)
        while not stop.requested:
            failures = failures + 1 if before.error else 0
            stop.wait(backoff_seconds(failures, interval) if failures else interval)
            if stop.requested:
                return
            try:
                done = run_sync(settings, only_due=True, stop=stop)
            except StoreUnavailableError as error:
                done = SyncPass(spool_error=str(error))
            if done.has_changed_something or (done.error, done.note) != (before.error, before.note):
                _print(done, as_json, one_line=True)
            before = done


@contextmanager
def _ended_by_signals() -> Iterator[Stop]:
    """SIGINT and SIGTERM ask for the end: what is in hand is finished first. A second one ends at once."""
    stop = Stop()

    def end(number: int, _frame: object) -> None:
        stop.request()
        signal.signal(number, previous[signal.Signals(number)])

    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _print(done: SyncPass, as_json: bool, *, one_line: bool = False) -> None:
    if as_json and one_line:
        click.echo(json.dumps(done.to_json(), ensure_ascii=False))
        return
    if as_json:
        print_json(done.to_json())
        return
    click.echo(done.describe())
    for sentence in filter(None, (done.note, done.error)):
        click.echo(sentence, err=True)
