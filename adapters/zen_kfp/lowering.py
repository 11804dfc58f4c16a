"""From the IR to a KFP pipeline as data. Every decision of this adapter is made here; emission only writes it down."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from zen_core.adapter.features import Feature
from zen_core.adapter.form import NO_DEFAULT, form_field
from zen_core.adapter.options import step_options
from zen_core.codegen.names import free_identifier, target_identifiers
from zen_core.contract.conditions import condition_text
from zen_core.ir.graph import read_steps, waits_of
from zen_core.ir.specs import ParameterSpec, PipelineSpec, ResourceSpec, RetrySpec, StepSpec
from zen_kfp.grouping import Branch, Group, Loop, group_steps
from zen_kfp.limits import refuse_beyond_limits
from zen_kfp.options import DEFAULT_IMAGE, KfpOptions, KfpStepOptions
from zen_kfp.values import to_text

RESERVED = frozenset(
    {"dsl", "kubernetes", "compiler", "hashlib", "Path", "container", "configured", "self"}
    | {"IMAGE", "IR", "MANIFEST", "A_YEAR"}
)
"""Names that the emitted file uses itself."""

Command = Literal["run-step", "ask", "expand", "run-part"]
_COMMANDS: dict[str, Command] = {"step": "run-step", "gate": "ask", "expander": "expand"}


@dataclass(frozen=True)
class KfpRetry:
    """`set_retry`. Whole seconds: KFP takes no others, and a delay is a lower bound."""

    times: int
    delay_seconds: int
    factor: float


@dataclass(frozen=True)
class KfpResources:
    """Quantities as Kubernetes writes them; "" where nothing is asked for."""

    cpu: str = ""
    memory: str = ""
    gpu: int = 0


@dataclass(frozen=True)
class KfpTask:
    """One task.

    Attributes:
        step: the step's name in the IR.
        identifier: the component function's name in the file.
        variable: what holds the task in a pipeline function.
        command: what the container does.
        handed: the steps whose refs it is handed: those that it reads and that are tasks of the same or the outer
            pipeline function. What others made, it finds in the lineage store.
        after: the variables of what it waits for besides, within its pipeline function.
        description: what a gate asks, and when the step runs, where that is not always.
        image: where it is not that of all steps.
    """

    step: str
    identifier: str
    variable: str
    command: Command
    handed: tuple[str, ...]
    after: tuple[str, ...]
    description: str = ""
    image: str = ""
    retry: KfpRetry | None = None
    resources: KfpResources = KfpResources()
    node_selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KfpGroup:
    """A pipeline within the pipeline: a condition, a loop, or a loop under a condition.

    KFP lets no task wait for one within a condition, but it may wait for a pipeline that holds the condition.

    Attributes:
        identifier: the function's name; the name in KFP follows from it.
        gate: the gate's step, "" for no condition; it must answer `taken`.
        expander: what says which parts the loop has; "" for no loop.
        handed: the steps outside whose refs are handed in.
        after: the variables of what the group waits for besides.
    """

    identifier: str
    variable: str
    gate: str
    taken: bool
    expander: str
    max_parallel: int | None
    tasks: tuple[KfpTask, ...]
    handed: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class KfpNames:
    """Names of Zen's own in the emitted functions, chosen so that they hide nothing."""

    run: str
    refs: str
    taken: str
    parts: str
    part: str
    given: str
    end: str


@dataclass(frozen=True)
class KfpPipeline:
    """The pipeline.

    Attributes:
        name: as KFP shows it: lower-case letters, digits and dashes.
        parameters: for each its default as text; None for a required one.
        items: tasks and groups in order.
        end: image and resources of the closing task, where hooks ask for some.
    """

    pipeline: str
    name: str
    identifier: str
    description: str
    parameters: Mapping[str, str | None]
    names: KfpNames
    items: tuple[KfpTask | KfpGroup, ...]
    end_image: str
    end_resources: KfpResources
    image: str
    options: KfpOptions

    @property
    def tasks(self) -> tuple[KfpTask, ...]:
        """All tasks, those of groups among them."""
        return tuple(task for item in self.items for task in (item.tasks if isinstance(item, KfpGroup) else (item,)))


def lower_pipeline(pipeline: PipelineSpec, options: KfpOptions, *, waived: tuple[Feature, ...] = ()) -> KfpPipeline:
    """The KFP pipeline for a pipeline whose features have been checked.

    Raises:
        ConfigError: options for a step that the pipeline does not have.
        NameCollisionError: a parameter has a name that KFP keeps, or two steps become one identifier.
        UnsupportedFeatureError: a value beyond what KFP takes; all of them.
    """
    names = [step.name for step in pipeline.steps]
    option_by_step = step_options(options.steps, names, adapter="kfp", pipeline=pipeline.name)
    refuse_beyond_limits(pipeline, options, waived)
    # Python wants parameters without a default first.
    declared = sorted(pipeline.parameters, key=lambda parameter: not parameter.required)
    lowering = _Lowering(pipeline, options, waived, option_by_step)
    hooks = pipeline.hooks
    return KfpPipeline(
        pipeline=pipeline.name,
        name=kfp_name(pipeline.name),
        identifier=lowering.pipeline_identifier,
        description=_description(pipeline),
        parameters={parameter.name: default_text(parameter) for parameter in declared},
        names=lowering.names,
        items=lowering.items(),
        end_image=next((image for hook in hooks if (image := lowering.image_of(hook))), ""),
        end_resources=_resources([hook.resources for hook in hooks if hook.resources], waived),
        image=options.image or DEFAULT_IMAGE,
        options=options,
    )


def default_text(parameter: ParameterSpec) -> str | None:
    """A parameter's default as KFP's form shows it, in JSON; None where a run must give the parameter."""
    default = form_field(parameter).default
    return None if default is NO_DEFAULT else to_text(default)


def kfp_name(name: str) -> str:
    """The name in KFP, which wants a DNS label: dashes for underscores."""
    return re.sub("_+", "-", name).strip("-")


def _description(pipeline: PipelineSpec) -> str:
    """What KFP shows; tags stand in it, since KFP has none that are not pairs."""
    tags = [f"Tags: {json.dumps(list(pipeline.tags))}"] if pipeline.tags else []
    text = "\n\n".join([*([pipeline.summary] if pipeline.summary else []), *tags])
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Lowering:
    """Chooses names, and says who waits for whom."""

    def __init__(
        self,
        pipeline: PipelineSpec,
        options: KfpOptions,
        waived: tuple[Feature, ...],
        option_by_step: Mapping[str, KfpStepOptions],
    ) -> None:
        self._options = options
        self._waived = waived
        self._option_by_step = option_by_step
        self._steps = pipeline.step_by_name
        self._grouped = group_steps(pipeline.steps)
        # In a pipeline function, a parameter would hide a component of the same name.
        taken = {*RESERVED, *(parameter.name for parameter in pipeline.parameters)}
        own = {}
        for name in ("run", "refs", "taken", "parts", "part", "given"):
            own[name] = free_identifier(name, taken)
            taken.add(own[name])
        self._identifiers = target_identifiers(list(self._steps), reserved=frozenset(taken))
        taken.update(self._identifiers.values())
        self._taken = taken
        self.names = KfpNames(**own, end=self._claim("zen_end"))
        self.pipeline_identifier = self._claim(pipeline.name)
        self._group_names = {
            group.steps[0].name: self._claim(_group_name(group)) for group in self._grouped if isinstance(group, Group)
        }
        self._variables = {name: self._claim(f"{item.rstrip('_')}_task") for name, item in self._identifiers.items()}
        self._variable_of: dict[str, str] = {}
        self._group_of: dict[str, Group] = {}
        for item in self._grouped:
            if isinstance(item, Group):
                variable = self._claim(f"{self._group_names[item.steps[0].name]}_task")
                for step in item.steps:
                    self._group_of[step.name], self._variable_of[step.name] = item, variable
            else:
                self._variable_of[item.name] = self._variables[item.name]

    def items(self) -> tuple[KfpTask | KfpGroup, ...]:
        """Tasks and groups in order."""
        return tuple(self._group(item) if isinstance(item, Group) else self._task(item, None) for item in self._grouped)

    def image_of(self, step: StepSpec) -> str:
        """The image that a step asks for, "" where it takes that of all steps."""
        image = step.environment.image if step.environment else None
        return image if image and Feature.IMAGE not in self._waived else ""

    def _claim(self, wanted: str) -> str:
        found = free_identifier(wanted, self._taken)
        self._taken.add(found)
        return found

    def _task(self, step: StepSpec, group: Group | None) -> KfpTask:
        handed = tuple(name for name in read_steps(step) if self._hands_over(name, group))
        waits = [name for name in waits_of(step) if name not in handed]
        if group is not None:  # what lies outside, the group waits for
            waits = [name for name in waits if self._group_of.get(name) is group]
            after = tuple(self._variables[name] for name in waits)
        else:
            after = tuple(dict.fromkeys(self._variable_of[name] for name in waits))
        return KfpTask(
            step=step.name,
            identifier=self._identifiers[step.name],
            variable=self._variables[step.name],
            command="run-part" if step.map else _COMMANDS[step.kind],
            handed=handed,
            after=after,
            description=self._describe(step),
            image=self.image_of(step),
            retry=_lower_retry(step.retry),
            resources=_resources([step.resources] if step.resources else [], self._waived),
            node_selector=self._node_selector(step),
        )

    def _group(self, group: Group) -> KfpGroup:
        branch = group.kind if isinstance(group.kind, Branch) else group.kind.branch
        loop = group.kind if isinstance(group.kind, Loop) else None
        tasks = tuple(self._task(step, group) for step in group.steps)
        members = {step.name for step in group.steps}
        handed = tuple(dict.fromkeys(name for task in tasks for name in task.handed if name not in members))
        given = {*members, *handed, *([branch.gate] if branch else []), *([loop.expander] if loop else [])}
        waits = dict.fromkeys(name for step in group.steps for name in waits_of(step) if name not in given)
        return KfpGroup(
            identifier=self._group_names[group.steps[0].name],
            variable=self._variable_of[group.steps[0].name],
            gate=branch.gate if branch else "",
            taken=branch.taken if branch else True,
            expander=loop.expander if loop else "",
            max_parallel=loop.max_parallel if loop else None,
            tasks=tasks,
            handed=handed,
            after=tuple(dict.fromkeys(self._variable_of[name] for name in waits)),
        )

    def _hands_over(self, name: str, group: Group | None) -> bool:
        """Whether a task can be handed what this step made: no group hands anything out."""
        step = self._steps[name]
        return step.kind == "step" and not step.map and self._group_of.get(name) in (None, group)

    def _describe(self, step: StepSpec) -> str:
        found = []
        if step.when:
            gate = self._steps[step.when.gate]
            asked = condition_text(gate.condition) if gate.condition else ""
            found.append(f"Runs if `{gate.name}` answers {'yes' if step.when.taken else 'no'}: {asked}.")
        if step.condition:
            found.append(f"Asks: {condition_text(step.condition)}.")
        return " ".join(found)

    def _node_selector(self, step: StepSpec) -> dict[str, str]:
        options = self._option_by_step.get(step.name, KfpStepOptions())
        gpu_type = step.resources.gpu_type if step.resources and Feature.GPU not in self._waived else None
        label = self._options.gpu_type_label
        return {**options.node_selector, **({label: gpu_type} if label and gpu_type else {})}


def _group_name(group: Group) -> str:
    return f"{'map' if isinstance(group.kind, Loop) else 'branch'}_{group.steps[0].name}"


def _lower_retry(retry: RetrySpec | None) -> KfpRetry | None:
    return KfpRetry(retry.times, math.ceil(retry.delay_seconds), retry.backoff) if retry else None


def _resources(asked: Sequence[ResourceSpec], waived: Container[Feature]) -> KfpResources:
    """What is enough for each of these."""
    cpu = max((item.cpu or 0 for item in asked), default=0)
    memory = max((item.memory_bytes or 0 for item in asked), default=0)
    gpu = max((item.gpu or 0 for item in asked), default=0)
    if Feature.RESOURCES in waived:
        cpu = memory = 0
    return KfpResources(
        cpu=_cpu_quantity(cpu) if cpu else "",
        memory=_memory_quantity(memory) if memory else "",
        gpu=0 if Feature.GPU in waived else gpu,
    )


def _cpu_quantity(cores: float) -> str:
    return str(int(cores)) if cores == int(cores) else f"{math.ceil(cores * 1000)}m"


def _memory_quantity(size: int) -> str:
    for unit, factor in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
