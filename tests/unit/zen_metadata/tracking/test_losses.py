"""What MLflow forgot, and what it refuses: on a real MLflow on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from zen_core.contract.settings import Settings
from zen_metadata.lineage.store import LineageStore
from zen_metadata.tracking.locks import drain_lock
from zen_metadata.tracking.mlflow import MlflowTracker
from zen_metadata.tracking.outbox import Stop
from zen_metadata.tracking.projection import Projection
from zen_metadata.tracking.projections import hand_on
from zen_metadata.tracking.sync import sync

# MLflow uses an option of SQLAlchemy that 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

NewRun = Callable[..., Any]


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """Each MLflow run of the project: kind, name and status, in order."""
    from mlflow import MlflowClient

    client = MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name(settings.project)
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    return sorted((run.data.tags["zen.kind"], run.info.run_name.split()[0], run.info.status) for run in found)


WHOLE = [("run", "training", "FINISHED"), ("step", "load", "FINISHED"), ("step", "train", "FINISHED")]


def forget(settings: Settings) -> None:
    """MLflow's database loses all that it held of the project."""
    tables = ("tags", "params", "metrics", "latest_metrics")
    with closing(sqlite3.connect(settings.mlflow_tracking_uri.removeprefix("sqlite:///"))) as database, database:
        (experiment,) = database.execute(
            "select experiment_id from experiments where name = ?", [settings.project]
        ).fetchone()
        of_it = "run_uuid in (select run_uuid from runs where experiment_id = ?)"
        for table in tables:
            database.execute(f"delete from {table} where {of_it}", [experiment])
        database.execute("delete from runs where experiment_id = ?", [experiment])
        database.execute("delete from experiments where experiment_id = ?", [experiment])


def test_a_run_that_goes_on_is_made_again_whole(settings: Settings, new_run: NewRun) -> None:
    run = new_run()
    run.do("load")
    sync(settings)
    forget(settings)
    run.do("train")
    run.close()
    report = sync(settings)
    assert (report.pending, report.error) == (0, "")
    assert "MLflow did not know 1 runs that it had shown: they were made again, whole" in report.note
    assert "`zen sync --again all`" in report.note
    assert shown(settings) == WHOLE
    assert sync(settings).projected == 0


def test_a_run_that_ended_is_made_again_only_when_it_is_asked_for(
    settings: Settings, store: LineageStore, new_run: NewRun
) -> None:
    first, _ = new_run(key="1").do_all(), new_run(key="2").do_all()
    sync(settings)
    forget(settings)
    assert sync(settings).projected == 0
    assert shown(settings) == []

    store.request_projection(settings.project, "mlflow", [first.run_id])
    assert (sync(settings).error, shown(settings)) == ("", WHOLE)
    store.request_projection(settings.project, "mlflow", None)
    assert (sync(settings).error, shown(settings)) == ("", sorted(2 * WHOLE))


def test_asked_for_again_what_is_there_stays_one(settings: Settings, store: LineageStore, new_run: NewRun) -> None:
    new_run().do_all()
    sync(settings)
    store.request_projection(settings.project, "mlflow", None)
    assert (sync(settings).projected, shown(settings)) == (1, WHOLE)


def test_what_was_deleted_stays_so_although_it_is_asked_for_again(
    settings: Settings, store: LineageStore, new_run: NewRun
) -> None:
    from mlflow import MlflowClient

    run = new_run().do_all()
    sync(settings)
    parent = MlflowTracker(settings.mlflow_tracking_uri, settings.project).find_run(run.run_id)
    MlflowClient(settings.mlflow_tracking_uri).delete_run(str(parent))
    store.request_projection(settings.project, "mlflow", None)
    report = sync(settings)
    assert (report.pending, report.error) == (0, "")
    assert "1 runs were deleted in MLflow and stay so" in report.note


def test_a_run_of_the_steps_own_code_that_is_lost_is_made_once(
    settings: Settings, store: LineageStore, new_run: NewRun
) -> None:
    run = new_run()
    tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.project)
    own = tracker.create(Projection("train", "RUNNING", {"zen.kind": "attempt"}, {}, (), None, None))
    run.do("load")
    attempt = run.start("train")
    run.end("train", attempt, mlflow_run_id=own)
    run.close()
    sync(settings)
    forget(settings)
    for _ in range(2):
        store.request_projection(settings.project, "mlflow", None)
        assert sync(settings).error == ""
        assert shown(settings) == WHOLE


def test_a_record_that_is_refused_holds_up_no_other(settings: Settings, store: LineageStore, new_run: NewRun) -> None:
    first, second = new_run(key="1"), new_run(key="2")
    attempt = first.start("load")
    first.end("load", attempt, mlflow_run_id="no id/of MLflow")
    first.do("train")
    second.do_all()
    report = sync(settings)
    assert (report.projected, report.pending, report.failed) == (4, 1, 1)
    assert "MLflow refuses a record" in report.error
    assert [name for _, name, _ in shown(settings)] == ["training", "training", "load", "train", "train"]
    lag = store.outbox_lag(settings.project, run_id=first.run_id)["mlflow"]
    assert (lag.pending, lag.refused) == (1, 1)
    assert "no id/of MLflow" in lag.last_error
    assert sync(settings, only_due=True).failed == 0  # it is not tried again at once, unless somebody asks


def test_what_mlflow_cannot_show_as_it_is_is_named_in_a_tag(settings: Settings, new_run: NewRun) -> None:
    from mlflow import MlflowClient

    run = new_run(steps=("train",))
    params = {"text": "ä" * 7000, "nul": "a\0b", **{f"p{number}": "é" * 6000 for number in range(120)}}
    run.do("train", metrics={"loss": float("inf"), "gap": float("nan")}, params=params)
    assert sync(settings).error == ""
    client = MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name(settings.project)
    (child,) = client.search_runs([experiment.experiment_id], "tags.`zen.step` = 'train'")
    assert child.data.tags["zen.truncated"] == "param nul, param text, metric loss (infinite)"
    assert len(child.data.params) == 124
    assert (len(child.data.params["text"]), child.data.params["nul"]) == (6000, "a\ufffdb")


def test_a_closing_task_shows_its_run_first_and_then_what_an_outage_left(
    settings: Settings, store: LineageStore, new_run: NewRun
) -> None:
    new_run(key="1").do_all()
    last = new_run(key="2").do_all()
    (report,) = hand_on(settings, last.run_id).values()
    assert (report.projected, report.pending, report.error) == (6, 0, "")
    assert shown(settings) == sorted(2 * WHOLE)
    assert hand_on(replace(settings, mlflow_tracking_uri=""), last.run_id) == {}


def test_a_pass_that_is_told_to_end_leaves_the_rest_and_says_no_error(settings: Settings, new_run: NewRun) -> None:
    new_run().do_all()
    stop = Stop()
    stop.request()
    report = sync(settings, stop=stop)
    assert (report.projected, report.pending, report.error) == (0, 3, "")
    with drain_lock(settings.lineage_url, settings.project, wait=True):
        assert sync(settings, stop=Stop(after_seconds=0.1)).pending == 3
    assert sync(settings).projected == 3
