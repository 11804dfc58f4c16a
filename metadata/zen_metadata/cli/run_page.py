"""How `zen show` and `zen run` show a run to people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from zen_core.cli.output import (
    format_seconds,
    format_time,
    print_facts,
    print_heading,
    print_line,
    print_table,
    short_digest,
    short_id,
)
from zen_core.contract.conditions import condition_from_json, condition_text
from zen_metadata.query.artifacts import ArtifactVersion
from zen_metadata.query.rules import ANSWERS
from zen_metadata.query.runs import MLFLOW, Run, StepRun
from zen_metadata.query.words import lag_sentence, value_text
from zen_metadata.tracking.mlflow import mlflow_is_installed

_SHOWN_REASONS = 2
_SHOWN_ERRORS = 3
"""Of the elements of one map."""


def print_run(run: Run) -> None:
    """Print the run's facts, its steps, its metrics, and why each failed step failed."""
    record = run.record
    print_facts(
        {
            "run": run.run_id,
            "pipeline": f"{run.pipeline} (project {record.project})",
            "status": run.status,
            "ran on": f"{record.orchestrator} ({record.deployment})",
            "started": format_time(run.started_at),
            "took": format_seconds(run.seconds),
            "stands for": format_time(record.scheduled_at),
            "parameters": "  ".join(f"{name}={value_text(value)}" for name, value in record.parameters.items()),
            "tags": ", ".join(record.tags),
            "url": record.run_url,
            "mlflow run": run.mlflow_run_ids.get(run.run_id, ""),
            "after": record.parent_run_id or "",
            "mixed": "some steps ran with other code than the run's first" if run.mixed else "",
        }
    )
    if run.spooled:
        print_line((f"{run.spooled} facts of this run wait in the spool and are not shown: zen sync", "yellow"))
    for name, lag in run.lag.items():
        if lag.last_error or name != MLFLOW or mlflow_is_installed():  # who has no MLflow misses nothing there
            print_line((lag_sentence(name, lag), "yellow" if lag.last_error else "dim"))
    if run.steps:
        groups = [list(group) for _, group in groupby(run.steps, key=lambda step: step.name)]
        click.echo()
        _print_steps(run, groups)
        _print_metrics(groups)
        for group in groups:
            _print_errors(run, group)


def _print_steps(run: Run, groups: Sequence[Sequence[StepRun]]) -> None:
    conditions = {step["name"]: step["condition"] for step in run.ir["steps"] if step.get("condition")}
    print_table(
        ("step", "status", "attempts", "took", "why", "reused from", "outputs"),
        [
            (
                _label_of(group),
                _status_of(group),
                str(sum(step.attempts for step in group) or ""),
                format_seconds(_seconds_of(group)),
                _reason_of(group),
                short_id(_only({step.reused_from or "" for step in group})),
                _outputs_of(group, conditions),
            )
            for group in groups
        ],
        right=("attempts", "took"),
    )


def _label_of(group: Sequence[StepRun]) -> str:
    """`train`; `when (gate)`; `fit[0..999]` for the elements of a map."""
    first = group[0]
    if len(group) > 1:
        return f"{first.name}[{first.map_index}..{group[-1].map_index}]"
    return first.label if first.kind == "step" else f"{first.label} ({first.kind})"


def _status_of(group: Sequence[StepRun]) -> str:
    """`completed`; `998 completed, 2 failed` where elements differ."""
    counts = Counter(step.status for step in group)
    if len(counts) == 1:
        return group[0].status
    return ", ".join(f"{count} {status}" for status, count in counts.most_common())


def _reason_of(group: Sequence[StepRun]) -> str:
    """`code changed: features.scale`; `nothing changed (998), input x changed (2)` where elements differ."""
    counts = Counter(step.cache_reason for step in group if step.cache_reason)
    if len(counts) <= 1:
        return next(iter(counts), "")
    shown = [f"{reason} ({count})" for reason, count in counts.most_common(_SHOWN_REASONS)]
    return ", ".join([*shown, *["…"] * (len(counts) > _SHOWN_REASONS)])


def _seconds_of(group: Sequence[StepRun]) -> float | None:
    """From the first beginning to the last end; None while something goes on."""
    starts = [step.started_at for step in group if step.started_at]
    ends = [step.ended_at for step in group if step.ended_at]
    if not starts or len(ends) < len(starts):
        return None
    return (max(ends) - min(starts)).total_seconds()


def _outputs_of(group: Sequence[StepRun], conditions: Mapping[str, Any]) -> str:
    first = group[0]
    if len(group) > 1:
        counts = Counter(name for step in group for name in step.outputs)
        return ", ".join(f"{count} {name}" for name, count in counts.items())
    answer = first.outputs.get(ANSWERS.get(first.kind, ""))
    if answer is not None and first.name in conditions:
        return (
            f"{condition_text(condition_from_json(conditions[first.name]))}: {value_text(answer.record.inline_value)}"
        )
    shown = first.outputs if answer is None else {ANSWERS[first.kind]: answer}
    return ", ".join(f"{name} {_show_output(output)}" for name, output in shown.items())


def _only(values: set[str]) -> str:
    """The value that all have; "" where they differ."""
    return next(iter(values)) if len(values) == 1 else ""


def _print_metrics(groups: Sequence[Sequence[StepRun]]) -> None:
    rows = []
    for group in groups:
        found: dict[str, list[float]] = {}
        for step in group:
            for name, value in step.metrics.items():
                found.setdefault(name, []).append(value)
        rows += [(_label_of(group), name, _range(values)) for name, values in found.items()]
    if rows:
        click.echo()
        print_table(("step", "metric", "value"), rows, right=("value",))


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if len(values) == 1 or low == high else f"{low:g} … {high:g}"


def _print_errors(run: Run, group: Sequence[StepRun]) -> None:
    failed = [step for step in group if step.error is not None]
    for step in failed[:_SHOWN_ERRORS]:
        _print_error(run, step)
    if len(failed) > _SHOWN_ERRORS:
        print_heading(f"and {len(failed) - _SHOWN_ERRORS} more of {group[0].name!r} failed")
        print_line((f"zen show {short_id(run.run_id)} --json", "dim"), ("  lists them all", "dim"))


def _print_error(run: Run, step: StepRun) -> None:
    assert step.error is not None
    print_heading(f"step {step.label!r} {step.status}:")
    print_line((step.error.traceback.rstrip("\n"), ""))
    print_line((f"zen logs {short_id(run.run_id)} {step.label}", "dim"), ("  shows what it printed", "dim"))


def _show_output(output: ArtifactVersion) -> str:
    if output.deletion:
        return f"({output.deletion})"
    if output.record.has_inline_value:
        return f"= {value_text(output.record.inline_value)}"
    return short_digest(output.digest)
