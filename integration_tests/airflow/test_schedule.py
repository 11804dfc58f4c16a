"""A run that Airflow's scheduler starts by itself, one of a past tick, one by hand: what their scheduled time is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from integration_tests.airflow.conftest import Deploy
from integration_tests.airflow.zen import Project
from integration_tests.services.airflow import Airflow
from integration_tests.services.processes import wait_until

PIPELINE = """
from datetime import datetime

from zen_core import Schedule, ScheduledTime, pipeline, step


@step
def tell(day: datetime) -> str:
    return day.isoformat()


@pipeline(schedule=Schedule(cron="* * * * *", timezone="Asia/Kolkata"))
def ticking(day: datetime = ScheduledTime()):
    tell(day)
"""


def test_the_scheduled_time_is_the_tick_and_a_manual_run_stands_for_now(
    tmp_path: Path, airflow: Airflow, deploy: Deploy
) -> None:
    (tmp_path / "zen.toml").write_text('project = "ticks"\n')
    (tmp_path / "ticks.py").write_text(PIPELINE)
    project = Project(tmp_path, airflow.variables)
    project.zen("run", "ticks.py:ticking")  # so that there is a store to ask

    def completed() -> list[dict[str, Any]]:
        shown = [project.json("show", run["run_id"]) for run in project.json("runs")]
        return [run for run in shown if run["orchestrator"] == "airflow" and run["status"] == "completed"]

    dag_id = deploy(project, "ticks.py:ticking")
    wait_until(lambda: any(run["scheduled_at"] for run in completed()), 180, what="the scheduler's run", interval=2)
    before = datetime.now(UTC)
    manual_id, state = airflow.run(dag_id, {})
    past = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)
    airflow.backfill(dag_id, past)
    wait_until(lambda: past in map(told, completed()), 120, what="the run of a past tick", interval=2)
    airflow.pause(dag_id)
    assert state == "success"
    scheduled = [run for run in completed() if run["scheduled_at"]]
    assert len(scheduled) >= 2
    for run in scheduled:
        tick = told(run)
        assert (tick.second, tick.microsecond) == (0, 0), "a tick of this schedule is a full minute"
        assert tick.utcoffset() == timedelta(hours=5.5)
        assert tick == datetime.fromisoformat(run["scheduled_at"])
        # The moment at which cron would have started it: neither the begin nor the end of an interval.
        assert tick == datetime.fromisoformat(run["run_key"].partition("__")[2])
    manual = next(run for run in completed() if run["run_key"] == manual_id)
    assert manual["scheduled_at"] is None
    assert before <= told(manual) <= datetime.now(UTC)


def told(run: dict[str, Any]) -> datetime:
    """What the step made of its scheduled time."""
    return datetime.fromisoformat(run["steps"][0]["outputs"]["result"]["value"])
