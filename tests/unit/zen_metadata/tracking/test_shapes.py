"""Maps, gates and hooks in MLflow: a child run for each element and hook, none for what Zen makes itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zen_core import log_metric
from zen_core.contract.bindings import SecretBinding
from zen_core.testing.cases.build import above, element, make_expander, make_gate, mapped_by, parameter, read
from zen_metadata.tracking.sync import sync

# MLflow uses an option of SQLAlchemy that 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


def fit(x: int, depth: int, token: str) -> int:
    log_metric("loss[0]", x / 10)
    return x


def test_each_element_and_each_hook_is_a_child_run(
    engine, make_code, mlflow_tracking_uri, tmp_path, monkeypatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("OUR_TOKEN", "s3cr3t-of-ours")
    cheer = make_code("cheer", lambda depth: None, depth=parameter("depth"), _outputs=(), _kind="hook", _on="success")
    run = engine.run(
        make_code("load", lambda: [1, 2]),
        make_expander("expand_fit", {"x": read("load")}),
        make_code(
            "fit",
            fit,
            x=element("expand_fit", "x"),
            depth=parameter("depth"),
            token=SecretBinding("OUR_TOKEN"),
            _map=mapped_by("expand_fit"),
        ),
        make_gate("when", above("depth", 3), {"depth": parameter("depth")}),
        hooks=(cheer,),
        parameters={"depth": 4},
    )
    assert run.status == "completed"
    settings = replace(engine.settings, mlflow_tracking_uri=mlflow_tracking_uri)
    assert sync(settings).error == ""

    client = MlflowClient(mlflow_tracking_uri)
    experiment = client.get_experiment_by_name("demo")
    found: dict[str, Any] = {item.info.run_name: item for item in client.search_runs([experiment.experiment_id])}
    assert found.keys() == {f"shapes {run.run_id[:8]}", "load", "fit[0]", "fit[1]", "cheer"}
    second = found["fit[1]"]
    assert second.data.tags["zen.map_index"] == "1"
    assert second.data.metrics == {"loss_0_": 0.2}
    assert second.data.params == {"depth": "4"}
    assert found["cheer"].data.params == {"depth": "4"}
    assert found["cheer"].info.status == "FINISHED"
    assert run.step("fit", 1).mlflow_run_id == second.info.run_id
    assert "s3cr3t" not in str([item.to_dictionary() for item in found.values()])
