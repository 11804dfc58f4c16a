"""A recurring run as data: KFP's name for a schedule, which belongs to a version of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zen_core.ir.specs import PipelineSpec
from zen_kfp.options import KfpOptions

TICK = "[[ScheduledTime.2006-01-02T15:04:05Z]]"
"""What KFP replaces by the tick, in UTC; the rest is a time in the notation of Go."""
MOST_RUNS = 10
"""How many runs of a recurring run KFP lets go on at once."""


@dataclass(frozen=True)
class RecurringRun:
    """What a recurring run must be.

    Attributes:
        cron: with seconds, as KFP wants it.
        most_runs: how many may go on at once.
        parameters: those that differ from the pipeline's defaults.
    """

    pipeline_id: str
    version_id: str
    cron: str
    most_runs: int
    parameters: Mapping[str, str]
    service_account: str | None


def plan_schedule(spec: PipelineSpec, options: KfpOptions, pipeline_id: str, version_id: str) -> RecurringRun | None:
    """The recurring run that a pipeline needs; None without a schedule."""
    if spec.schedule is None:
        return None
    return RecurringRun(
        pipeline_id=pipeline_id,
        version_id=version_id,
        cron=f"0 {spec.schedule.cron}",
        most_runs=MOST_RUNS if spec.schedule.overlap == "allow" else 1,
        parameters={item.name: TICK for item in spec.parameters if item.scheduled_time},
        service_account=options.service_account,
    )
