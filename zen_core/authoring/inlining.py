"""A pipeline that is called in the body of another one: its steps become a part of that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zen_core.authoring import problems
from zen_core.authoring.arguments import bind_arguments, find_mismatch, type_mismatch
from zen_core.authoring.binding import Reader
from zen_core.authoring.handles import BoundHandle, Handle
from zen_core.authoring.parameters import ScheduledTimeDefault
from zen_core.authoring.signatures import REQUIRED, read_pipeline_signature
from zen_core.errors import DefinitionError

if TYPE_CHECKING:
    from zen_core.authoring.decorators import Pipeline
    from zen_core.authoring.tracing import Trace


def inline(trace: Trace, pipeline: Pipeline[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Run a pipeline's body as a part of the one that is recorded; answer with what it returns.

    Raises:
        DefinitionError: it cannot be called so, or it would call itself. The recording cannot go on then.
    """
    place = trace.place()
    if trace.is_inside(pipeline.function):
        raise trace.error(problems.pipeline_in_itself(place, pipeline.name))
    known = len(trace.diagnostics)
    arguments = _arguments(trace, pipeline, place, args, kwargs)
    if len(trace.diagnostics) > known:
        raise DefinitionError(diagnostics=trace.diagnostics[known:])
    outer, trace.prefix = trace.prefix, trace.begin_pipeline(pipeline.name)
    try:
        return trace.run_body(pipeline.function, arguments)
    finally:
        trace.prefix = outer


def _arguments(
    trace: Trace, pipeline: Pipeline[Any], place: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Handle]:
    """A handle for each parameter; what is wrong with the call is told to the trace."""
    signature = read_pipeline_signature(pipeline.function, pipeline.name, trace.roots)
    reader = Reader(trace, f"pipeline {pipeline.name!r}", place, trace.branch)
    given, found = bind_arguments(signature, reader.subject, place, args, kwargs)
    trace.diagnostics.extend((*signature.problems, *found))
    handles: dict[str, Handle] = {}
    for port in signature.inputs:
        value = given.get(port.name, port.default)
        if value is REQUIRED:
            continue  # told already
        if isinstance(value, ScheduledTimeDefault):
            trace.diagnostics.append(problems.no_tick(place, reader.subject, port.name))
        elif mismatch := find_mismatch(value, port.annotation, trace.roots):
            trace.diagnostics.append(type_mismatch(place, reader.subject, port.name, mismatch))
        elif isinstance(value, Handle):
            handles[port.name] = value
        else:
            binding = reader.bind(value, port.name, is_default=port.name not in given)
            handles[port.name] = BoundHandle(trace, port, pipeline.name, binding)
    return handles
