"""All cases, by shape and by feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zen_core.adapter.features import Feature
from zen_core.compiler.feature_check import uses_of
from zen_core.ir.specs import (
    CacheSpec,
    ParameterSpec,
    PipelineSpec,
    ResourceSpec,
    RetrySpec,
    ScheduleSpec,
    StepSpec,
)
from zen_core.testing.cases import graphs
from zen_core.testing.cases.build import STEPS_MODULE, collect, collect_by_name, constant, make_step, parameter, read
from zen_core.testing.cases.steps import FUNCTIONS

HOSTILE_TEXTS = (
    'it\'s "quoted"',
    '"""',
    "back\\slash \\n and a trailing \\",
    "line\nbreak\r\tand\0null",
    "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'",
    "'); import os; os.system('true') #",
    "größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301",
    "\ud800",
    "x" * 300,
    "report.md",
    "",
    " ",
    "None",
    "0123",
)
"""Texts that break naive emitters: quotes, templates, shell, control characters, lone surrogates, long lines."""


@dataclass(frozen=True)
class Case:
    """A pipeline, and the functions of its steps by entry point."""

    spec: PipelineSpec

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.spec.name

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The step functions by entry point."""
        known = {f"{STEPS_MODULE}:{function.__name__}": function for function in FUNCTIONS}
        steps = (*self.spec.steps, *self.spec.hooks)
        return {step.entry_point: known[step.entry_point] for step in steps if step.entry_point}

    @property
    def features(self) -> frozenset[Feature]:
        """The features that the pipeline uses."""
        return frozenset(use.feature for use in uses_of(self.spec))


def all_cases() -> tuple[Case, ...]:
    """The cases by shape, then a smallest pipeline for each feature."""
    return (*_shapes(), *(case_using(feature) for feature in Feature))


def find_case(name: str) -> Case:
    """The case of this name. Raises KeyError."""
    return {case.name: case for case in all_cases()}[name]


@cache
def _shapes() -> tuple[Case, ...]:
    return (
        _case("single", make_step("load", "load")),
        _case("linear", *_chain(3)),
        _case(
            "diamond",
            make_step("load", "load"),
            make_step("left", "increase", {"value": read("load")}),
            make_step("right", "double", {"value": read("load")}),
            make_step("join", "add", {"left": read("left"), "right": read("right")}),
        ),
        _case(
            "fan_in",
            *(make_step(f"load_{number}", "load") for number in range(5)),
            make_step("in_list", "total", {"values": collect(*(read(f"load_{number}") for number in range(5)))}),
            make_step("in_dict", "total_by_name", {"values": collect_by_name(a=read("load_0"), b=read("load_1"))}),
            make_step("same_twice", "add", {"left": read("load_0"), "right": read("load_0")}),
        ),
        _case(
            "two_outputs",
            make_step("load", "load"),
            make_step("split", "split", {"value": read("load")}, outputs=("low", "high")),
            make_step("join", "add", {"left": read("split", "high"), "right": read("split", "low")}),
        ),
        _case(
            "ordering_only",
            make_step("first", "load"),
            make_step("second", "load", after=("first",)),
            make_step("other", "load"),
            make_step("last", "increase", {"value": read("second")}, after=("first", "other", "second")),
        ),
        _hostile(),
        _parameters(),
        _awkward_names(),
        _case("many_leaves", *(make_step(f"a_step_with_a_long_name_{number}", "load") for number in range(12))),
        _case("steps_200", *_chain(200)),
        _case("branches", *graphs.branches()),
        _case("one_branch", *graphs.one_branch(), parameters=(_depth(),)),
        _case("maps_and_branches", *graphs.maps_and_branches()),
        _case("steps_300", *graphs.many(300)),
    )


@cache
def case_using(feature: Feature) -> Case:
    """A smallest pipeline that uses a feature. Every feature has one."""
    load = make_step("load", "load")
    return {
        Feature.PARAMETERS: lambda: _feature(feature, parameters=(_depth(),)),
        Feature.SCHEDULED_TIME: lambda: _feature(
            feature, parameters=(ParameterSpec(name="day", type="datetime", scheduled_time=True),)
        ),
        Feature.MULTIPLE_OUTPUTS: lambda: _feature(
            feature, load, make_step("split", "split", {"value": read("load")}, outputs=("low", "high"))
        ),
        Feature.COLLECTED_INPUTS: lambda: _feature(
            feature, load, make_step("total", "total", {"values": collect(read("load"), constant(1))})
        ),
        Feature.ORDERING: lambda: _feature(feature, load, make_step("second", "load", after=("load",))),
        Feature.MAP: lambda: _feature(feature, *graphs.mapped()),
        Feature.MAP_ZIP: lambda: _feature(feature, *graphs.zipped()),
        Feature.MAP_CHAIN: lambda: _feature(feature, *graphs.chained()),
        Feature.MAP_OF_MAP: lambda: _feature(feature, *graphs.map_of_map()),
        Feature.MAP_CHUNK: lambda: _feature(feature, *graphs.mapped(chunk=2)),
        Feature.MAP_CHUNK_CHAIN: lambda: _feature(feature, *graphs.chained(chunk=2)),
        Feature.MAP_MAX_PARALLEL: lambda: _feature(feature, *graphs.mapped(max_parallel=2)),
        Feature.CONDITION: lambda: _feature(feature, *graphs.branches()[:3]),
        Feature.OTHERWISE: lambda: _feature(feature, *graphs.branches()[:4]),
        Feature.EITHER: lambda: _feature(feature, *graphs.branches()),
        Feature.NESTED_CONDITION: lambda: _feature(feature, *graphs.nested_branches()),
        Feature.MAP_IN_BRANCH: lambda: _feature(feature, *graphs.map_in_branch()),
        Feature.EXTERNAL_ARTIFACT: lambda: _feature(feature, *graphs.with_external()),
        Feature.SECRET: lambda: _feature(feature, *graphs.with_secret()),
        Feature.RETRY: lambda: _retry(feature, RetrySpec(times=2, delay_seconds=0.5)),
        Feature.RETRY_BACKOFF: lambda: _retry(feature, RetrySpec(times=3, delay_seconds=30, backoff=2)),
        Feature.RETRY_BACKOFF_FACTOR: lambda: _retry(feature, RetrySpec(times=3, delay_seconds=30, backoff=1.5)),
        Feature.TIMEOUT: lambda: _feature(
            feature,
            make_step("load", "load", timeout_seconds=90.5),
            make_step(
                "increase",
                "increase",
                {"value": read("load")},
                timeout_seconds=3600,
                cache=CacheSpec(enabled=True, wait_seconds=600),
            ),
        ),
        Feature.RESOURCES: lambda: _resources(feature, ResourceSpec(cpu=0.5, memory_bytes=4 * 2**30)),
        Feature.GPU: lambda: _resources(feature, ResourceSpec(gpu=2)),
        Feature.IMAGE: lambda: _feature(feature, *graphs.with_environment(image="registry.example/train:1.2")),
        Feature.REQUIREMENTS: lambda: _feature(
            feature, *graphs.with_environment(requirements=("numpy>=1.26", "pydantic>=2"))
        ),
        Feature.PYTHON_VERSION: lambda: _feature(feature, *graphs.with_environment(python=">=3.11")),
        Feature.MAX_PARALLEL: lambda: _feature(feature, *_chain(3), max_parallel=2),
        Feature.ON_FAILURE: lambda: _hook(feature, "failure"),
        Feature.ON_SUCCESS: lambda: _hook(feature, "success"),
        Feature.SCHEDULE: lambda: _schedule(feature),
        Feature.SCHEDULE_TIMEZONE: lambda: _schedule(feature, timezone="Europe/Berlin"),
        Feature.SCHEDULE_OVERLAP_QUEUE: lambda: _schedule(feature, overlap="queue"),
        Feature.SCHEDULE_OVERLAP_SKIP: lambda: _schedule(feature, overlap="skip"),
        Feature.SCHEDULE_OVERLAP_ALLOW: lambda: _schedule(feature, overlap="allow"),
        Feature.SCHEDULE_CATCH_UP: lambda: _schedule(feature, catch_up=True, start="2026-01-31"),
        Feature.TAGS: lambda: _feature(feature, make_step("load", "load", tags=("slow",)), tags=("churn", 'a "b"')),
    }[feature]()


def _case(name: str, *steps: StepSpec, **fields: Any) -> Case:
    return Case(PipelineSpec(name=name, steps=steps, **fields))


def _chain(length: int) -> list[StepSpec]:
    first = make_step("step_0", "load")
    return [
        first,
        *(
            make_step(f"step_{number}", "increase", {"value": read(f"step_{number - 1}")})
            for number in range(1, length)
        ),
    ]


def _feature(feature: Feature, *steps: StepSpec, **fields: Any) -> Case:
    return _case(f"uses_{feature.value}", *(steps or (make_step("load", "load"),)), **fields)


def _retry(feature: Feature, retry: RetrySpec) -> Case:
    return _feature(feature, make_step("load", "load", retry=retry, source="pipelines/retry.py:7"))


def _resources(feature: Feature, resources: ResourceSpec) -> Case:
    return _feature(feature, make_step("load", "load", resources=resources, source="pipelines/train.py:12"))


def _schedule(feature: Feature, **fields: Any) -> Case:
    return _feature(feature, schedule=ScheduleSpec(cron="0 6 * * *", **fields))


def _hook(feature: Feature, on: str) -> Case:
    return _feature(feature, hooks=(graphs.make_hook("notify", on),), parameters=(_depth(),))


def _depth() -> ParameterSpec:
    return ParameterSpec(name="depth", type="int", default=4)


def _hostile() -> Case:
    parameters = tuple(
        ParameterSpec(name=f"text_{number}", type="str", default=text) for number, text in enumerate(HOSTILE_TEXTS)
    )
    nested = ParameterSpec(name="nested", type="dict[str, list[str]]", default={text: [text] for text in HOSTILE_TEXTS})
    steps = [
        make_step(f"echo_{number}", "echo", {"value": parameter(item.name)}, type="str")
        for number, item in enumerate(parameters)
    ]
    steps += [
        make_step(f"constant_{number}", "echo", {"value": constant(text)}, type="str")
        for number, text in enumerate(HOSTILE_TEXTS)
    ]
    return _case(
        "hostile",
        *steps,
        make_step("echo_nested", "echo", {"value": parameter("nested")}, type="dict[str, list[str]]"),
        parameters=(*parameters, nested),
        tags=tuple(text for text in HOSTILE_TEXTS if len(text) < 100),
        description=HOSTILE_TEXTS[1] + HOSTILE_TEXTS[4],
    )


def _parameters() -> Case:
    declared = (
        ParameterSpec(name="whole", type="int", default=4),
        ParameterSpec(name="share", type="float", default=0.25),
        ParameterSpec(name="switch", type="bool", default=False),
        ParameterSpec(name="word", type="str", default="abc"),
        ParameterSpec(name="needed", type="int", required=True),
        ParameterSpec(name="day", type="date", default={"$zen": "date", "value": "2026-01-31"}),
        ParameterSpec(
            name="moment", type="datetime.datetime", default={"$zen": "datetime", "value": "2026-01-31T06:00:00+01:00"}
        ),
        ParameterSpec(name="file", type="File", default={"$zen": "file", "value": "data/churn.csv"}),
        ParameterSpec(name="rates", type="list[float]", default=[0.1, 0.2]),
        ParameterSpec(name="words", type="list[str]", default=["a", "b"]),
        ParameterSpec(name="pair", type="tuple[int, str]", default={"$zen": "tuple", "value": [1, "a"]}),
        ParameterSpec(name="table", type="dict[str, int]", default={"b": 1, "a": 2}),
        ParameterSpec(name="maybe", type="int | None", default=None),
        ParameterSpec(name="mode", type="Literal['fast', 'exact']", default="fast"),
        ParameterSpec(name="limit", type="float", default={"$zen": "float", "value": "inf"}),
        ParameterSpec(name="anything", type="Any", default=None),
    )
    steps = (make_step(f"echo_{item.name}", "echo", {"value": parameter(item.name)}, type="Any") for item in declared)
    return _case("parameters", *steps, parameters=declared)


def _awkward_names() -> Case:
    """Names that mean something to Python or to an emitted file."""
    names = (
        *("class", "lambda", "match", "filter", "print", "self", "step", "result"),
        *("task", "dag", "params", "ti", "reason", "run_id", "pod", "pendulum", "run_step", "kwargs", "context"),
        *("flow", "parameters", "logger", "op", "job", "config", "dsl", "output", "name"),
    )
    load = make_step("load", "load")
    steps = [make_step(name, "increase", {"value": read("load")}) for name in names]
    steps.append(make_step("load_refs", "total", {"values": collect(*(read(name) for name in names))}))
    return _case("awkward_names", load, *steps)
