"""Builds the IR from a pipeline's function: all problems at once, or a pipeline that is sound."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zen_core.authoring import problems
from zen_core.authoring.active import active_trace
from zen_core.authoring.arguments import holds_reference
from zen_core.authoring.assignability import value_fits
from zen_core.authoring.calls import StepCall
from zen_core.authoring.code_location import import_roots
from zen_core.authoring.handles import ParameterHandle
from zen_core.authoring.option_specs import cache_spec, environment_spec, resource_spec, retry_spec, schedule_spec
from zen_core.authoring.options import Cache, Environment
from zen_core.authoring.parameters import ScheduledTimeDefault
from zen_core.authoring.signatures import REQUIRED, Port, read_pipeline_signature
from zen_core.authoring.tracing import NAME, Trace, propose_name
from zen_core.contract.files import File
from zen_core.contract.settings import Settings, find_root, load_settings
from zen_core.contract.values import UnserializableError, to_json
from zen_core.diagnostics import Diagnostic, render_all
from zen_core.errors import DefinitionError
from zen_core.ir.graph import order_steps, read_steps
from zen_core.ir.specs import (
    BranchSpec,
    CacheSpec,
    InputSpec,
    MapSpec,
    OutputSpec,
    ParameterSpec,
    PipelineSpec,
    StepSpec,
)
from zen_core.ir.validation import validate

if TYPE_CHECKING:
    from zen_core.authoring.decorators import Pipeline


@dataclass(frozen=True)
class BuiltPipeline:
    """A pipeline as data, with what is needed to run it in this process.

    Attributes:
        functions: the step functions by entry point.
        settings: those that it was built under.
        not_importable: the steps that run here but that no task could import. Compiling refuses with these.
    """

    spec: PipelineSpec
    functions: Mapping[str, Callable[..., Any]]
    settings: Settings
    not_importable: tuple[Diagnostic, ...] = ()

    @property
    def importable(self) -> bool:
        """Whether a task can import every step."""
        return not self.not_importable


def build_pipeline(pipeline: Pipeline[Any], settings: Settings | None = None) -> BuiltPipeline:
    """Run the pipeline's function once, and read from it the IR.

    Args:
        settings: those of the project; None: found from the pipeline's own file.

    Raises:
        DefinitionError: with all problems, each with file and line.
        Exception: whatever the pipeline's own code raises, unchanged.
    """
    settings = settings or project_settings(pipeline.function)
    trace = Trace(pipeline.name, import_roots(settings))
    signature = read_pipeline_signature(pipeline.function, pipeline.name, trace.roots)
    trace.diagnostics.extend(signature.problems)
    if not NAME.fullmatch(pipeline.name):
        proposal = propose_name(pipeline.name)
        spelling = '@pipeline(name="{}")'
        trace.diagnostics.append(
            problems.invalid_name(signature.place, "pipeline", pipeline.name, proposal=proposal, spelling=spelling)
        )
    parameters = []
    handles = {}
    for port in signature.inputs:
        parameter, found = _read_parameter(port, pipeline.name, signature.place, trace)
        trace.diagnostics.extend(found)
        parameters.append(parameter)
        handles[port.name] = ParameterHandle(trace, port)
    hooks: list[tuple[StepCall, Literal["failure", "success"]]] = []
    if not signature.problems:
        _run_body(pipeline, trace, handles)
        trace.leave_out_idle_gates()
        hooks = [(call, "failure") for call in trace.add_hooks(pipeline.on_failure, handles, pipeline.name)]
        hooks += [(call, "success") for call in trace.add_hooks(pipeline.on_success, handles, pipeline.name)]
        if not trace.calls and not trace.diagnostics:
            trace.diagnostics.append(problems.no_steps(signature.place, pipeline.name))
    _raise_any(trace.diagnostics)

    functions, entry_points, not_importable = _collect_functions(trace, [call for call, _ in hooks])
    around = _Around(pipeline.environment, pipeline.cache)
    steps = [_step_spec(call, entry_points, around) for call in trace.calls.values()]
    spec = PipelineSpec(
        name=pipeline.name,
        parameters=tuple(parameters),
        steps=tuple(steps),
        # What a hook runs in is the task that closes the run, and not what the pipeline's steps need.
        hooks=tuple(_step_spec(call, entry_points, _Around()).model_copy(update={"on": on}) for call, on in hooks),
        max_parallel=pipeline.max_parallel,
        schedule=schedule_spec(pipeline.schedule),
        tags=pipeline.tags,
        description=pipeline.description or _description(pipeline.function),
        source=signature.place or None,
    )
    # An `.after` may name a step that is called further down, so the order of calls is not yet one to run in.
    _raise_any([problem for problem in validate(spec) if problem.code != "ZEN-D306"])
    return BuiltPipeline(
        spec.model_copy(update={"steps": order_steps(steps)}), functions, settings, tuple(not_importable)
    )


def project_settings(function: Callable[..., Any]) -> Settings:
    """The settings of the project that a function's file belongs to; of the current folder, where it has no file."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    file = Path(code.co_filename) if code else Path()
    return load_settings(find_root(file.parent if file.is_file() else Path.cwd()))


def _run_body(pipeline: Pipeline[Any], trace: Trace, handles: Mapping[str, ParameterHandle]) -> None:
    token = active_trace.set(trace)
    try:
        trace.run_body(pipeline.function, handles)
    except DefinitionError as error:
        trace.diagnostics.extend(item for item in error.diagnostics if item not in trace.diagnostics)
    except Exception as error:
        if trace.diagnostics:
            error.add_note(render_all(trace.diagnostics))
        raise
    finally:
        active_trace.reset(token)


def _read_parameter(port: Port, pipeline: str, place: str, trace: Trace) -> tuple[ParameterSpec, list[Diagnostic]]:
    default = port.default
    found = list(_find_wrong_default(port, pipeline, place))
    is_scheduled = isinstance(default, ScheduledTimeDefault)
    document = None
    if default is not REQUIRED and not is_scheduled and not found:
        try:
            document = to_json(default, path=port.name)
        except UnserializableError as error:
            what = f"has a default that is a {error.type_name}, which has no JSON form"
            hint = "take plain data, such as a text or a number, and make the value in a step"
            found.append(problems.invalid_default(place, pipeline, port.name, what, hint))
    parameter = ParameterSpec(
        name=port.name,
        type=port.type,
        required=default is REQUIRED,
        default=document,
        scheduled_time=is_scheduled,
    )
    return parameter, found


def _find_wrong_default(port: Port, pipeline: str, place: str) -> Iterator[Diagnostic]:
    default, annotation = port.default, port.annotation
    if isinstance(default, ScheduledTimeDefault):
        if annotation is not datetime.datetime:
            what = f"is ScheduledTime(), and annotated {port.type}"
            yield problems.invalid_default(place, pipeline, port.name, what, "annotate it datetime.datetime")
    elif isinstance(default, File) and annotation is not File:
        what = f"is a File, and annotated {port.type}"
        yield problems.invalid_default(place, pipeline, port.name, what, "annotate it File")
    elif holds_reference(default):
        what = f"has the default {default!r:.60}, and its value stands in the record of each run"
        hint = "pass the reference to the step that needs it, in the body or as the default of the step's parameter"
        yield problems.invalid_default(place, pipeline, port.name, what, hint)
    elif default is not REQUIRED and not value_fits(default, annotation):
        what = f"is annotated {port.type}, and has the default {default!r:.60}"
        hint = 'write File("…")' if annotation is File else "change the annotation or the default"
        yield problems.invalid_default(place, pipeline, port.name, what, hint)


def _collect_functions(
    trace: Trace, hooks: Sequence[StepCall]
) -> tuple[dict[str, Callable[..., Any]], dict[Callable[..., Any], str], list[Diagnostic]]:
    """The step functions by entry point and the other way round, and the problems of those that no task can import."""
    functions: dict[str, Callable[..., Any]] = {}
    entry_points: dict[Callable[..., Any], str] = {}
    not_importable: list[Diagnostic] = []
    calls = (*hooks, *reversed(trace.calls.values()))
    call_by_function = {call.step.function: call for call in calls if call.step}
    for function, location in trace.locations.items():
        entry_point, number = location.entry_point, 1
        while entry_point in functions:  # only code that cannot be imported can share one
            number += 1
            entry_point = f"{location.entry_point}_{number}"
        functions[entry_point] = function
        entry_points[function] = entry_point
        if location.problem:
            call = call_by_function[function]
            not_importable.append(problems.not_importable(call.place, call.name, location.problem, location.hint))
    return functions, entry_points, not_importable


@dataclass(frozen=True)
class _Around:
    """What a pipeline says for those of its steps that do not say it themselves."""

    environment: Environment | None = None
    cache: Cache | bool | None = None


def _step_spec(call: StepCall, entry_points: Mapping[Callable[..., Any], str], around: _Around) -> StepSpec:
    inputs = tuple(InputSpec(name=port.name, type=port.type, binding=binding) for port, binding in call.inputs.values())
    outputs = tuple(OutputSpec(name=port.name, type=port.type) for port in call.outputs)
    branch = BranchSpec(gate=call.branch[-1][0], taken=call.branch[-1][1]) if call.branch else None
    if call.step is None:
        return StepSpec(
            name=call.name,
            kind=call.kind,
            inputs=inputs,
            outputs=outputs,
            when=branch,
            condition=call.condition,
            cache=CacheSpec(enabled=False),
            source=call.place or None,
        )
    options = call.step.options
    cache = False if call.kind == "hook" else options.cache
    step = StepSpec(
        name=call.name,
        kind=call.kind,
        entry_point=entry_points[call.step.function],
        inputs=inputs,
        outputs=outputs,
        when=branch,
        map=MapSpec(**vars(call.fan_out)) if call.fan_out else None,
        retry=retry_spec(options.retry),
        timeout_seconds=options.timeout_seconds,
        resources=resource_spec(options.resources),
        environment=environment_spec(options.environment, around.environment),
        cache=cache_spec(cache, around.cache, has_inputs=bool(inputs), has_outputs=bool(outputs)),
        tags=options.tags,
        description=_description(call.step.function),
        source=call.place or None,
    )
    after = call.after.difference(read_steps(step))
    return step.model_copy(update={"after": tuple(sorted(after))}) if after else step


def _description(function: Callable[..., Any]) -> str | None:
    return inspect.cleandoc(function.__doc__) if function.__doc__ else None


def _raise_any(found: list[Diagnostic]) -> None:
    if found:
        raise DefinitionError(diagnostics=found)
