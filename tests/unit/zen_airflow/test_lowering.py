from datetime import date

import pytest
from pydantic import ValidationError

from zen_airflow import AirflowAdapter
from zen_airflow.lowering import AirflowRetry, lower_pipeline
from zen_airflow.options import AirflowOptions
from zen_core.adapter.features import Feature
from zen_core.errors import ConfigError, NameCollisionError, UnsupportedFeatureError
from zen_core.ir.specs import (
    CacheSpec,
    ParameterSpec,
    PipelineSpec,
    ResourceSpec,
    RetrySpec,
    ScheduleSpec,
)
from zen_core.testing.cases import find_case
from zen_core.testing.cases.build import make_step, read


def pipeline(*steps, **fields):
    return PipelineSpec(name="churn", steps=steps or (make_step("load", "load"),), **fields)


def lower_step(options=None, **fields):
    dag = lower_pipeline(pipeline(make_step("load", "load", **fields)), AirflowOptions(**(options or {})))
    return dag.tasks[0]


def test_data_edges_are_arguments_and_only_other_orderings_are_edges():
    dag = lower_pipeline(find_case("ordering_only").spec, AirflowOptions())
    assert {task.step: task.upstream for task in dag.tasks}["last"] == ("second",)
    assert dag.orderings == ((("first",), "second"), (("first", "other"), "last"))
    assert dag.leaves == ("last",)


def test_retries_are_off_unless_asked_for():
    dag = lower_pipeline(pipeline(), AirflowOptions())
    assert dag.default_args == {"retries": 0}
    assert dag.tasks[0].retry is None


@pytest.mark.parametrize(
    ("retry", "lowered"),
    [
        (RetrySpec(times=2, delay_seconds=30), AirflowRetry(2, 30, doubling=False)),
        (RetrySpec(times=2, delay_seconds=30, backoff=2), AirflowRetry(2, 30, doubling=True)),
        (RetrySpec(times=2, backoff=2), AirflowRetry(2, 0, doubling=False)),  # twice nothing is nothing
    ],
)
def test_retry(retry, lowered):
    assert lower_step(retry=retry).retry == lowered


@pytest.mark.parametrize(
    ("timeout", "cache", "back_stop"),
    [
        (3600, CacheSpec(enabled=True), 3600 + 900 + 60),
        (3600, CacheSpec(enabled=False), 3600 + 60),
        (0.5, CacheSpec(enabled=True, wait_seconds=0), 1 + 60),
    ],
)
def test_native_timeout_is_a_back_stop_behind_timeout_and_wait(timeout, cache, back_stop):
    assert lower_step(timeout_seconds=timeout, cache=cache).execution_timeout_seconds == back_stop


def test_no_timeout_of_its_own_where_the_step_has_none():
    assert lower_step().execution_timeout_seconds is None


@pytest.mark.parametrize(("overlap", "runs"), [("queue", 1), ("allow", 16)])
def test_schedule(overlap, runs):
    schedule = ScheduleSpec(cron="0 6 * * *", timezone="Asia/Tokyo", overlap=overlap, catch_up=True, start="2026-02-01")
    dag = lower_pipeline(pipeline(schedule=schedule), AirflowOptions())
    assert (dag.schedule.cron, dag.schedule.timezone) == ("0 6 * * *", "Asia/Tokyo")
    assert (dag.schedule.max_active_runs, dag.schedule.catch_up) == (runs, True)
    assert (dag.start, dag.timezone) == (date(2026, 2, 1), "Asia/Tokyo")


def test_resources_become_a_pod_on_kubernetes_alone():
    resources = ResourceSpec(cpu=0.5, memory_bytes=4 * 2**30, gpu=2, gpu_type="a100")
    options = {"executor": "kubernetes", "gpu_type_label": "node/gpu"}
    pod = lower_step(options, resources=resources).pod
    assert pod.requests == {"cpu": "500m", "memory": "4Gi"}
    assert pod.limits == {"memory": "4Gi", "nvidia.com/gpu": "2"}
    assert pod.node_selector == {"node/gpu": "a100"}
    assert lower_step({"waive": ["gpu"]}, resources=ResourceSpec(gpu=2)).pod is None


@pytest.mark.parametrize(("cores", "quantity"), [(2, "2"), (0.25, "250m"), (1.5, "1500m")])
def test_cpu_quantities(cores, quantity):
    assert lower_step({"executor": "kubernetes"}, resources=ResourceSpec(cpu=cores)).pod.requests == {"cpu": quantity}


@pytest.mark.parametrize(("size", "quantity"), [(2**30, "1Gi"), (3 * 2**19, "1536Ki"), (1000, "1000")])
def test_memory_quantities(size, quantity):
    found = lower_step({"executor": "kubernetes"}, resources=ResourceSpec(memory_bytes=size)).pod.requests
    assert found == {"memory": quantity}


def test_support_for_resources_depends_on_the_executor():
    adapter = AirflowAdapter()
    assert adapter.support(AirflowOptions())[Feature.GPU].level == "unsupported"
    assert adapter.support(AirflowOptions(executor="kubernetes"))[Feature.GPU].level == "native"


def test_options_of_steps_and_of_all_tasks():
    options = {"owner": "ml", "pool": "all", "steps": {"churn": {"load": {"pool": "one", "pool_slots": 2}}}}
    dag = lower_pipeline(pipeline(), AirflowOptions(**options))
    assert dag.default_args == {"retries": 0, "owner": "ml", "pool": "all"}
    assert (dag.tasks[0].options.pool, dag.tasks[0].options.pool_slots) == ("one", 2)


def test_options_for_a_step_that_is_not_there_are_refused_and_those_of_other_pipelines_are_theirs():
    options = AirflowOptions(steps={"churn": {"laod": {"pool": "x"}}, "other": {"anything": {"pool": "y"}}})
    with pytest.raises(ConfigError, match="no step 'laod'") as caught:
        lower_pipeline(pipeline(), options)
    (problem,) = caught.value.diagnostics
    assert (problem.where, problem.hint) == ("[adapters.airflow.steps.churn] laod", "did you mean 'load'?")


@pytest.mark.parametrize(
    "options",
    [
        {"queue": "gpu"},
        {"steps": {"churn": {"load": {"queue": "gpu"}}}, "executor": "kubernetes"},
        {"gpu_type_label": "x"},
    ],
)
def test_an_option_without_effect_is_refused(options):
    with pytest.raises(ValidationError, match="has an effect with"):
        AirflowOptions(**options)


def test_the_closing_tasks_name_is_kept():
    with pytest.raises(NameCollisionError, match="'zen_end'"):
        lower_pipeline(pipeline(make_step("zen_end", "load")), AirflowOptions())


def test_identifiers_that_collide_are_refused_and_variables_make_room():
    with pytest.raises(NameCollisionError, match="'task' and 'task_'"):
        lower_pipeline(pipeline(make_step("task", "load"), make_step("task_", "load")), AirflowOptions())
    steps = (make_step("load", "load"), make_step("load_refs", "increase", {"value": read("load")}))
    dag = lower_pipeline(pipeline(*steps), AirflowOptions())
    assert [task.refs for task in dag.tasks] == ["load_refs_", "load_refs_refs"]


def test_values_beyond_what_airflow_takes_are_refused_all_at_once():
    spec = pipeline(
        make_step("slow", "load", retry=RetrySpec(times=4, delay_seconds=20_000, backoff=2), source="flows.py:9"),
        make_step("big", "load", resources=ResourceSpec(gpu=1, gpu_type="a100")),
        parameters=(ParameterSpec(name="day", type="str", required=True),),
        schedule=ScheduleSpec(cron="0 6 * * *", catch_up=True),
        tags=("t" * 101,),
    )
    with pytest.raises(UnsupportedFeatureError) as caught:
        lower_pipeline(spec, AirflowOptions(executor="kubernetes"))
    problems = {item.context["feature"]: item for item in caught.value.diagnostics}
    assert set(problems) == {"schedule", "schedule_catch_up", "tags", "retry_backoff", "gpu"}
    assert "without a default: day" in problems["schedule"].why
    assert "Schedule(start=...)" in problems["schedule_catch_up"].hint
    assert problems["retry_backoff"].where == "flows.py:9, step 'slow' of pipeline 'churn'"
    assert "44 hours" in problems["retry_backoff"].why
    assert "gpu_type_label" in problems["gpu"].hint


def test_a_waived_gpu_needs_no_label():
    resources = ResourceSpec(gpu=1, gpu_type="a100")
    spec = pipeline(make_step("big", "load", resources=resources))
    dag = lower_pipeline(spec, AirflowOptions(waive=("gpu",)), waived=(Feature.GPU,))
    assert dag.tasks[0].pod is None
