"""`zen artifacts`, `zen lineage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import (
    format_bytes,
    format_time,
    is_terminal,
    print_json,
    print_table,
    short_digest,
    short_id,
    terminal,
)
from zen_metadata.cli.opening import open_client
from zen_metadata.cli.paging import one_page
from zen_metadata.query.lineage import LARGEST_GRAPH, Direction, LineageGraph

if TYPE_CHECKING:
    from rich.text import Text


_LIMITS = {"depth": "--depth {}", "limit": "--limit {:,}"}


@click.command()
@click.argument("name", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=0), help="How many; 0 lists all.")
@click.option("--before", metavar="ARTIFACT", help="Only versions older than this one: an id, or NAME@VERSION.")
@click.option("--after", metavar="ARTIFACT", help="Only versions newer than this one.")
@json_option
@click.pass_obj
def artifacts(
    context: CliContext, name: str | None, limit: int, before: str | None, after: str | None, as_json: bool
) -> None:
    """List artifacts and their versions, newest first.

    NAME is a name where it is unique, pipeline/name or project/pipeline/name, each with @VERSION or without.
    The current version is the one that stands for the name: the newest, unless zen rollback has moved it. The last
    version of a list, given to --before, leads to the next ones, whatever was added meanwhile.
    """
    client = open_client(context)
    backwards = after is not None and before is None
    named = f"{name} " if name else ""
    found = one_page(
        lambda count: client.artifacts(name, limit=count, before=before, after=after),
        limit,
        backwards=backwards,
        command=lambda item: f"zen artifacts {named}{'--after' if backwards else '--before'} {item.artifact_id}",
    )
    if as_json:
        print_json([artifact.to_json() for artifact in found])
        return
    print_table(
        ("artifact", "version", "", "type", "size", "digest", "run", "step", "created"),
        [
            (
                artifact.name if artifact.record.kind == "source" else f"{artifact.record.pipeline}/{artifact.name}",
                "" if artifact.version is None else str(artifact.version),
                "current" if artifact.current else "",
                artifact.type,
                "deleted" if artifact.record.deleted_at else format_bytes(artifact.size_bytes),
                short_digest(artifact.digest),
                short_id(artifact.run_id or ""),
                artifact.step or "",
                format_time(artifact.created_at),
            )
            for artifact in found
        ],
        right=("version", "size"),
    )


@click.command()
@click.argument("artifact")
@click.option("--up", "direction", flag_value="up", help="Only what it was made from.")
@click.option("--down", "direction", flag_value="down", help="Only what was made of it.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="How many steps away; all the way if left out.")
@click.option(
    "--limit",
    default=LARGEST_GRAPH,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many artifacts each way, the nearest first; 0 has no limit.",
)
@json_option
@click.pass_obj
def lineage(
    context: CliContext, artifact: str, direction: str | None, depth: int | None, limit: int, as_json: bool
) -> None:
    """Where an artifact comes from, and what was made of it.

    ARTIFACT is a name with @VERSION or without (the current one), or an artifact's id.
    """
    way: Direction = "up" if direction == "up" else "down" if direction == "down" else "both"
    graph = open_client(context).lineage(artifact, way, depth=depth, limit=limit or None)
    if as_json:
        print_json(graph.to_json())
    else:
        print_graph(graph)
    if graph.cut is not None:
        click.echo(f"cut at {_LIMITS[graph.cut.by].format(graph.cut.at)}: there is more", err=True)


def print_graph(graph: LineageGraph) -> None:
    """Print the graph as trees that begin at the raw data; a node that several lead to is spread out once."""
    if is_terminal():
        _draw(graph)
        return
    for node, depth, repeated in graph.walk():
        click.echo("  " * depth + _words(graph, node, repeated=repeated))


def _draw(graph: LineageGraph) -> None:
    from rich.tree import Tree

    trees: list[Tree] = []
    branch: list[Tree] = []
    for node, depth, repeated in graph.walk():
        label = _label(graph, node, repeated=repeated)
        tree = branch[depth - 1].add(label) if depth else Tree(label)
        branch[depth:] = [tree]
        if not depth:
            trees.append(tree)
    for tree in trees:
        terminal().print(tree)


def _label(graph: LineageGraph, node: str, *, repeated: bool) -> Text:
    from rich.text import Text

    kind = graph.nodes[node]["kind"]
    style = "bold green" if node == graph.subject else "cyan" if kind == "step_run" else ""
    return Text(_words(graph, node, repeated=repeated), style=style)


def _words(graph: LineageGraph, node: str, *, repeated: bool) -> str:
    facts = graph.nodes[node]
    words = [str(facts["label"])]
    if facts["kind"] == "artifact":
        words.append(f"{facts['type']} {short_digest(facts['digest'])}")
        if facts["deleted"]:
            words.append("(deleted)")
    if facts.get("reused"):
        words.append("(reused a result)")
    if repeated:
        words.append("(see above)")
    return "  ".join(words)
