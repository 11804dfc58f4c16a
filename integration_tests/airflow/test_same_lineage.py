"""One pipeline on the embedded engine and under a real Airflow: the same artifacts, the same keys, one cache."""

from __future__ import annotations

from typing import Any

from integration_tests.airflow.conftest import Deploy
from integration_tests.airflow.zen import Project, cache_keys, output_digests, statuses
from integration_tests.services.airflow import Airflow
from zen_core.testing.lineage import canonical_lineage, first_difference

PIPELINE = "pipelines/training.py:breast_cancer"


def zen_run_of(project: Project, airflow_run_id: str) -> Any:
    """What Zen shows of the run that Airflow calls so."""
    runs = project.json("runs")
    shown = [project.json("show", run["run_id"]) for run in runs if run["orchestrator"] == "airflow"]
    return next(document for document in shown if document["run_key"] == airflow_run_id)


def test_the_example_gives_the_same_under_airflow_and_shares_its_cache(
    example: Project, airflow: Airflow, deploy: Deploy, own_stores: dict[str, str]
) -> None:
    # Alone, on stores of its own: what the embedded engine makes of it.
    alone = example.with_variables(**own_stores)
    alone.zen("run", PIPELINE, "--param", "depth=4")
    local = alone.json("show", "latest")
    assert set(statuses(local).values()) == {"completed"}

    # Under Airflow on stores that are empty: all executed (by the schedule's own run, if that came first), and the
    # same came out.
    dag_id = deploy(example, PIPELINE)
    run_id, state = airflow.run(dag_id, {"depth": 4})
    assert state == "success"
    under_airflow = zen_run_of(example, run_id)
    assert under_airflow["status"] == "completed"
    assert under_airflow["run_url"].startswith(f"{airflow.url}/dags/{dag_id}/")
    assert all(step["log_url"].startswith(under_airflow["run_url"]) for step in under_airflow["steps"])
    by_airflow = [run for run in example.json("runs") if run["orchestrator"] == "airflow"]
    states = [statuses(example.json("show", run["run_id"])) for run in by_airflow]
    assert len(by_airflow) == len(example.json("runs"))
    assert {name for state in states for name, status in state.items() if status == "completed"} == set(statuses(local))
    assert output_digests(under_airflow) == output_digests(local)
    assert cache_keys(under_airflow) == cache_keys(local)
    assert first_difference(canonical_lineage(under_airflow), canonical_lineage(local)) == ""

    # The embedded engine on the stores that Airflow filled: nothing is done twice.
    example.zen("run", PIPELINE, "--param", "depth=4")
    second = example.json("show", "latest")
    assert second["orchestrator"] == "local"
    assert set(statuses(second).values()) == {"cached"}
    assert output_digests(second) == output_digests(local)

    # And the other way round, with a parameter that nobody used before.
    example.zen("run", PIPELINE, "--param", "depth=3")
    first_at_depth_3 = example.json("show", "latest")
    assert statuses(first_at_depth_3)["fit_forest"] == "completed"
    assert statuses(first_at_depth_3)["fit_logistic"] == "cached"
    run_id, state = airflow.run(dag_id, {"depth": 3})
    assert state == "success"
    third = zen_run_of(example, run_id)
    assert set(statuses(third).values()) == {"cached"}
    assert output_digests(third) == output_digests(first_at_depth_3)
    reused = {step["name"]: step["reused_from"] for step in third["steps"]}
    assert reused["fit_forest"] == first_at_depth_3["run_id"]


def test_a_run_under_airflow_is_drawn_in_mlflow(
    example: Project, airflow: Airflow, deploy: Deploy, mlflow_client: Any
) -> None:
    dag_id = deploy(example, "pipelines/tracked_training.py:tuned_breast_cancer")
    run_id, state = airflow.run(dag_id, {})
    assert state == "success"
    shown = zen_run_of(example, run_id)
    example.zen("sync")
    steps = {
        step["name"]: mlflow_client.get_run(step["mlflow_run_id"]) for step in shown["steps"] if step["mlflow_run_id"]
    }
    assert {"tune", "fit_logged", "evaluate", "split", "load"} <= steps.keys()
    assert len(mlflow_client.get_metric_history(steps["tune"].info.run_id, "cv_roc_auc")) == 4
    assert steps["evaluate"].data.metrics["roc_auc"] > 0.9
    parents = {run.data.tags["mlflow.parentRunId"] for run in steps.values()}
    assert len(parents) == 1
    parent = mlflow_client.get_run(parents.pop())
    assert parent.data.tags["zen.run_id"] == shown["run_id"]
    assert parent.info.status == "FINISHED"
