"""Lists that are shown page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

T = TypeVar("T")


def one_page(
    find: Callable[[int | None], list[T]], limit: int, *, backwards: bool, command: Callable[[T], str]
) -> list[T]:
    """What `find` finds within a limit; where there is more, it is said how to see it.

    On stderr, since the list may be read by a program. One more is asked for than is shown.

    Args:
        find: the list, newest first, of so many at most.
        limit: how many to show; 0 for all.
        backwards: whether the list ends where another begins, so that what is too much stands at its beginning.
        command: what shows the following page, from the entry at the edge of this one.
    """
    found = find(limit + 1 if limit else None)
    if not limit or len(found) <= limit:
        return found
    page = found[1:] if backwards else found[:limit]
    click.echo(f"there are more: {command(page[0] if backwards else page[-1])}", err=True)
    return page
