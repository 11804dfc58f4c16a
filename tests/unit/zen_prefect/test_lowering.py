import json
from datetime import date

import pytest

from zen_core.adapter.features import Feature
from zen_core.compiler.compile import read_options
from zen_core.contract.settings import Settings
from zen_core.errors import ConfigError, NameCollisionError, UnsupportedFeatureError
from zen_core.ir.specs import EnvironmentSpec, MapSpec, ParameterSpec, PipelineSpec, RetrySpec, ScheduleSpec
from zen_core.testing.cases import graphs
from zen_core.testing.cases.build import element, make_step, mapped_by, read
from zen_prefect import PrefectAdapter
from zen_prefect.lowering import annotation, lower_pipeline
from zen_prefect.options import PrefectOptions
from zen_prefect.shielding import shield, unshield


def pipeline(*steps, **facts):
    return PipelineSpec(name="churn", steps=steps or (make_step("load", "load"),), **facts)


def lower(spec, **options):
    return lower_pipeline(spec, PrefectOptions(**options))


@pytest.mark.parametrize(
    ("retry", "delays"),
    [
        (None, 0.0),
        (RetrySpec(times=3, delay_seconds=30), 30.0),
        (RetrySpec(times=3, delay_seconds=30, backoff=2), (30.0, 60.0, 120.0)),
        (RetrySpec(times=3, delay_seconds=2, backoff=1.5), (2.0, 3.0, 4.5)),
        (RetrySpec(times=3, delay_seconds=0, backoff=2), 0.0),
    ],
)
def test_delays_are_those_of_the_step(retry, delays):
    (task,) = lower(pipeline(make_step("load", "load", retry=retry))).tasks
    assert task.retries == (retry.times if retry else 0)
    assert task.delays == delays


def test_a_parameter_does_not_hide_a_task():
    spec = pipeline(
        make_step("load", "load"),
        make_step("split", "increase", {"value": read("load")}),
        parameters=(ParameterSpec(name="load", type="int", default=1),),
    )
    flow = lower(spec)
    assert [task.identifier for task in flow.tasks] == ["load_", "split"]


def test_a_step_may_be_called_like_the_pipeline():
    flow = lower(pipeline(make_step("churn", "load")))
    assert flow.tasks[0].identifier == "churn"
    assert flow.identifier == "churn_"


def test_the_flow_keeps_out_of_the_way_of_all_tasks():
    assert lower(pipeline(make_step("churn", "load"), make_step("churn_", "load"))).identifier == "churn__"


@pytest.mark.parametrize("name", ["wait_for", "return_state", "self", "cls", "_hidden"])
def test_names_of_parameters_that_prefect_cannot_take_are_refused(name):
    parameters = (ParameterSpec(name=name, type="int", default=1),)
    with pytest.raises(NameCollisionError, match=f"cannot be called '{name}' here"):
        lower(pipeline(parameters=parameters))


@pytest.mark.parametrize(("most", "threads", "at_once"), [(8, 8, None), (3, 3, None), (2, 3, 2)])
def test_a_task_that_waits_takes_no_place_of_one_that_works(most, threads, at_once):
    flow = lower(pipeline(*(make_step(name, "load") for name in "abc")), max_workers=most)
    assert (flow.threads, flow.at_once) == (threads, at_once)


@pytest.mark.parametrize("key", ["$ref", "__prefect_kind"])
def test_a_default_with_keys_that_prefect_reads_is_handed_over_in_another_form(key):
    default = {"a": [{key: "json", "value": "1"}], "b": {"c": 2}}
    parameter = ParameterSpec(name="p", type="dict", default=default)
    (field,) = lower(pipeline(parameters=(parameter,))).parameters
    assert f"{key!r}: " not in repr(field.default)
    assert field.default["b"] == {"c": 2}
    assert unshield(json.loads(json.dumps(field.default))) == default


def test_a_model_with_such_a_key_comes_back_as_a_model():
    default = {"$zen": "model", "class": "shapes:Box", "value": {"schema": {"$ref": "#/x"}, "edges": [1]}}
    (field,) = lower(pipeline(parameters=(ParameterSpec(name="box", type="Box", default=default),))).parameters
    assert '$ref": ' not in json.dumps(field.default)
    assert unshield(field.default) == default["value"]  # as a form shows a model; the shim knows which one it is


@pytest.mark.parametrize("value", [1, "a", None, [{"$zen": "tuple", "value": [1]}], {"a": {"$zen": "json"}}])
def test_values_without_such_keys_stay_as_they_are(value):
    assert shield(value) == unshield(value) == value


def test_parameters_without_a_default_come_first():
    parameters = (
        ParameterSpec(name="depth", type="int", default=4),
        ParameterSpec(name="data", type="str", required=True),
    )
    assert [field.name for field in lower(pipeline(parameters=parameters)).parameters] == ["data", "depth"]


@pytest.mark.parametrize(
    ("declared", "default", "expected"),
    [
        ("int", 1, "int"),
        ("float | None", None, "float | None"),
        ("list[int]", [1], "list"),
        ("str | int", "x", ""),
        ("Thing", {}, ""),
    ],
)
def test_the_form_shows_what_one_type_can_say(declared, default, expected):
    parameters = (ParameterSpec(name="value", type=declared, default=default),)
    (field,) = lower(pipeline(parameters=parameters)).parameters
    assert annotation(field) == expected


def test_a_name_that_prefect_keeps_is_refused():
    parameters = tuple(ParameterSpec(name=name, type="int", default=1) for name in ("wait_for", "return_state"))
    with pytest.raises(NameCollisionError) as caught:
        lower(pipeline(parameters=parameters))
    assert [item.message for item in caught.value.diagnostics] == [
        "a pipeline's parameter cannot be called 'wait_for' here",
        "a pipeline's parameter cannot be called 'return_state' here",
    ]


def test_values_beyond_the_limits_are_refused_together():
    spec = pipeline(
        make_step("load", "load", retry=RetrySpec(times=60, delay_seconds=1, backoff=1.1)),
        parameters=(ParameterSpec(name="data", type="str", required=True),),
        schedule=ScheduleSpec(cron="0 6 * * *", start="2026-01-01"),
    )
    with pytest.raises(UnsupportedFeatureError) as caught:
        lower(spec)
    assert [item.why for item in caught.value.diagnostics] == [
        "a scheduled run can only use defaults; without one: data",
        "a Prefect schedule has no start: it runs from when it is deployed",
        "Prefect takes at most 50 delays, the step asks for 60",
    ]


def test_options_of_a_step_that_is_not_there_are_refused():
    with pytest.raises(ConfigError, match="no step 'lod'") as caught:
        lower(pipeline(), steps={"churn": {"lod": {"tags": ["gpu"]}}})
    assert caught.value.diagnostics[0].hint == "did you mean 'load'?"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"work_queue": "fast"}, "`work_queue` has an effect with `work_pool` only"),
        ({"job_variables": {"env": {}}}, "`job_variables` has an effect with `work_pool` only"),
        ({"work_pool_type": "docker"}, "`work_pool_type` has an effect with `work_pool` only"),
        ({"flow_retry_delay_seconds": 3}, "has an effect with `flow_retries` only"),
        ({"credentials": {"not a name": "block"}}, "'not a name' is none"),
        ({"credentials": {"ZEN_LINEAGE_URL": "Not A Block"}}, "should match pattern"),
        (
            {"work_pool": "p", "job_variables": {"env": {"DB_PASSWORD": "hunter2"}}},
            "would write the secret DB_PASSWORD into prefect.yaml",
        ),
        (
            {"work_pool": "p", "job_variables": {"env": {"URL": "postgresql://zen:hunter2@db/zen"}}},
            "would write the secret URL into prefect.yaml",
        ),
        (
            {"work_pool": "p", "job_variables": {"env": {"URL": "{{ prefect.blocks.secret.url }}"}}},
            "would write the content of the block",
        ),
    ],
)
def test_options_without_effect_or_with_secrets_are_refused(options, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")) as caught:
        PrefectOptions(**options)
    assert "hunter2" not in str(caught.value).partition("[type=")[0]


def test_a_secret_in_the_options_is_not_in_the_error():
    options = {"work_pool": "p", "job_variables": {"env": {"DB_PASSWORD": "hunter2"}}}
    with pytest.raises(ConfigError, match="DB_PASSWORD") as caught:
        read_options(PrefectAdapter(), Settings(adapters={"prefect": options}))
    assert "hunter2" not in str(caught.value)


def test_what_json_cannot_hold_is_refused_as_a_setting():
    options = {"work_pool": "p", "job_variables": {"since": date(2026, 1, 31)}}
    with pytest.raises(ConfigError, match="since"):
        read_options(PrefectAdapter(), Settings(adapters={"prefect": options}))


# -- maps ---------------------------------------------------------------------------------------------------------


def task_of(flow, step):
    return next(task for task in flow.tasks if task.step == step)


def test_elements_share_the_threads_beside_those_of_single_tasks():
    flow = lower(pipeline(*graphs.mapped()), max_workers=4)
    assert task_of(flow, "increase").fan_out.runner == ""
    assert (flow.threads, flow.at_once) == (3 + 4, 4)


def test_a_limited_map_has_a_runner_of_its_own():
    fan_out = task_of(lower(pipeline(*graphs.mapped(max_parallel=2))), "increase").fan_out
    assert (fan_out.runner, fan_out.threads, fan_out.max_parallel) == ("increase_limited", 2, 2)


def test_a_pipeline_may_limit_all_its_steps():
    assert lower(pipeline(*graphs.mapped(), max_parallel=2)).at_once == 2
    assert lower(pipeline(*graphs.mapped(), max_parallel=200), max_workers=8).at_once == 8


def test_elements_that_may_wait_long_keep_nobody_else_from_a_thread():
    flow = lower(pipeline(*graphs.chained()), max_workers=4)
    runners = {task.step: task.fan_out.runner for task in flow.tasks if task.fan_out}
    # `load` may take longer than the list; an element of `double` only waits for one that is going on
    assert runners == {"increase": "", "double": "", "add": "add_apart"}
    assert task_of(flow, "add").fan_out.threads == 4


def test_what_comes_after_a_limited_map_element_by_element_has_threads_of_its_own():
    steps = (
        *graphs.mapped(max_parallel=2)[:3],
        make_step("double", "double", {"value": element("increase")}, map=mapped_by("expand_increase")),
    )
    assert task_of(lower(pipeline(*steps)), "double").fan_out.runner == "double_apart"


def test_a_collector_waits_for_what_an_empty_map_would_have_waited_for():
    total = task_of(lower(pipeline(*graphs.chained())), "total")
    assert total.upstream == ("expand_increase",)
    assert total.waits == ("load", "add")


def test_elements_and_the_whole_list_of_one_map():
    steps = (
        *graphs.mapped()[:3],
        make_step(
            "add",
            "add",
            {"left": element("increase"), "right": read("increase")},
            map=MapSpec(expander="expand_increase"),
        ),
    )
    add = task_of(lower(pipeline(*steps)), "add")
    assert add.fan_out.chains == ("increase",)
    assert add.upstream == ("expand_increase",)


@pytest.mark.parametrize("name", ["unmapped", "allow_failure", "ThreadPoolTaskRunner"])
def test_a_parameter_does_not_hide_what_a_map_needs(name):
    parameters = (ParameterSpec(name=name, type="int", default=1),)
    lower(pipeline(parameters=parameters))
    with pytest.raises(NameCollisionError, match=f"cannot be called '{name}' here"):
        lower(pipeline(*graphs.mapped(), parameters=parameters))


# -- images -------------------------------------------------------------------------------------------------------


def with_images(*images):
    environments = [EnvironmentSpec(image=image) for image in images]
    steps = (
        make_step(f"step_{number}", "load", environment=environment) for number, environment in enumerate(environments)
    )
    return pipeline(*steps)


def test_steps_that_ask_for_different_images_are_refused():
    options = {"work_pool": "p", "work_pool_type": "docker"}
    with pytest.raises(UnsupportedFeatureError) as caught:
        lower(with_images("one:1", "two:1", "one:1", "three:1"), **options)
    assert [item.why for item in caught.value.diagnostics] == [
        "Prefect runs a whole flow in one image: step 'step_0' asks for one:1, this step for two:1",
        "Prefect runs a whole flow in one image: step 'step_0' asks for one:1, this step for three:1",
    ]
    with pytest.raises(UnsupportedFeatureError, match="image"):
        lower(with_images("one:1"), **options, job_variables={"image": "other:1"})
    assert lower(with_images("one:1", None, "one:1"), **options).job_variables == {"image": "one:1"}


@pytest.mark.parametrize(
    ("kind", "takes"),
    [(None, False), ("process", False), ("docker", True), ("ecs:push", True), ("something-else", False)],
)
def test_only_a_pool_of_containers_takes_an_image(kind, takes):
    options = PrefectOptions(work_pool="p", work_pool_type=kind)
    assert (PrefectAdapter().support(options)[Feature.IMAGE].level == "lowered") is takes
