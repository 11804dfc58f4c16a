"""How step runs stand: the latest attempt of each, with everything that hangs on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from zen_metadata.lineage.records import (
    ArtifactRecord,
    AttemptRecord,
    InputRecord,
    StepRunState,
    StepRunStatus,
)
from zen_metadata.lineage.sql.rows import ARTIFACT_COLUMNS, ATTEMPT_COLUMNS, to_error, to_metric, to_step_run
from zen_metadata.lineage.sql.statements import ListStatement, Statement
from zen_metadata.lineage.sql.tables import (
    NO_INDEX,
    artifacts,
    attempt_inputs,
    attempt_outputs,
    attempts,
    metrics,
    params,
    runs,
    step_runs,
)
from zen_metadata.lineage.sql.transaction import Transaction
from zen_metadata.lineage.store import LOST_AFTER_SECONDS

_LOST_AFTER = timedelta(seconds=LOST_AFTER_SECONDS)
_OF_RUN = step_runs.c.run_id == bindparam("subject")
_OF_STEP_RUN = step_runs.c.step_run_id == bindparam("subject")
_reused = attempts.alias("reused")
_reused_step = step_runs.alias("reused_step")
_ATTEMPTS = attempts.join(step_runs, step_runs.c.step_run_id == attempts.c.step_run_id)


def _find_attempts(condition: Any) -> Statement:
    return Statement(
        select(
            *ATTEMPT_COLUMNS,
            attempts.c.number,
            attempts.c.status,
            attempts.c.heartbeat_at,
            attempts.c.ended_at,
            attempts.c.log_location,
            attempts.c.mlflow_run_id,
            attempts.c.reused_attempt_id,
            attempts.c.error_type,
            attempts.c.error_message,
            attempts.c.error_traceback,
            step_runs.c.run_id,
            step_runs.c.step,
            step_runs.c.map_index,
            step_runs.c.kind,
            runs.c.ir_digest.label("run_ir_digest"),
            runs.c.code_digest.label("run_code_digest"),
            _reused_step.c.run_id.label("reused_run_id"),
        )
        .select_from(
            _ATTEMPTS.outerjoin(runs, runs.c.run_id == step_runs.c.run_id)
            .outerjoin(_reused, _reused.c.attempt_id == attempts.c.reused_attempt_id)
            .outerjoin(_reused_step, _reused_step.c.step_run_id == _reused.c.step_run_id)
        )
        .where(condition)
        .order_by(attempts.c.number)
    )


def _find_hanging(table: Any, columns: Sequence[Any], condition: Any, *order: Any) -> Statement:
    return Statement(
        select(table.c.attempt_id.label("of_attempt"), *columns)
        .select_from(_ATTEMPTS.join(table, table.c.attempt_id == attempts.c.attempt_id))
        .where(condition)
        .order_by(*order)
    )


def _find_logged(table: Any, columns: Sequence[Any], condition: Any, order: Any) -> Statement:
    """What was logged while the result was made: by the attempt itself, or by the one whose result it reuses."""
    made_by = func.coalesce(attempts.c.reused_attempt_id, attempts.c.attempt_id)
    return Statement(
        select(attempts.c.attempt_id.label("of_attempt"), *columns)
        .select_from(_ATTEMPTS.join(table, table.c.attempt_id == made_by))
        .where(condition)
        .order_by(order)
    )


def _find_outputs(condition: Any) -> Statement:
    return Statement(
        select(attempt_outputs.c.attempt_id.label("of_attempt"), attempt_outputs.c.output, *ARTIFACT_COLUMNS)
        .select_from(
            _ATTEMPTS.join(attempt_outputs, attempt_outputs.c.attempt_id == attempts.c.attempt_id).join(
                artifacts, artifacts.c.artifact_id == attempt_outputs.c.artifact_id
            )
        )
        .where(condition)
        .order_by(attempt_outputs.c.output)
    )


class _Questions:
    """The statements that tell all about the attempts of one subject: a run, or a step run."""

    def __init__(self, condition: Any) -> None:
        self.attempts = _find_attempts(condition)
        self.inputs = _find_hanging(
            attempt_inputs, list(attempt_inputs.c), condition, attempt_inputs.c.port, attempt_inputs.c.path
        )
        self.outputs = _find_outputs(condition)
        self.metrics = _find_logged(metrics, list(metrics.c), condition, metrics.c.position)
        self.params = _find_logged(params, [params.c.name, params.c.value], condition, params.c.name)


_ABOUT_RUN = _Questions(_OF_RUN)
_ABOUT_STEP_RUN = _Questions(_OF_STEP_RUN)
_FIND_STATUSES = ListStatement(
    lambda items: (
        select(step_runs.c.run_id, step_runs.c.step, step_runs.c.map_index, attempts.c.status, attempts.c.heartbeat_at)
        .select_from(_ATTEMPTS)
        .where(step_runs.c.run_id.in_(items), step_runs.c.kind != "hook")
        .order_by(attempts.c.number)
    )
)


def get_step_runs(work: Transaction, run_id: str) -> Sequence[StepRunState]:
    """See `LineageStore.get_step_runs`. In the order in which they first started."""
    rows_by_step_run = defaultdict(list)
    for row in work.rows(_ABOUT_RUN.attempts, {"subject": run_id}):
        rows_by_step_run[row.step_run_id].append(row)
    ordered = sorted(
        rows_by_step_run.values(),
        key=lambda rows: (min(row.started_at for row in rows), rows[0].step, rows[0].map_index),
    )
    details = _Details(work, _ABOUT_RUN, run_id)
    return [details.to_state(latest(rows), len(rows)) for rows in ordered]


def get_attempts(work: Transaction, step_run_id: str) -> Sequence[StepRunState]:
    """See `LineageStore.get_attempts`."""
    rows = work.rows(_ABOUT_STEP_RUN.attempts, {"subject": step_run_id})
    details = _Details(work, _ABOUT_STEP_RUN, step_run_id)
    return [details.to_state(row, row.number) for row in rows]


def find_step_statuses(work: Transaction, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, StepRunStatus]]:
    """See `LineageStore.find_step_statuses`."""
    now = work.now()
    found: dict[str, dict[str, StepRunStatus]] = {run_id: {} for run_id in run_ids}
    for row in work.rows_in(_FIND_STATUSES, run_ids):
        name = row.step if row.map_index == NO_INDEX else f"{row.step}[{row.map_index}]"
        statuses = found[row.run_id]
        if row.status != "superseded" or name not in statuses:
            statuses[name] = status_of(row, now)
    return found


def latest(rows: list[Any]) -> Any:
    """The attempt that counts: the last one, but a superseded one only where there is no other."""
    return max(rows, key=lambda row: (row.status != "superseded", row.number))


def status_of(row: Any, now: datetime) -> StepRunStatus:
    """The status of an attempt that counts: a running one without heartbeat is lost."""
    if row.status == "superseded" or (row.status == "running" and now - row.heartbeat_at > _LOST_AFTER):
        return "lost"
    status: StepRunStatus = row.status
    return status


class _Details:
    """What hangs on the attempts of one subject, by attempt."""

    def __init__(self, work: Transaction, questions: _Questions, subject: str) -> None:
        self._now = work.now()
        key = {"subject": subject}
        self._inputs: dict[str, list[InputRecord]] = defaultdict(list)
        for row in work.rows(questions.inputs, key):
            self._inputs[row.of_attempt].append(InputRecord(row.port, row.digest, row.path, row.artifact_id))
        self._outputs: dict[str, dict[str, ArtifactRecord]] = defaultdict(dict)
        for row in work.rows(questions.outputs, key):
            self._outputs[row.of_attempt][row.output] = ArtifactRecord(*row[2:])
        self._metrics = defaultdict(list)
        for row in work.rows(questions.metrics, key):
            self._metrics[row.of_attempt].append(to_metric(row))
        self._params: dict[str, dict[str, Any]] = defaultdict(dict)
        for row in work.rows(questions.params, key):
            self._params[row.of_attempt][row.name] = row.value[0]

    def to_state(self, row: Any, count: int) -> StepRunState:
        """The step run with one of its attempts."""
        attempt = AttemptRecord(*row[: len(ATTEMPT_COLUMNS)])
        own = (attempt.ir_digest, attempt.code_digest)
        return StepRunState(
            step_run=to_step_run(row),
            attempt=attempt,
            status=status_of(row, self._now),
            attempts=count,
            inputs=tuple(self._inputs[attempt.attempt_id]),
            outputs=self._outputs[attempt.attempt_id],
            metrics=tuple(self._metrics[attempt.attempt_id]),
            params=self._params[attempt.attempt_id],
            error=to_error(row),
            reused_attempt_id=row.reused_attempt_id,
            reused_from=row.reused_run_id,
            log_location=row.log_location,
            mlflow_run_id=row.mlflow_run_id,
            started_at=row.started_at,
            ended_at=row.ended_at,
            mixed=row.run_ir_digest is not None and own != (row.run_ir_digest, row.run_code_digest),
        )
