"""From the IR to a Dagster job as data. Every decision of this adapter is made here; emission only writes it down.

All edges of the job are order alone: what a step made is in the lineage store, where the next step finds it by run and
step. So nothing is pickled between processes, and a fan-out moves no data through Dagster.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from typing import Any, Literal

from zen_core.adapter.features import Feature
from zen_core.adapter.form import FormField, form_field
from zen_core.adapter.options import step_options
from zen_core.codegen.names import free_identifier, target_identifiers
from zen_core.contract.bindings import EitherBinding, iter_leaves, iter_outputs
from zen_core.contract.conditions import condition_text
from zen_core.diagnostics import Diagnostic
from zen_core.errors import NameCollisionError, UnsupportedFeatureError
from zen_core.ir.graph import map_groups, read_steps
from zen_core.ir.specs import PipelineSpec, ResourceSpec, RetrySpec, ScheduleSpec, StepSpec
from zen_dagster.options import DagsterOptions, DagsterStepOptions

# fmt: off
# Names that neither a job nor an op can have.
KEPT_BY_DAGSTER = frozenset(
    [
        "context", "conf", "config", "meta", "arg_dict", "input_arg_dict", "output_arg_dict",
        "bool", "dict", "float", "input", "int", "output", "str", "type",
    ]
)
# Names of steps that become other names of ops: those that the emitted file uses itself, and Dagster's.
RESERVED = KEPT_BY_DAGSTER | frozenset(
    [
        "dg", "IR", "JOB", "after", "op", "run_step", "ask", "expand", "run_part", "parameters", "defs", "schedule",
        "part", "skip",
    ]
)
# fmt: on


@dataclass(frozen=True)
class DagsterRetry:
    """A RetryPolicy."""

    times: int
    delay_seconds: float
    doubling: bool


@dataclass(frozen=True)
class DagsterOp:
    """One op.

    Attributes:
        step: the step's name in the IR.
        name: the op's name, and that of its function; differs where the step's is one of Python or Dagster.
        done: the variable that holds that it is done: what others wait for.
        kind: what its function calls.
        after: the steps that must all be done before.
        any_of: groups of steps of which one at least must be done.
        branch: the gate and the answer that it runs for.
        element_of: of a mapped step: the expander, or the step of the same map that it comes after.
        condition: when it runs, where it lies in a branch, for people.
    """

    step: str
    name: str
    done: str
    kind: Literal["step", "gate", "expander", "map"]
    after: tuple[str, ...]
    any_of: tuple[tuple[str, ...], ...] = ()
    branch: tuple[str, bool] | None = None
    condition: str = ""
    expander: str = ""
    chains: tuple[str, ...] = ()
    max_parallel: int | None = None
    retry: DagsterRetry | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    pool: str | None = None


@dataclass(frozen=True)
class DagsterMap:
    """The steps of one map, and the function that maps them."""

    expander: str
    function: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class DagsterSchedule:
    """A schedule of the job; `skips` leaves a tick out while a run is going on."""

    cron: str
    timezone: str
    skips: bool


@dataclass(frozen=True)
class DagsterJob:
    """The job. `maps` by the last of their steps."""

    name: str
    identifier: str
    description: str
    parameters: tuple[FormField, ...]
    ops: tuple[DagsterOp, ...]
    maps: Mapping[str, DagsterMap]
    schedule: DagsterSchedule | None
    tags: Mapping[str, str]
    max_parallel: int | None


def lower_pipeline(pipeline: PipelineSpec, options: DagsterOptions, *, waived: tuple[Feature, ...] = ()) -> DagsterJob:
    """The job for a pipeline whose features have been checked.

    Raises:
        ConfigError: options for a step that the pipeline does not have.
        NameCollisionError: two steps become one name, or Dagster keeps the pipeline's name for itself.
        UnsupportedFeatureError: a value beyond what Dagster takes; all of them.
    """
    _refuse_name(pipeline)
    names = [step.name for step in pipeline.steps]
    option_by_step = step_options(options.steps, names, adapter="dagster", pipeline=pipeline.name)
    if problems := [*_find_beyond_limits(pipeline, options, waived)]:
        raise UnsupportedFeatureError(diagnostics=problems)
    ops = target_identifiers(names, reserved=RESERVED)
    taken = {*ops.values(), *RESERVED}
    done = {}
    for name, op in ops.items():
        done[name] = free_identifier(f"{op.rstrip('_')}_done", taken)
        taken.add(done[name])
    job = free_identifier(pipeline.name, taken)
    taken.add(job)
    maps = {}
    group_by_step: dict[str, tuple[str, ...]] = {}
    for expander, members in map_groups(pipeline):
        function = free_identifier(f"map_{members[0].name}", taken)
        taken.add(function)
        group = tuple(step.name for step in members)
        maps[group[-1]] = DagsterMap(expander, function, group)
        group_by_step |= dict.fromkeys(group, group)
    return DagsterJob(
        name=pipeline.name,
        identifier=job,
        description=pipeline.summary,
        parameters=tuple(form_field(parameter) for parameter in pipeline.parameters),
        ops=tuple(
            replace(
                _lower_step(step, pipeline, ops[step.name], group_by_step.get(step.name, ())),
                done=done[step.name],
                tags=_op_tags(step, options, waived),
                pool=option_by_step.get(step.name, DagsterStepOptions()).pool,
            )
            for step in pipeline.steps
        ),
        maps=maps,
        schedule=_lower_schedule(pipeline.schedule),
        tags=_job_tags(pipeline),
        max_parallel=pipeline.max_parallel,
    )


def _refuse_name(pipeline: PipelineSpec) -> None:
    """Raise NameCollisionError where a job cannot have the pipeline's name; it gets no other: people ask for it."""
    if pipeline.name in KEPT_BY_DAGSTER or iskeyword(pipeline.name):
        raise NameCollisionError(
            f"a pipeline cannot be called {pipeline.name!r} here",
            where=pipeline.source or "",
            why="Dagster keeps this name for itself, and does not load a job that has it",
            hint=f"give the function another name: `{pipeline.name}_pipeline`",
        )


def _lower_step(step: StepSpec, pipeline: PipelineSpec, name: str, group: tuple[str, ...]) -> DagsterOp:
    """What of an op the step alone decides; `group` are the steps that run element by element with it."""
    step_by_name = pipeline.step_by_name
    expander = step.map.expander if step.map else ""
    leaves = [leaf for item in step.inputs for _, leaf in iter_leaves(item.binding)]
    any_of = [tuple(option.step for option in leaf.options) for leaf in leaves if isinstance(leaf, EitherBinding)]
    # What is read by itself too must be done in any case.
    needed = {output.step for leaf in leaves if not isinstance(leaf, EitherBinding) for output in iter_outputs(leaf)}
    same_map = {other.name for other in pipeline.steps if step.map and other.map and other.map.expander == expander}
    gate = step_by_name[step.when.gate] if step.when else None
    return DagsterOp(
        step=step.name,
        name=name,
        done="",
        kind="map" if step.map else step.kind if step.kind != "hook" else "step",
        # A step of the map that is in an earlier group is done with the step outside that separates the groups.
        after=tuple(other for other in _in_order(needed, step) if other != expander and other not in same_map),
        any_of=tuple(any_of),
        branch=(step.when.gate, step.when.taken) if step.when and not step.map else None,
        condition=_condition(step, gate) if gate else "",
        expander=expander,
        chains=tuple(other for other in read_steps(step) if other in group),
        max_parallel=step.map.max_parallel if step.map else None,
        retry=_lower_retry(step.retry),
    )


def _in_order(needed: set[str], step: StepSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(name for name in read_steps(step) if name in needed), *step.after)))


def _condition(step: StepSpec, gate: StepSpec) -> str:
    """`Runs if 'when' answers yes: score > 0.9`"""
    answer = "yes" if step.when and step.when.taken else "no"
    asked = condition_text(gate.condition) if gate.condition else ""
    return f"Runs if {gate.name!r} answers {answer}: {asked}"


def _lower_retry(retry: RetrySpec | None) -> DagsterRetry | None:
    if retry is None:
        return None
    return DagsterRetry(retry.times, retry.delay_seconds, retry.backoff == 2 and retry.delay_seconds > 0)


def _lower_schedule(schedule: ScheduleSpec | None) -> DagsterSchedule | None:
    if schedule is None:
        return None
    return DagsterSchedule(schedule.cron, schedule.timezone, schedule.overlap == "skip")


def _job_tags(pipeline: PipelineSpec) -> dict[str, str]:
    """Tags of runs; what a person wrote is a value, since Dagster takes few characters in a tag's name."""
    found = {"zen/pipeline": pipeline.name}
    if pipeline.tags:
        found["zen/tags"] = json.dumps(list(pipeline.tags))
    return found


def _op_tags(step: StepSpec, options: DagsterOptions, waived: tuple[Feature, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if step.tags:
        found["zen/tags"] = json.dumps(list(step.tags))
    if step.map and step.map.max_parallel is not None:
        found["zen/map"] = step.name
    if options.executor == "kubernetes" and (config := _pod(step, options, waived)):
        found["dagster-k8s/config"] = config
    return found


def _pod(step: StepSpec, options: DagsterOptions, waived: tuple[Feature, ...]) -> dict[str, Any]:
    resources = step.resources or ResourceSpec()
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    if resources.cpu is not None:
        requests["cpu"] = f"{math.ceil(resources.cpu * 1000)}m"
    if resources.memory_bytes is not None:
        requests["memory"] = limits["memory"] = str(resources.memory_bytes)
    if resources.gpu is not None:
        limits["nvidia.com/gpu"] = str(resources.gpu)
    container: dict[str, Any] = {}
    if requests or limits:
        container["resources"] = {"requests": requests, "limits": limits}
    if step.environment and step.environment.image and Feature.IMAGE not in waived:
        container["image"] = step.environment.image
    found: dict[str, Any] = {"container_config": container} if container else {}
    if resources.gpu_type and options.gpu_type_label:
        found["pod_spec_config"] = {"node_selector": {options.gpu_type_label: resources.gpu_type}}
    return found


# -- what a value may be ----------------------------------------------------------------------------------------


def _find_beyond_limits(
    pipeline: PipelineSpec, options: DagsterOptions, waived: tuple[Feature, ...]
) -> Iterator[Diagnostic]:
    """Uses of a feature that Dagster has, with a value that it does not take."""
    if pipeline.schedule:
        required = [parameter.name for parameter in pipeline.parameters if parameter.required]
        if required:
            why = f"a scheduled run can only use defaults; without one: {', '.join(required)}"
            yield _beyond(Feature.SCHEDULE, pipeline, None, why, "give each parameter a default")
        if pipeline.schedule.start:
            why = "a Dagster schedule has no start: it runs from when it is turned on"
            yield _beyond(Feature.SCHEDULE, pipeline, None, why, "leave out Schedule(start=...)")
    for step in pipeline.steps:
        gpu_type = step.resources.gpu_type if step.resources else None
        if gpu_type and not options.gpu_type_label and Feature.GPU not in waived:
            why = "which node label holds the GPU type differs between clusters"
            hint = 'name it: [adapters.dagster] gpu_type_label = "cloud.google.com/gke-accelerator"'
            yield _beyond(Feature.GPU, pipeline, step, why, hint)


def _beyond(feature: Feature, pipeline: PipelineSpec, step: StepSpec | None, why: str, hint: str) -> Diagnostic:
    place = f"step {step.name!r} of pipeline {pipeline.name!r}" if step else f"pipeline {pipeline.name!r}"
    source = (step.source if step else pipeline.source) or ""
    return Diagnostic(
        UnsupportedFeatureError.code,
        f"adapter 'dagster' cannot express this {feature.value}",
        f"{source}, {place}" if source else place,
        why=why,
        hint=hint,
        context={"adapter": "dagster", "feature": feature.value, "step": step.name if step else None},
    )
