"""The example under Prefect: what the embedded engine makes, and each is served from what the other filled."""

from __future__ import annotations

import json

from integration_tests.airflow.zen import Project, cache_keys, output_digests, statuses
from integration_tests.prefect.conftest import Deploy
from integration_tests.services.prefect import Prefect
from zen_core.testing.lineage import canonical_lineage, first_difference

PIPELINE = "pipelines/training.py:breast_cancer"


def test_the_same_as_on_the_embedded_engine(
    prefect: Prefect, example: Project, own_stores: dict[str, str], deploy: Deploy
) -> None:
    deployment = deploy(example, PIPELINE)
    first = prefect.trigger(deployment)
    alone = example.with_variables(**own_stores).json("run", PIPELINE)
    assert prefect.wait(first) == "COMPLETED", prefect.logs(first)
    document = example.json("show", "latest")

    assert document["orchestrator"] == "prefect"
    assert document["run_key"] == first
    assert set(statuses(document).values()) == {"completed"}
    assert output_digests(document) == output_digests(alone)
    assert cache_keys(document) == cache_keys(alone)
    assert first_difference(canonical_lineage(document), canonical_lineage(alone)) == ""
    assert {state for state, _ in prefect.task_runs(first).values()} == {"Completed"}

    # a second flow run, and then the embedded engine, are served from what the first one left
    second = prefect.trigger(deployment)
    assert prefect.wait(second) == "COMPLETED", prefect.logs(second)
    assert {state for state, _ in prefect.task_runs(second).values()} == {"Cached"}
    assert set(statuses(example.json("run", PIPELINE)).values()) == {"cached"}

    (table,) = prefect.artifacts(second)
    assert table["key"] == "zen-breast-cancer"
    rows = {row["step"]: row for row in json.loads(table["data"])}
    assert set(rows) == set(statuses(document))
    assert rows["report"]["digest"] in output_digests(document)["report"]["report"]


def test_prefect_is_served_from_what_the_embedded_engine_filled(
    prefect: Prefect, example: Project, deploy: Deploy
) -> None:
    example.zen("run", PIPELINE, "--param", "depth=3")
    flow_run = prefect.trigger(deploy(example, PIPELINE), {"depth": 3})
    assert prefect.wait(flow_run) == "COMPLETED", prefect.logs(flow_run)
    assert {state for state, _ in prefect.task_runs(flow_run).values()} == {"Cached"}
