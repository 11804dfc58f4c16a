"""What step runs made, as later steps of the same run and the derivation of statuses ask for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, or_, select

from zen_metadata.lineage.records import ArtifactRecord, StepRunOutputs
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS
from zen_metadata.lineage.sql.statements import ListStatement, Statement
from zen_metadata.lineage.sql.states import latest, status_of
from zen_metadata.lineage.sql.tables import NO_INDEX, artifacts, attempt_outputs, attempts, step_runs
from zen_metadata.lineage.sql.transaction import Transaction

_ABOUT = (
    step_runs.c.map_index,
    attempts.c.number,
    attempts.c.status,
    attempts.c.heartbeat_at,
    attempt_outputs.c.output,
)
_WITH_OUTPUTS = (
    step_runs.join(attempts, attempts.c.step_run_id == step_runs.c.step_run_id)
    .outerjoin(attempt_outputs, attempt_outputs.c.attempt_id == attempts.c.attempt_id)
    .outerjoin(artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id)
)
_OF_STEP = (
    select(*_ABOUT, *ARTIFACT_COLUMNS)
    .select_from(_WITH_OUTPUTS)
    .where(step_runs.c.run_id == bindparam("of_run"), step_runs.c.step == bindparam("of_step"))
    .order_by(step_runs.c.map_index)
)
_FIND_OUTPUTS = Statement(_OF_STEP)
_FIND_OUTPUTS_AT = Statement(_OF_STEP.where(step_runs.c.map_index == bindparam("at_index")))
_FIND_ANSWERS = ListStatement(
    lambda items: (
        select(step_runs.c.run_id, step_runs.c.step, artifacts.c.inline_value)
        .select_from(_WITH_OUTPUTS)
        .where(
            step_runs.c.run_id.in_(items),
            or_(
                and_(step_runs.c.kind == "gate", attempt_outputs.c.output == "taken"),
                and_(step_runs.c.kind == "expander", attempt_outputs.c.output == "count"),
            ),
            or_(attempts.c.status == "completed", attempts.c.status == "cached"),
        )
        .order_by(attempts.c.number)
    )
)


def find_outputs(
    work: Transaction, run_id: str, step: str, map_index: int | None
) -> Mapping[int | None, StepRunOutputs]:
    """See `LineageStore.find_outputs`."""
    key: dict[str, Any] = {"of_run": run_id, "of_step": step}
    if map_index is None:
        rows = work.rows(_FIND_OUTPUTS, key)
    else:
        rows = work.rows(_FIND_OUTPUTS_AT, {**key, "at_index": map_index})
    rows_by_index: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        rows_by_index[row.map_index].append(row)
    now = work.now() if rows else None
    found: dict[int | None, StepRunOutputs] = {}
    for index, group in rows_by_index.items():
        newest = latest(group)
        made = {
            row.output: ArtifactRecord(*row[len(_ABOUT) :])
            for row in group
            if row.number == newest.number and row.artifact_id is not None
        }
        assert now is not None, "there are rows"
        found[None if index == NO_INDEX else index] = StepRunOutputs(status_of(newest, now), made)
    return found


def find_answers(work: Transaction, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """See `LineageStore.find_answers`."""
    found: dict[str, dict[str, Any]] = {run_id: {} for run_id in run_ids}
    for row in work.rows_in(_FIND_ANSWERS, run_ids):
        found[row.run_id][row.step] = row.inline_value
    return found
