"""A function's signature as typed ports: what a step takes and gives, and the parameters of a pipeline."""

from __future__ import annotations

import datetime
import inspect
import keyword
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from zen_core.authoring.annotations import (
    NOT_ANNOTATED,
    accepts_anything,
    resolve_annotations,
    type_text,
    without_metadata,
)
from zen_core.authoring.assignability import value_fits
from zen_core.authoring.code_location import place_of_function
from zen_core.authoring.parameters import ScheduledTimeDefault
from zen_core.authoring.problems import invalid_outputs, invalid_port_name, unsupported_signature
from zen_core.contract.files import File
from zen_core.diagnostics import Diagnostic

REQUIRED: Any = inspect.Parameter.empty
"""Stands for "this port has no default", since None is one."""
_PORT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_RESERVED_OUTPUTS = frozenset({"after"})
"""What a step's result understands already."""


@dataclass(frozen=True, slots=True)
class Port:
    """One parameter or output: its name, its resolved annotation, and the annotation's canonical text."""

    name: str
    annotation: Any
    type: str
    default: Any = REQUIRED
    keyword_only: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives. With `problems`, the ports are those that could be read."""

    place: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    problems: tuple[Diagnostic, ...] = ()

    @property
    def positional(self) -> list[str]:
        """The names of the parameters that may be given by position, in order."""
        return [port.name for port in self.inputs if not port.keyword_only]


def read_step_signature(function: Callable[..., Any], name: str, roots: Sequence[Path]) -> Signature:
    """The signature of a step's function; `name` is the step's, for messages."""
    place = place_of_function(function, roots[0])
    problems: list[Diagnostic] = []
    what = f"step {name!r}"
    inputs = _read_inputs(function, what, place, roots, problems)
    problems.extend(_find_wrong_kind(function, what, place))
    outputs = _read_outputs(function, name, place, roots, problems)
    return Signature(place, inputs, outputs, tuple(problems))


def read_pipeline_signature(function: Callable[..., Any], name: str, roots: Sequence[Path]) -> Signature:
    """The signature of a pipeline's function: its parameters, and no outputs."""
    place = place_of_function(function, roots[0])
    problems: list[Diagnostic] = []
    what = f"pipeline {name!r}"
    inputs = tuple(_meant(port, roots) for port in _read_inputs(function, what, place, roots, problems))
    problems.extend(_find_wrong_kind(function, what, place))
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        problems.append(unsupported_signature(place, f"{what} is an async function", "define it with `def`"))
    return Signature(place, inputs, (), tuple(problems))


def _meant(port: Port, roots: Sequence[Path]) -> Port:
    """A pipeline's parameter, with the type that its default says where its annotation does not."""
    for kind, annotation in ((ScheduledTimeDefault, datetime.datetime), (File, File)):
        if isinstance(port.default, kind) and accepts_anything(port.annotation):
            return replace(port, annotation=annotation, type=type_text(annotation, roots))
    return port


def _read_inputs(
    function: Callable[..., Any], what: str, place: str, roots: Sequence[Path], problems: list[Diagnostic]
) -> tuple[Port, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        problems.append(
            unsupported_signature(place, f"{what} has no signature that Python can tell", "define it with `def`")
        )
        return ()
    annotations = resolve_annotations(function)
    ports: list[Port] = []
    for parameter in parameters:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            stars, kind = ("*", "list") if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ("**", "dict")
            spelling = f"{what} takes {stars}{parameter.name}"
            hint = f"take one parameter that is a {kind}, and pass it a {kind}"
            problems.append(unsupported_signature(place, spelling, hint))
        elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            spelling = f"{what} takes {parameter.name!r} by position only"
            problems.append(unsupported_signature(place, spelling, "take the `/` out of the signature"))
        elif not _PORT_NAME.fullmatch(parameter.name):
            problems.append(invalid_port_name(place, "parameter", parameter.name))
        else:
            annotation = annotations.get(parameter.name, NOT_ANNOTATED)
            if parameter.default is None and not value_fits(None, annotation):
                annotation = Optional[annotation]  # noqa: UP045 - it may be any object, which `|` may refuse
            ports.append(
                Port(
                    parameter.name,
                    annotation,
                    type_text(annotation, roots),
                    parameter.default,
                    parameter.kind is inspect.Parameter.KEYWORD_ONLY,
                )
            )
    return tuple(ports)


def _find_wrong_kind(function: Callable[..., Any], what: str, place: str) -> Iterator[Diagnostic]:
    plain = inspect.unwrap(function)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        yield unsupported_signature(place, f"{what} is a generator", "return a list instead of yielding its items")


def _read_outputs(
    function: Callable[..., Any], step: str, place: str, roots: Sequence[Path], problems: list[Diagnostic]
) -> tuple[Port, ...]:
    annotation = resolve_annotations(function).get("return", NOT_ANNOTATED)
    if annotation in (None, type(None)):
        return ()
    declared = [(_output_name(annotation), annotation)]
    if declared[0][0] is None and typing.get_origin(annotation) is tuple:
        items = typing.get_args(annotation)
        names = [_output_name(item) for item in items]
        if any(names):
            declared = list(zip(names, items, strict=True))
    ports: list[Port] = []
    for name, item in declared:
        if name is None and len(declared) > 1:
            problems.append(
                invalid_outputs(
                    place, step, "are named in part", 'name each of them: tuple[Annotated[A, "a"], Annotated[B, "b"]]'
                )
            )
            return ()
        ports.append(Port(name or "result", without_metadata(item), type_text(item, roots)))
    problems.extend(_find_wrong_names(ports, step, place))
    return tuple(ports)


def _output_name(annotation: Any) -> str | None:
    """The name that `Annotated[T, "name"]` gives an output."""
    texts = [item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, str)]
    return texts[0] if texts else None


def _find_wrong_names(ports: Sequence[Port], step: str, place: str) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for port in ports:
        if not _PORT_NAME.fullmatch(port.name) or keyword.iskeyword(port.name):
            yield invalid_port_name(place, "output", port.name)
        elif port.name in _RESERVED_OUTPUTS:
            yield invalid_port_name(place, "output", port.name, why=f"a step's result has a method `{port.name}`")
        elif port.name in seen:
            yield invalid_outputs(place, step, f"have the name {port.name!r} twice", "give each a name of its own")
        seen.add(port.name)
