"""`.map`: a step that runs once for each element, and the step before it that says how many there are."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.authoring import problems
from zen_core.authoring.annotations import OpaqueType, accepts_anything, is_union, type_text, without_metadata
from zen_core.authoring.assignability import is_assignable
from zen_core.authoring.calls import FanOut, StepCall
from zen_core.authoring.handles import Handle, OutputHandle
from zen_core.authoring.signatures import Port
from zen_core.contract.bindings import Binding, ElementBinding
from zen_core.diagnostics import Diagnostic
from zen_core.ir.specs import COUNT

if TYPE_CHECKING:
    from zen_core.authoring.tracing import Trace

_LIST: Any = list
_SEQUENCE: Any = collections.abc.Sequence
_COUNT = Port(COUNT, int, "int")


def expand(
    trace: Trace,
    call: StepCall,
    mapped: Mapping[str, Handle],
    ports: Mapping[str, Port],
    *,
    chunk: int | None,
    max_parallel: int | None,
) -> FanOut:
    """The map that a call belongs to: an earlier one that it goes on with, or its own, whose expander is recorded.

    Args:
        mapped: what it goes over, by parameter.
        ports: the parameters of the step.
    """
    earlier = {_expander_of(trace, handle) for handle in mapped.values()}
    expander = trace.calls.get(earlier.pop() or "") if len(earlier) == 1 else None
    # In another branch than the map it is one of its own, which may be skipped by itself.
    if expander is None or expander.branch != trace.branch:
        expander = _add_expander(trace, call, mapped, ports, chunk or 1)
    size = expander.fan_out.chunk if expander.fan_out else 1
    if chunk is not None and chunk != size:
        what = f"has chunk={chunk}, and the map that it goes on with has chunk={size}"
        hint = "a chain of maps goes element by element, in the chunks of the first: leave it out here"
        trace.diagnostics.append(problems.invalid_map(call.place, call.name, what, hint))
    return FanOut(expander.name, size, max_parallel)


def element_of(expander: str, handle: Handle, port: str) -> Binding:
    """Where an element comes from: from the earlier step of the same map, or from the map's expander."""
    earlier = handle.call if isinstance(handle, OutputHandle) else None
    if earlier and earlier.fan_out and earlier.fan_out.expander == expander:
        return ElementBinding(earlier.name, handle.port.name)
    return ElementBinding(expander, port)


def find_in_elements(call: StepCall, port: Port, handle: Handle, roots: Sequence[Path]) -> Iterator[Diagnostic]:
    """What is wrong with what is mapped: that it is no list, or one of elements that the parameter does not take."""
    given = without_metadata(handle.port.annotation)
    if not _may_be_list(given):
        what = f"goes over {handle.subject}, which is {handle.port.type}, and no list"
        hint = "hand over a list; `broadcast(…)` passes a result whole to every element"
        yield problems.invalid_map(call.place, call.name, what, hint)
    elif not is_assignable(given, _SEQUENCE[port.annotation]):
        yield problems.type_mismatch(
            call.place,
            call.subject,
            port.name,
            given=f"{handle.subject}, which is {handle.port.type}",
            expected=f"{type_text(port.annotation, roots)}, an element of what is mapped",
            hint="change one of the two annotations",
        )


def list_port(port: Port) -> Port:
    """The port of a list of such values."""
    return replace(port, annotation=_LIST[port.annotation], type=f"list[{port.type}]")


def _expander_of(trace: Trace, handle: Handle) -> str | None:
    """The expander of the map that a result comes from; None for any other."""
    is_own = isinstance(handle, OutputHandle) and handle.trace is trace
    return handle.call.fan_out.expander if is_own and handle.call.fan_out else None


def _add_expander(
    trace: Trace, call: StepCall, mapped: Mapping[str, Handle], ports: Mapping[str, Port], chunk: int
) -> StepCall:
    name = trace.made_name(f"expand_{call.name.removeprefix(trace.prefix)}")
    outputs = (_COUNT, *(replace(list_port(ports[port]), name=port) for port in mapped))
    expander = trace.add(name, None, call.place, outputs, kind="expander", fan_out=FanOut(name, chunk, None))
    for port, handle in mapped.items():
        expander.inputs[port] = (replace(handle.port, name=port), trace.reader(call).bind(handle, port))
    # It was made after the call that it comes before.
    trace.calls[call.name] = trace.calls.pop(call.name)
    return expander


def _may_be_list(annotation: Any) -> bool:
    """Whether a value of this type may be a list or a tuple."""
    if accepts_anything(annotation) or isinstance(annotation, OpaqueType):
        return True
    if is_union(annotation):
        return any(_may_be_list(without_metadata(member)) for member in typing.get_args(annotation))
    kind = typing.get_origin(annotation) or annotation
    return not isinstance(kind, type) or issubclass(kind, (list, tuple)) or issubclass(list, kind)
