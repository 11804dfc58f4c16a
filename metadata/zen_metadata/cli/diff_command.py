"""`zen diff`."""

from __future__ import annotations

from pathlib import Path

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_json
from zen_core.errors import UsageError
from zen_metadata.cli.completing import complete_runs
from zen_metadata.cli.opening import open_client


@click.command()
@click.argument("before", metavar="RUN", shell_complete=complete_runs)
@click.argument("after", metavar="RUN", shell_complete=complete_runs)
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it as one HTML page that needs nothing else.",
)
@json_option
@click.pass_obj
def diff(context: CliContext, before: str, after: str, page: Path | None, as_json: bool) -> None:
    """What differs between two runs.

    Parameters, code, environment, artifacts, metrics and steps. RUN is a run id, the beginning of one, latest, or
    latest~1 for the one before it; the earlier run comes first. The exit code is 0 whether they differ or not:
    --json says it under equal.
    """
    found = open_client(context).diff(before, after)
    if page is not None:
        from zen_metadata.cli.diff_html import render_page

        _write(page, render_page(found))
    if as_json:
        print_json(found.to_json())
    elif page is not None:
        click.echo(f"wrote {page}")
    else:
        from zen_metadata.cli.diff_page import print_diff

        print_diff(found)


def _write(page: Path, text: str) -> None:
    try:
        page.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(
            f"the page cannot be written: {error.strerror}", where=str(page), hint="name a file in a folder that exists"
        ) from error
