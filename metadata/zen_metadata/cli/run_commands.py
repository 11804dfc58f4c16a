"""`zen runs`, `zen show`, `zen logs`."""

from __future__ import annotations

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_seconds, format_time, print_json, print_table, short_id
from zen_metadata.cli.completing import complete_run_steps, complete_runs
from zen_metadata.cli.opening import open_client
from zen_metadata.cli.paging import one_page
from zen_metadata.query.client import LATEST
from zen_metadata.query.documents import run_summary


@click.command()
@click.option("--pipeline", metavar="NAME", help="Runs of this pipeline alone.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0), help="How many; 0 lists all.")
@click.option("--before", metavar="RUN", shell_complete=complete_runs, help="Only runs that began before this one.")
@click.option("--after", metavar="RUN", shell_complete=complete_runs, help="Only runs that began after this one.")
@json_option
@click.pass_obj
def runs(
    context: CliContext, pipeline: str | None, limit: int, before: str | None, after: str | None, as_json: bool
) -> None:
    """List runs, newest first.

    The last run of a list, given to --before, leads to the next ones, whatever was added meanwhile.
    """
    client = open_client(context)
    backwards = after is not None and before is None
    named = f"--pipeline {pipeline} " if pipeline else ""
    found = one_page(
        lambda count: client.runs(pipeline, limit=count, before=before, after=after),
        limit,
        backwards=backwards,
        command=lambda run: f"zen runs {named}{'--after' if backwards else '--before'} {short_id(run.run_id)}",
    )
    if as_json:
        print_json([run_summary(run) for run in found])
        return
    print_table(
        ("run", "pipeline", "orchestrator", "status", "started", "took"),
        [
            (
                short_id(run.run_id),
                run.pipeline,
                run.record.orchestrator,
                run.status,
                format_time(run.started_at),
                format_seconds(run.seconds),
            )
            for run in found
        ],
        right=("took",),
    )


@click.command()
@click.argument("run_id", metavar="[RUN]", default=LATEST, shell_complete=complete_runs)
@json_option
@click.pass_obj
def show(context: CliContext, run_id: str, as_json: bool) -> None:
    """One run: its steps, inputs, outputs, and why it failed.

    RUN is a run id, the beginning of one, or latest, which is what is shown when it is left out.
    """
    run = open_client(context).run(run_id)
    if as_json:
        print_json(run.to_json())
        return
    from zen_metadata.cli.run_page import print_run

    print_run(run)


@click.command()
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@click.argument("step", shell_complete=complete_run_steps)
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="This attempt instead of the latest.")
@json_option
@click.pass_obj
def logs(context: CliContext, run_id: str, step: str, attempt: int | None, as_json: bool) -> None:
    """What a step printed and logged.

    STEP is a step's name, or NAME[INDEX] for an element of a fan-out. A log is there when the attempt has
    ended.
    """
    run = open_client(context).run(run_id)
    found = run.step(step)
    text = found.logs(attempt)
    if as_json:
        print_json(
            {
                "run_id": run.run_id,
                "step": found.name,
                "map_index": found.map_index,
                "attempt": attempt or found.attempts,
                "text": text,
            }
        )
    elif text:
        click.echo(text, nl=not text.endswith("\n"))
    elif found.status == "cached":
        click.echo(f"step {step!r} was not run: its result is that of run {found.reused_from}", err=True)
    elif found.status == "running":
        click.echo(f"step {step!r} is running: its log is there when the attempt has ended", err=True)
    else:
        click.echo(f"step {step!r} printed nothing", err=True)
