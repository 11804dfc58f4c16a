"""From the IR to a Prefect flow as data. Every decision of this adapter is made here; emission only writes it down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from zen_core.adapter.form import NO_DEFAULT, FormField, form_field
from zen_core.adapter.options import step_options
from zen_core.codegen.names import free_identifier, target_identifiers
from zen_core.codegen.tasks import refs_variables
from zen_core.contract.bindings import EitherBinding, ElementBinding, OutputBinding, iter_leaves
from zen_core.contract.conditions import condition_text
from zen_core.ir.graph import upstream_closure
from zen_core.ir.specs import ParameterSpec, PipelineSpec, StepSpec
from zen_prefect.arranging import Entry, Lane, Lanes, arrange, iter_submissions
from zen_prefect.limits import delays_of, refuse_beyond_limits
from zen_prefect.options import PrefectOptions, PrefectStepOptions
from zen_prefect.shielding import shield

RESERVED = frozenset(
    {"flow", "task", "wait", "copy_context", "unmapped", "allow_failure", "part"}
    | {"run_step", "run_part", "start_run", "end_run", "IR", "STEP", "CREDENTIALS"}
)
"""Names that the emitted file uses itself."""

Collision = Literal["ENQUEUE", "CANCEL_NEW"]


@dataclass(frozen=True)
class PrefectMap:
    """How a step of a map is submitted.

    Attributes:
        expander: the step that says how many elements there are.
        chunk: how many elements a task runs.
        chains: the earlier steps of the same map, of which each element waits for its own.
        runner: the variable of the task runner that its tasks have for themselves; "" for the flow's.
        threads: how many threads that runner has.
        max_parallel: how many of its tasks may run at once, if the step says so.
    """

    expander: str
    chunk: int
    chains: tuple[str, ...]
    runner: str
    threads: int
    max_parallel: int | None


@dataclass(frozen=True)
class PrefectTask:
    """One task.

    Attributes:
        step: the step's name in the IR, and the task's.
        identifier: the function's name in the file; differs where the step's name is taken.
        refs: the variable that holds the future of what the task returns; for a step of a map, a list of futures.
        upstream: the steps whose refs it is handed. Of a mapped step these are its expander's: what its elements made
            does not pass through Prefect.
        waits: further steps that it waits for.
        unsure: those of `waits` that may not have been submitted.
        description: for a gate, what it asks.
        delays: seconds before each further attempt; one number where they are equal.
    """

    step: str
    identifier: str
    refs: str
    upstream: tuple[str, ...]
    waits: tuple[str, ...]
    unsure: frozenset[str]
    description: str
    retries: int
    delays: float | tuple[float, ...]
    tags: tuple[str, ...]
    fan_out: PrefectMap | None = None


@dataclass(frozen=True)
class PrefectSchedule:
    """A cron schedule of the deployment, and what happens to a tick while a run is going on."""

    cron: str
    timezone: str
    collision: Collision | None


@dataclass(frozen=True)
class PrefectFlow:
    """The flow and its deployment.

    Attributes:
        entries: in which order the flow's function submits its tasks, and under which conditions.
        conditional: the steps that are submitted under conditions.
        lane_names: the name of each lane's function, by the decision that it waits for.
        threads: how many threads the task runner has. A task that waits for another one holds a thread, so that each
            task has its own, and the elements of maps share as many as may work at once.
        at_once: how many steps may work at once, where the threads do not say it.
        job_variables: what the work pool's job template takes.
    """

    name: str
    identifier: str
    description: str
    parameters: tuple[FormField, ...]
    tasks: tuple[PrefectTask, ...]
    entries: tuple[Entry, ...]
    conditional: frozenset[str]
    lane_names: Mapping[str, str]
    schedule: PrefectSchedule | None
    tags: tuple[str, ...]
    threads: int
    at_once: int | None
    job_variables: Mapping[str, Any]
    options: PrefectOptions


def lower_pipeline(pipeline: PipelineSpec, options: PrefectOptions) -> PrefectFlow:
    """The flow for a pipeline whose features have been checked.

    Raises:
        ConfigError: options for a step that the pipeline does not have.
        NameCollisionError: a parameter has a name that Prefect keeps, or two steps become one identifier.
        UnsupportedFeatureError: a value beyond what Prefect takes; all of them.
    """
    names = [step.name for step in pipeline.steps]
    option_by_step = step_options(options.steps, names, adapter="prefect", pipeline=pipeline.name)
    refuse_beyond_limits(pipeline, options)
    # A parameter hides a task of the same name inside the flow's function.
    reserved = RESERVED | {parameter.name for parameter in pipeline.parameters}
    identifiers = target_identifiers(names, reserved=reserved)
    flow = free_identifier(pipeline.name, reserved | set(identifiers.values()))
    variables = refs_variables(identifiers, reserved=reserved | {flow})
    taken = {*reserved, flow, *identifiers.values(), *variables.values()}
    limit = min(options.max_workers, pipeline.max_parallel or options.max_workers)
    maps = _Maps(pipeline, limit, taken)
    tasks = tuple(
        _lower_step(step, maps, identifiers, variables, option_by_step.get(step.name, PrefectStepOptions()))
        for step in pipeline.steps
    )
    entries = arrange(pipeline.steps)
    threads = _threads(tasks, limit, options)
    own_threads = sum(task.fan_out.threads for task in tasks if task.fan_out)
    return PrefectFlow(
        name=pipeline.name,
        identifier=flow,
        description=pipeline.summary,
        # Python wants parameters without a default first.
        parameters=tuple(lower_parameter(item) for item in sorted(pipeline.parameters, key=lambda p: not p.required)),
        tasks=tasks,
        entries=entries,
        conditional=frozenset(item.step for item in iter_submissions(entries) if item.conditions),
        lane_names=_name_lanes(entries, identifiers, taken),
        schedule=_lower_schedule(pipeline),
        tags=pipeline.tags,
        threads=threads,
        at_once=limit if limit < threads + own_threads else None,
        job_variables=_job_variables(pipeline, options),
        options=options,
    )


def lower_parameter(parameter: ParameterSpec) -> FormField:
    """The form field, with a default that Prefect takes as it is."""
    found = form_field(parameter)
    return found if found.default is NO_DEFAULT else replace(found, default=shield(found.default))


def _threads(tasks: Sequence[PrefectTask], limit: int, options: PrefectOptions) -> int:
    single = sum(task.fan_out is None for task in tasks)
    shared = any(task.fan_out and not task.fan_out.runner for task in tasks)
    return max(options.max_workers, single + (limit if shared else 0))


def _job_variables(pipeline: PipelineSpec, options: PrefectOptions) -> dict[str, Any]:
    """Those of the options, and the one image that all steps agree on."""
    steps = (*pipeline.steps, *pipeline.hooks) if options.takes_image else ()
    images = [step.environment.image for step in steps if step.environment and step.environment.image]
    return {**options.job_variables, **({"image": images[0]} if images else {})}


def _name_lanes(entries: Sequence[Entry], identifiers: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """A name for the function of each lane: after the decision that it waits for."""
    found: dict[str, str] = {}
    for lane in _iter_lanes(entries):
        found[lane.decision] = free_identifier(f"after_{identifiers[lane.decision]}", taken)
        taken.add(found[lane.decision])
    return found


def _iter_lanes(entries: Sequence[Entry]) -> Iterator[Lane]:
    for entry in entries:
        for lane in entry.lanes if isinstance(entry, Lanes) else ():
            yield lane
            yield from _iter_lanes(lane.entries)


def _lower_step(
    step: StepSpec,
    maps: _Maps,
    identifiers: Mapping[str, str],
    variables: Mapping[str, str],
    options: PrefectStepOptions,
) -> PrefectTask:
    upstream, sure, unsure = maps.neighbours_of(step)
    return PrefectTask(
        step=step.name,
        identifier=identifiers[step.name],
        refs=variables[step.name],
        upstream=upstream,
        waits=(*sure, *unsure),
        unsure=frozenset(unsure),
        description=f"Asks: {condition_text(step.condition)}" if step.condition else "",
        retries=step.retry.times if step.retry else 0,
        delays=delays_of(step.retry),
        tags=tuple(sorted({*step.tags, *options.tags})),
        fan_out=maps.lower(step),
    )


class _Maps:
    """The steps of maps: what others wait for on their account, and which of them have a task runner of their own.

    Elements that wait, for their turn or for something slow, hold threads. In a runner of their own they hold up
    nothing else.
    """

    def __init__(self, pipeline: PipelineSpec, limit: int, taken: set[str]) -> None:
        self._pipeline = pipeline
        self._step_by_name = pipeline.step_by_name
        self._mapped = {step.name: step.map for step in pipeline.steps if step.map}
        self._limit = limit
        self._runners: dict[str, str] = {}
        self._before: dict[str, frozenset[str]] = {}
        for step in pipeline.steps:
            if step.map and (step.map.max_parallel is not None or self._waits_long(step)):
                suffix = "limited" if step.map.max_parallel is not None else "apart"
                self._runners[step.name] = free_identifier(f"{step.name}_{suffix}", taken)
                taken.add(self._runners[step.name])

    def lower(self, step: StepSpec) -> PrefectMap | None:
        """How the step is mapped; None for one that is not."""
        if step.map is None:
            return None
        runner = self._runners.get(step.name, "")
        threads = (step.map.max_parallel or self._limit) if runner else 0
        chains, _, _ = _reads(step)
        return PrefectMap(step.map.expander, step.map.chunk, chains, runner, threads, step.map.max_parallel)

    def neighbours_of(self, step: StepSpec) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The steps whose refs it is handed, those that it surely waits for besides, and those that may be missing."""
        chains, whole, options = _reads(step)
        handed = {self._mapped[name].expander if name in self._mapped else name: None for name in (*whole, *options)}
        if step.map:
            handed[step.map.expander] = None
        elif step.when:
            handed[step.when.gate] = None
        sure = {item: None for name in (*whole, *step.after) if name not in chains for item in self._all_of(name)}
        unsure = {item: None for name in options for item in self._all_of(name)}
        return (
            tuple(handed),
            tuple(name for name in sure if name not in handed),
            tuple(name for name in unsure if name not in handed and name not in sure),
        )

    def _waits_long(self, step: StepSpec) -> bool:
        """Whether its elements may wait for something other than their list and elements that are going on."""
        return any(name in self._runners for name in _reads(step)[0]) or any(self._needs_beside(step.name))

    def _all_of(self, name: str) -> Iterator[str]:
        """What there is to wait for until a step is done. A map over an empty list has no elements to wait for."""
        if name in self._mapped:
            yield self._mapped[name].expander
            for other in self._needs_beside(name):
                yield from self._all_of(other)
        yield name

    def _needs_beside(self, name: str) -> Iterator[str]:
        """What all elements of a mapped step wait for, and its expander does not."""
        step = self._step_by_name[name]
        _, whole, options = _reads(step)
        for other in dict.fromkeys((*whole, *options, *step.after)):
            if other not in self._done_before(self._mapped[name].expander):
                yield other

    def _done_before(self, expander: str) -> frozenset[str]:
        if expander not in self._before:
            self._before[expander] = upstream_closure(self._pipeline, [expander])
        return self._before[expander]


def _reads(step: StepSpec) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The steps that it reads element by element, those that it reads as a whole, those that `either` chooses from."""
    leaves = [leaf for item in step.inputs for _, leaf in iter_leaves(item.binding)]
    expander = step.map.expander if step.map else ""
    elements = [leaf.step for leaf in leaves if isinstance(leaf, ElementBinding) and leaf.step != expander]
    whole = [leaf.step for leaf in leaves if isinstance(leaf, OutputBinding)]
    options = [option.step for leaf in leaves if isinstance(leaf, EitherBinding) for option in leaf.options]
    return tuple(dict.fromkeys(elements)), tuple(dict.fromkeys(whole)), tuple(dict.fromkeys(options))


def _lower_schedule(pipeline: PipelineSpec) -> PrefectSchedule | None:
    schedule = pipeline.schedule
    if schedule is None:
        return None
    collisions: dict[str, Collision | None] = {"queue": "ENQUEUE", "skip": "CANCEL_NEW", "allow": None}
    return PrefectSchedule(schedule.cron, schedule.timezone, collisions[schedule.overlap])


def annotation(field: FormField) -> str:
    """The Python type that gives Prefect's form the right field; "" where no single one does."""
    types: Any = field.schema.get("type", [])
    found = [types] if isinstance(types, str) else list(types)
    known = [_ANNOTATIONS[name] for name in found if name != "null"]
    if len(known) != 1:
        return ""
    return f"{known[0]} | None" if "null" in found else known[0]


_ANNOTATIONS = {
    "integer": "int",
    "number": "float",
    "string": "str",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
}
