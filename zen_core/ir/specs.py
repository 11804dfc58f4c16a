"""The IR's models. Frozen, closed (an unknown field is an error), and validated on construction.

A field that is None is left out of the JSON, so that fields which later versions add do not change the digest of a
pipeline that does not use them. `description` and `source` never count in the digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from zen_core.contract.bindings import (
    ConstantBinding,
    DictBinding,
    EitherBinding,
    ElementBinding,
    ExternalBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
    SecretBinding,
)
from zen_core.contract.canonical import canonical_json, digest_json
from zen_core.contract.conditions import AndTerm, CompareTerm, InputTerm, NotTerm, OrTerm

IR_VERSION: Literal[1] = 1
_NOT_IN_DIGEST = ("description", "source")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
"""A pipeline's or a step's name."""
PortName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
"""A parameter's, an input's or an output's name: a Python identifier."""
EntryPoint = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$", max_length=255)
]
"""`module:qualname`, from the import root."""
AnyBinding = Annotated[
    ParameterBinding
    | ConstantBinding
    | OutputBinding
    | ListBinding
    | DictBinding
    | ElementBinding
    | EitherBinding
    | ExternalBinding
    | SecretBinding,
    Field(discriminator="kind"),
]
AnyCondition = Annotated[InputTerm | CompareTerm | AndTerm | OrTerm | NotTerm, Field(discriminator="kind")]
StepKind = Literal["step", "gate", "expander", "hook"]
"""What runs: the user's function; or, made by Zen, a condition or the start of a map; or the user's hook."""
TAKEN = "taken"
"""The one output of a gate: a bool."""
COUNT = "count"
"""The output of an expander that says how many elements there are; the others are its collections."""


class Spec(BaseModel):
    """What all IR models share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RetrySpec(Spec):
    """Further attempts after a failure."""

    times: int = Field(ge=1, le=100)
    """How many further attempts."""
    delay_seconds: float = Field(default=0.0, ge=0, le=86_400)
    """The least time before the first further attempt."""
    backoff: float = Field(default=1.0, ge=1, le=10)
    """The factor by which the delay grows with each attempt."""


class ResourceSpec(Spec):
    """What a step needs of a machine."""

    cpu: float | None = Field(default=None, gt=0)
    """Cores."""
    memory_bytes: int | None = Field(default=None, gt=0)
    gpu: int | None = Field(default=None, ge=1)
    """Number of GPUs."""
    gpu_type: str | None = None


class CacheSpec(Spec):
    """When the result of a step is reused."""

    enabled: bool
    ttl_seconds: float | None = Field(default=None, gt=0)
    """After this time an entry is no hit any more."""
    wait_seconds: float = Field(default=900.0, ge=0)
    """How long to wait for another worker that does the same work, before doing it too."""
    files: tuple[str, ...] = ()
    """Files, relative to the data root, that the step reads without having them as inputs."""
    env: tuple[str, ...] = ()
    """Environment variables that the step reads."""
    salt: str = ""
    """The user's own part of the key; another value is a miss."""
    packages: Literal["all", "none"] | None = None
    """Which installed packages are in the key; None: those that the code imports."""


class ScheduleSpec(Spec):
    """When an orchestrator starts the pipeline by itself."""

    cron: str
    timezone: str = "UTC"
    """An IANA zone."""
    overlap: Literal["queue", "skip", "allow"] = "queue"
    """What happens with a tick while an earlier run is going on."""
    catch_up: bool = False
    """Whether ticks that were missed are run afterwards."""
    start: str | None = None
    """The first day that counts (ISO date), where ticks are caught up."""


class ParameterSpec(Spec):
    """A parameter of the pipeline."""

    name: PortName
    type: str
    required: bool = False
    default: Any = None
    """In the JSON form of `contract.values`."""
    scheduled_time: bool = False
    """Whether its default is the tick that the run stands for."""


class InputSpec(Spec):
    """One input of a step."""

    name: PortName
    type: str
    binding: AnyBinding


class OutputSpec(Spec):
    """One output of a step."""

    name: PortName
    type: str


class BranchSpec(Spec):
    """The branch that a step lies in: it runs when the gate's answer is `taken`."""

    gate: Name
    taken: bool


class MapSpec(Spec):
    """That a step runs once for each element of a collection. Steps with one expander form one map: element by element.

    A native task runs `chunk` elements, each a step run of its own.
    """

    expander: Name
    chunk: int = Field(default=1, ge=1)
    max_parallel: int | None = Field(default=None, ge=1)
    """How many native tasks of this step may run at the same time."""


class EnvironmentSpec(Spec):
    """What a step needs around its code."""

    python: str | None = None
    """A version specifier such as ">=3.11,<3.13"."""
    requirements: tuple[str, ...] = ()
    """Requirements in the form of PEP 508, sorted; checked in the task before the step starts."""
    image: str | None = None
    """The container image that the task runs in."""


class StepSpec(Spec):
    """One step: which function, what goes in and comes out, and how it is to be run."""

    name: Name
    kind: StepKind = "step"
    entry_point: EntryPoint | None = None
    """The user's function; None for a gate and an expander, which are Zen's own code."""
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    after: tuple[Name, ...] = ()
    """Steps that must be done before, besides those whose outputs are read; sorted."""
    when: BranchSpec | None = None
    """The innermost branch that the step lies in; an outer one holds through the gate's own."""
    condition: AnyCondition | None = None
    """Of a gate: what it asks, over its inputs by name."""
    map: MapSpec | None = None
    on: Literal["failure", "success"] | None = None
    """Of a hook: how the run must have ended."""
    retry: RetrySpec | None = None
    timeout_seconds: float | None = Field(default=None, gt=0)
    """Per attempt."""
    resources: ResourceSpec | None = None
    environment: EnvironmentSpec | None = None
    cache: CacheSpec
    tags: tuple[str, ...] = ()
    description: str | None = None
    source: str | None = None
    """`path:line` below the project's root, for messages."""


class PipelineSpec(Spec):
    """A pipeline."""

    ir_version: Literal[1] = IR_VERSION
    name: Name
    parameters: tuple[ParameterSpec, ...] = ()
    steps: tuple[StepSpec, ...]
    """In a topological order that is the same for the same pipeline."""
    hooks: tuple[StepSpec, ...] = ()
    """Steps of kind `hook`: run after all others, and never part of what the run's status says."""
    schedule: ScheduleSpec | None = None
    max_parallel: int | None = Field(default=None, ge=1)
    """How many steps of one run may run at the same time."""
    tags: tuple[str, ...] = ()
    description: str | None = None
    source: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The IR document; fields that are None are left out."""
        document: dict[str, Any] = _without_none(self.model_dump(mode="python"))
        return json.loads(canonical_json(document))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read an IR document of this version (older ones: `ir.upgrade`)."""
        return cls.model_validate_json(json.dumps(document))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields, whose digest is its own."""
        copied = super().model_copy(update=dict(update or {}), deep=deep)
        copied.__dict__.pop("digest", None)
        return copied

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical document, descriptions and source places left out."""
        return digest_json("ir", _without_comments(self.to_json()))

    @property
    def summary(self) -> str:
        """The description's first line, or ""."""
        lines = (self.description or "").strip().splitlines()
        return lines[0].strip() if lines else ""

    @property
    def step_by_name(self) -> dict[str, StepSpec]:
        """The steps by name."""
        return {step.name: step for step in self.steps}


def _without_none(value: Any, *, inside_value: bool = False) -> Any:
    """Drop fields that are None; what lies within a user's own value (`value`, `default`) stays as it is."""
    if inside_value:
        return value
    if isinstance(value, dict):
        return {
            key: _without_none(item, inside_value=key in ("value", "default"))
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return value


def _without_comments(document: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in document.items() if key not in _NOT_IN_DIGEST}
    for part in ("steps", "hooks"):
        kept[part] = [{key: value for key, value in step.items() if key not in _NOT_IN_DIGEST} for step in kept[part]]
    return kept
