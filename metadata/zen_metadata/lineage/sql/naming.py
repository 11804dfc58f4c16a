"""Which version of an artifact its name stands for: the latest, or the one that somebody has rolled back to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, select

from zen_metadata.lineage.records import ArtifactRecord, RollbackRecord
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS
from zen_metadata.lineage.sql.statements import ListStatement, Statement, columns_of
from zen_metadata.lineage.sql.tables import artifact_names, artifacts, rollbacks
from zen_metadata.lineage.sql.transaction import Transaction


def _of_name(table: Any) -> Any:
    return and_(
        table.c.project == bindparam("of_project"),
        table.c.pipeline == bindparam("of_pipeline"),
        table.c.name == bindparam("of_name"),
    )


_VERSIONS = select(*ARTIFACT_COLUMNS).where(_of_name(artifacts), artifacts.c.kind == "value")
_FIND_VERSION = Statement(_VERSIONS.where(artifacts.c.version == bindparam("of_version")))
_FIND_LATEST = Statement(
    _VERSIONS.where(artifacts.c.deleted_at.is_(None)).order_by(artifacts.c.version.desc()).limit(1)
)
_later = artifacts.alias("later")
_FIND_NEWEST = ListStatement(
    lambda items: select(artifacts.c.artifact_id).where(
        artifacts.c.artifact_id.in_(items),
        artifacts.c.deleted_at.is_(None),
        ~exists().where(
            _later.c.project == artifacts.c.project,
            _later.c.name == artifacts.c.name,
            _later.c.pipeline == artifacts.c.pipeline,
            _later.c.version > artifacts.c.version,
            _later.c.deleted_at.is_(None),
        ),
    )
)
_ROLLBACK_COLUMNS = columns_of(rollbacks, RollbackRecord)
_FIND_ROLLBACKS = Statement(
    select(*_ROLLBACK_COLUMNS, rollbacks.c.position).where(_of_name(rollbacks)).order_by(rollbacks.c.position.desc())
)
_SAME_NAME = and_(
    rollbacks.c.project == artifact_names.c.project,
    rollbacks.c.pipeline == artifact_names.c.pipeline,
    rollbacks.c.name == artifact_names.c.name,
)
_LATEST_ROLLBACK = (
    select(rollbacks.c.pipeline, rollbacks.c.name, func.max(rollbacks.c.position).label("position"))
    .where(rollbacks.c.project == bindparam("of_project"))
    .group_by(rollbacks.c.pipeline, rollbacks.c.name)
    .subquery()
)
_FIND_ROLLED_BACK = Statement(
    select(rollbacks.c.pipeline, rollbacks.c.name, rollbacks.c.version)
    .select_from(
        rollbacks.join(
            _LATEST_ROLLBACK,
            and_(
                rollbacks.c.pipeline == _LATEST_ROLLBACK.c.pipeline,
                rollbacks.c.name == _LATEST_ROLLBACK.c.name,
                rollbacks.c.position == _LATEST_ROLLBACK.c.position,
            ),
        ).join(artifact_names, _SAME_NAME)
    )
    .where(
        rollbacks.c.project == bindparam("of_project"),
        # A version that was made since stands again.
        artifact_names.c.last_version <= rollbacks.c.last_version,
    )
)
_LOCK_NAME = Statement(select(artifact_names.c.last_version).where(_of_name(artifact_names)).with_for_update())
_LAST_VERSION = Statement(select(artifact_names.c.last_version).where(_of_name(artifact_names)))
_INSERT = Statement(lambda insert: insert(rollbacks))


def find_version(
    work: Transaction, project: str, pipeline: str, name: str, version: int | None
) -> ArtifactRecord | None:
    """See `LineageStore.find_version`."""
    key = _key(project, pipeline, name)
    chosen = version if version is not None else _rolled_back_to(work, key)
    if chosen is not None:
        row = work.row(_FIND_VERSION, {**key, "of_version": chosen})
        if row is not None and (version is not None or ArtifactRecord(*row).deleted_at is None):
            return ArtifactRecord(*row)
        if version is not None:
            return None
    row = work.row(_FIND_LATEST, key)
    return None if row is None else ArtifactRecord(*row)


def _rolled_back_to(work: Transaction, key: Mapping[str, Any]) -> int | None:
    latest = work.row(_FIND_ROLLBACKS, key)
    if latest is None:
        return None
    made = work.row(_LAST_VERSION, key)
    version: int = latest.version
    return version if made is not None and made.last_version <= latest.last_version else None


def find_newest(work: Transaction, artifact_ids: Sequence[str]) -> set[str]:
    """See `LineageStore.find_newest`."""
    return {row.artifact_id for row in work.rows_in(_FIND_NEWEST, artifact_ids)}


def find_rolled_back(work: Transaction, project: str) -> Mapping[tuple[str, str], int]:
    """See `LineageStore.find_rolled_back`."""
    found = work.rows(_FIND_ROLLED_BACK, {"of_project": project})
    return {(row.pipeline, row.name): row.version for row in found}


def find_rollbacks(work: Transaction, project: str, pipeline: str, name: str) -> Sequence[RollbackRecord]:
    """See `LineageStore.find_rollbacks`."""
    rows = work.rows(_FIND_ROLLBACKS, _key(project, pipeline, name))
    return [RollbackRecord(*row[: len(_ROLLBACK_COLUMNS)]) for row in rows]


def roll_back(
    work: Transaction, project: str, pipeline: str, name: str, version: int, *, by: str, reason: str
) -> RollbackRecord:
    """See `LineageStore.roll_back`."""
    key = _key(project, pipeline, name)
    work.lock(_LOCK_NAME, key)
    made = work.row(_LAST_VERSION, key)
    latest = work.row(_FIND_ROLLBACKS, key)
    record = RollbackRecord(
        project, pipeline, name, version, made.last_version if made else version, work.now(), by, reason
    )
    position = 1 if latest is None else latest.position + 1
    work.send(
        _INSERT, {column.name: getattr(record, column.name) for column in _ROLLBACK_COLUMNS} | {"position": position}
    )
    return record


def _key(project: str, pipeline: str, name: str) -> dict[str, Any]:
    return {"of_project": project, "of_pipeline": pipeline, "of_name": name}
