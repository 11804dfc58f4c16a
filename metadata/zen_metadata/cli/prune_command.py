"""`zen store prune`: records of old runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_json, print_line, print_table
from zen_metadata.cli.gc_command import to_seconds
from zen_metadata.cli.opening import open_stores

if TYPE_CHECKING:
    from zen_metadata.retention.pruning import Pruned

_KEPT: Mapping[str, tuple[str, str]] = {
    "running": ("is not over", "are not over"),
    "live": ("made versions that are not deleted (zen gc)",) * 2,
    "cached": ("has a result that may be reused", "have results that may be reused"),
    "waiting": ("waits to be recorded or projected (zen sync)", "wait to be recorded or projected (zen sync)"),
    "lineage": ("made what a run that stays was made from",) * 2,
}
_LINE_SECONDS = 10.0


@click.command()
@click.option(
    "--older-than", metavar="AGE", callback=to_seconds, default="365d", show_default=True, help="Younger runs stay."
)
@click.option("--pipeline", "pipelines", metavar="NAME", multiple=True, help="Only runs of this one. May be repeated.")
@click.option("--delete", is_flag=True, help="Let them go; without it, only say which would.")
@json_option
@click.pass_obj
def prune(context: CliContext, older_than: float, pipelines: tuple[str, ...], delete: bool, as_json: bool) -> None:
    """Remove the records of old runs that nothing needs any more.

    Says which would go; --delete lets them go. A run goes with its steps, attempts, edges, metrics and logs when its
    last sign of life is older than --older-than, unless it is not over, made a version that is not deleted, has a
    result that may be reused, is not yet shown by MLflow, or a run that stays was made from it. May be called while
    pipelines run. On PostgreSQL the role needs the right to DELETE.
    """
    from zen_metadata.retention import pruning

    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            click.echo(f"{done} of {total} runs", err=True)

    done = pruning.prune(
        open_stores(context), older_than_seconds=older_than, pipelines=pipelines, delete=delete, on_progress=tell
    )
    if as_json:
        print_json(done.to_json())
    else:
        _print(done)


def _print(done: Pruned) -> None:
    counts = Counter(run.pipeline for run in done.runs)
    if counts:
        verb = "removed" if done.deleted else "to remove"
        print_table(
            ("pipeline", verb), [(name, _counted(counts[name], "run")) for name in sorted(counts)], right=(verb,)
        )
        click.echo()
    if done.deleted:
        documents = sum(done.documents.values())
        click.echo(
            f"removed {_counted(len(done.runs), 'run')}, {_counted(done.attempts, 'attempt')}, "
            f"{_counted(done.logs, 'log')}, {_counted(documents, 'document')}"
        )
    else:
        click.echo(f"would remove {_counted(len(done.runs), 'run')}" if counts else "nothing to remove")
    for reason, count in done.kept.items():
        singular, plural = _KEPT[reason]
        words = f"1 older run stays: it {singular}" if count == 1 else f"{count} older runs stay: they {plural}"
        print_line((words, "dim"))
    if counts and not done.deleted:
        print_line(("zen store prune --delete", "bold"), (" lets them go", ""))


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
