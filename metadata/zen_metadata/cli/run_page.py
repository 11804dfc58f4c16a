"""How `zen show` and `zen run` show a run to people."""

from __future__ import annotations

import json
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
from zen_core.contract.values import TAG
from zen_metadata.query.artifacts import ArtifactVersion
from zen_metadata.query.runs import Run, StepRun

_LONGEST_VALUE = 60


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
            "parameters": "  ".join(f"{name}={show_value(value)}" for name, value in record.parameters.items()),
            "tags": ", ".join(record.tags),
            "url": record.run_url,
            "mlflow run": run.mlflow_run_ids.get(run.run_id, ""),
            "after": record.parent_run_id or "",
            "mixed": "some steps ran with other code than the run's first" if run.mixed else "",
        }
    )
    if run.steps:
        click.echo()
        _print_steps(run)
        _print_metrics(run)
    for step in run.steps:
        if step.error is not None:
            _print_error(run, step)


def show_value(value: Any) -> str:
    """A value in JSON form, on one line, for people."""
    value = _untagged(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _untagged(value: Any) -> Any:
    """The value without the marks that say of what kind it is."""
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if isinstance(value, dict):
        return _untagged(value["value"]) if TAG in value else {key: _untagged(item) for key, item in value.items()}
    return value


def _print_steps(run: Run) -> None:
    print_table(
        ("step", "status", "attempts", "took", "reused from", "outputs"),
        [
            (
                step.label if step.kind == "step" else f"{step.label} ({step.kind})",
                step.status,
                str(step.attempts or ""),
                format_seconds(step.seconds),
                short_id(step.reused_from or ""),
                ", ".join(f"{name} {_show_output(output)}" for name, output in step.outputs.items()),
            )
            for step in run.steps
        ],
        right=("attempts", "took"),
    )


def _print_metrics(run: Run) -> None:
    rows = [(step.label, name, f"{value:g}") for step in run.steps for name, value in step.metrics.items()]
    if rows:
        click.echo()
        print_table(("step", "metric", "value"), rows, right=("value",))


def _print_error(run: Run, step: StepRun) -> None:
    assert step.error is not None
    print_heading(f"step {step.label!r} {step.status}:")
    print_line((step.error.traceback.rstrip("\n"), ""))
    print_line((f"zen logs {short_id(run.run_id)} {step.label}", "dim"), ("  shows what it printed", "dim"))


def _show_output(output: ArtifactVersion) -> str:
    if output.record.has_inline_value:
        return f"= {show_value(output.record.inline_value)}"
    return short_digest(output.digest)
