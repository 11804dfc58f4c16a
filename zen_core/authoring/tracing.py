"""Records what a pipeline's body calls, while it runs once with handles for values.

Problems are collected and the recording goes on, so that one build tells them all. Only a use of a handle as a value
ends it, since there is nothing that Python could go on with.
"""

from __future__ import annotations

import collections.abc
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.authoring import problems
from zen_core.authoring.annotations import OpaqueType, accepts_anything, is_union, type_text, without_metadata
from zen_core.authoring.arguments import Mismatch, bind_arguments, find_mismatch, holds_reference
from zen_core.authoring.assignability import is_assignable
from zen_core.authoring.code_location import CodeLocation, entry_point_of, place_of, user_frame
from zen_core.authoring.conditions import Broadcast, Term, read_condition
from zen_core.authoring.handles import EitherHandle, Handle, OutputHandle, ParameterHandle, StepOutputs
from zen_core.authoring.parameters import ScheduledTimeDefault
from zen_core.authoring.references import Artifact, Secret
from zen_core.authoring.signatures import (
    REQUIRED,
    Port,
    Signature,
    read_pipeline_signature,
    read_step_signature,
)
from zen_core.contract.bindings import (
    Binding,
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
from zen_core.contract.conditions import Condition
from zen_core.contract.values import UnserializableError, to_json
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError
from zen_core.ir.specs import COUNT, TAKEN, StepKind

if TYPE_CHECKING:
    from zen_core.authoring.decorators import Pipeline, Step

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What the IR takes as the name of a step or a pipeline."""

_LIST: Any = list
_SEQUENCE: Any = collections.abc.Sequence
_TAKEN = Port(TAKEN, bool, "bool")
_COUNT = Port(COUNT, int, "int")
Branch = tuple[tuple[str, bool], ...]
"""The gates that a step lies under, the outermost first, each with the answer that it needs."""


@dataclass(frozen=True)
class FanOut:
    """The map that a call belongs to."""

    expander: str
    chunk: int
    max_parallel: int | None


@dataclass(eq=False)
class StepCall:
    """One step of the pipeline: a call in its body, or what Zen makes for a condition or a map; then `step` is None.

    Attributes:
        outputs: of one element, where the call is mapped.
    """

    name: str
    step: Step[Any] | None
    place: str
    outputs: tuple[Port, ...]
    kind: StepKind = "step"
    branch: Branch = ()
    fan_out: FanOut | None = None
    condition: Condition | None = None
    inputs: dict[str, tuple[Port, Binding]] = field(default_factory=dict)
    after: set[str] = field(default_factory=set)


class Trace:
    """The recording of one pipeline.

    Attributes:
        calls: the step calls so far, by name, in order.
        diagnostics: the problems so far.
        locations: where each step function is imported from.
        branch: the branch that the body is in at this moment.
    """

    def __init__(self, pipeline: str, roots: Sequence[Path]) -> None:
        self.pipeline = pipeline
        self.roots = tuple(roots)
        self.calls: dict[str, StepCall] = {}
        self.diagnostics: list[Diagnostic] = []
        self.locations: dict[Callable[..., Any], CodeLocation] = {}
        self.branch: Branch = ()
        self._signatures: dict[Callable[..., Any], Signature] = {}
        self._calls_by_base: dict[str, int] = {}
        self._prefix = ""
        self._inside: list[Callable[..., Any]] = []

    # -- what the body does -------------------------------------------------------------------------------------

    def call(self, step: Step[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> OutputHandle | StepOutputs:
        """Record a call, and answer with handles of its outputs."""
        call, arguments = self._begin(step, args, kwargs)
        for port in self._signature(step).inputs if arguments is not None else ():
            self._bind(call, port, arguments or {})
        self.add_after(call, step.runs_after)
        return self._result(call)

    def map(
        self,
        step: Step[Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        chunk: int | None,
        max_parallel: int | None,
    ) -> OutputHandle | StepOutputs:
        """Record a step that runs for each element of what it is given; its outputs are lists."""
        call, arguments = self._begin(step, args, kwargs)
        if arguments is None:
            return self._result(call)
        mapped = {name: value for name, value in arguments.items() if isinstance(value, (OutputHandle, EitherHandle))}
        if not mapped:
            hint = "pass the result of a step that hands over a list; a list that is known now can come from a step too"
            self.diagnostics.append(problems.invalid_map(call.place, call.name, "has nothing to map", hint))
        ports = {port.name: port for port in self._signature(step).inputs}
        for name, handle in mapped.items():
            self._check_elements(call, ports[name], handle)
        expander = self._expander_of(call, mapped, ports, chunk)
        fan_out = expander.fan_out or FanOut(expander.name, chunk or 1, None)
        call.fan_out = replace(fan_out, max_parallel=max_parallel)
        for name, port in ports.items():
            if name in mapped:
                call.inputs[name] = (port, self._element_of(call, mapped[name], name))
            else:
                self._bind(call, port, {key: _unwrapped(value) for key, value in arguments.items()})
        self.add_after(call, step.runs_after)
        return self._result(call)

    def add_gate(self, condition: Any, name: str | None) -> StepCall:
        """Record a condition as the step that answers it."""
        read, operands = read_condition(condition, self)
        place = self.place()
        gate = self._add(self._new_numbered(name or "when"), None, place, (_TAKEN,), kind="gate", condition=read)
        for port, handle in operands.items():
            gate.inputs[port] = (replace(handle.port, name=port), self._to_binding(handle, gate, port, False))
        return gate

    def inline(self, pipeline: Pipeline[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run another pipeline's body as a part of this one; answer with what it returns."""
        place = self.place()
        if pipeline.function in self._inside:
            raise self.error(problems.pipeline_in_itself(place, pipeline.name))
        signature = read_pipeline_signature(pipeline.function, pipeline.name, self.roots)
        subject = f"pipeline {pipeline.name!r}"
        arguments, found = bind_arguments(signature, subject, place, args, kwargs)
        found = [*signature.problems, *found]
        for port in signature.inputs:
            if port.name in arguments:
                if mismatch := find_mismatch(arguments[port.name], port.annotation, self.roots):
                    found.append(_type_mismatch(place, subject, port.name, mismatch))
            elif isinstance(port.default, ScheduledTimeDefault):
                found.append(_no_tick(place, subject, port.name))
            elif port.default is not REQUIRED:
                arguments[port.name] = port.default
        self.diagnostics.extend(found)
        if found:
            raise DefinitionError(diagnostics=found)
        outer, self._prefix = self._prefix, f"{self._new_numbered(pipeline.name)}_"
        try:
            return self.run_body(pipeline.function, arguments)
        finally:
            self._prefix = outer

    def run_body(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Run a pipeline's function, which may not come to itself again."""
        self._inside.append(function)
        try:
            return function(**arguments)
        finally:
            self._inside.pop()

    def add_hooks(
        self, hooks: Sequence[Step[Any]], handles: Mapping[str, ParameterHandle], pipeline: str
    ) -> list[StepCall]:
        """Steps that are run when all others have ended, outside the graph."""
        found = []
        for hook in hooks:
            signature = self._signature(hook)
            call = StepCall(
                self._new_name(hook, signature.place), hook, signature.place, signature.outputs, kind="hook"
            )
            for port in signature.inputs:
                if port.default is REQUIRED and port.name not in handles:
                    what = f"takes {port.name!r}, which pipeline {pipeline!r} has no parameter for"
                    hint = "give it a default; what failed is in `current().failures`"
                    self.diagnostics.append(problems.invalid_hook(call.place, call.name, what, hint))
                else:
                    given = {port.name: handles[port.name]} if port.name in handles else {}
                    self._bind(call, port, given)
            found.append(call)
        return found

    def add_after(self, call: StepCall, results: Sequence[Any]) -> None:
        """Add ordering edges from the steps of these results to the call."""
        for result in results:
            if isinstance(result, (list, tuple)):
                self.add_after(call, result)
            elif isinstance(result, (OutputHandle, StepOutputs)) and self._is_own(result):
                call.after.add(result.call.name)
            else:
                what, hint = _describe_stranger(result)
                if isinstance(result, ParameterHandle):
                    what, hint = result.subject, "a parameter is there from the start: name steps only"
                self.diagnostics.append(problems.invalid_after(self.place(), call.name, what, hint))

    def misuse(self, subject: str, use: str, hint: str) -> DefinitionError:
        """The error for a handle that is used as a value. It counts even when the body catches it."""
        return self.error(problems.handle_misuse(self.place(), subject, use, hint))

    def error(self, problem: Diagnostic) -> DefinitionError:
        """Record a problem that the body cannot go on from, and answer with the error to raise."""
        self.diagnostics.append(problem)
        return DefinitionError(diagnostics=[problem])

    def place(self) -> str:
        """`path:line` of the user's line that is being executed."""
        frame = user_frame(sys._getframe(1), self.roots[0])
        return place_of(frame.f_code.co_filename, frame.f_lineno, self.roots[0]) if frame else ""

    # -- calls --------------------------------------------------------------------------------------------------

    def _begin(
        self,
        step: Step[Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> tuple[StepCall, dict[str, Any] | None]:
        """A new call, and its arguments by name; None where the step's signature is no good."""
        place = self.place()
        signature = self._signature(step)
        call = self._add(self._new_name(step, place), step, place, signature.outputs)
        if signature.problems:
            return call, None
        arguments, found = bind_arguments(signature, f"step {call.name!r}", place, args, kwargs)
        self.diagnostics.extend(found)
        return call, arguments

    def _add(self, name: str, step: Step[Any] | None, place: str, outputs: tuple[Port, ...], **fields: Any) -> StepCall:
        call = StepCall(name, step, place, outputs, branch=self.branch, **fields)
        self.calls[name] = call
        return call

    def _result(self, call: StepCall) -> OutputHandle | StepOutputs:
        ports = tuple(_list_port(port) for port in call.outputs) if call.fan_out else call.outputs
        handles = tuple(OutputHandle(self, port, call) for port in ports)
        return handles[0] if len(handles) == 1 else StepOutputs(self, call, handles)

    # -- maps ---------------------------------------------------------------------------------------------------

    def _expander_of(
        self, call: StepCall, mapped: Mapping[str, Handle], ports: Mapping[str, Port], chunk: int | None
    ) -> StepCall:
        """What says how many elements there are: that of an earlier map, when all comes from there; or a new one."""
        earlier = {
            handle.call.fan_out.expander if isinstance(handle, OutputHandle) and handle.call.fan_out else None
            for handle in mapped.values()
        }
        if len(earlier) == 1 and None not in earlier:
            expander = self.calls[str(earlier.pop())]
            if expander.branch == self.branch:
                self._check_chunk(call, expander, chunk)
                return expander
        name = self._new_numbered(f"expand_{call.name.removeprefix(self._prefix)}")
        outputs = (_COUNT, *(replace(_list_port(ports[name]), name=name) for name in mapped))
        expander = self._add(name, None, call.place, outputs, kind="expander")
        expander.fan_out = FanOut(name, chunk or 1, None)
        for name, handle in mapped.items():
            expander.inputs[name] = (replace(handle.port, name=name), self._to_binding(handle, call, name, False))
        # It was made after the call that it comes before.
        self.calls[call.name] = self.calls.pop(call.name)
        return expander

    def _check_chunk(self, call: StepCall, expander: StepCall, chunk: int | None) -> None:
        size = expander.fan_out.chunk if expander.fan_out else 1
        if chunk is not None and chunk != size:
            what = f"has chunk={chunk}, and the map that it goes on with has chunk={size}"
            hint = "a chain of maps goes element by element, in the chunks of the first: leave it out here"
            self.diagnostics.append(problems.invalid_map(call.place, call.name, what, hint))

    def _element_of(self, call: StepCall, handle: Handle, port: str) -> Binding:
        expander = call.fan_out.expander if call.fan_out else ""
        earlier = handle.call if isinstance(handle, OutputHandle) else None
        if earlier and earlier.fan_out and earlier.fan_out.expander == expander:
            return ElementBinding(earlier.name, handle.port.name)
        return ElementBinding(expander, port)

    def _check_elements(self, call: StepCall, port: Port, handle: Handle) -> None:
        """That what is mapped may be a list, of elements that the parameter takes."""
        given = without_metadata(handle.port.annotation)
        if not may_be_list(given):
            what = f"goes over {handle.subject}, which is {handle.port.type}, and no list"
            hint = "hand over a list; `broadcast(…)` passes a result whole to every element"
            self.diagnostics.append(problems.invalid_map(call.place, call.name, what, hint))
        elif not is_assignable(given, _SEQUENCE[port.annotation]):
            wanted = type_text(port.annotation, self.roots)
            expected = f"{wanted}, an element of what is mapped"
            hint = "change one of the two annotations"
            text = f"{handle.subject}, which is {handle.port.type}"
            subject = f"step {call.name!r}"
            self.diagnostics.append(
                problems.type_mismatch(call.place, subject, port.name, given=text, expected=expected, hint=hint)
            )

    # -- names and signatures -----------------------------------------------------------------------------------

    def _signature(self, step: Step[Any]) -> Signature:
        signature = self._signatures.get(step.function)
        if signature is None:
            signature = read_step_signature(step.function, step.base_name, self.roots)
            self._signatures[step.function] = signature
            self.locations[step.function] = entry_point_of(step.function, self.roots)
            self.diagnostics.extend(signature.problems)
        return signature

    def _new_name(self, step: Step[Any], place: str) -> str:
        """The step's name: as given, or the function's with a number from the second call on."""
        name = f"{self._prefix}{step.given_name}" if step.given_name else self._new_numbered(step.base_name)
        if step.given_name and (other := self.calls.get(name)):
            self.diagnostics.append(problems.duplicate_name(place, name, other.place))
        if not NAME.fullmatch(name):
            spelling = f'{step.function.__name__}.with_options(name="{{}}")(…)'
            self.diagnostics.append(
                problems.invalid_name(place, "step", name, proposal=propose_name(name), spelling=spelling)
            )
        return name

    def _new_numbered(self, base: str) -> str:
        """A name with the prefix of the pipeline that is being inlined, and a number from the second one on."""
        base = f"{self._prefix}{base}"
        number = self._calls_by_base.get(base, 0)
        name = ""
        while not name or name in self.calls:
            number += 1
            name = base if number == 1 else f"{base}_{number}"
        self._calls_by_base[base] = number
        return name

    # -- arguments ----------------------------------------------------------------------------------------------

    def _bind(self, call: StepCall, port: Port, arguments: Mapping[str, Any]) -> None:
        is_default = port.name not in arguments
        value = port.default if is_default else arguments[port.name]
        if value is REQUIRED:
            return  # told already
        known = len(self.diagnostics)
        try:
            binding = self._to_binding(value, call, port.name, is_default)
        except RecursionError:
            binding = self._unserializable(call, port.name, "value that contains itself", is_default)
        if known == len(self.diagnostics) and not is_default:
            self._check_type(call, port, value)
        call.inputs[port.name] = (port, binding)

    def _check_type(self, call: StepCall, port: Port, value: Any) -> None:
        if mismatch := find_mismatch(value, port.annotation, self.roots):
            self.diagnostics.append(_type_mismatch(call.place, f"step {call.name!r}", port.name, mismatch))

    def _to_binding(self, value: Any, call: StepCall, path: str, is_default: bool) -> Binding:
        if isinstance(value, Handle) and self._is_own(value):
            if isinstance(value, EitherHandle):
                return EitherBinding(tuple(OutputBinding(item.call.name, item.port.name) for item in value.options))
            if isinstance(value, OutputHandle):
                self._check_branch(value, call, path)
                return OutputBinding(value.call.name, value.port.name)
            return ParameterBinding(value.port.name)
        if isinstance(value, Secret):
            return SecretBinding(value.name)
        if isinstance(value, Artifact):
            return ExternalBinding(value.name, value.version)
        if type(value) in (list, tuple) and holds_reference(value):
            items = (self._to_binding(item, call, f"{path}[{index}]", False) for index, item in enumerate(value))
            return ListBinding(tuple(items), as_tuple=type(value) is tuple)
        if type(value) is dict and holds_reference(value) and all(type(key) is str for key in value):
            return DictBinding(
                {key: self._to_binding(item, call, f"{path}[{key!r}]", False) for key, item in value.items()}
            )
        return self._to_constant(value, call, path, is_default)

    def _check_branch(self, handle: OutputHandle, call: StepCall, path: str) -> None:
        made = handle.call
        if call.branch[: len(made.branch)] != made.branch:
            self.diagnostics.append(
                problems.used_outside_branch(call.place, call.name, repr(path), made.name, made.place)
            )

    def _to_constant(self, value: Any, call: StepCall, path: str, is_default: bool) -> Binding:
        stranger = _find_stranger(value)
        if stranger is not None:
            what, hint = stranger
            self.diagnostics.append(problems.not_a_result(call.place, call.name, repr(path), what, hint))
            return ConstantBinding()
        try:
            return ConstantBinding(to_json(value, path=path))
        except UnserializableError as error:
            return self._unserializable(call, error.path, error.type_name, is_default)

    def _unserializable(self, call: StepCall, path: str, type_name: str, is_default: bool) -> Binding:
        self.diagnostics.append(
            problems.unserializable_constant(call.place, call.name, repr(path), type_name, default=is_default)
        )
        return ConstantBinding()

    def _is_own(self, result: Handle | StepOutputs) -> bool:
        return result._trace is self


def propose_name(name: str) -> str:
    """A name that the IR takes, as near as can be to one that it does not; "" when there is none."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.sub(r"[^a-z0-9]+", "_", snake).strip("_").lstrip("_0123456789")[:60]


def may_be_list(annotation: Any) -> bool:
    """Whether a value of this type may be a list or a tuple."""
    if accepts_anything(annotation) or isinstance(annotation, OpaqueType):
        return True
    if is_union(annotation):
        return any(may_be_list(without_metadata(member)) for member in typing.get_args(annotation))
    kind = typing.get_origin(annotation) or annotation
    return not isinstance(kind, type) or issubclass(kind, (list, tuple)) or issubclass(list, kind)


def _list_port(port: Port) -> Port:
    """The port of a list of such values."""
    return replace(port, annotation=_LIST[port.annotation], type=f"list[{port.type}]")


def _unwrapped(value: Any) -> Any:
    return value.value if isinstance(value, Broadcast) else value


def _type_mismatch(place: str, subject: str, port: str, mismatch: Mismatch) -> Diagnostic:
    return problems.type_mismatch(
        place,
        subject,
        port + mismatch.path,
        given=mismatch.given,
        expected=mismatch.expected,
        hint=mismatch.hint,
    )


def _no_tick(place: str, subject: str, name: str) -> Diagnostic:
    hint = f"give the outer pipeline a parameter {name}: datetime = ScheduledTime(), and pass it"
    return problems.invalid_option(place, f"{subject} takes {name!r} from its schedule, and is called here", hint)


def _find_stranger(value: Any) -> tuple[str, str] | None:
    """What is wrong with an argument that is, or holds where it cannot, a handle, a step or a pipeline."""
    if _is_stranger(value):
        return _describe_stranger(value)
    if isinstance(value, (dict, set, frozenset)) and any(map(_is_stranger, value)):
        return "a set or a dict with results as its keys", "use a list, or a dict with texts as its keys"
    if isinstance(value, dict) and holds_reference(value):
        return "a dict of results with keys that are no texts", "use texts as the keys"
    if isinstance(value, (list, tuple)):
        return next((found for item in value if (found := _find_stranger(item))), None)
    return None


def _is_stranger(value: Any) -> bool:
    from zen_core.authoring.decorators import Pipeline, Step

    return isinstance(value, (Handle, StepOutputs, Step, Pipeline, Broadcast, Term))


def _describe_stranger(value: Any) -> tuple[str, str]:
    from zen_core.authoring.decorators import Pipeline, Step

    if isinstance(value, Step):
        return f"the step {value.base_name!r} itself", f"call it, and pass its result: {value.base_name}(…)"
    if isinstance(value, Pipeline):
        return f"the pipeline {value.name!r}", "pass the result of a step"
    if isinstance(value, Broadcast):
        return "a `broadcast(…)` outside a `.map`", "pass the result itself"
    if isinstance(value, Term):
        return "a condition on results", "use it in `with when(…):`"
    if isinstance(value, StepOutputs):
        names = [f".{port.name}" for port in value.call.outputs]
        hint = f"pass one of them: {', '.join(names)}" if names else "it hands over nothing; use `.after` for the order"
        return f"the result of step {value.call.name!r}, which has {len(names) or 'no'} outputs", hint
    if isinstance(value, Handle):
        return f"{value.subject}, of another pipeline", "use the parameters and call the steps of this pipeline"
    return f"a {type(value).__name__}", "pass the result of a step that is called in this pipeline"
