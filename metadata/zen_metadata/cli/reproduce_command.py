"""`zen reproduce`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_time, print_json, print_table, short_digest, short_id
from zen_metadata.cli.completing import complete_runs
from zen_metadata.cli.opening import open_client

if TYPE_CHECKING:
    from zen_metadata.reproducing.comparison import ComparedArtifact
    from zen_metadata.reproducing.reproduce import Reproduction

_DIFFERS = 1


@click.command()
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep code, environment, inputs and results there; without it they go when it is done.",
)
@click.option("--python", default="", metavar="PYTHON", help="This version or interpreter instead of the recorded one.")
@click.option(
    "--no-environment", is_flag=True, help="Run in the environment of this command, and say what differs in it."
)
@json_option
@click.pass_obj
def reproduce(
    context: CliContext, run_id: str, into: Path | None, python: str, no_environment: bool, as_json: bool
) -> None:
    """Make a run again, and compare every artifact.

    RUN is a run id, the beginning of one, or latest. Code, environment, parameters and inputs are restored in
    a folder of their own, with stores of their own; what cannot be restored is listed. Nothing is reused: every
    step runs, and what it does outside of Zen it does again. Hooks do not run. The exit code is 1 when
    something differs.
    """
    from zen_metadata.query.stores import ReadStores
    from zen_metadata.reproducing.reproduce import reproduce as reproduce_run

    client = open_client(context)
    run = client.run(run_id)
    stores = click.get_current_context().with_resource(contextlib.closing(ReadStores(client.settings)))
    with _folder(into) as folder:
        done = reproduce_run(
            stores,
            run,
            folder,
            python=python,
            build=not no_environment,
            tell=partial(click.echo, err=True),
        )
    if as_json:
        print_json(done.to_json())
    else:
        _print(done, kept=into is not None)
    if not done.equal:
        sys.exit(_DIFFERS)


@contextlib.contextmanager
def _folder(into: Path | None) -> Iterator[Path]:
    if into is not None:
        yield into.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="zen-reproduce-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def _print(done: Reproduction, *, kept: bool) -> None:
    run, environment = done.recorded.run, done.environment
    click.echo(
        f"run {short_id(run.run_id)} of {run.pipeline} ({run.record.orchestrator}, {format_time(run.started_at)})"
    )
    click.echo(f"  code         {done.code_files} files, {short_digest(run.record.code_digest)}")
    built = f"{environment.restored} distributions by {environment.installer}" if environment.installer else "as it is"
    click.echo(f"  environment  {built}")
    for item in done.inputs:
        if item.came_from:
            click.echo(f"  input        {item.name}, {short_digest(item.digest)}, from {item.came_from}")
    for line in not_restored(done):
        click.echo(f"  not restored {line}")
    if done.problem:
        click.echo(f"it could not run: {done.problem}", err=True)
    print_table(
        ("step", "output", "equal", "before", "after", ""),
        [
            (item.label, item.output, "yes" if item.equal else "no", _shown(item.before), _shown(item.after), item.why)
            for item in done.artifacts
        ],
    )
    click.echo(_summary(done.artifacts))
    if kept:
        click.echo(f"  kept in {done.folder}")


def not_restored(done: Reproduction) -> list[str]:
    """All that is not as it was, a line for each."""
    lines = [f"code {item['file']}: {item['reason']}" for item in done.recorded.left_out]
    lines += [f"{item.name} {item.version}: {item.reason}" for item in done.environment.not_restored]
    if others := done.recorded.other_environments:
        lines.append(f"environment: {others} step runs ran in another one than this")
    lines += [f"input {item.name}, {short_digest(item.digest)}: {item.lost}" for item in done.inputs if item.lost]
    return lines


def _shown(text: str | None) -> str:
    return "" if text is None else short_digest(text) if ":" in text else text


def _summary(artifacts: Sequence[ComparedArtifact]) -> str:
    equal = sum(item.equal for item in artifacts)
    return f"all {equal} are equal" if equal == len(artifacts) else f"{equal} of {len(artifacts)} are equal"
