"""From the IR to an Airflow DAG as data. Every decision of this adapter is made here; emission only writes it down."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from zen_airflow.options import AirflowOptions, AirflowStepOptions
from zen_airflow.skipping import SkipRules
from zen_core.adapter.features import Feature
from zen_core.adapter.form import FormField, form_field
from zen_core.adapter.options import step_options
from zen_core.codegen.names import free_identifier, refuse_name, target_identifiers
from zen_core.codegen.tasks import refs_variables
from zen_core.diagnostics import Diagnostic
from zen_core.errors import UnsupportedFeatureError
from zen_core.ir.graph import (
    downstream_edges,
    map_groups,
    read_steps,
    steps_by_gate,
)
from zen_core.ir.specs import PipelineSpec, ResourceSpec, RetrySpec, ScheduleSpec, StepSpec

END_TASK = "zen_end"
"""The task that closes the run. It is a teardown, so that it runs whatever happened and never changes the result."""
RESERVED = frozenset(
    {"dag", "task", "task_group", "timedelta", "pendulum", "run_step", "run_part", "expand", "choose", "part", "pod"}
    | {"CREDENTIALS", "IR", "DOUBLING", END_TASK}
)
"""Names that the emitted file uses itself."""
BACK_STOP_SECONDS = 60
"""How much later than the shim Airflow's own timeout strikes."""
LONGEST_RETRY_DELAY_SECONDS = 24 * 60 * 60
"""Airflow's core.max_task_retry_delay."""
LONGEST_TAG = 100
ALLOWED_RUNS = 16

_FIRST_DAY = date(2020, 1, 1)


@dataclass(frozen=True)
class AirflowSchedule:
    """A CronTriggerTimetable, and how its ticks are treated."""

    cron: str
    timezone: str
    catch_up: bool
    max_active_runs: int


@dataclass(frozen=True)
class AirflowRetry:
    """`retries` and what goes with it."""

    retries: int
    delay_seconds: float
    doubling: bool


@dataclass(frozen=True)
class AirflowPod:
    """What the Kubernetes executor is asked for."""

    requests: dict[str, str]
    limits: dict[str, str]
    node_selector: dict[str, str]
    image: str = ""


@dataclass(frozen=True)
class AirflowTask:
    """One task.

    Attributes:
        step: the step's name in the IR, and the task id.
        identifier: the function's name in the file; differs where the step's name is one of Python or of the file.
        refs: the variable that holds what the task returns.
        upstream: the steps whose refs it is handed. What a mapped step makes is not handed over: it is in the store.
        kind: what its function calls; `map` is a step that runs once for each part of a map.
        arms: of a gate: the tasks that follow when the condition holds, and when it does not.
        trigger_rule: where it is not Airflow's default.
        max_parallel: how many of a mapped step's task instances may run at the same time.
    """

    step: str
    identifier: str
    refs: str
    upstream: tuple[str, ...]
    kind: Literal["step", "gate", "expander", "map"] = "step"
    arms: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    trigger_rule: str = ""
    max_parallel: int | None = None
    retry: AirflowRetry | None = None
    execution_timeout_seconds: int | None = None
    pod: AirflowPod | None = None
    options: AirflowStepOptions = field(default_factory=AirflowStepOptions)


@dataclass(frozen=True)
class AirflowMap:
    """A map: a mapped task, or a mapped group of tasks, so that one element does not wait for the others.

    Attributes:
        expander: the step that says how many parts there are.
        group: the name of the task group; "" for a single task.
        steps: the mapped steps, in order.
        chains: for a step those of the group that it comes after.
    """

    expander: str
    group: str
    steps: tuple[str, ...]
    chains: tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True)
class AirflowDag:
    """The DAG.

    Attributes:
        maps: what is called for each part, in the order of their last steps.
        orderings: for a step the further steps that it waits for without being handed anything.
        branches: for a gate the tasks of both arms, which it lets run or skips.
        leaves: the steps that nothing waits for.
        may_hide_failure: whether Airflow can show a failed run as a success, so that the closing task must say it.
    """

    dag_id: str
    identifier: str
    description: str
    schedule: AirflowSchedule | None
    start: date
    timezone: str
    params: tuple[FormField, ...]
    tags: tuple[str, ...]
    default_args: dict[str, str | int]
    max_active_tasks: int | None
    tasks: tuple[AirflowTask, ...]
    maps: tuple[AirflowMap, ...]
    orderings: tuple[tuple[tuple[str, ...], str], ...]
    branches: tuple[tuple[str, tuple[str, ...]], ...]
    leaves: tuple[str, ...]
    may_hide_failure: bool
    credentials: dict[str, str] = field(default_factory=dict)


def lower_pipeline(pipeline: PipelineSpec, options: AirflowOptions, *, waived: tuple[Feature, ...] = ()) -> AirflowDag:
    """The DAG for a pipeline whose features have been checked.

    Raises:
        ConfigError: options for a step that the pipeline does not have.
        NameCollisionError: a step has the closing task's name, or two steps become one identifier.
        UnsupportedFeatureError: a value beyond what Airflow takes; all of them.
    """
    option_by_step = step_options(
        options.steps, [step.name for step in pipeline.steps], adapter="airflow", pipeline=pipeline.name
    )
    if problems := [*_find_beyond_limits(pipeline, options, waived)]:
        raise UnsupportedFeatureError(diagnostics=problems)
    identifiers = _identifiers(pipeline)
    variables = refs_variables(identifiers, reserved=RESERVED)
    mapped = {step.name: step for step in pipeline.steps if step.map}
    arms = {
        gate: {taken: tuple(name for name in names if name not in mapped) for taken, names in branches.items()}
        for gate, branches in steps_by_gate(pipeline.steps).items()
    }
    maps = _lower_maps(pipeline, {*identifiers.values(), *variables.values()})
    skips = SkipRules(pipeline.steps)
    followers = downstream_edges(pipeline.steps)
    return AirflowDag(
        dag_id=pipeline.name,
        identifier=target_identifiers([pipeline.name], reserved=RESERVED)[pipeline.name],
        description=pipeline.summary,
        schedule=_lower_schedule(pipeline.schedule),
        start=_start(pipeline.schedule),
        timezone=pipeline.schedule.timezone if pipeline.schedule else "UTC",
        params=tuple(form_field(parameter) for parameter in pipeline.parameters),
        tags=pipeline.tags,
        default_args=_default_args(options),
        max_active_tasks=pipeline.max_parallel,
        tasks=tuple(
            AirflowTask(
                step=step.name,
                identifier=identifiers[step.name],
                refs=variables[step.name],
                upstream=_handed(step, mapped),
                kind="map" if step.map else step.kind if step.kind != "hook" else "step",
                arms=(arms[step.name][True], arms[step.name][False]) if step.kind == "gate" else ((), ()),
                trigger_rule=skips.trigger_rule(step),
                max_parallel=step.map.max_parallel if step.map else None,
                retry=_lower_retry(step.retry),
                execution_timeout_seconds=_back_stop(step),
                pod=_lower_pod(step, options, waived),
                options=option_by_step.get(step.name, AirflowStepOptions()),
            )
            for step in pipeline.steps
        ),
        maps=maps,
        orderings=tuple(_orderings(pipeline, mapped, maps, skips)),
        branches=tuple((gate, (*found[True], *found[False])) for gate, found in arms.items()),
        leaves=tuple(name for name, after in followers.items() if not after),
        may_hide_failure=skips.may_hide_failure,
        credentials=dict(options.credentials),
    )


def _handed(step: StepSpec, mapped: Container[str]) -> tuple[str, ...]:
    """The steps whose refs a step is handed: those that it reads and that hand some over."""
    expander = step.map.expander if step.map else ""
    return tuple(name for name in read_steps(step) if name not in mapped and name != expander)


def _lower_maps(pipeline: PipelineSpec, taken: Iterable[str]) -> tuple[AirflowMap, ...]:
    """The maps; where steps outside stand between those of one map, several with the same parts."""
    names = {*RESERVED, *taken}
    found = []
    for expander, members in map_groups(pipeline):
        steps = tuple(step.name for step in members)
        name = free_identifier(f"map_{steps[0]}", names) if len(steps) > 1 else ""
        names.add(name)
        chains = tuple(
            (before, step.name)
            for step in members
            if (before := tuple(other for other in read_steps(step) if other in steps))
        )
        found.append(AirflowMap(expander, name, steps, chains))
    return tuple(found)


def _orderings(
    pipeline: PipelineSpec, mapped: Container[str], maps: Iterable[AirflowMap], skips: SkipRules
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a step waits for beyond what it is handed, its gate, and the steps of its own group."""
    group_by_step = {step: number for number, found in enumerate(maps) for step in found.steps}
    for step in pipeline.steps:
        handed = _handed(step, mapped)
        expander = step.map.expander if step.map else ""
        own = group_by_step.get(step.name, -1)
        needed = (*read_steps(step), *step.after, *skips.guards(step))
        waits = [name for name in needed if name not in handed and name != expander]
        if others := tuple(name for name in dict.fromkeys(waits) if own < 0 or group_by_step.get(name) != own):
            yield others, step.name


def _identifiers(pipeline: PipelineSpec) -> dict[str, str]:
    for step in pipeline.steps:
        if step.name == END_TASK:
            raise refuse_name(END_TASK, purpose="the task that closes the run has this name", where=step.source or "")
    return target_identifiers((step.name for step in pipeline.steps), reserved=RESERVED)


def _default_args(options: AirflowOptions) -> dict[str, str | int]:
    # Without it, the installation's core.default_task_retries would retry a step that asks for no retries.
    found: dict[str, str | int] = {"retries": 0}
    for name in ("owner", "pool", "queue"):
        if value := getattr(options, name):
            found[name] = value
    return found


def _lower_schedule(schedule: ScheduleSpec | None) -> AirflowSchedule | None:
    if schedule is None:
        return None
    runs = ALLOWED_RUNS if schedule.overlap == "allow" else 1
    return AirflowSchedule(schedule.cron, schedule.timezone, schedule.catch_up, runs)


def _start(schedule: ScheduleSpec | None) -> date:
    return date.fromisoformat(schedule.start) if schedule and schedule.start else _FIRST_DAY


def _lower_retry(retry: RetrySpec | None) -> AirflowRetry | None:
    if retry is None:
        return None
    return AirflowRetry(retry.times, retry.delay_seconds, retry.backoff == 2 and retry.delay_seconds > 0)


def _back_stop(step: StepSpec) -> int | None:
    """Airflow's own timeout counts the wait for another worker's result too, which the step's does not."""
    if step.timeout_seconds is None:
        return None
    wait = step.cache.wait_seconds if step.cache.enabled else 0
    return math.ceil(step.timeout_seconds + wait) + BACK_STOP_SECONDS


def _lower_pod(step: StepSpec, options: AirflowOptions, waived: tuple[Feature, ...]) -> AirflowPod | None:
    resources = step.resources or ResourceSpec()
    image = (step.environment.image or "") if step.environment and Feature.IMAGE not in waived else ""
    if options.executor != "kubernetes" or not (step.resources or image):
        return None
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    if resources.cpu is not None:
        requests["cpu"] = _cpu_quantity(resources.cpu)
    if resources.memory_bytes is not None:
        requests["memory"] = limits["memory"] = _memory_quantity(resources.memory_bytes)
    if resources.gpu is not None:
        limits["nvidia.com/gpu"] = str(resources.gpu)
    selector = {options.gpu_type_label: resources.gpu_type} if options.gpu_type_label and resources.gpu_type else {}
    return AirflowPod(requests, limits, selector, image)


def _cpu_quantity(cores: float) -> str:
    return str(int(cores)) if cores == int(cores) else f"{math.ceil(cores * 1000)}m"


def _memory_quantity(size: int) -> str:
    for unit, factor in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


# -- what a value may be ----------------------------------------------------------------------------------------


def _find_beyond_limits(
    pipeline: PipelineSpec, options: AirflowOptions, waived: tuple[Feature, ...]
) -> Iterator[Diagnostic]:
    """Uses of a feature that Airflow has, with a value that it does not take."""
    schedule = pipeline.schedule
    if schedule:
        required = [parameter.name for parameter in pipeline.parameters if parameter.required]
        if required:
            why = f"Airflow starts no run whose parameters lack a value; without a default: {', '.join(required)}"
            yield _beyond(Feature.SCHEDULE, pipeline, None, why, "give each parameter a default")
        if schedule.catch_up and not schedule.start:
            why = "Airflow would run every tick since the DAG's start date"
            yield _beyond(Feature.SCHEDULE_CATCH_UP, pipeline, None, why, "say since when: Schedule(start=...)")
    for tag in pipeline.tags:
        if len(tag) > LONGEST_TAG:
            why = f"the tag {tag[:20]!r}… has {len(tag)} characters, Airflow takes {LONGEST_TAG}"
            yield _beyond(Feature.TAGS, pipeline, None, why, "shorten it")
    for step in pipeline.steps:
        retry, resources = step.retry, step.resources
        if retry and retry.backoff == 2:
            longest = retry.delay_seconds * 2 ** (retry.times - 1)
            if longest > LONGEST_RETRY_DELAY_SECONDS:
                why = f"the last delay would be {longest / 3600:.0f} hours; Airflow waits 24 at most"
                yield _beyond(Feature.RETRY_BACKOFF, pipeline, step, why, "retry fewer times, or with a shorter delay")
        if resources and resources.gpu_type and not options.gpu_type_label and Feature.GPU not in waived:
            why = "which node label holds the GPU type differs between clusters"
            hint = 'name it: [adapters.airflow] gpu_type_label = "cloud.google.com/gke-accelerator"'
            yield _beyond(Feature.GPU, pipeline, step, why, hint)


def _beyond(feature: Feature, pipeline: PipelineSpec, step: StepSpec | None, why: str, hint: str) -> Diagnostic:
    place = f"step {step.name!r} of pipeline {pipeline.name!r}" if step else f"pipeline {pipeline.name!r}"
    source = (step.source if step else pipeline.source) or ""
    return Diagnostic(
        UnsupportedFeatureError.code,
        f"adapter 'airflow' cannot express this {feature.value}",
        f"{source}, {place}" if source else place,
        why=why,
        hint=hint,
        context={"adapter": "airflow", "feature": feature.value, "step": step.name if step else None},
    )
