"""What a run looks like to somebody who asks."""

import dataclasses
import json
import math

import pytest

from zen_core.contract.settings import Settings
from zen_core.errors import ArtifactMissingError, NotFoundError
from zen_metadata.lineage.records import InputRecord, MetricRecord
from zen_metadata.query import Client
from zen_metadata.query.documents import step_document

RUN_KEYS = {
    "run_id", "pipeline", "project", "orchestrator", "deployment", "status", "ir_digest", "parameters", "started_at",
    "ended_at", "steps",
}  # fmt: skip
STEP_KEYS = {
    "name", "map_index", "status", "attempts", "cache_key", "reused_from", "inputs", "outputs", "metrics",
    "environment_digest", "mlflow_run_id",
}  # fmt: skip


def test_a_run_tells_its_steps_in_the_order_of_the_pipeline(history):
    history.complete(history.run())
    run = history.client.run()
    assert run.status == "completed"
    assert [(step.name, step.status, step.attempts) for step in run.steps] == [
        ("load", "completed", 1),
        ("train", "completed", 1),
        ("score", "completed", 1),
    ]
    assert repr(run) == f"<Run {run.run_id} of churn: completed>"
    assert repr(run.step("train")) == "<StepRun train completed>"


def test_outputs_can_be_loaded(history):
    history.complete(history.run())
    train = history.client.run().step("train")
    assert train.output("model").load() == {"depth": 2}
    assert train.inputs["rows"].artifact_id == history.client.run().step("load").output().artifact_id
    with pytest.raises(NotFoundError, match=r"step 'train' has no output 'modle'(.|\n)*it has model"):
        train.output("modle")


def test_a_run_without_a_closing_call_is_over_when_its_steps_are(history):
    run = history.run()
    history.do(run, "load", outputs=[("result", 1)])
    assert history.client.run().status == "running"
    assert history.client.run().ended_at is None
    assert [step.name for step in history.client.run().steps] == ["load"]
    history.do(run, "train", outputs=[("model", 1)])
    history.do(run, "score", outputs=[("result", 1)])
    assert history.client.run().status == "completed"
    assert history.client.run().ended_at == history.client.run().step("score").ended_at


def test_after_a_failure_the_rest_is_upstream_failed(history):
    history.fail(history.run(), "load")
    run = history.client.run()
    assert run.status == "failed"
    assert {step.name: step.status for step in run.steps} == {
        "load": "failed",
        "train": "upstream_failed",
        "score": "upstream_failed",
    }
    assert run.step("load").error.message == "no such column"
    assert run.step("train").attempts == 0
    assert run.step("train").cache_key is None


def test_a_failed_run_that_was_repaired_is_completed(history):
    run = history.run()
    history.fail(run, "load")
    history.store.end_run(run.run_id, "failed", history.now)
    again = history.begin(run, "load")
    assert history.client.run().status == "running"
    history.end(run, again, outputs=[("result", 1)])
    history.do(run, "train", outputs=[("model", 1)])
    history.do(run, "score", outputs=[("result", 1)])
    repaired = history.client.run()
    assert repaired.status == "completed"
    assert repaired.step("load").attempts == 2
    assert repaired.ended_at == repaired.step("score").ended_at
    assert history.client.runs()[0].status == "completed"


def test_the_list_and_the_page_of_a_run_agree(history):
    for key, steps in enumerate([{}, {"load": "failed"}, {"load": "completed"}, {"load": "cancelled"}]):
        run = history.run(str(key))
        for step, status in steps.items():
            history.do(run, step, status)
        if key % 2:
            history.store.end_run(run.run_id, "failed", history.now)
    listed = {run.run_id: (run.status, run.ended_at) for run in history.client.runs()}
    single = {run_id: history.client.run(run_id) for run_id in listed}
    assert listed == {run_id: (run.status, run.ended_at) for run_id, run in single.items()}
    assert sorted(status for status, _ in listed.values()) == ["failed", "failed", "running", "running"]


def test_runs_are_listed_newest_first(history):
    first, second = history.run("1"), history.run("2")
    assert [run.run_id for run in history.client.runs()] == [second.run_id, first.run_id]
    assert [run.run_id for run in history.client.runs(limit=1)] == [second.run_id]
    assert [run.run_id for run in history.client.runs("churn")] == [second.run_id, first.run_id]


def test_runs_are_paged_whatever_is_added_meanwhile(history):
    ids = [history.complete(history.run(str(number))) and history.client.run().run_id for number in range(5)][::-1]
    first = history.client.runs(limit=2)
    assert [run.run_id for run in first] == ids[:2]
    history.complete(history.run("meanwhile"))
    second = history.client.runs(limit=2, before=first[-1])
    assert [run.run_id for run in second] == ids[2:4]
    assert [run.run_id for run in history.client.runs("churn", limit=2, before=second[-1].run_id)] == ids[4:]
    assert [run.run_id for run in history.client.runs(limit=2, after=second[-1])] == ids[1:3]
    assert [run.run_id for run in history.client.runs(before=ids[0], after=ids[3])] == ids[1:3]


def test_a_pipeline_without_runs_is_an_error_that_names_the_nearest(history):
    history.run()
    with pytest.raises(NotFoundError, match=r"pipeline 'chrun' has no runs(.|\n)*did you mean 'churn'\?"):
        history.client.runs("chrun")


def test_a_run_is_found_by_the_beginning_of_its_id(history):
    run = history.run(run_id="aaaa1111-0000-0000-0000-000000000000")
    history.run("2", run_id="aaaa2222-0000-0000-0000-000000000000")
    assert history.client.run("AAAA1").run_id == run.run_id
    with pytest.raises(NotFoundError, match=r"2 runs begin with 'aaaa'(.|\n)*aaaa1111(.|\n)*write more of the id"):
        history.client.run("aaaa")


def test_an_unknown_run_is_an_error_that_names_the_nearest(history):
    history.run("1", run_id="aaaa1111-0000-0000-0000-000000000000")
    history.run("2", run_id="bbbb2222-0000-0000-0000-000000000000")
    with pytest.raises(NotFoundError) as caught:
        history.client.run("bbbc")
    assert caught.value.exit_code == 2
    assert caught.value.message == "there is no run 'bbbc' in project 'demo'"
    assert caught.value.diagnostics[0].hint.startswith("the nearest: bbbb2222 (churn), aaaa1111 (churn)")


def test_a_project_without_runs_says_how_to_make_one(tmp_path):
    client = Client(Settings(root=tmp_path, project="empty"))
    with pytest.raises(NotFoundError, match=r"project 'empty' has no runs yet(.|\n)*zen run PIPELINE"):
        client.runs()
    assert not (tmp_path / ".zen").exists()


def test_an_unknown_step_is_an_error_that_names_the_nearest(history):
    history.complete(history.run())
    with pytest.raises(NotFoundError, match=r"has no step 'trian'(.|\n)*did you mean 'train'\?"):
        history.client.run().step("trian")
    with pytest.raises(NotFoundError, match=r"it has load, train, score"):
        history.client.run().step("zzz")


def test_elements_of_a_fan_out_are_step_runs_of_their_own(history):
    run = history.run()
    for index in (1, 0):
        history.end(run, history.begin(run, "load", map_index=index), outputs=[("result", index)])
    shown = history.client.run()
    assert [step.label for step in shown.steps] == ["load[0]", "load[1]"]
    assert shown.step("load", 1).output().load() == 1
    assert shown.step("load[0]").map_index == 0


def test_a_reused_result_names_the_run_that_made_it(history):
    first = history.run("1")
    rows, *_ = history.complete(first)
    second = history.run("2")
    history.do(second, "load", "cached", reused={"result": rows}, reused_attempt_id=rows.attempt_id)
    step = history.client.run(second.run_id).step("load")
    assert step.status == "cached"
    assert step.reused_from == first.run_id
    assert step.output().run_id == first.run_id
    assert step.output().artifact_id == rows.artifact_id


def test_logs_of_each_attempt(history):
    run = history.run()
    for number in (1, 2):
        history.artifacts.write_bytes(f"logs/{number}.log", f"try {number}\n".encode())
        history.do(run, "load", "failed", log_location=f"logs/{number}.log")
    step = history.client.run().step("load")
    assert step.logs() == "try 2\n"
    assert step.logs(1) == "try 1\n"
    with pytest.raises(NotFoundError, match=r"step 'load' has no attempt 3(.|\n)*the latest is attempt 2"):
        step.logs(3)
    with pytest.raises(NotFoundError, match=r"step 'train' has no attempt 1(.|\n)*the step is upstream_failed"):
        history.client.run().step("train").logs()


def test_the_document_has_the_promised_shape(history):
    run = history.run(run_url="https://airflow/run/1", parameters={"depth": 2})
    history.complete(run)
    document = history.client.run().to_json()
    assert document.keys() >= RUN_KEYS | {"run_url"}
    assert document["run_url"] == "https://airflow/run/1"
    assert document["parameters"] == {"depth": 2}
    load, train, score = document["steps"]
    assert all(step.keys() >= STEP_KEYS for step in document["steps"])
    assert "error" not in load
    assert load["outputs"]["result"].keys() == {"artifact_id", "digest", "type", "uri", "version", "size_bytes"}
    assert train["inputs"]["rows"] == {
        "artifact_id": load["outputs"]["result"]["artifact_id"],
        "digest": load["outputs"]["result"]["digest"],
    }
    assert score["outputs"]["result"]["value"] == 0.5
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_document_of_a_failed_step_has_its_error(history):
    history.fail(history.run(), "load")
    load, train, _ = history.client.run().to_json()["steps"]
    assert load["error"]["type"] == "KeyError"
    assert load["error"]["traceback"].startswith("Traceback")
    assert train["outputs"] == {}
    assert train["status"] == "upstream_failed"


def test_items_of_a_list_input_are_told_apart(history):
    run = history.run()
    rows = history.do(run, "load", outputs=[("result", [1])])["result"]
    begun = history.begin(run, "train")
    records = (InputRecord("parts", rows.digest, "[0]", rows.artifact_id), InputRecord("parts", "sha256:whole"))
    end = history.end(run, begun, outputs=[("model", 1)])
    assert end["model"].name == "model"
    state = history.client.run().step("train")
    shown = dataclasses.replace(state.state, inputs=records)
    state.state = shown
    assert step_document(state)["inputs"] == {
        "parts": {
            "artifact_id": None,
            "digest": "sha256:whole",
            "items": {"[0]": {"artifact_id": rows.artifact_id, "digest": rows.digest}},
        }
    }


def test_metrics_show_the_latest_value_and_survive_json(history):
    run = history.run()
    metrics = (MetricRecord("loss", 0.5, 1, history.now), MetricRecord("loss", math.nan, 2, history.now))
    history.do(run, "load", outputs=[("result", 1)], metrics=metrics, params={"solver": "sag"})
    step = history.client.run().step("load")
    assert math.isnan(step.metrics["loss"])
    assert step.params == {"solver": "sag"}
    document = history.client.run().to_json()["steps"][0]
    assert document["metrics"] == {"loss": {"$zen": "float", "value": "nan"}}


def test_mlflow_runs_are_named(history):
    run = history.run()
    history.do(run, "load", outputs=[("result", 1)])
    step_run = history.client.run().step("load").state.step_run
    history.store.save_link("mlflow", run.run_id, "parent")
    history.store.save_link("mlflow", step_run.step_run_id, "child")
    document = history.client.run().to_json()
    assert document["mlflow_run_id"] == "parent"
    assert document["steps"][0]["mlflow_run_id"] == "child"


def test_a_run_whose_steps_had_other_code_is_mixed(history):
    run = history.run()
    step_run, attempt = history.begin(run, "load")
    history.end(run, (step_run, attempt), outputs=[("result", 1)])
    assert history.client.run().mixed is False
    history.end(run, (step_run, dataclasses.replace(attempt, attempt_id=_other_id(attempt), code_digest="sha256:new")))
    assert history.client.run().mixed is True


def test_bytes_that_are_gone_are_an_error_that_says_so(history):
    rows, *_ = history.complete(history.run())
    history.artifacts.remove(rows.location)
    with pytest.raises(ArtifactMissingError, match="run the step that made it again"):
        history.client.run().step("load").output().load()


def _other_id(attempt):
    return attempt.attempt_id[::-1].replace("-", "")[:8] + attempt.attempt_id[8:]
