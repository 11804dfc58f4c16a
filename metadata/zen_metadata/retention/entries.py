"""Cache entries as people name them: by pipeline, step or key."""

from __future__ import annotations

from collections.abc import Sequence

from zen_core.errors import NotFoundError, UsageError
from zen_metadata.lineage.retention import CacheEntry
from zen_metadata.query.nearest import did_you_mean
from zen_metadata.query.stores import ReadStores

_SHORTEST_KEY = 6
_GUESSED_AMONG = 1000
"""The newest entries, whose names are compared with one that is not known."""


def find_entries(
    stores: ReadStores, name: str | None = None, *, pipeline: str | None = None, limit: int | None = None
) -> Sequence[CacheEntry]:
    """Cache entries of the project, newest first.

    Args:
        name: a pipeline, a step, `pipeline/step`, or the beginning of a key; None for all.
        pipeline: only those that this pipeline made.

    Raises:
        NotFoundError: there are none of this name; names the nearest.
    """
    project, lineage = stores.settings.project, stores.lineage
    if name is None:
        found = lineage.list_cache_entries(project, pipeline=pipeline, limit=limit)
        if pipeline is not None and not found:
            raise _unknown(stores, pipeline)
        return found
    before, slash, step = name.rpartition("/")
    if slash:
        found = lineage.list_cache_entries(project, pipeline=before, step=step, limit=limit)
    else:
        found = lineage.list_cache_entries(project, pipeline=pipeline, step=name, limit=limit)
    if not found and not slash and pipeline is None:
        found = lineage.list_cache_entries(project, pipeline=name, limit=limit)
    if not found and len(name.removeprefix("sha256:")) >= _SHORTEST_KEY:
        key = name if name.startswith("sha256:") else f"sha256:{name}"
        found = lineage.list_cache_entries(project, pipeline=pipeline, key=key, limit=limit)
    if not found:
        raise _unknown(stores, name)
    return found


def choose_entries(stores: ReadStores, name: str | None, *, pipeline: str | None) -> Sequence[CacheEntry]:
    """The entries that are to be invalidated, those left out that are already.

    Raises:
        UsageError: neither a name nor a pipeline, or the name is that of a pipeline or of steps of several.
        NotFoundError: there are none of this name.
    """
    if name is None and pipeline is None:
        raise UsageError(
            "nothing is named that is to be invalidated", hint="write a step, a key (zen cache ls), or --pipeline NAME"
        )
    found = find_entries(stores, name, pipeline=pipeline)
    steps = sorted({f"{entry.pipeline}/{entry.step}" for entry in found})
    if name is not None and len(steps) > 1:
        if all(entry.pipeline == name for entry in found):
            raise UsageError(f"{name!r} is a pipeline", hint=f"write --pipeline {name}, or one of {', '.join(steps)}")
        raise UsageError(
            f"{name!r} stands for the entries of {len(steps)} steps", why=", ".join(steps), hint="write one of them"
        )
    return [entry for entry in found if entry.invalidated_at is None]


def _unknown(stores: ReadStores, name: str) -> NotFoundError:
    known = stores.lineage.list_cache_entries(stores.settings.project, limit=_GUESSED_AMONG)
    words = {word for entry in known for word in (entry.pipeline, entry.step, f"{entry.pipeline}/{entry.step}")}
    words.update(stores.lineage.find_pipelines(stores.settings.project))
    return NotFoundError(
        f"nothing in the cache of project {stores.settings.project!r} belongs to {name!r}",
        hint=did_you_mean(name, sorted(words)) or "zen cache ls lists what there is",
    )
