"""From the IR to a Prefect flow as data. Every decision of this adapter is made here; emission only writes it down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from zen_core.adapter.features import Feature
from zen_core.adapter.form import NO_DEFAULT, FormField, form_field
from zen_core.adapter.options import step_options
from zen_core.codegen.names import free_identifier, target_identifiers
from zen_core.codegen.tasks import refs_variables
from zen_core.contract.conditions import condition_text
from zen_core.contract.values import TAG
from zen_core.diagnostics import Diagnostic
from zen_core.errors import NameCollisionError, UnsupportedFeatureError
from zen_core.ir.graph import read_steps, waits_of
from zen_core.ir.specs import ParameterSpec, PipelineSpec, RetrySpec, StepSpec
from zen_prefect.options import PrefectOptions, PrefectStepOptions

RESERVED = frozenset(
    {"flow", "task", "wait", "run_step", "run_part", "parts_of", "part", "start_run", "end_run", "IR", "STEP", "range"}
)
"""Names that the emitted file uses itself, among those that a step may have."""
RESERVED_PARAMETERS = frozenset({"return_state", "wait_for", "self", "cls"})
"""Names that Prefect keeps for itself in the call of a flow, or leaves out of its form; and all that begin with _."""
READ_BY_PREFECT = frozenset({"$ref", "__prefect_kind"})
"""Keys of an object that Prefect takes for instructions: a reference of its JSON schema, a value to be rendered."""
MOST_DELAYS = 50
"""How many delays Prefect takes for the retries of a task."""

Collision = Literal["ENQUEUE", "CANCEL_NEW"]


@dataclass(frozen=True)
class PrefectMap:
    """How a step is mapped.

    Attributes:
        expander: the step that says how many elements there are.
        parts: the variable that holds the numbers of the tasks.
        chunk: how many elements a task runs.
        begins: whether it is the first of its map to be submitted.
        chains: the steps of the same map that it comes after, element by element.
    """

    expander: str
    parts: str
    chunk: int
    max_parallel: int | None
    begins: bool
    chains: tuple[str, ...]


@dataclass(frozen=True)
class PrefectTask:
    """One task.

    Attributes:
        step: the step's name in the IR, and the task's.
        identifier: the function's name in the file; differs where the step's name is taken.
        refs: the variable that holds the future of what the task returns; for a mapped step, a list of futures.
        upstream: the steps whose refs it is handed. What a mapped step makes is not handed over: it is in the store.
        waits: further steps that it waits for without being handed anything.
        condition: when it runs, where it lies in a branch, for people.
        fan_out: how it is mapped.
        delays: seconds before each further attempt; one number where they are equal.
    """

    step: str
    identifier: str
    refs: str
    upstream: tuple[str, ...]
    waits: tuple[str, ...]
    retries: int
    delays: float | tuple[float, ...]
    tags: tuple[str, ...]
    condition: str = ""
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
        threads: how many threads the task runner has. A task that waits for another one holds a thread, so that each
            task has its own where there are more tasks than may work at once.
        at_once: how many steps may work at once, where the threads do not say it.
    """

    name: str
    identifier: str
    description: str
    parameters: tuple[FormField, ...]
    tasks: tuple[PrefectTask, ...]
    schedule: PrefectSchedule | None
    image: str
    tags: tuple[str, ...]
    threads: int
    at_once: int | None
    options: PrefectOptions


def lower_pipeline(pipeline: PipelineSpec, options: PrefectOptions, *, waived: tuple[Feature, ...] = ()) -> PrefectFlow:
    """The flow for a pipeline whose features have been checked.

    Raises:
        ConfigError: options for a step that the pipeline does not have.
        NameCollisionError: a parameter has a name that Prefect keeps, or two steps become one identifier.
        UnsupportedFeatureError: a value beyond what Prefect takes; all of them.
    """
    names = [step.name for step in pipeline.steps]
    option_by_step = step_options(options.steps, names, adapter="prefect", pipeline=pipeline.name)
    _refuse_parameter_names(pipeline)
    if problems := [*_find_beyond_limits(pipeline, waived)]:
        raise UnsupportedFeatureError(diagnostics=problems)
    # A parameter hides a task of the same name inside the flow's function.
    reserved = RESERVED | {parameter.name for parameter in pipeline.parameters}
    identifiers = target_identifiers(names, reserved=reserved)
    flow = free_identifier(pipeline.name, reserved | set(identifiers.values()))
    variables = refs_variables(identifiers, reserved=reserved | {flow})
    ordered = _order_for_submission(pipeline)
    parts = _parts_variables(ordered, reserved | {flow, *identifiers.values(), *variables.values()})
    at_once = min(options.max_workers, pipeline.max_parallel or options.max_workers)
    threads = max(at_once, len(names)) if not parts else at_once + len(names)
    return PrefectFlow(
        name=pipeline.name,
        identifier=flow,
        description=pipeline.summary,
        # Python wants parameters without a default first.
        parameters=tuple(_lower_parameter(item) for item in sorted(pipeline.parameters, key=lambda p: not p.required)),
        tasks=tuple(
            _lower_step(
                step, pipeline, identifiers, variables, parts, option_by_step.get(step.name, PrefectStepOptions())
            )
            for step in ordered
        ),
        schedule=_lower_schedule(pipeline),
        image="" if Feature.IMAGE in waived else _image(pipeline),
        tags=pipeline.tags,
        threads=threads,
        at_once=at_once if at_once < threads else None,
        options=options,
    )


def _lower_parameter(parameter: ParameterSpec) -> FormField:
    """The form field, whose default Prefect can only take as it is."""
    found = form_field(parameter)
    return found if found.default is NO_DEFAULT else replace(found, default=_shielded(found.default))


def _shielded(value: Any) -> Any:
    """The value, objects with keys that Prefect reads written as tagged pairs, which lead back to the same value."""
    if isinstance(value, list):
        return [_shielded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if READ_BY_PREFECT.intersection(value):
        return {TAG: "dict", "value": [[key, _shielded(value[key])] for key in sorted(value)]}
    return {key: _shielded(item) for key, item in value.items()}


def _order_for_submission(pipeline: PipelineSpec) -> tuple[StepSpec, ...]:
    """The steps in a topological order in which as much as possible comes before a map.

    How many elements a map has is known when its list is there: the flow waits for it, and what does not depend on the
    map is submitted before.
    """
    maps_before: dict[str, int] = {}
    number_of = {step.name: number for number, step in enumerate(pipeline.steps, start=1) if step.kind == "expander"}
    for step in pipeline.steps:  # in topological order
        before = max((maps_before[name] for name in waits_of(step)), default=0)
        maps_before[step.name] = max(before, number_of[step.map.expander]) if step.map else before
    return tuple(sorted(pipeline.steps, key=lambda step: maps_before[step.name]))


def _parts_variables(steps: Iterable[StepSpec], taken: Iterable[str]) -> dict[str, tuple[str, str]]:
    """For each expander the variable that holds the numbers of its tasks, and the step that is submitted first."""
    names = set(taken)
    found: dict[str, tuple[str, str]] = {}
    for step in steps:
        if step.map and step.map.expander not in found:
            variable = free_identifier(f"{step.map.expander.removeprefix('expand_')}_parts", names)
            names.add(variable)
            found[step.map.expander] = variable, step.name
    return found


def _lower_step(
    step: StepSpec,
    pipeline: PipelineSpec,
    identifiers: Mapping[str, str],
    variables: Mapping[str, str],
    parts: Mapping[str, tuple[str, str]],
    options: PrefectStepOptions,
) -> PrefectTask:
    step_by_name = pipeline.step_by_name
    expander = step.map.expander if step.map else ""
    before = (*read_steps(step), *step.after)
    mapped = {name: other for name in before if (other := step_by_name[name].map)}
    chains = tuple(
        name for name in read_steps(step) if (other := step_by_name[name].map) and other.expander == expander
    )
    handed = tuple(name for name in read_steps(step) if name not in mapped and name != expander)
    waits = [name for name in before if name not in (*handed, *chains, expander)]
    # Of a map that did not begin there is no future to wait for but that of its expander.
    begun = [mapped[name].expander for name in waits if name in mapped]
    # The parts of a map that lies in a branch are known only when the branch is taken.
    gate = [step.when.gate] if step.when and not step.map else []
    return PrefectTask(
        step=step.name,
        identifier=identifiers[step.name],
        refs=variables[step.name],
        upstream=handed,
        waits=tuple(dict.fromkeys((*gate, *begun, *waits))),
        retries=step.retry.times if step.retry else 0,
        delays=_delays(step.retry),
        tags=tuple(sorted({*step.tags, *options.tags})),
        condition=_condition(step, step_by_name),
        fan_out=_lower_map(step, parts, chains),
    )


def _lower_map(step: StepSpec, parts: Mapping[str, tuple[str, str]], chains: tuple[str, ...]) -> PrefectMap | None:
    if step.map is None:
        return None
    variable, first = parts[step.map.expander]
    return PrefectMap(step.map.expander, variable, step.map.chunk, step.map.max_parallel, first == step.name, chains)


def _condition(step: StepSpec, step_by_name: Mapping[str, StepSpec]) -> str:
    """`Runs if `when` answers yes: score > 0.9.`"""
    if step.when is None:
        return ""
    gate = step_by_name[step.when.gate]
    asked = condition_text(gate.condition) if gate.condition else ""
    return f"Runs if `{gate.name}` answers {'yes' if step.when.taken else 'no'}: {asked}"


def _image(pipeline: PipelineSpec) -> str:
    """The one image that all steps agree on; "" where none asks for one."""
    return next((step.environment.image for step in pipeline.steps if step.environment and step.environment.image), "")


def _delays(retry: RetrySpec | None) -> float | tuple[float, ...]:
    """Delays are lower bounds, and Prefect adds no jitter unless it is asked to."""
    if retry is None or retry.backoff == 1 or retry.delay_seconds == 0:
        return retry.delay_seconds if retry else 0.0
    return tuple(round(retry.delay_seconds * retry.backoff**number, 3) for number in range(retry.times))


def _lower_schedule(pipeline: PipelineSpec) -> PrefectSchedule | None:
    schedule = pipeline.schedule
    if schedule is None:
        return None
    collisions: dict[str, Collision | None] = {"queue": "ENQUEUE", "skip": "CANCEL_NEW", "allow": None}
    return PrefectSchedule(schedule.cron, schedule.timezone, collisions[schedule.overlap])


# -- what a value may be ----------------------------------------------------------------------------------------


def _refuse_parameter_names(pipeline: PipelineSpec) -> None:
    problems = [
        Diagnostic(
            NameCollisionError.code,
            f"a pipeline's parameter cannot be called {parameter.name!r} here",
            pipeline.source or f"pipeline {pipeline.name!r}",
            why="Prefect keeps this name for itself in the call of a flow",
            hint="give the parameter another name",
        )
        for parameter in pipeline.parameters
        if parameter.name in RESERVED_PARAMETERS or parameter.name.startswith("_")
    ]
    if problems:
        raise NameCollisionError(diagnostics=problems)


def _find_beyond_limits(pipeline: PipelineSpec, waived: tuple[Feature, ...]) -> Iterator[Diagnostic]:
    """Uses of a feature that Prefect has, with a value that it does not take."""
    if pipeline.schedule:
        required = [parameter.name for parameter in pipeline.parameters if parameter.required]
        if required:
            why = f"a scheduled run can only use defaults; without one: {', '.join(required)}"
            yield _beyond(Feature.SCHEDULE, pipeline, None, why, "give each parameter a default")
        if pipeline.schedule.start:
            why = "a Prefect schedule has no start: it runs from when it is deployed"
            yield _beyond(Feature.SCHEDULE, pipeline, None, why, "leave out Schedule(start=...)")
    user_steps = [step for step in pipeline.steps if step.kind == "step"]
    images = {step.environment.image if step.environment else None for step in user_steps}
    if len(images) > 1 and Feature.IMAGE not in waived:
        why = "Prefect runs a flow in one image, and the steps ask for several, or some for none"
        hint = "give the pipeline one image: @pipeline(environment=Environment(image=…))"
        yield _beyond(Feature.IMAGE, pipeline, None, why, hint)
    for step in pipeline.steps:
        delays = _delays(step.retry)
        if isinstance(delays, tuple) and len(delays) > MOST_DELAYS:
            why = f"Prefect takes at most {MOST_DELAYS} delays, the step asks for {len(delays)}"
            yield _beyond(Feature.RETRY_BACKOFF, pipeline, step, why, "retry fewer times, or with backoff=1")


def _beyond(feature: Feature, pipeline: PipelineSpec, step: StepSpec | None, why: str, hint: str) -> Diagnostic:
    place = f"step {step.name!r} of pipeline {pipeline.name!r}" if step else f"pipeline {pipeline.name!r}"
    source = (step.source if step else pipeline.source) or ""
    return Diagnostic(
        UnsupportedFeatureError.code,
        f"adapter 'prefect' cannot express this {feature.value}",
        f"{source}, {place}" if source else place,
        why=why,
        hint=hint,
        context={"adapter": "prefect", "feature": feature.value, "step": step.name if step else None},
    )


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
