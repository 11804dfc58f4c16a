"""`zen cache`: what the cache holds, what it did, and taking entries out of use."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import (
    format_bytes,
    format_seconds,
    format_time,
    print_json,
    print_table,
    short_digest,
    short_id,
)
from zen_core.errors import UsageError
from zen_metadata.cli.gc_command import to_seconds
from zen_metadata.cli.opening import open_stores

if TYPE_CHECKING:
    from zen_metadata.lineage.retention import CacheEntry, CacheUse


@click.group()
def cache() -> None:
    """Look at the cache, or take entries out of use."""


@cache.command("ls")
@click.argument("name", metavar="[PIPELINE|STEP]", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=0), help="How many; 0 lists all.")
@json_option
@click.pass_obj
def list_(context: CliContext, name: str | None, limit: int, as_json: bool) -> None:
    """List cache entries, newest first: of a PIPELINE, of a STEP (or PIPELINE/STEP), or all."""
    from zen_metadata.retention.entries import find_entries

    stores = open_stores(context)
    entries = find_entries(stores, name, limit=limit or None)
    now = stores.lineage.read_clock()
    if as_json:
        print_json([_entry_json(entry, now) for entry in entries])
        return
    print_table(
        ("key", "pipeline", "step", "run", "made", "age", "hits", "size", "state"),
        [
            (
                short_digest(entry.cache_key),
                entry.pipeline,
                _label(entry),
                short_id(entry.run_id),
                format_time(entry.created_at),
                _age((now - entry.created_at).total_seconds()),
                str(entry.hits),
                format_bytes(entry.size_bytes),
                _state(entry),
            )
            for entry in entries
        ],
        right=("age", "hits", "size"),
    )


@cache.command()
@click.argument("name", metavar="[STEP|KEY]", required=False)
@click.option("--pipeline", metavar="NAME", help="All entries of this pipeline, or of its STEP.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def invalidate(context: CliContext, name: str | None, pipeline: str | None, yes: bool, as_json: bool) -> None:
    """Take entries out of use: the next look-up is a miss, and says why.

    Of a STEP (or PIPELINE/STEP), of a KEY as zen cache ls shows it, or of a whole pipeline. Nothing is deleted.
    """
    from zen_metadata.retention.entries import choose_entries

    stores = open_stores(context)
    entries = choose_entries(stores, name, pipeline=pipeline)
    steps = sorted({f"{entry.pipeline}/{entry.step}" for entry in entries})
    if entries and not yes:
        _ask(entries, steps, as_json=as_json)
    keys = [entry.cache_key for entry in entries]
    count = stores.lineage.invalidate_cache_entries(stores.settings.project, keys)
    if as_json:
        print_json({"invalidated": count, "steps": steps, "keys": keys})
    elif count:
        click.echo(f"invalidated {_count(entries)} of {', '.join(steps)}")
    else:
        click.echo("nothing to invalidate: all of them are out of use already")


@cache.command()
@click.option(
    "--since", metavar="AGE", callback=to_seconds, default="30d", show_default=True, help="How far to look back."
)
@json_option
@click.pass_obj
def stats(context: CliContext, since: float, as_json: bool) -> None:
    """What the cache saved, for each step: hits, misses, time, and bytes that were not written again.

    Time is what the reused attempts took when they ran. An attempt that was told to execute looked nothing up, and is
    neither.
    """
    stores = open_stores(context)
    start = stores.lineage.read_clock() - timedelta(seconds=since)
    used = stores.lineage.find_cache_use(stores.settings.project, since=start)
    if as_json:
        print_json({"since": start.isoformat(), **_sum(used), "steps": [_use_json(use) for use in used]})
        return
    total = _sum(used)
    rows = [(use.pipeline, use.step, use.hits, use.misses, use.seconds_saved, use.bytes_saved) for use in used]
    rows.append(("all", "", total["hits"], total["misses"], total["seconds_saved"], total["bytes_saved"]))
    print_table(
        ("pipeline", "step", "hits", "misses", "hit rate", "time saved", "bytes saved"),
        [
            (pipeline, step, str(hits), str(misses), _rate(hits, misses), format_seconds(seconds), format_bytes(size))
            for pipeline, step, hits, misses, seconds, size in rows
        ],
        right=("hits", "misses", "hit rate", "time saved", "bytes saved"),
    )


def _ask(entries: Sequence[CacheEntry], steps: Sequence[str], *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise UsageError(
            f"{_count(entries)} would be invalidated, and nobody was asked", why=", ".join(steps), hint="add --yes"
        )
    if not click.confirm(f"Invalidate {_count(entries)} of {', '.join(steps)}?"):
        click.echo("nothing was invalidated")
        sys.exit(1)


def _count(entries: Sequence[CacheEntry]) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"


def _label(entry: CacheEntry) -> str:
    return entry.step if entry.map_index is None else f"{entry.step}[{entry.map_index}]"


def _state(entry: CacheEntry) -> str:
    words = {
        "invalidated": entry.invalidated_at is not None,
        "deleted": entry.is_deleted,
        "nondeterministic": entry.nondeterministic,
    }
    return ", ".join(word for word, holds in words.items() if holds)


def _age(seconds: float) -> str:
    return f"{seconds / 86_400:.0f} d" if seconds >= 2 * 86_400 else format_seconds(max(seconds, 0))


def _rate(hits: int, misses: int) -> str:
    return f"{100 * hits / (hits + misses):.0f} %" if hits + misses else ""


def _sum(used: Iterable[CacheUse]) -> dict[str, Any]:
    listed = list(used)
    return {
        "hits": sum(use.hits for use in listed),
        "misses": sum(use.misses for use in listed),
        "seconds_saved": sum(use.seconds_saved for use in listed),
        "bytes_saved": sum(use.bytes_saved for use in listed),
    }


def _use_json(use: CacheUse) -> dict[str, Any]:
    return {"pipeline": use.pipeline, "step": use.step, **_sum([use])}


def _entry_json(entry: CacheEntry, now: datetime) -> dict[str, Any]:
    return {
        "key": entry.cache_key,
        "pipeline": entry.pipeline,
        "step": entry.step,
        "map_index": entry.map_index,
        "run_id": entry.run_id,
        "made_at": entry.created_at.isoformat(),
        "age_seconds": max((now - entry.created_at).total_seconds(), 0.0),
        "hits": entry.hits,
        "size_bytes": entry.size_bytes,
        "nondeterministic": entry.nondeterministic,
        "invalidated_at": entry.invalidated_at.isoformat() if entry.invalidated_at else None,
        "deleted": entry.is_deleted,
    }
