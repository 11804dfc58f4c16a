"""Finds adapters by their entry points, and says what is wrong when one cannot be had."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from zen_core.adapter.protocol import ADAPTER_API_VERSION, Adapter
from zen_core.errors import AdapterLoadError, AdapterNotFoundError

ENTRY_POINT_GROUP = "zen.adapters"


@cache
def _entry_point_by_name() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP))}


def adapter_names() -> tuple[str, ...]:
    """The names of all installed adapters, sorted."""
    return tuple(sorted(_entry_point_by_name()))


def load_adapter(name: str) -> Adapter:
    """The adapter of this name.

    Raises:
        AdapterNotFoundError: none is installed under this name; names the nearest.
        AdapterLoadError: its import fails, or it was written for another version of the adapter interface.
    """
    entry_point = _entry_point_by_name().get(name)
    if entry_point is None:
        close = difflib.get_close_matches(name, adapter_names(), n=1)
        known = f"installed: {', '.join(adapter_names())}"
        raise AdapterNotFoundError(
            f"there is no adapter {name!r}", hint=f"did you mean {close[0]!r}? ({known})" if close else known
        )
    distribution = entry_point.dist.name if entry_point.dist else "an unknown distribution"
    try:
        adapter: Adapter = entry_point.load()()
    except Exception as error:
        raise AdapterLoadError(
            f"the adapter {name!r} cannot be loaded: {type(error).__name__}: {error}",
            where=f"{entry_point.value} in {distribution}",
            hint=f"install {distribution} again, or remove it",
        ) from error
    if adapter.api_version != ADAPTER_API_VERSION:
        raise AdapterLoadError(
            f"the adapter {name!r} speaks version {adapter.api_version} of the adapter interface, "
            f"this Zen version {ADAPTER_API_VERSION}",
            where=f"{entry_point.value} in {distribution}",
            hint=f"install the version of {distribution} that goes with this version of zen-core",
        )
    return adapter
