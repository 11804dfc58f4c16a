"""From the IR to a KFP pipeline as data. Every decision of this adapter is made here; emission only writes it down.

KFP knows no order after a task within an If or a loop. So each branch and each loop is a pipeline of its own, which
is called like a task: what comes after it waits for the call. Nothing but order, the answers of conditions and the
numbers of a map's parts passes through KFP: a task finds the refs of what it reads in the lineage store.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zen_core.adapter.features import Feature
from zen_core.adapter.form import NO_DEFAULT, form_field
from zen_core.adapter.options import step_options
from zen_core.codegen.names import free_identifier, refuse_name, target_identifiers
from zen_core.diagnostics import Diagnostic
from zen_core.errors import NameCollisionError, UnsupportedFeatureError
from zen_core.ir.graph import topological_order, waits_of
from zen_core.ir.specs import ParameterSpec, PipelineSpec, ResourceSpec, ScheduleSpec, StepSpec
from zen_kfp.options import KfpOptions, KfpStepOptions

END_TASK = "zen_end"
"""The exit handler's task, which closes the run."""
RESERVED = frozenset(
    {"dsl", "kubernetes", "compiler", "hashlib", "os", "Path", "run", "part", "end"}
    | {"IMAGE", "IR", "MANIFEST", "RUN", "zen_container", "zen_task", END_TASK}
)
"""Names that the emitted file uses itself."""
REFUSED_PARAMETERS = frozenset({"dsl", "kubernetes", "RUN"})
"""Names that a function of the emitted file with this parameter could not reach any more."""
OWN_PARAMETERS = "zen_"
"""How the tasks' own inputs begin, so that no parameter of a pipeline may."""
LONGEST_RETRYING_SECONDS = 7 * 24 * 60 * 60
"""KFP's limit for all attempts together; its default of an hour would end the retries of a long step."""
MOST_AT_ONCE = 10
"""How many runs of a schedule KFP lets overlap at most."""


@dataclass(frozen=True)
class KfpParameter:
    """A parameter of the pipeline: a text that holds JSON. `default` None: a run must give it."""

    name: str
    default: str | None


@dataclass(frozen=True)
class KfpRetry:
    """`set_retry`; KFP counts in whole seconds."""

    times: int
    delay_seconds: int
    factor: float


@dataclass(frozen=True)
class KfpPlacing:
    """What a task asks of a node, and its image where it has one of its own."""

    cpu: str = ""
    memory: str = ""
    gpu: int | None = None
    gpu_resource: str = ""
    node_selector: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class KfpTask:
    """One task.

    Attributes:
        step: the step's name in the IR.
        identifier: the component's name in the file.
        variable: the variable that holds the task.
        after: the variables of the tasks that it waits for.
    """

    step: str
    identifier: str
    variable: str
    after: tuple[str, ...]
    kind: Literal["step", "gate", "expand", "part"] = "step"
    image: str = ""
    retry: KfpRetry | None = None
    placing: KfpPlacing = KfpPlacing()


@dataclass(frozen=True)
class KfpGroup:
    """A branch or a loop: a pipeline of its own, called like a task.

    Attributes:
        decision: the variable of the gate or the expander, whose output says whether or how often it runs.
        taken: of a branch: for which answer.
        parallelism: of a loop: how many parts at a time.
    """

    kind: Literal["branch", "loop"]
    identifier: str
    variable: str
    after: tuple[str, ...]
    decision: str
    entries: tuple[Entry, ...]
    taken: bool = True
    parallelism: int | None = None


Entry = KfpTask | KfpGroup


@dataclass(frozen=True)
class KfpSchedule:
    """A recurring run: six fields, the first the second; always in UTC."""

    cron: str
    max_concurrency: int
    catch_up: bool
    start: str | None


@dataclass(frozen=True)
class KfpPipeline:
    """The pipeline.

    Attributes:
        title: the name that KFP knows it by.
        uses_tick: whether a parameter stands for the time that the run was scheduled at.
    """

    name: str
    title: str
    identifier: str
    description: str
    parameters: tuple[KfpParameter, ...]
    uses_tick: bool
    entries: tuple[Entry, ...]
    schedule: KfpSchedule | None
    options: KfpOptions


def lower_pipeline(pipeline: PipelineSpec, options: KfpOptions, *, waived: tuple[Feature, ...] = ()) -> KfpPipeline:
    """The pipeline, whose features have been checked.

    Raises:
        ConfigError: options for a step that the pipeline does not have.
        NameCollisionError: a name that the emitted file or KFP needs, or two that KFP cannot tell apart.
        UnsupportedFeatureError: a value or an order beyond what KFP takes; all of them.
    """
    by_step = step_options(options.steps, [step.name for step in pipeline.steps], adapter="kfp", pipeline=pipeline.name)
    if problems := [*_find_name_problems(pipeline)]:
        raise NameCollisionError(diagnostics=problems)
    if problems := [*_find_beyond_limits(pipeline, options, waived)]:
        raise UnsupportedFeatureError(diagnostics=problems)
    return KfpPipeline(
        name=pipeline.name,
        title=kfp_name(pipeline.name),
        identifier=free_identifier(pipeline.name, {*RESERVED, *(step.name for step in pipeline.steps)}),
        description=pipeline.summary,
        parameters=tuple(sorted(map(_lower_parameter, pipeline.parameters), key=lambda item: item.default is not None)),
        uses_tick=any(parameter.scheduled_time for parameter in pipeline.parameters),
        entries=_Arranger(pipeline, options, by_step, waived).entries(),
        schedule=_lower_schedule(pipeline.schedule),
        options=options,
    )


def kfp_name(name: str) -> str:
    """What KFP makes of a name: letters, digits and single dashes, as Kubernetes has them."""
    return re.sub("-+", "-", name.replace("_", "-")).strip("-")


def default_text(value: object) -> str:
    """The JSON text of a default, without anything that KFP or Argo would take for a template."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    # No JSON outside a text has two braces like these, or two brackets before a letter: it is within one.
    return re.sub(r"\[\[(?=[A-Z])", r"[\\u005b", text.replace("{{", "{\\u007b"))


def _lower_parameter(parameter: ParameterSpec) -> KfpParameter:
    default = form_field(parameter).default
    return KfpParameter(parameter.name, None if default is NO_DEFAULT else default_text(default))


def _lower_schedule(schedule: ScheduleSpec | None) -> KfpSchedule | None:
    if schedule is None:
        return None
    return KfpSchedule(
        cron=f"0 {_plain_weekdays(schedule.cron)}",
        max_concurrency=MOST_AT_ONCE if schedule.overlap == "allow" else 1,
        catch_up=schedule.catch_up,
        start=f"{schedule.start}T00:00:00Z" if schedule.start else None,
    )


def _plain_weekdays(cron: str) -> str:
    """KFP knows Sunday as 0 alone."""
    *fields, weekday = cron.split()
    items = []
    for item in weekday.split(","):
        span, slash, step = item.partition("/")
        low, dash, high = span.partition("-")
        if span == "7":
            items.append(f"0{slash}{step}")
        elif dash and high == "7":
            days = range(int(low) if low.isdigit() else _WEEKDAYS.index(low.lower()), 8, int(step or 1))
            items.append(",".join(str(day % 7) for day in days))
        else:
            items.append(item)
    return " ".join([*fields, ",".join(items)])


_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


# -- the order, and what lies within what -----------------------------------------------------------------------


class _Arranger:
    """Puts steps into branches and loops, each where all that it waits for is there."""

    def __init__(
        self,
        pipeline: PipelineSpec,
        options: KfpOptions,
        by_step: Mapping[str, KfpStepOptions],
        waived: tuple[Feature, ...],
    ) -> None:
        self._pipeline = pipeline
        self._options = options
        self._by_step = by_step
        self._waived = waived
        self._steps = pipeline.step_by_name
        self._paths = _paths(pipeline)
        self._identifiers = _identifiers(pipeline)
        self._kfp_names = {kfp_name(name) for name in (*self._steps, END_TASK)}
        self._taken = {*RESERVED, *self._identifiers.values(), *(item.name for item in pipeline.parameters)}
        self._variables = {name: self._free(f"{name}_task") for name in self._steps}

    def entries(self) -> tuple[Entry, ...]:
        """All of the pipeline."""
        return self._arrange([step.name for step in self._pipeline.steps], 0)

    def _arrange(self, names: Sequence[str], depth: int) -> tuple[Entry, ...]:
        """The entries of one branch, or of the whole: `names` are the steps in it, also those of branches within."""
        owners: dict[str, str] = {}
        found: list[Entry] = []
        pending: dict[str, list[str]] = {}

        def flush(expanders: Iterable[str]) -> None:
            for expander in expanders:
                found.append(self._loop(expander, pending.pop(expander), owners))

        for members in self._units(names, depth):
            first = self._steps[members[0]]
            waits = {other for name in members for other in waits_of(self._steps[name])}
            own = first.map.expander if first.map and len(self._paths[first.name]) == depth else ""
            flush([expander for expander, inside in pending.items() if expander != own and waits.intersection(inside)])
            if own:
                pending.setdefault(own, []).append(first.name)
            elif len(self._paths[first.name]) > depth:
                found.append(self._branch(members, depth, owners))
            else:
                owners[first.name] = self._variables[first.name]
                found.append(self._task(first, self._after(waits, members, owners)))
        flush(list(pending))
        return tuple(found)

    def _units(self, names: Sequence[str], depth: int) -> Iterator[list[str]]:
        """Each branch whole, each other step by itself, in an order in which each comes after all it waits for."""
        unit_by_step = {}
        members: dict[str, list[str]] = {}
        for name in names:
            path = self._paths[name]
            unit_by_step[name] = f"{path[depth][0]}={path[depth][1]}" if len(path) > depth else name
            members.setdefault(unit_by_step[name], []).append(name)
        edges = {
            unit: tuple(
                dict.fromkeys(
                    unit_by_step[other]
                    for name in inside
                    for other in waits_of(self._steps[name])
                    if unit_by_step.get(other, unit) != unit
                )
            )
            for unit, inside in members.items()
        }
        ordered = topological_order(edges)
        if len(ordered) < len(edges):
            raise UnsupportedFeatureError(
                diagnostics=[
                    _beyond(
                        Feature.CONDITION,
                        self._pipeline,
                        self._steps[members[unit][0]],
                        "the branch that it lies in waits for a step outside that waits for the branch, and KFP runs "
                        "a branch as one",
                        "move the step between them into the branch, or leave `.after` out",
                    )
                    for unit in edges
                    if unit not in ordered and len(members[unit]) > 1
                ]
            )
        for unit in ordered:
            yield members[unit]

    def _branch(self, members: Sequence[str], depth: int, owners: dict[str, str]) -> KfpGroup:
        gate, taken = self._paths[members[0]][depth]
        identifier = self._free_name(f"{gate}_{'yes' if taken else 'no'}")
        waits = {other for name in members for other in waits_of(self._steps[name])} - {gate}
        variable = self._free(f"{identifier}_task")
        after = self._after(waits, members, owners)
        owners.update(dict.fromkeys(members, variable))
        entries = self._arrange(members, depth + 1)
        return KfpGroup("branch", identifier, variable, after, self._variables[gate], entries, taken=taken)

    def _loop(self, expander: str, members: Sequence[str], owners: dict[str, str]) -> KfpGroup:
        identifier = self._free_name(f"map_{members[0]}")
        steps = [self._steps[name] for name in members]
        waits = {other for step in steps for other in waits_of(step)} - {expander}
        variable = self._free(f"{identifier}_task")
        after = self._after(waits, members, owners)
        owners.update(dict.fromkeys(members, variable))
        inside: dict[str, str] = {}
        entries = []
        for step in steps:
            entries.append(self._task(step, self._after(waits_of(step), (), inside)))
            inside[step.name] = self._variables[step.name]
        limits = [step.map.max_parallel for step in steps if step.map and step.map.max_parallel]
        parallelism = min(limits) if limits else None
        decision = self._variables[expander]
        return KfpGroup("loop", identifier, variable, after, decision, tuple(entries), parallelism=parallelism)

    def _after(self, waits: Iterable[str], members: Sequence[str], owners: Mapping[str, str]) -> tuple[str, ...]:
        """The variables to wait for. What is not in this branch, the branch as a whole waits for."""
        inside = set(members)
        wanted = {owners[name] for name in waits if name in owners and name not in inside}
        return tuple(variable for variable in dict.fromkeys(owners.values()) if variable in wanted)

    def _task(self, step: StepSpec, after: tuple[str, ...]) -> KfpTask:
        kinds: dict[str, Literal["gate", "expand"]] = {"gate": "gate", "expander": "expand"}
        environment = step.environment
        return KfpTask(
            step=step.name,
            identifier=self._identifiers[step.name],
            variable=self._variables[step.name],
            after=after,
            kind="part" if step.map else kinds.get(step.kind, "step"),
            image=(environment.image or "") if environment and Feature.IMAGE not in self._waived else "",
            retry=_lower_retry(step),
            placing=_lower_placing(step, self._options, self._by_step.get(step.name), self._waived),
        )

    def _free(self, wanted: str) -> str:
        name = free_identifier(wanted, self._taken)
        self._taken.add(name)
        return name

    def _free_name(self, wanted: str) -> str:
        """A name for a pipeline within, that is free in KFP's spelling, too."""
        number, name = 2, wanted
        while kfp_name(name) in self._kfp_names or name in self._taken:
            name = f"{wanted}_{number}"
            number += 1
        self._kfp_names.add(kfp_name(name))
        self._taken.add(name)
        return name


def _paths(pipeline: PipelineSpec) -> dict[str, tuple[tuple[str, bool], ...]]:
    """For each step the gates that it is under, the outermost first."""
    found: dict[str, tuple[tuple[str, bool], ...]] = {}
    for step in pipeline.steps:
        found[step.name] = (*found[step.when.gate], (step.when.gate, step.when.taken)) if step.when else ()
    return found


def _identifiers(pipeline: PipelineSpec) -> dict[str, str]:
    parameters = {parameter.name for parameter in pipeline.parameters}
    for step in pipeline.steps:
        if step.name == END_TASK:
            raise refuse_name(END_TASK, purpose="the task that closes the run has this name", where=step.source or "")
    return target_identifiers((step.name for step in pipeline.steps), reserved=RESERVED | parameters)


# -- what a task has --------------------------------------------------------------------------------------------


def _lower_retry(step: StepSpec) -> KfpRetry | None:
    retry = step.retry
    return KfpRetry(retry.times, math.ceil(retry.delay_seconds), float(retry.backoff)) if retry else None


def _lower_placing(
    step: StepSpec, options: KfpOptions, own: KfpStepOptions | None, waived: tuple[Feature, ...]
) -> KfpPlacing:
    resources = step.resources or ResourceSpec()
    sized, gpu = Feature.RESOURCES not in waived, Feature.GPU not in waived
    selector = dict(own.node_selector) if own else {}
    if options.gpu_type_label and resources.gpu_type and gpu:
        selector[options.gpu_type_label] = resources.gpu_type
    return KfpPlacing(
        cpu=_cpu_quantity(resources.cpu) if resources.cpu is not None and sized else "",
        memory=_memory_quantity(resources.memory_bytes) if resources.memory_bytes is not None and sized else "",
        gpu=resources.gpu if gpu else None,
        gpu_resource=options.gpu_resource if resources.gpu and gpu else "",
        node_selector=tuple(sorted(selector.items())),
    )


def _cpu_quantity(cores: float) -> str:
    return str(int(cores)) if cores == int(cores) else f"{math.ceil(cores * 1000)}m"


def _memory_quantity(size: int) -> str:
    for unit, factor in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


# -- what a name and a value may be -----------------------------------------------------------------------------


def _find_name_problems(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    owner: dict[str, str] = {}
    for step in pipeline.steps:
        name = kfp_name(step.name)
        if name in owner:
            yield Diagnostic(
                NameCollisionError.code,
                f"the steps {owner[name]!r} and {step.name!r} are both {name!r} in KFP",
                where=step.source or "",
                why="Kubernetes knows no underscores, so KFP puts one dash in the place of some",
                hint=f'give one another name: `.with_options(name="{step.name}_step")`',
                context={"steps": [owner[name], step.name], "identifier": name},
            )
        owner.setdefault(name, step.name)
    for parameter in pipeline.parameters:
        if parameter.name.startswith(OWN_PARAMETERS) or parameter.name in REFUSED_PARAMETERS:
            yield Diagnostic(
                NameCollisionError.code,
                f"a parameter cannot be called {parameter.name!r} here",
                where=f"parameter {parameter.name!r} of pipeline {pipeline.name!r}",
                why="the emitted file has this name, or names that begin like it, for itself",
                hint="give the parameter another name",
            )


def _find_beyond_limits(
    pipeline: PipelineSpec, options: KfpOptions, waived: tuple[Feature, ...]
) -> Iterator[Diagnostic]:
    schedule = pipeline.schedule
    required = [parameter.name for parameter in pipeline.parameters if parameter.required]
    if schedule and required:
        why = f"KFP starts no scheduled run whose parameters lack a value; without a default: {', '.join(required)}"
        yield _beyond(Feature.SCHEDULE, pipeline, None, why, "give each parameter a default")
    if schedule and schedule.catch_up and not schedule.start:
        why = "since when KFP is to run the ticks that it missed is not known"
        yield _beyond(Feature.SCHEDULE_CATCH_UP, pipeline, None, why, "say it: Schedule(start=...)")
    for step in pipeline.steps:
        resources = step.resources
        if resources and resources.gpu_type and not options.gpu_type_label and Feature.GPU not in waived:
            why = "which node label holds the GPU type differs between clusters"
            hint = 'name it: [adapters.kfp] gpu_type_label = "cloud.google.com/gke-accelerator"'
            yield _beyond(Feature.GPU, pipeline, step, why, hint)


def _beyond(feature: Feature, pipeline: PipelineSpec, step: StepSpec | None, why: str, hint: str) -> Diagnostic:
    place = f"step {step.name!r} of pipeline {pipeline.name!r}" if step else f"pipeline {pipeline.name!r}"
    source = (step.source if step else pipeline.source) or ""
    return Diagnostic(
        UnsupportedFeatureError.code,
        f"adapter 'kfp' cannot express this {feature.value}",
        f"{source}, {place}" if source else place,
        why=why,
        hint=hint,
        context={"adapter": "kfp", "feature": feature.value, "step": step.name if step else None},
    )
