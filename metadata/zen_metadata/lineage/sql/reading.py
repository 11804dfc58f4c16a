"""The questions that the read side asks about runs and artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, func, select

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

_GET_ARTIFACTS = ListStatement(lambda items: select(*ARTIFACT_COLUMNS).where(artifacts.c.artifact_id.in_(items)))
_GET_STEP_RUNS = ListStatement(lambda items: select(*step_runs.c).where(step_runs.c.step_run_id.in_(items)))
_GET_CODES = ListStatement(
    lambda items: select(codes.c.project, codes.c.digest, codes.c.document).where(codes.c.digest.in_(items))
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
_FIND_PRODUCERS = ListStatement(
    lambda items: (
        select(artifacts.c.artifact_id, attempt_inputs.c.artifact_id.label("source_id"))
        .select_from(artifacts.join(attempt_inputs, attempt_inputs.c.attempt_id == artifacts.c.attempt_id))
        .where(artifacts.c.artifact_id.in_(items), attempt_inputs.c.artifact_id.is_not(None))
        .order_by(artifacts.c.artifact_id, attempt_inputs.c.port, attempt_inputs.c.path)
    )
)
_FIND_CONSUMERS = ListStatement(
    lambda items: (
        select(attempt_inputs.c.artifact_id, attempts.c.step_run_id, attempt_outputs.c.artifact_id.label("output_id"))
        .select_from(
            attempt_inputs.join(attempts, attempts.c.attempt_id == attempt_inputs.c.attempt_id).outerjoin(
                attempt_outputs, attempt_outputs.c.attempt_id == attempt_inputs.c.attempt_id
            )
        )
        .where(attempt_inputs.c.artifact_id.in_(items))
        .order_by(attempts.c.started_at, attempts.c.step_run_id, attempts.c.number, attempt_outputs.c.output)
    )
)


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
    return {row.digest: row.document for row in work.rows_in(_GET_CODES, digests) if row.project == project}


def get_environment(work: Transaction, project: str, digest: str) -> Mapping[str, Any] | None:
    """See `LineageStore.get_environment`."""
    row = work.row(_GET_ENVIRONMENT, {"of_project": project, "of_digest": digest})
    return row and row.snapshot


def find_artifacts(work: Transaction, project: str, wanted: Mapping[str, Any]) -> Sequence[ArtifactRecord]:
    """See `LineageStore.find_artifacts`; `wanted` are values by column, None where any value will do."""
    query = select(*ARTIFACT_COLUMNS).where(artifacts.c.project == project)
    for column, value in wanted.items():
        if value is not None:
            query = query.where(artifacts.c[column] == value)
    newest_first = query.order_by(
        artifacts.c.created_at.desc(), artifacts.c.version.desc(), artifacts.c.pipeline, artifacts.c.name
    )
    return [ArtifactRecord(*row) for row in work.rows(Statement(newest_first), {})]


def find_artifact_names(work: Transaction, project: str, name: str | None) -> Sequence[tuple[str, str]]:
    """See `LineageStore.find_artifact_names`."""
    if name is None:
        found = work.rows(_FIND_NAMES, {"of_project": project})
    else:
        found = work.rows(_FIND_NAME, {"of_project": project, "of_name": name})
    return [(row.pipeline, row.name) for row in found]


def find_runs(
    work: Transaction, project: str | None, *, pipeline: str | None, limit: int | None
) -> Sequence[RunRecord]:
    """See `LineageStore.find_runs`."""
    query = select(*RUN_COLUMNS).order_by(runs.c.started_at.desc(), runs.c.run_id.desc())
    if project is not None:
        query = query.where(runs.c.project == project)
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    if limit is not None:
        query = query.limit(limit)
    return [RunRecord(*row) for row in work.rows(Statement(query), {})]


def find_run(work: Transaction, run_id_prefix: str, project: str | None) -> Sequence[RunRecord]:
    """See `LineageStore.find_run`."""
    query = select(*RUN_COLUMNS).order_by(runs.c.run_id)
    # By substring: LIKE would read % and _ as patterns, and ignores case on SQLite.
    query = query.where(func.substr(runs.c.run_id, 1, len(run_id_prefix)) == run_id_prefix)
    if len(run_id_prefix) == _RUN_ID_LENGTH:
        query = query.where(runs.c.run_id == run_id_prefix)
    if project is not None:
        query = query.where(runs.c.project == project)
    return [RunRecord(*row) for row in work.rows(Statement(query), {})]


_RUN_ID_LENGTH = 36


def find_producers(work: Transaction, artifact_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """See `LineageStore.find_producers`."""
    found: dict[str, dict[str, None]] = {artifact_id: {} for artifact_id in artifact_ids}
    for row in work.rows_in(_FIND_PRODUCERS, artifact_ids):
        found[row.artifact_id][row.source_id] = None
    return {artifact_id: tuple(sources) for artifact_id, sources in found.items()}


def find_consumers(work: Transaction, artifact_ids: Sequence[str]) -> Mapping[str, Sequence[tuple[str, Sequence[str]]]]:
    """See `LineageStore.find_consumers`. The outputs of all attempts at a step run count, the earliest first."""
    found: dict[str, dict[str, dict[str, None]]] = {artifact_id: {} for artifact_id in artifact_ids}
    for row in work.rows_in(_FIND_CONSUMERS, artifact_ids):
        outputs = found[row.artifact_id].setdefault(row.step_run_id, {})
        if row.output_id is not None:
            outputs[row.output_id] = None
    return {
        artifact_id: tuple((step_run_id, tuple(outputs)) for step_run_id, outputs in readers.items())
        for artifact_id, readers in found.items()
    }
