"""The questions that the read side asks about runs and artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, func, literal, or_, select, tuple_
from sqlalchemy.sql.elements import UnaryExpression

from zen_metadata.lineage.records import ArtifactRecord, RunRecord, StepRunRecord
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS, RUN_COLUMNS, to_step_run
from zen_metadata.lineage.sql.statements import ListStatement, Statement
from zen_metadata.lineage.sql.tables import (
    artifact_names,
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    codes,
    environments,
    irs,
    runs,
    step_runs,
)
from zen_metadata.lineage.sql.transaction import Transaction
from zen_metadata.lineage.store import MOST_RUNS_BEGINNING

_GET_ARTIFACTS = ListStatement(lambda items: select(*ARTIFACT_COLUMNS).where(artifacts.c.artifact_id.in_(items)))
_GET_STEP_RUNS = ListStatement(lambda items: select(*step_runs.c).where(step_runs.c.step_run_id.in_(items)))
_GET_CODES = ListStatement(
    lambda items: select(codes.c.digest, codes.c.document).where(
        codes.c.project == bindparam("of_project"), codes.c.digest.in_(items)
    )
)
_GET_IR = Statement(
    select(irs.c.document).where(irs.c.project == bindparam("of_project"), irs.c.digest == bindparam("of_digest"))
)
_GET_ENVIRONMENT = Statement(
    select(environments.c.snapshot).where(
        environments.c.project == bindparam("of_project"), environments.c.digest == bindparam("of_digest")
    )
)
_NAMES = (
    select(artifact_names.c.pipeline, artifact_names.c.name)
    .where(artifact_names.c.project == bindparam("of_project"))
    .order_by(artifact_names.c.pipeline, artifact_names.c.name)
)
_FIND_NAMES = Statement(_NAMES)
_FIND_NAME = Statement(_NAMES.where(artifact_names.c.name == bindparam("of_name")))
_SHORT_LIST = 64
"""Of artifacts whose edges are asked for: of a longer list PostgreSQL thinks that it pays to read the table whole."""
_FIND_PRODUCERS = ListStatement(
    lambda items: (
        select(artifacts.c.artifact_id, attempt_inputs.c.artifact_id.label("source_id"))
        .select_from(artifacts.join(attempt_inputs, attempt_inputs.c.attempt_id == artifacts.c.attempt_id))
        .where(artifacts.c.artifact_id.in_(items), attempt_inputs.c.artifact_id.is_not(None))
        .order_by(artifacts.c.artifact_id, attempt_inputs.c.port, attempt_inputs.c.path)
    ),
    largest=_SHORT_LIST,
)


def _find_uses(items: Any) -> Any:
    return (
        select(attempt_inputs.c.artifact_id, attempts.c.step_run_id, attempt_outputs.c.artifact_id.label("output_id"))
        .select_from(
            attempt_inputs.join(attempts, attempts.c.attempt_id == attempt_inputs.c.attempt_id).outerjoin(
                attempt_outputs, attempt_outputs.c.attempt_id == attempt_inputs.c.attempt_id
            )
        )
        .where(attempt_inputs.c.artifact_id.in_(items))
    )


_FIND_CONSUMERS = ListStatement(
    lambda items: _find_uses(items).order_by(
        attempts.c.started_at, attempts.c.step_run_id, attempts.c.number, attempt_outputs.c.output
    )
)
# In any order: to sort them, all would have to be read.
_FIND_SOME_CONSUMERS = ListStatement(lambda items: _find_uses(items).limit(bindparam("of_limit")), largest=_SHORT_LIST)


def get_artifacts(work: Transaction, artifact_ids: Sequence[str]) -> Mapping[str, ArtifactRecord]:
    """See `LineageStore.get_artifacts`."""
    return {row.artifact_id: ArtifactRecord(*row) for row in work.rows_in(_GET_ARTIFACTS, artifact_ids)}


def get_step_run_records(work: Transaction, step_run_ids: Sequence[str]) -> Mapping[str, StepRunRecord]:
    """See `LineageStore.get_step_run_records`."""
    return {row.step_run_id: to_step_run(row) for row in work.rows_in(_GET_STEP_RUNS, step_run_ids)}


def get_ir(work: Transaction, project: str, digest: str) -> Mapping[str, Any] | None:
    """See `LineageStore.get_ir`."""
    row = work.row(_GET_IR, {"of_project": project, "of_digest": digest})
    return row and row.document


def get_codes(work: Transaction, project: str, digests: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """See `LineageStore.get_codes`."""
    return {row.digest: row.document for row in work.rows_in(_GET_CODES, digests, {"of_project": project})}


def get_environment(work: Transaction, project: str, digest: str) -> Mapping[str, Any] | None:
    """See `LineageStore.get_environment`."""
    row = work.row(_GET_ENVIRONMENT, {"of_project": project, "of_digest": digest})
    return row and row.snapshot


def find_artifacts(
    work: Transaction,
    project: str,
    wanted: Mapping[str, Any],
    *,
    limit: int | None,
    before: ArtifactRecord | None,
    after: ArtifactRecord | None,
) -> Sequence[ArtifactRecord]:
    """See `LineageStore.find_artifacts`; `wanted` are values by column, None where any value will do."""
    table = artifacts.c
    query = select(*ARTIFACT_COLUMNS).where(table.project == project)
    for column, value in wanted.items():
        if value is not None:
            query = query.where(table[column] == value)
    key: tuple[Any, ...]
    if wanted.get("name") is not None and wanted.get("pipeline") is not None:
        # The versions of one name stand in the order of their numbers, which is that of their times.
        place, key = _by_version, (table.version.desc(), table.created_at.desc())
    else:
        place, key = _by_time, (table.created_at.desc(), table.version.desc(), table.pipeline, table.name)
    if before is not None:
        query = query.where(place(before, older=True))
    if after is not None:
        query = query.where(place(after, older=False))
    order = (*key, table.artifact_id)
    found = _page(work, query, order, limit, backwards=after is not None and before is None)
    return [ArtifactRecord(*row) for row in found]


def _by_version(edge: ArtifactRecord, *, older: bool) -> Any:
    version = artifacts.c.version
    return version < edge.version if older else version > edge.version


def _by_time(edge: ArtifactRecord, *, older: bool) -> Any:
    """The rows on one side of an artifact; the first condition alone is what an index serves."""
    table = artifacts.c
    named = tuple_(table.pipeline, table.name, table.artifact_id)
    there = tuple_(literal(edge.pipeline), literal(edge.name), literal(edge.artifact_id))
    created_at = literal(edge.created_at, table.created_at.type)
    if older:
        later = or_(table.version < edge.version, and_(table.version == edge.version, named > there))
        return and_(table.created_at <= created_at, or_(table.created_at < created_at, later))
    sooner = or_(table.version > edge.version, and_(table.version == edge.version, named < there))
    return and_(table.created_at >= created_at, or_(table.created_at > created_at, sooner))


def _page(work: Transaction, query: Any, order: Sequence[Any], limit: int | None, *, backwards: bool) -> list[Any]:
    """The rows of a page in their order; `backwards`: those at the end of it, where the limit cuts the beginning."""
    if backwards:
        order = [_turned(column) for column in order]
    query = query.order_by(*order)
    if limit is not None:
        query = query.limit(limit)
    found = work.rows(Statement(query), {})
    return found[::-1] if backwards else found


def _turned(column: Any) -> Any:
    return column.element if isinstance(column, UnaryExpression) else column.desc()


def find_artifact_names(work: Transaction, project: str, name: str | None) -> Sequence[tuple[str, str]]:
    """See `LineageStore.find_artifact_names`."""
    if name is None:
        found = work.rows(_FIND_NAMES, {"of_project": project})
    else:
        found = work.rows(_FIND_NAME, {"of_project": project, "of_name": name})
    return [(row.pipeline, row.name) for row in found]


def find_runs(
    work: Transaction,
    project: str | None,
    *,
    pipeline: str | None,
    limit: int | None,
    skip: int,
    before: RunRecord | None,
    after: RunRecord | None,
) -> Sequence[RunRecord]:
    """See `LineageStore.find_runs`."""
    query = select(*RUN_COLUMNS)
    if project is not None:
        query = query.where(runs.c.project == project)
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    if before is not None:
        query = query.where(_place(before) > _PLACE)
    if after is not None:
        query = query.where(_place(after) < _PLACE)
    if skip:
        query = query.offset(skip)
    order = (runs.c.started_at.desc(), runs.c.run_id.desc())
    found = _page(work, query, order, limit, backwards=after is not None and before is None)
    return [RunRecord(*row) for row in found]


_PLACE = tuple_(runs.c.started_at, runs.c.run_id)


def _place(run: RunRecord) -> Any:
    return tuple_(literal(run.started_at, runs.c.started_at.type), literal(run.run_id))


def find_run(work: Transaction, run_id_prefix: str, project: str | None) -> Sequence[RunRecord]:
    """See `LineageStore.find_run`."""
    # A range, which the key's index serves, between ids of one form: databases differ in how they order other text.
    last = run_id_prefix + _LAST_RUN_ID[len(run_id_prefix) :]
    query = select(*RUN_COLUMNS).where(runs.c.run_id >= run_id_prefix, runs.c.run_id <= last).order_by(runs.c.run_id)
    # By substring: LIKE would read % and _ as patterns, and ignores case on SQLite.
    query = query.where(func.substr(runs.c.run_id, 1, len(run_id_prefix)) == run_id_prefix)
    if project is not None:  # not by the column alone, whose index would lead to all runs of the project
        query = query.where(func.coalesce(runs.c.project, "") == project)
    return [RunRecord(*row) for row in work.rows(Statement(query.limit(MOST_RUNS_BEGINNING)), {})]


_LAST_RUN_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def find_pipelines(work: Transaction, project: str) -> Sequence[str]:
    """See `LineageStore.find_pipelines`."""
    return [row.pipeline for row in work.rows(_FIND_PIPELINES, {"of_project": project})]


def _find_pipelines() -> Any:
    """From each pipeline to the next by the index, instead of reading the runs of all."""
    names = select(func.min(runs.c.pipeline).label("pipeline")).where(runs.c.project == bindparam("of_project"))
    known = names.where(runs.c.pipeline >= "").cte("known", recursive=True)
    following = names.where(runs.c.pipeline > known.c.pipeline).correlate(known).scalar_subquery()
    known = known.union_all(select(following).where(known.c.pipeline.is_not(None)))
    return select(known.c.pipeline).where(known.c.pipeline.is_not(None))


_FIND_PIPELINES = Statement(_find_pipelines())


def find_ancestors(work: Transaction, artifact_ids: Sequence[str], limit: int) -> Sequence[str]:
    """See `LineageStore.find_ancestors`."""
    return _follow(work, _FIND_ANCESTORS, artifact_ids, limit)


def find_descendants(work: Transaction, artifact_ids: Sequence[str], limit: int) -> Sequence[str]:
    """See `LineageStore.find_descendants`."""
    return _follow(work, _FIND_DESCENDANTS, artifact_ids, limit)


def _follow(work: Transaction, statement: ListStatement, artifact_ids: Sequence[str], limit: int) -> Sequence[str]:
    found = dict.fromkeys(artifact_ids)
    for part, listed in statement.batches(list(found)):
        found.update(dict.fromkeys(row.artifact_id for row in work.rows(part, {**listed, "of_limit": limit})))
    return list(found)[:limit]


def _find_related(items: Any, join_next: Any, next_id: Any) -> Any:
    """Artifacts and all that lies behind them, level by level, each once: what is known already is not gone into again.

    So a walk ends even where results that were reused lead in a circle.
    """
    first = select(artifacts.c.artifact_id).where(artifacts.c.artifact_id.in_(items))
    related = first.cte("related", recursive=True)
    related = related.union(select(next_id).select_from(join_next(related)).where(next_id.is_not(None)))
    return select(related.c.artifact_id).limit(bindparam("of_limit"))


_FIND_ANCESTORS = ListStatement(
    lambda items: _find_related(
        items,
        lambda related: related.join(artifacts, artifacts.c.artifact_id == related.c.artifact_id).join(
            attempt_inputs, attempt_inputs.c.attempt_id == artifacts.c.attempt_id
        ),
        attempt_inputs.c.artifact_id,
    )
)
_FIND_DESCENDANTS = ListStatement(
    lambda items: _find_related(
        items,
        lambda related: related.join(attempt_inputs, attempt_inputs.c.artifact_id == related.c.artifact_id).join(
            attempt_outputs, attempt_outputs.c.attempt_id == attempt_inputs.c.attempt_id
        ),
        attempt_outputs.c.artifact_id,
    )
)


def find_producers(work: Transaction, artifact_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """See `LineageStore.find_producers`."""
    found: dict[str, dict[str, None]] = {artifact_id: {} for artifact_id in artifact_ids}
    for row in work.rows_in(_FIND_PRODUCERS, artifact_ids):
        found[row.artifact_id][row.source_id] = None
    return {artifact_id: tuple(sources) for artifact_id, sources in found.items()}


def find_consumers(
    work: Transaction, artifact_ids: Sequence[str], limit: int | None
) -> Mapping[str, Sequence[tuple[str, Sequence[str]]]]:
    """See `LineageStore.find_consumers`. The outputs of all attempts at a step run count, the earliest first."""
    if limit is None:
        rows = work.rows_in(_FIND_CONSUMERS, artifact_ids)
    else:
        rows = []
        for part, listed in _FIND_SOME_CONSUMERS.batches(list(dict.fromkeys(artifact_ids))):
            if len(rows) < limit:
                rows += work.rows(part, {**listed, "of_limit": limit - len(rows)})
    found: dict[str, dict[str, dict[str, None]]] = {artifact_id: {} for artifact_id in artifact_ids}
    for row in rows:
        outputs = found[row.artifact_id].setdefault(row.step_run_id, {})
        if row.output_id is not None:
            outputs[row.output_id] = None
    return {
        artifact_id: tuple((step_run_id, tuple(outputs)) for step_run_id, outputs in readers.items())
        for artifact_id, readers in found.items()
    }
