"""`zen gc`: old versions and what nothing refers to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_bytes, print_json, print_line, print_table
from zen_metadata.cli.opening import open_stores

if TYPE_CHECKING:
    from zen_metadata.retention.collecting import Collected

_FILES: Mapping[str, str] = {
    "version": "bytes of deleted versions",
    "unreferenced": "bytes without a record",
    "staged": "uploads of killed processes",
    "quarantined": "damaged bytes that were set aside",
    "spool": "spooled facts that are recorded",
    "log": "logs of attempts that were never recorded",
    "code": "code that no run names",
}
_KEPT: Mapping[str, str] = {
    "newest": "are the newest of their name",
    "kept": "are kept by name",
    "latest_run": "are results of the latest run",
    "rolled_back": "are rolled back to",
    "running": "are used by a run that is not over",
}


def to_seconds(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """A duration such as 30d or 12h, as an option takes it. Raises click.BadParameter for anything else."""
    from zen_core.authoring.quantities import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write 30d, 12h or 90m", ctx=context, param=parameter) from error


@click.command()
@click.option(
    "--older-than",
    metavar="AGE",
    callback=to_seconds,
    default="30d",
    show_default=True,
    help="Versions that are younger stay.",
)
@click.option(
    "--keep",
    metavar="NAME",
    multiple=True,
    help="Versions of this artifact stay: NAME, PIPELINE/NAME or NAME@VERSION. May be repeated.",
)
@click.option(
    "--keep-last",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The newest versions of each name that stay. What one run made counts as one.",
)
@click.option("--delete", is_flag=True, help="Let it go; without it, only say what would.")
@click.option("--sole", is_flag=True, help="No other lineage store uses this artifact store.")
@json_option
@click.pass_obj
def gc(
    context: CliContext,
    older_than: float,
    keep: tuple[str, ...],
    keep_last: int,
    delete: bool,
    sole: bool,
    as_json: bool,
) -> None:
    """Delete old versions, and the bytes that nothing refers to.

    Says what would go; --delete lets it go. A version goes when it is older than --older-than, unless it is among the
    newest of its name, rolled back to, kept by --keep, or used by a run that is not over. Its bytes go, its record
    stays and says who deleted it and when. May be called while pipelines run.
    """
    from zen_metadata.query.person import who_asks
    from zen_metadata.retention.choosing import Policy
    from zen_metadata.retention.collecting import collect

    policy = Policy(older_than_seconds=older_than, keep=keep, keep_last=keep_last, sole=sole)
    done = collect(open_stores(context), policy, delete=delete, by=who_asks())
    if as_json:
        print_json(done.to_json())
    else:
        _print(done)


def _print(done: Collected) -> None:
    counts = Counter((item.pipeline, item.name) for item in done.versions)
    if counts:
        verb = "deleted" if done.deleted else "to delete"
        print_table(
            ("artifact", verb),
            [(f"{pipeline}/{name}", _counted(count, "version")) for (pipeline, name), count in sorted(counts.items())],
            right=(verb,),
        )
        click.echo()
    if done.files:
        print_table(
            ("what goes from the artifact store", "files", "size"),
            [
                (words, str(done.files[reason].count), format_bytes(done.files[reason].size_bytes))
                for reason, words in _FILES.items()
                if reason in done.files
            ],
            right=("files", "size"),
        )
        click.echo()
    total = done.total
    if counts or done.files:
        verb = "deleted" if done.deleted else "would delete"
        versions, files = _counted(len(done.versions), "version"), _counted(total.count, "file")
        click.echo(f"{verb} {versions} and {files}, {format_bytes(total.size_bytes)}")
    else:
        click.echo("nothing to delete")
    _print_notes(done, waiting=bool(counts or done.files))


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _print_notes(done: Collected, *, waiting: bool) -> None:
    notes = [f"{count} older versions stay: they {_KEPT[reason]}" for reason, count in done.kept.items()]
    if done.pending:
        notes.append(f"what {done.pending} facts in the spool refer to stays: zen sync records them")
    if done.foreign:
        notes.append(
            f"{done.foreign} runs left logs that this lineage store does not know: does another one use this artifact "
            "store? Nothing is deleted without --sole"
        )
    for note in notes:
        print_line((note, "dim"))
    if waiting and not done.deleted:
        print_line(("zen gc --delete", "bold"), (" lets it go", ""))
