"""Where an input of a step comes from. Read by the IR (as its field types) and by the shim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

CLOSED = {"extra": "forbid"}
"""Read by pydantic where the IR uses these classes as field types; the classes themselves need no pydantic."""


@dataclass(frozen=True, slots=True)
class ParameterBinding:
    """The value of a pipeline parameter."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    parameter: str
    kind: Literal["parameter"] = "parameter"


@dataclass(frozen=True, slots=True)
class ConstantBinding:
    """A value written in the pipeline's body, in the JSON form of `contract.values`."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    value: Any = None
    kind: Literal["constant"] = "constant"


@dataclass(frozen=True, slots=True)
class OutputBinding:
    """An output of another step."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    step: str
    output: str
    kind: Literal["output"] = "output"


@dataclass(frozen=True, slots=True)
class ListBinding:
    """A list, or with `as_tuple` a tuple, of bindings, in order."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    items: tuple[Binding, ...] = ()
    as_tuple: bool = False
    kind: Literal["list"] = "list"


@dataclass(frozen=True, slots=True)
class DictBinding:
    """A dict with text keys of bindings."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    items: dict[str, Binding] = field(default_factory=dict)
    kind: Literal["dict"] = "dict"


@dataclass(frozen=True, slots=True)
class ElementBinding:
    """In a step of a map: the element, at the step's own index, of a collection.

    The collection is an output of the map's expander, or of an earlier step of the same map.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    step: str
    output: str
    kind: Literal["element"] = "element"


@dataclass(frozen=True, slots=True)
class EitherBinding:
    """The first of these outputs whose step was not skipped."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    options: tuple[OutputBinding, ...] = ()
    kind: Literal["either"] = "either"


@dataclass(frozen=True, slots=True)
class ExternalBinding:
    """An artifact that another run made: `model`, `PIPELINE/model` or `PROJECT/PIPELINE/model`.

    Without a version it is the latest one, resolved once per run.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    artifact: str
    version: int | None = None
    kind: Literal["external"] = "external"


@dataclass(frozen=True, slots=True)
class SecretBinding:
    """The value of an environment variable of the task, read when the step executes; the key holds its name alone."""

    __pydantic_config__: ClassVar[dict[str, str]] = CLOSED
    secret: str
    kind: Literal["secret"] = "secret"


Binding = (
    ParameterBinding
    | ConstantBinding
    | OutputBinding
    | ListBinding
    | DictBinding
    | ElementBinding
    | EitherBinding
    | ExternalBinding
    | SecretBinding
)

_KIND_BY_NAME: dict[str, Any] = {
    "parameter": ParameterBinding,
    "constant": ConstantBinding,
    "output": OutputBinding,
    "element": ElementBinding,
    "external": ExternalBinding,
    "secret": SecretBinding,
}


def binding_from_json(document: dict[str, Any]) -> Binding:
    """Read a binding from the manifest. Raises KeyError or TypeError for what is none."""
    kind = document["kind"]
    if kind == "list":
        items = tuple(binding_from_json(item) for item in document.get("items", ()))
        return ListBinding(items, document.get("as_tuple", False))
    if kind == "dict":
        return DictBinding({key: binding_from_json(item) for key, item in document.get("items", {}).items()})
    if kind == "either":
        return EitherBinding(tuple(OutputBinding(**option) for option in document["options"]))
    binding: Binding = _KIND_BY_NAME[kind](**document)
    return binding


def iter_leaves(binding: Binding, path: str = "") -> Iterator[tuple[str, Binding]]:
    """The bindings within that hold no others by position, each with its path such as `[0]` or `['a']`."""
    if isinstance(binding, ListBinding):
        for index, item in enumerate(binding.items):
            yield from iter_leaves(item, f"{path}[{index}]")
    elif isinstance(binding, DictBinding):
        for key, item in binding.items.items():
            yield from iter_leaves(item, f"{path}[{key!r}]")
    else:
        yield path, binding


def iter_outputs(binding: Binding) -> Iterator[OutputBinding]:
    """The step outputs that a binding reads: whole, as elements, or as what `either` chooses from."""
    for _, leaf in iter_leaves(binding):
        if isinstance(leaf, OutputBinding):
            yield leaf
        elif isinstance(leaf, ElementBinding):
            yield OutputBinding(leaf.step, leaf.output)
        elif isinstance(leaf, EitherBinding):
            yield from leaf.options


def upstream_steps(step: Mapping[str, Any]) -> frozenset[str]:
    """The steps that a step of an IR document waits for.

    Those whose outputs it reads, those of `after`, the gate of its branch, and the expander of its map.
    """
    bindings = (binding_from_json(item["binding"]) for item in step.get("inputs", ()))
    found = {output.step for binding in bindings for output in iter_outputs(binding)}
    found.update(step.get("after", ()))
    if branch := step.get("when"):
        found.add(branch["gate"])
    if fan_out := step.get("map"):
        found.add(fan_out["expander"])
    return frozenset(found)
