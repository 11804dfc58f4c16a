"""The attempts that a later attempt at the same step is compared with, to say why it ran."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from zen_metadata.lineage.records import EarlierAttempt
from zen_metadata.lineage.sql.statements import ListStatement
from zen_metadata.lineage.sql.tables import NO_INDEX, attempts, runs, step_runs
from zen_metadata.lineage.sql.transaction import Transaction
from zen_metadata.lineage.store import COMPARED_ATTEMPTS, COMPARED_RUNS


def _find_earlier(steps: Any) -> Any:
    """One statement for all steps. The parts of keys, which are long, are read of those alone that count."""
    before = bindparam("before", type_=runs.c.started_at.type)
    candidates = (
        select(runs.c.run_id, runs.c.zen_version)
        .where(
            runs.c.project == bindparam("of_project"),
            runs.c.pipeline == bindparam("of_pipeline"),
            runs.c.run_id != bindparam("but_run"),
            runs.c.started_at < before,
        )
        .order_by(runs.c.started_at.desc())
        .limit(COMPARED_RUNS)
        .subquery("candidates")
    )
    newest_first = (attempts.c.started_at.desc(), attempts.c.attempt_id)
    ranked = (
        select(
            attempts.c.attempt_id,
            candidates.c.run_id,
            candidates.c.zen_version,
            step_runs.c.step,
            step_runs.c.map_index,
            func.row_number().over(partition_by=step_runs.c.step, order_by=newest_first).label("of_step"),
            func.row_number()
            .over(partition_by=[step_runs.c.step, step_runs.c.map_index], order_by=newest_first)
            .label("of_element"),
        )
        .select_from(
            candidates.join(step_runs, step_runs.c.run_id == candidates.c.run_id).join(
                attempts, attempts.c.step_run_id == step_runs.c.step_run_id
            )
        )
        .where(
            step_runs.c.step.in_(steps),
            attempts.c.started_at < before,
            or_(attempts.c.status == "completed", attempts.c.status == "cached"),
        )
        .subquery("ranked")
    )
    return (
        select(
            attempts.c.attempt_id,
            ranked.c.run_id,
            ranked.c.step,
            ranked.c.map_index,
            attempts.c.status,
            attempts.c.cache_key,
            attempts.c.key_parts,
            attempts.c.environment_digest,
            ranked.c.zen_version,
            attempts.c.started_at,
        )
        .select_from(ranked.join(attempts, attempts.c.attempt_id == ranked.c.attempt_id))
        .where(or_(ranked.c.of_step <= COMPARED_ATTEMPTS, ranked.c.of_element == 1))
        .order_by(*newest_first)
    )


_FIND_EARLIER = ListStatement(_find_earlier)


def find_earlier_attempts(
    work: Transaction, project: str, pipeline: str, steps: Sequence[str], *, before: datetime, but_run: str
) -> Sequence[EarlierAttempt]:
    """See `LineageStore.find_earlier_attempts`."""
    wanted = {"of_project": project, "of_pipeline": pipeline, "before": before, "but_run": but_run}
    return [_to_record(row) for row in work.rows_in(_FIND_EARLIER, steps, wanted)]


def _to_record(row: Any) -> EarlierAttempt:
    values = row._asdict()
    values["map_index"] = None if row.map_index == NO_INDEX else row.map_index
    return EarlierAttempt(**values)
