"""Code that uses MLflow by itself, with a real MLflow on SQLite."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from zen_core.contract.settings import Settings
from zen_metadata.lineage.store import LineageStore
from zen_metadata.tracking.sync import sync
from zen_metadata.tracking.user_runs import open_user_run

pytestmark = [
    # MLflow uses an option of SQLAlchemy that 2.1 deprecates.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]

NewRun = Callable[..., Any]
Opened = AbstractContextManager[str | None]


@pytest.fixture
def run(new_run: NewRun) -> Any:
    return new_run()


@pytest.fixture
def opened(settings: Settings, store: LineageStore, run: Any) -> Callable[..., Opened]:
    """Opens the MLflow run of an attempt at `train`."""

    def open_run(number: int = 1, attempt_id: str | None = None, **changes: Any) -> Opened:
        facts = {"settings": settings, "store": store, "run": run.record, "step": "train", **changes}
        return open_user_run(**facts, attempt_id=attempt_id or str(uuid.uuid4()), attempt_number=number)

    return open_run


def client(settings: Settings) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(settings.mlflow_tracking_uri)


def all_runs(settings: Settings) -> list[Any]:
    experiment = client(settings).get_experiment_by_name(settings.project)
    return list(client(settings).search_runs([experiment.experiment_id], order_by=["start_time ASC"]))


def test_what_the_code_logs_lands_in_the_attempts_run(settings: Settings, opened: Callable[..., Opened]) -> None:
    import mlflow

    with opened() as mlflow_run_id:
        mlflow.log_metric("loss", 0.5)
        mlflow.log_param("solver", "lbfgs")

    found = client(settings).get_run(mlflow_run_id)
    assert (found.data.metrics, found.data.params) == ({"loss": 0.5}, {"solver": "lbfgs"})
    assert found.info.status == "FINISHED"
    assert found.data.tags["zen.step"] == "train"
    parent = client(settings).get_run(found.data.tags["mlflow.parentRunId"])
    assert (parent.data.tags["zen.kind"], parent.data.params) == ("run", {"depth": "4"})


def test_the_codes_own_start_run_resumes_it(settings: Settings, opened: Callable[..., Opened]) -> None:
    import mlflow

    with opened() as mlflow_run_id:
        with mlflow.start_run() as active:
            assert active.info.run_id == mlflow_run_id
            mlflow.log_metric("loss", 0.5)
    assert client(settings).get_run(mlflow_run_id).data.metrics == {"loss": 0.5}
    assert len(all_runs(settings)) == 2


def test_a_second_run_of_the_code_is_shown_below_the_attempts(
    settings: Settings, opened: Callable[..., Opened]
) -> None:
    import mlflow

    with opened() as mlflow_run_id:
        for _ in range(2):
            with mlflow.start_run():
                mlflow.log_metric("loss", 0.5)
    parents = {found.info.run_id: found.data.tags.get("mlflow.parentRunId") for found in all_runs(settings)}
    assert len(parents) == 3
    assert list(parents.values()).count(mlflow_run_id) == 1


def test_a_thread_of_the_code_finds_it(settings: Settings, opened: Callable[..., Opened]) -> None:
    import mlflow

    with opened() as mlflow_run_id:
        thread = threading.Thread(target=mlflow.log_metric, args=("loss", 2))
        thread.start()
        thread.join()
    found = client(settings).get_run(mlflow_run_id)
    assert (found.data.metrics, found.info.status) == ({"loss": 2}, "FINISHED")


def test_a_failure_passes_unchanged_and_fails_the_run(settings: Settings, opened: Callable[..., Opened]) -> None:
    import mlflow

    def diverge() -> None:
        with opened():
            mlflow.log_metric("loss", 9.0)
            raise failure

    failure = ValueError("diverged")
    with pytest.raises(ValueError, match="diverged") as caught:
        diverge()
    assert caught.value is failure
    assert [found.info.status for found in all_runs(settings)] == ["RUNNING", "FAILED"]
    assert mlflow.active_run() is None


def test_everything_is_put_back(opened: Callable[..., Opened]) -> None:
    import mlflow

    before = dict(os.environ)
    uri = mlflow.get_tracking_uri()
    with opened():
        mlflow.log_metric("loss", 0.5)
    assert dict(os.environ) == before
    assert mlflow.get_tracking_uri() == uri
    assert mlflow.active_run() is None


def test_each_attempt_has_its_own_run_and_a_killed_one_does_not_run_for_ever(
    settings: Settings, opened: Callable[..., Opened]
) -> None:
    import mlflow

    killed = opened()
    first = killed.__enter__()
    with opened(number=2) as second:
        mlflow.log_param("seed", 2)
    assert first != second
    assert client(settings).get_run(first).info.status == "KILLED"
    assert client(settings).get_run(second).info.run_name == "train (attempt 2)"
    killed.__exit__(None, None, None)


def test_the_projection_completes_the_attempts_run(settings: Settings, run: Any, opened: Callable[..., Opened]) -> None:
    import mlflow

    attempt = run.start("train")
    with opened(attempt_id=attempt.attempt_id) as mlflow_run_id:
        mlflow.log_param("depth", "5")
    run.end("train", attempt, mlflow_run_id=mlflow_run_id)
    run.do("load")
    run.close()
    assert sync(settings).error == ""

    runs = {found.data.tags["zen.step"]: found for found in all_runs(settings) if "zen.step" in found.data.tags}
    assert len(all_runs(settings)) == 3
    completed = runs["train"]
    assert completed.info.run_id == mlflow_run_id
    assert completed.data.tags["zen.output.result"] == "sha256:result-of-train"
    # The code's own value stands; Zen's is beside it.
    assert (completed.data.params["depth"], completed.data.tags["zen.param.depth"]) == ("5", "4")
    assert {found.data.tags["mlflow.parentRunId"] for found in runs.values()} == {
        found.info.run_id for found in all_runs(settings) if found.data.tags["zen.kind"] == "run"
    }


def test_a_process_that_was_killed_leaves_a_run_that_the_projection_ends(
    settings: Settings, run: Any, opened: Callable[..., Opened]
) -> None:
    attempt = run.start("train")
    killed = opened(attempt_id=attempt.attempt_id)
    mlflow_run_id = killed.__enter__()
    run.end("train", attempt, "cancelled")
    sync(settings)
    assert client(settings).get_run(mlflow_run_id).info.status == "KILLED"
    killed.__exit__(None, None, None)


def test_without_a_store_the_run_is_opened_all_the_same(settings: Settings, opened: Callable[..., Opened]) -> None:
    with opened(store=None) as mlflow_run_id:
        pass
    assert client(settings).get_run(mlflow_run_id).info.status == "FINISHED"


def test_mlflow_down_is_mlflows_own_exception_at_once(settings: Settings, opened: Callable[..., Opened]) -> None:
    from mlflow.exceptions import MlflowException

    down = replace(settings, mlflow_tracking_uri="http://127.0.0.1:9")
    with pytest.raises(MlflowException, match="Connection refused"), opened(settings=down):
        pytest.fail("the step's code ran")


def test_a_step_that_names_another_experiment_is_told_why_that_fails(opened: Callable[..., Opened]) -> None:
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import fluent

    def choose() -> None:
        with opened():
            mlflow.set_experiment("another")
            mlflow.start_run()

    try:
        with pytest.raises(MlflowException, match="active experiment ID") as caught:
            choose()
    finally:
        fluent._active_experiment_id = None  # MLflow has no way to forget it
    assert "needs neither set_tracking_uri nor set_experiment" in caught.value.__notes__[0]


def test_without_an_address_mlflow_is_left_alone(settings: Settings, opened: Callable[..., Opened]) -> None:
    before = dict(os.environ)
    with opened(settings=replace(settings, mlflow_tracking_uri="")) as mlflow_run_id:
        assert dict(os.environ) == before
    assert mlflow_run_id is None
