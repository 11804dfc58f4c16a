"""Projecting to a real MLflow on SQLite."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zen_core.contract.settings import Settings
from zen_metadata.lineage.store import LineageStore
from zen_metadata.tracking.mlflow import MlflowTracker
from zen_metadata.tracking.projection import Projection
from zen_metadata.tracking.sync import sync

# MLflow uses an option of SQLAlchemy that 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

NewRun = Callable[..., Any]


def mlflow_runs(settings: Settings, **tags: str) -> list[Any]:
    """The runs that MLflow shows in the project's experiment, oldest first."""
    from mlflow import MlflowClient

    client = MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name(settings.project)
    if experiment is None:
        return []
    wanted = " and ".join(f"tags.`zen.{key}` = '{value}'" for key, value in tags.items())
    return list(client.search_runs([experiment.experiment_id], wanted, order_by=["start_time ASC"]))


def one(settings: Settings, **tags: str) -> Any:
    (found,) = mlflow_runs(settings, **tags)
    return found


def test_a_run_becomes_a_parent_and_a_child_per_step(settings: Settings, new_run: NewRun) -> None:
    run = new_run()
    run.do("load")
    run.do("train", metrics={"loss": 0.25}, params={"solver": "lbfgs"})
    run.close()

    report = sync(settings)

    assert (report.projected, report.pending, report.failed, report.error) == (3, 0, 0, "")
    parent = one(settings, kind="run")
    assert (parent.info.status, parent.data.params) == ("FINISHED", {"depth": "4"})
    child = one(settings, step="train")
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["zen.output.result"] == "sha256:result-of-train"
    assert child.data.params == {"depth": "4", "rate": "0.5", "solver": "lbfgs"}
    assert child.data.metrics == {"loss": 0.25}
    assert child.info.status == "FINISHED"


def test_a_second_sync_has_nothing_to_do(settings: Settings, new_run: NewRun) -> None:
    new_run().do_all()
    sync(settings)
    assert sync(settings).projected == 0
    assert len(mlflow_runs(settings)) == 3


def test_a_run_that_goes_on_is_completed_by_later_syncs(settings: Settings, new_run: NewRun) -> None:
    run = new_run()
    run.do("load")
    sync(settings)
    assert one(settings, kind="run").info.status == "RUNNING"
    run.do("train")
    run.close()
    sync(settings)
    assert one(settings, kind="run").info.status == "FINISHED"
    assert len(mlflow_runs(settings, kind="step")) == 2


def test_a_retry_with_other_values_keeps_one_child(settings: Settings, new_run: NewRun) -> None:
    run = new_run()
    run.do("train", "failed", params={"seed": 1}, metrics={"loss": 9.0}, error="diverged")
    sync(settings)
    first = one(settings, step="train")
    assert (first.info.status, first.data.tags["zen.error"]) == ("FAILED", "ValueError: diverged")

    run.do("train", params={"seed": 2}, metrics={"loss": 0.1})
    sync(settings)

    child = one(settings, step="train")
    assert child.info.run_id == first.info.run_id
    assert (child.info.status, child.data.tags["zen.attempts"]) == ("FINISHED", "2")
    assert (child.data.params["seed"], child.data.metrics) == ("2", {"loss": 0.1})


def test_a_step_that_was_cleared_and_ran_again_shows_the_new_value_beside_the_old(
    settings: Settings, new_run: NewRun
) -> None:
    run = new_run()
    run.do("train", params={"seed": 1})
    sync(settings)
    run.do("train", params={"seed": 2})
    assert sync(settings).error == ""
    child = one(settings, step="train")
    assert (child.data.params["seed"], child.data.tags["zen.param.seed"]) == ("1", "2")


def test_the_end_of_the_run_brings_what_a_failed_step_logged(settings: Settings, new_run: NewRun) -> None:
    run = new_run()
    run.do("train", "failed", metrics={"loss": 9.0}, error="diverged")
    sync(settings)
    assert one(settings, step="train").data.metrics == {}
    run.close("failed")
    sync(settings)
    assert one(settings, step="train").data.metrics == {"loss": 9.0}
    assert one(settings, kind="run").info.status == "FAILED"


def test_a_run_made_by_the_step_itself_is_completed_not_doubled(
    settings: Settings, store: LineageStore, new_run: NewRun
) -> None:
    run = new_run()
    tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.project)
    own = tracker.create(
        Projection("train", "RUNNING", {"zen.kind": "attempt"}, {"rate": "0.5", "depth": "7"}, (), None, None)
    )
    attempt = run.start("train")
    run.end("train", attempt, mlflow_run_id=own, metrics={"loss": 0.5})

    sync(settings)

    child = one(settings, step="train")
    assert child.info.run_id == own
    assert (child.info.status, child.data.metrics) == ("FINISHED", {"loss": 0.5})
    assert child.data.tags["zen.output.result"] == "sha256:result-of-train"


def test_a_process_that_died_after_a_call_leaves_no_second_run(
    settings: Settings, store: LineageStore, new_run: NewRun
) -> None:
    run = new_run()
    run.do("load")
    sync(settings)
    # As a sync leaves it that is killed between MLflow's answer and its record.
    attempt = run.do("train")
    tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.project)
    tags = {"zen.kind": "step", "zen.run_id": run.run_id, "zen.step_run_id": attempt.step_run_id}
    orphan = tracker.create(Projection("train", "RUNNING", tags, {}, (), None, None))

    sync(settings)

    assert one(settings, step="train").info.run_id == orphan


def test_a_parent_that_was_made_and_not_recorded_is_found(settings: Settings, new_run: NewRun) -> None:
    run = new_run()
    tracker = MlflowTracker(settings.mlflow_tracking_uri, settings.project)
    tags = {"zen.kind": "run", "zen.run_id": run.run_id}
    parent = tracker.create(Projection("training", "RUNNING", tags, {}, (), None, None))
    run.do_all()
    sync(settings)
    assert one(settings, kind="run").info.run_id == parent
    assert one(settings, kind="run").info.status == "FINISHED"


def test_what_was_deleted_in_mlflow_stays_deleted(settings: Settings, new_run: NewRun) -> None:
    from mlflow import MlflowClient

    run = new_run()
    run.do("load")
    sync(settings)
    MlflowClient(settings.mlflow_tracking_uri).delete_run(one(settings, kind="run").info.run_id)
    run.do("train")
    report = sync(settings)
    assert (report.pending, report.error) == (0, "")
    assert mlflow_runs(settings, step="train") == []


def test_only_the_run_that_is_asked_for(settings: Settings, new_run: NewRun) -> None:
    first, second = new_run(key="1").do_all(), new_run(key="2").do_all()
    report = sync(settings, run_id=second.run_id)
    assert (report.projected, report.pending) == (3, 0)
    assert mlflow_runs(settings, run_id=first.run_id) == []
    assert sync(settings).projected == 3


def test_another_project_in_the_store_is_left_to_its_own_mlflow(settings: Settings, new_run: NewRun) -> None:
    new_run(project="pricing").do_all()
    assert sync(settings).pending == 0
    assert sync(replace(settings, project="pricing")).projected == 3


def test_nothing_is_written_into_the_current_folder(
    settings: Settings, new_run: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    monkeypatch.chdir(empty)
    new_run().do_all()
    sync(settings)
    assert list(empty.iterdir()) == []


def test_the_environment_is_left_as_it_was(settings: Settings, new_run: NewRun) -> None:
    before = dict(os.environ)
    new_run().do_all()
    sync(settings)
    assert dict(os.environ) == before


def test_an_mlflow_that_is_down_loses_nothing(settings: Settings, new_run: NewRun) -> None:
    new_run().do_all()
    down = replace(settings, mlflow_tracking_uri="http://user:secret@127.0.0.1:9")
    report = sync(down)
    assert (report.projected, report.pending) == (0, 3)
    assert "MLflow cannot be reached" in report.error
    assert "http://127.0.0.1:9" in report.error
    assert "secret" not in report.error
    assert sync(settings).projected == 3


def test_without_an_address_the_report_says_what_to_set(settings: Settings, new_run: NewRun) -> None:
    new_run().do_all()
    report = sync(replace(settings, mlflow_tracking_uri=""))
    assert (report.pending, report.error) == (3, "")
    assert "MLFLOW_TRACKING_URI" in report.note


def test_without_mlflow_the_report_says_what_to_install(
    settings: Settings, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    new_run().do_all()
    report = sync(settings)
    assert (report.projected, report.pending) == (0, 3)
    assert "pip install 'zen-core[mlflow]'" in report.error
