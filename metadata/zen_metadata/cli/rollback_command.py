"""`zen rollback`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_time, print_json, print_table, short_digest, short_id
from zen_metadata.cli.opening import open_client

if TYPE_CHECKING:
    from zen_metadata.lineage.records import RollbackRecord
    from zen_metadata.query.artifacts import ArtifactVersion


@click.command()
@click.argument("name")
@click.argument("version", type=click.IntRange(min=1), required=False)
@click.option("--reason", default="", metavar="TEXT", help="Why; it is recorded.")
@json_option
@click.pass_obj
def rollback(context: CliContext, name: str, version: int | None, reason: str, as_json: bool) -> None:
    """Let a name stand for an earlier version of its artifact.

    NAME is a name where it is unique, pipeline/name or project/pipeline/name. Whoever asks for it without a
    version gets VERSION from now on, until a run makes a new one. Who, when and why is recorded; without
    VERSION, that history is shown. ZEN_USER names the person where the login name does not.
    """
    client = open_client(context)
    before = client.artifact(name)
    if version is not None:
        client.roll_back(name, version, reason=reason)
    current, history = client.artifact(name), client.rollbacks(name)
    if as_json:
        print_json(_document(current, history))
    elif version is None:
        _print_history(current, history)
    elif before.version == current.version:
        click.echo(f"{current.full_name} stands for version {version} already")
    else:
        click.echo(f"{current.full_name} stands for version {version}, no longer for {before.version}")
        click.echo(f"  made by run {short_id(current.run_id or '')}, {short_digest(current.digest)}")


def _document(current: ArtifactVersion, history: Sequence[RollbackRecord]) -> dict[str, Any]:
    return {
        "name": current.full_name,
        "current": current.version,
        "rollbacks": [
            {
                "version": item.version,
                "last_version": item.last_version,
                "moved_at": item.moved_at.isoformat(),
                "moved_by": item.moved_by,
                "reason": item.reason,
            }
            for item in history
        ],
    }


def _print_history(current: ArtifactVersion, history: Sequence[RollbackRecord]) -> None:
    click.echo(f"{current.full_name} stands for version {current.version}")
    if not history:
        click.echo("  it was never rolled back")
        return
    print_table(
        ("to version", "newest then", "when", "who", "why"),
        [
            (str(item.version), str(item.last_version), format_time(item.moved_at), item.moved_by, item.reason)
            for item in history
        ],
        right=("to version", "newest then"),
    )
