"""Whether artifacts live, asked so that the answer holds until the transaction ends: nobody deletes them meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from zen_metadata.lineage.sql.statements import ListStatement
from zen_metadata.lineage.sql.tables import artifacts
from zen_metadata.lineage.sql.transaction import Answer, Transaction

_LOCK_FOR_USE = ListStatement(
    lambda items: (
        select(artifacts.c.artifact_id, artifacts.c.deleted_at)
        .where(artifacts.c.artifact_id.in_(items))
        .order_by(artifacts.c.artifact_id)
        .with_for_update(read=True)
    )
)


def ask_live(work: Transaction, artifact_ids: Iterable[str]) -> list[Answer]:
    """Lock artifacts against deletion until the transaction ends, and ask whether they live: see `all_live`."""
    return [work.ask(part, listed) for part, listed in _LOCK_FOR_USE.batches(sorted(set(artifact_ids)))]


def all_live(answers: Iterable[Answer]) -> bool:
    """Whether none of the artifacts that were asked for is a tombstone."""
    return all(row.deleted_at is None for answer in answers for row in answer.rows())
