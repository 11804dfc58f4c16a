"""`zen forget`: an artifact's content goes, its place in the lineage stays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_bytes, print_json, print_line, print_table
from zen_core.errors import UsageError
from zen_metadata.cli.opening import open_client, open_stores
from zen_metadata.query.artifacts import full_name

if TYPE_CHECKING:
    from zen_metadata.retention.forgetting import Forgetting

_SHOWN = 10


@click.command()
@click.argument("artifact")
@click.option("--down", is_flag=True, help="Also everything that was made of it.")
@click.option("--reason", metavar="TEXT", default="asked to", show_default=True, help="Why, for those who miss it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def forget(context: CliContext, artifact: str, down: bool, reason: str, yes: bool, as_json: bool) -> None:
    """Delete what an artifact holds, for good, and keep that it was there.

    ARTIFACT is a name with @VERSION or without (the newest), or an artifact's id. Bytes are shared by content: every
    artifact with the same content is forgotten with it, and named before. Ids, digests and lineage stay; a load says
    who forgot it, when and why. Not reached are logs, parameters and metrics, MLflow, and what orchestrators and
    steps keep themselves.
    """
    from zen_metadata.query.person import who_asks
    from zen_metadata.retention.forgetting import NOT_REACHED, forget, plan_forgetting

    stores = open_stores(context)
    plan = plan_forgetting(stores, open_client(context).artifact(artifact), down=down)
    if not as_json:
        _print(plan)
    if not yes:
        _ask(plan, as_json=as_json)
    size_bytes = forget(stores, plan, by=who_asks(), reason=reason)
    if as_json:
        print_json({**plan.to_json(), "reason": reason, "removed_bytes": size_bytes})
        return
    click.echo(f"forgot {_count(plan)}, {format_bytes(size_bytes)}")
    print_line((f"not reached: {NOT_REACHED}", "dim"))


def _print(plan: Forgetting) -> None:
    print_table(
        ("artifact", "version", "size", "why"),
        [
            (
                full_name(record).removeprefix(f"{plan.subject.project}/"),
                str(record.version),
                format_bytes(record.size_bytes),
                plan.why[record.artifact_id],
            )
            for record in plan.versions
        ],
        right=("version", "size"),
    )
    if plan.running:
        print_line((f"{plan.running} of them are used by a run that is not over, which will miss them", "yellow"))


def _ask(plan: Forgetting, *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        named = [f"{record.name}@{record.version}" for record in plan.versions]
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        raise UsageError(
            f"{_count(plan)} would be forgotten, and nobody was asked",
            why=", ".join(named[:_SHOWN]) + more,
            hint="add --yes",
        )
    if not click.confirm(f"Forget {_count(plan)} for good?"):
        click.echo("nothing was forgotten")
        sys.exit(1)


def _count(plan: Forgetting) -> str:
    return "1 artifact" if len(plan.versions) == 1 else f"{len(plan.versions)} artifacts"
