import json
import re

import pytest

from zen_core.adapter.features import Feature
from zen_core.compiler.compile import read_options
from zen_core.contract.settings import Settings
from zen_core.errors import ConfigError, NameCollisionError, UnsupportedFeatureError
from zen_core.ir.specs import (
    CacheSpec,
    EnvironmentSpec,
    ParameterSpec,
    PipelineSpec,
    ResourceSpec,
    RetrySpec,
    ScheduleSpec,
)
from zen_core.testing.cases import graphs
from zen_core.testing.cases.build import make_step, read
from zen_kfp import KfpAdapter
from zen_kfp.lowering import KfpGroup, KfpResources, KfpRetry, kfp_name, lower_pipeline
from zen_kfp.options import KfpOptions
from zen_kfp.schedule import TICK, plan_schedule
from zen_kfp.values import to_text


def pipeline(*steps, **facts):
    return PipelineSpec(name="churn", steps=steps or (make_step("load", "load"),), **facts)


def lower(spec, *, waived=(), **options):
    return lower_pipeline(spec, KfpOptions(**options), waived=waived)


def task(spec, **options):
    (found,) = lower(spec, **options).tasks
    return found


@pytest.mark.parametrize(
    ("retry", "lowered"),
    [
        (None, None),
        (RetrySpec(times=3, delay_seconds=30), KfpRetry(3, 30, 1)),
        (RetrySpec(times=2, delay_seconds=0.1, backoff=2), KfpRetry(2, 1, 2)),
        (RetrySpec(times=1), KfpRetry(1, 0, 1)),
    ],
)
def test_delays_are_whole_seconds_and_never_shorter(retry, lowered):
    assert task(pipeline(make_step("load", "load", retry=retry))).retry == lowered


@pytest.mark.parametrize(
    ("resources", "lowered"),
    [
        (ResourceSpec(cpu=2), KfpResources(cpu="2")),
        (ResourceSpec(cpu=0.0005, memory_bytes=4 * 2**30), KfpResources(cpu="1m", memory="4Gi")),
        (ResourceSpec(memory_bytes=1536 * 2**20, gpu=2), KfpResources(memory="1536Mi", gpu=2)),
        (ResourceSpec(memory_bytes=1_000_001), KfpResources(memory="1000001")),
    ],
)
def test_resources_are_quantities_of_kubernetes(resources, lowered):
    assert task(pipeline(make_step("load", "load", resources=resources))).resources == lowered


def test_what_is_waived_is_left_out():
    step = make_step(
        "load",
        "load",
        resources=ResourceSpec(cpu=1, gpu=1, gpu_type="a100"),
        environment=EnvironmentSpec(image="example.com/x:1"),
    )
    found = task(pipeline(step), waived=(Feature.RESOURCES, Feature.GPU, Feature.IMAGE))
    assert (found.resources, found.image, found.node_selector) == (KfpResources(), "", {})


def test_the_type_of_a_gpu_is_a_label_of_the_node():
    step = make_step("load", "load", resources=ResourceSpec(gpu=1, gpu_type="a100"), source="train.py:3")
    found = task(pipeline(step), gpu_type_label="gpu/type", steps={"churn": {"load": {"node_selector": {"pool": "a"}}}})
    assert found.node_selector == {"pool": "a", "gpu/type": "a100"}
    with pytest.raises(UnsupportedFeatureError) as caught:
        lower(pipeline(step))
    (problem,) = caught.value.diagnostics
    assert problem.message == "adapter 'kfp' cannot express this gpu"
    assert "node label" in problem.why
    assert problem.where == "train.py:3, step 'load' of pipeline 'churn'"


@pytest.mark.parametrize("name", ["dsl", "kubernetes", "container", "configured", "self", "Output"])
def test_names_of_parameters_that_cannot_be_had_are_refused(name):
    with pytest.raises(NameCollisionError, match=f"cannot be called '{name}' here"):
        lower(pipeline(parameters=(ParameterSpec(name=name, type="int", default=1),)))


def test_names_of_zens_own_make_way_for_those_of_parameters():
    parameters = tuple(ParameterSpec(name=name, type="int", default=1) for name in ("refs", "run", "load", "given"))
    found = lower(pipeline(parameters=parameters))
    assert (found.names.refs, found.names.run, found.names.given, found.names.end) == (
        "refs_",
        "run_",
        "given_",
        "zen_end",
    )
    assert found.tasks[0].identifier == "load_"


def test_steps_may_be_called_like_the_pipeline_and_its_end():
    found = lower(pipeline(make_step("churn", "load"), make_step("zen_end", "load")))
    assert [item.identifier for item in found.tasks] == ["churn", "zen_end"]
    assert (found.identifier, found.names.end) == ("churn_", "zen_end_")


@pytest.mark.parametrize(("name", "shown"), [("a_b", "a-b"), ("a__b_", "a-b"), ("churn", "churn"), ("x1", "x1")])
def test_kfp_gets_names_without_underscores(name, shown):
    assert kfp_name(name) == shown


def test_all_problems_of_a_schedule_are_told_at_once():
    spec = pipeline(
        schedule=ScheduleSpec(cron="0 6 * * 7", start="2026-01-31"),
        parameters=(ParameterSpec(name="depth", type="int", required=True),),
    )
    with pytest.raises(UnsupportedFeatureError) as caught:
        lower(spec)
    assert [problem.why for problem in caught.value.diagnostics] == [
        "a scheduled run can only use defaults; without one: depth",
        "a recurring run begins when it is deployed",
        "KFP counts the days of the week from 0 to 6",
    ]


@pytest.mark.parametrize(("overlap", "most"), [("queue", 1), ("allow", 10)])
def test_a_schedule_is_a_recurring_run(overlap, most):
    spec = pipeline(
        schedule=ScheduleSpec(cron="0 6 * * MON", overlap=overlap),
        parameters=(ParameterSpec(name="day", type="datetime", scheduled_time=True),),
    )
    found = plan_schedule(spec, KfpOptions(service_account="runner"), "p", "v")
    assert (found.cron, found.most_runs, found.service_account) == ("0 0 6 * * MON", most, "runner")
    assert found.parameters == {"day": TICK}
    assert plan_schedule(pipeline(), KfpOptions(), "p", "v") is None


def test_the_closing_container_has_room_for_the_hooks():
    hooks = [
        make_step(
            name,
            "notify",
            outputs=(),
            kind="hook",
            on="failure",
            cache=CacheSpec(enabled=False),
            resources=ResourceSpec(cpu=cpu, memory_bytes=memory),
            environment=EnvironmentSpec(image="example.com/mail:1"),
        )
        for name, cpu, memory in (("a", 2, 2**20), ("b", 1, 2**30))
    ]
    found = lower(pipeline(hooks=tuple(hooks)))
    assert (found.end_image, found.end_resources) == ("example.com/mail:1", KfpResources(cpu="2", memory="1Gi"))


def test_hooks_that_ask_for_two_images_are_refused():
    hooks = [
        make_step(
            name,
            "notify",
            outputs=(),
            kind="hook",
            on="failure",
            cache=CacheSpec(enabled=False),
            environment=EnvironmentSpec(image=f"example.com/{name}:1"),
        )
        for name in ("a", "b")
    ]
    with pytest.raises(UnsupportedFeatureError) as caught:
        lower(pipeline(hooks=tuple(hooks)))
    (problem,) = caught.value.diagnostics
    assert (
        problem.why
        == "all hooks run in the closing container: 'a' asks for example.com/a:1, this one for example.com/b:1"
    )
    lower(pipeline(hooks=tuple(hooks)), waived=(Feature.IMAGE,))


def test_refs_are_handed_over_but_never_out_of_a_group():
    found = lower(pipeline(*graphs.nested_branches()))
    by_step = {item.step: item for item in found.tasks}
    assert by_step["inner"].handed == ("load",)
    assert by_step["when_2"].handed == ()
    assert by_step["after"].handed == ()
    groups = {item.tasks[0].step: item for item in found.items if isinstance(item, KfpGroup)}
    assert by_step["after"].after == tuple(groups[name].variable for name in ("high", "low", "no"))
    assert groups["high"].gate == "when_2"
    assert groups["high"].after == (groups["inner"].variable,)


def test_texts_have_no_braces_that_kfp_could_take_for_a_placeholder():
    value = {"{{$.x}}": ["{{$.inputs.parameters['a']}}", {"b": '"{\\{'}], "n": {"a": {"b": {}}}}
    text = to_text(value)
    assert json.loads(text) == value
    assert "{{" not in text
    assert "$.inputs" in text


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"env": {"DB_PASSWORD": "x"}}, "would write the secret DB_PASSWORD into the emitted file"),
        ({"env": {"ZEN_LINEAGE_URL": "postgresql://zen:s3cret@db/zen"}}, "would write the secret ZEN_LINEAGE_URL"),
        ({"env": {"A": "1"}, "credentials": {"A": "secret:zen/a"}}, "A stands in `env` and in `credentials`"),
        ({"credentials": {"A": "zen/a"}}, "String should match pattern"),
        ({"node_selector": {"a b": "c"}}, "String should match pattern"),
        ({"image": "a b"}, "String should match pattern"),
        ({"imege": "a"}, "unknown setting 'imege'"),
    ],
)
def test_options_that_cannot_be_are_refused(table, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read_options(KfpAdapter(), Settings(project="x", adapters={"kfp": table}))
    assert "s3cret" not in str(caught.value)


def test_options_of_a_step_that_is_not_there_are_refused():
    with pytest.raises(ConfigError, match="has no step 'laod'"):
        lower(
            pipeline(make_step("load", "load"), make_step("x", "increase", {"value": read("load")})),
            steps={"churn": {"laod": {}}},
        )
