"""Facts that cleaning up goes by, as they come out of the lineage store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """An artifact that Zen stored, live or a tombstone, without what is large.

    Attributes:
        run_id: the run that made it.
    """

    artifact_id: str
    project: str
    pipeline: str
    name: str
    kind: Literal["value", "internal"]
    type: str
    version: int | None
    location: str
    size_bytes: int
    created_at: datetime
    deleted_at: datetime | None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that nobody closed, or in which a step began or goes on after it was closed.

    Attributes:
        is_recorded: whether the run itself is in the store; it may still be in a spool.
        last_sign_at: when a step of it last gave a sign of life.
    """

    run_id: str
    is_recorded: bool
    last_sign_at: datetime


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Who deletes, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class InUse:
    """What must not be deleted: whatever is referenced by a run that is open.

    Attributes:
        since: a run whose last sign of life is older than this is not open any more, whatever else is known of it.
        over: runs that nobody closed and that are known to be over.
    """

    since: datetime
    over: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What stands for a cache key.

    Attributes:
        hits: how many step runs took it.
        size_bytes: of its artifacts.
        is_deleted: whether one of its artifacts is a tombstone, so that it stands for nothing any more.
    """

    cache_key: str
    pipeline: str
    step: str
    map_index: int | None
    run_id: str
    attempt_id: str
    created_at: datetime
    nondeterministic: bool
    invalidated_at: datetime | None
    hits: int = 0
    size_bytes: int = 0
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What the cache did for a step.

    Attributes:
        hits: step runs that took a result.
        misses: attempts that looked for one, and were completed.
        seconds_saved: how long the attempts took whose results were taken, each as often as it was taken.
        bytes_saved: what they stored, counted in the same way.
    """

    pipeline: str
    step: str
    hits: int
    misses: int
    seconds_saved: float
    bytes_saved: int


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run that began and gave its last sign of life before a time."""

    run_id: str
    pipeline: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class OldRuns:
    """The old runs of a project, and what needs them.

    Attributes:
        runs: all of them.
        live: those that made a version that is not deleted.
        cached: those whose result a step may still reuse.
        waiting: those of which something is still to be projected.
        makers: for each run of the store, the old runs that made what it read, reused or pinned, or that it goes on
            from; those that lead to themselves are left out.
    """

    runs: Sequence[OldRun]
    live: frozenset[str]
    cached: frozenset[str]
    waiting: frozenset[str]
    makers: Mapping[str, frozenset[str]] = field(default_factory=dict)
