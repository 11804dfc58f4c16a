"""The cache as people look at it: its entries, what they did, and taking them out of use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, func, or_, select, type_coerce, update

from zen_metadata.lineage.retention import CacheEntry, CacheUse
from zen_metadata.lineage.sql.statements import ListStatement, Statement
from zen_metadata.lineage.sql.tables import (
    NO_INDEX,
    artifacts,
    attempt_outputs,
    attempts,
    cache_entries,
    runs,
    step_runs,
)
from zen_metadata.lineage.sql.transaction import Transaction

_KEY_LENGTH = len("sha256:") + 64
_TIME = attempts.c.started_at.type
_NOT_LOOKED_UP = ("off", "refresh", "cleared", "away")

_ENTRIES = (
    select(
        cache_entries.c.cache_key,
        runs.c.pipeline,
        step_runs.c.step,
        step_runs.c.map_index,
        cache_entries.c.run_id,
        cache_entries.c.attempt_id,
        cache_entries.c.created_at,
        cache_entries.c.nondeterministic,
        cache_entries.c.invalidated_at,
    )
    .select_from(
        cache_entries.join(step_runs, step_runs.c.step_run_id == cache_entries.c.step_run_id).outerjoin(
            runs, runs.c.run_id == cache_entries.c.run_id
        )
    )
    .where(cache_entries.c.project == bindparam("of_project"), step_runs.c.kind == "step")
    .order_by(cache_entries.c.created_at.desc(), cache_entries.c.cache_key)
)
_CONTENTS = ListStatement(
    lambda items: (
        select(
            attempt_outputs.c.attempt_id,
            func.sum(artifacts.c.size_bytes).label("size_bytes"),
            func.count(artifacts.c.deleted_at).label("deleted"),
        )
        .select_from(attempt_outputs.outerjoin(artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id))
        .where(attempt_outputs.c.attempt_id.in_(items))
        .group_by(attempt_outputs.c.attempt_id)
    )
)
_HITS_OF = ListStatement(
    lambda items: (
        select(attempts.c.reused_attempt_id, func.count().label("hits"))
        .where(attempts.c.reused_attempt_id.in_(items), attempts.c.status == "cached")
        .group_by(attempts.c.reused_attempt_id)
    )
)
_INVALIDATE = ListStatement(
    lambda items: (
        update(cache_entries)
        .where(
            cache_entries.c.project == bindparam("of_project"),
            cache_entries.c.cache_key.in_(items),
            cache_entries.c.invalidated_at.is_(None),
        )
        .values(invalidated_at=bindparam("at", type_=_TIME))
    )
)

_made = attempts.alias("made")
_OF_STEP = (runs.c.pipeline, step_runs.c.step)
_STEPS = attempts.join(step_runs, step_runs.c.step_run_id == attempts.c.step_run_id).outerjoin(
    runs, runs.c.run_id == step_runs.c.run_id
)
_LATELY = and_(
    attempts.c.project == bindparam("of_project"),
    attempts.c.started_at >= bindparam("since", type_=_TIME),
    step_runs.c.kind == "step",
)
_HITS = Statement(
    select(
        *_OF_STEP,
        func.count().label("hits"),
        func.sum(type_coerce(_made.c.ended_at, BigInteger) - type_coerce(_made.c.started_at, BigInteger)).label("took"),
    )
    .select_from(_STEPS.outerjoin(_made, _made.c.attempt_id == attempts.c.reused_attempt_id))
    .where(_LATELY, attempts.c.status == "cached")
    .group_by(*_OF_STEP)
)
_HIT_BYTES = Statement(
    select(*_OF_STEP, func.sum(artifacts.c.size_bytes).label("size_bytes"))
    .select_from(
        _STEPS.join(attempt_outputs, attempt_outputs.c.attempt_id == attempts.c.attempt_id).join(
            artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id
        )
    )
    .where(_LATELY, attempts.c.status == "cached")
    .group_by(*_OF_STEP)
)
_MISSES = Statement(
    select(*_OF_STEP, func.count().label("misses"))
    .select_from(_STEPS)
    .where(
        _LATELY,
        attempts.c.status == "completed",
        attempts.c.cache_enabled,
        or_(attempts.c.cache_reason.is_(None), and_(*(attempts.c.cache_reason != word for word in _NOT_LOOKED_UP))),
    )
    .group_by(*_OF_STEP)
)


def list_entries(
    work: Transaction, project: str, *, pipeline: str | None, step: str | None, key: str | None, limit: int | None
) -> Sequence[CacheEntry]:
    """See `LineageStore.list_cache_entries`."""
    query = _ENTRIES
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    if step is not None:
        query = query.where(step_runs.c.step == step)
    if key is not None:
        query = query.where(
            # The range is what the key's index serves: between keys of one form, since databases order others apart.
            cache_entries.c.cache_key >= key,
            cache_entries.c.cache_key <= key.ljust(_KEY_LENGTH, "f"),
            func.substr(cache_entries.c.cache_key, 1, len(key)) == key,
        )
    found = work.rows(Statement(query.limit(limit)), {"of_project": project})
    made_by = [row.attempt_id for row in found]
    contents = {row.attempt_id: row for row in work.rows_in(_CONTENTS, made_by)}
    hits = {row.reused_attempt_id: row.hits for row in work.rows_in(_HITS_OF, made_by)}
    return [_entry(row, contents.get(row.attempt_id), hits.get(row.attempt_id, 0)) for row in found]


def _entry(row: Any, content: Any | None, hits: int) -> CacheEntry:
    return CacheEntry(
        cache_key=row.cache_key,
        pipeline=row.pipeline or "",  # the run itself may still be in a spool
        step=row.step,
        map_index=None if row.map_index == NO_INDEX else row.map_index,
        run_id=row.run_id,
        attempt_id=row.attempt_id,
        created_at=row.created_at,
        nondeterministic=row.nondeterministic,
        invalidated_at=row.invalidated_at,
        hits=hits,
        size_bytes=int(content.size_bytes or 0) if content else 0,
        is_deleted=bool(content and content.deleted),
    )


def invalidate(work: Transaction, project: str, cache_keys: Sequence[str]) -> int:
    """See `LineageStore.invalidate_cache_entries`."""
    values = {"of_project": project, "at": work.now()}
    asked = [work.ask(part, {**values, **listed}) for part, listed in _INVALIDATE.batches(sorted(set(cache_keys)))]
    return sum(answer.count() for answer in asked)


def find_use(work: Transaction, project: str, since: datetime) -> Sequence[CacheUse]:
    """See `LineageStore.find_cache_use`."""
    wanted = {"of_project": project, "since": since}
    hits = {_step_of(row): row for row in work.rows(_HITS, wanted)}
    size_bytes = {_step_of(row): int(row.size_bytes or 0) for row in work.rows(_HIT_BYTES, wanted)}
    misses = {_step_of(row): row.misses for row in work.rows(_MISSES, wanted)}
    return [
        CacheUse(
            *step,
            hits=hits[step].hits if step in hits else 0,
            misses=misses.get(step, 0),
            seconds_saved=float(hits[step].took or 0) / 1e6 if step in hits else 0.0,
            bytes_saved=size_bytes.get(step, 0),
        )
        for step in sorted({*hits, *misses})
    ]


def _step_of(row: Any) -> tuple[str, str]:
    return row.pipeline or "", row.step
