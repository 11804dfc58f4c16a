"""Records what a pipeline's body calls, while it runs once with handles for values.

Problems are collected and the recording goes on, so that one build tells them all. Only a use of a handle as a value
ends it, since there is nothing that Python could go on with.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.authoring import problems
from zen_core.authoring.arguments import bind_arguments, find_mismatch
from zen_core.authoring.code_location import CodeLocation, entry_point_of, place_of, user_frame
from zen_core.authoring.handles import Handle, OutputHandle, ParameterHandle, StepOutputs
from zen_core.authoring.signatures import REQUIRED, Port, Signature, read_step_signature
from zen_core.contract.bindings import (
    Binding,
    ConstantBinding,
    DictBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
)
from zen_core.contract.values import UnserializableError, to_json
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError

if TYPE_CHECKING:
    from zen_core.authoring.decorators import Step

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What the IR takes as the name of a step or a pipeline."""


@dataclass(eq=False)
class StepCall:
    """One call of a step in the pipeline's body."""

    name: str
    step: Step[Any]
    place: str
    outputs: tuple[Port, ...]
    inputs: dict[str, tuple[Port, Binding]] = field(default_factory=dict)
    after: set[str] = field(default_factory=set)


class Trace:
    """The recording of one pipeline.

    Attributes:
        calls: the step calls so far, by name, in order.
        diagnostics: the problems so far.
        locations: where each step function is imported from.
    """

    def __init__(self, pipeline: str, roots: Sequence[Path]) -> None:
        self.pipeline = pipeline
        self.roots = tuple(roots)
        self.calls: dict[str, StepCall] = {}
        self.diagnostics: list[Diagnostic] = []
        self.locations: dict[Callable[..., Any], CodeLocation] = {}
        self._signatures: dict[Callable[..., Any], Signature] = {}
        self._calls_by_base: dict[str, int] = {}

    # -- what the body does -------------------------------------------------------------------------------------

    def call(self, step: Step[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> OutputHandle | StepOutputs:
        """Record a call, and answer with handles of its outputs."""
        place = self.place()
        signature = self._signature(step)
        call = StepCall(self._new_name(step, place), step, place, signature.outputs)
        self.calls[call.name] = call
        if not signature.problems:
            arguments, found = bind_arguments(signature, call.name, place, args, kwargs)
            self.diagnostics.extend(found)
            for port in signature.inputs:
                self._bind(call, port, arguments)
        self.add_after(call, step.runs_after)
        handles = tuple(OutputHandle(self, port, call) for port in signature.outputs)
        return handles[0] if len(handles) == 1 else StepOutputs(self, call, handles)

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
        name = step.given_name or self._numbered(step.base_name)
        if step.given_name and (other := self.calls.get(name)):
            self.diagnostics.append(problems.duplicate_name(place, name, other.place))
        if not NAME.fullmatch(name):
            spelling = f'{step.function.__name__}.with_options(name="{{}}")(…)'
            self.diagnostics.append(
                problems.invalid_name(place, "step", name, proposal=propose_name(name), spelling=spelling)
            )
        return name

    def _numbered(self, base: str) -> str:
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
            self.diagnostics.append(
                problems.type_mismatch(
                    call.place,
                    call.name,
                    port.name + mismatch.path,
                    given=mismatch.given,
                    expected=mismatch.expected,
                    hint=mismatch.hint,
                )
            )

    def _to_binding(self, value: Any, call: StepCall, path: str, is_default: bool) -> Binding:
        if isinstance(value, Handle) and self._is_own(value):
            if isinstance(value, OutputHandle):
                return OutputBinding(value.call.name, value.port.name)
            return ParameterBinding(value.port.name)
        if type(value) in (list, tuple) and _holds_handle(value):
            items = (self._to_binding(item, call, f"{path}[{index}]", False) for index, item in enumerate(value))
            return ListBinding(tuple(items), as_tuple=type(value) is tuple)
        if type(value) is dict and _holds_handle(value) and all(type(key) is str for key in value):
            return DictBinding(
                {key: self._to_binding(item, call, f"{path}[{key!r}]", False) for key, item in value.items()}
            )
        return self._to_constant(value, call, path, is_default)

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


def _holds_handle(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(map(_holds_handle, value))
    if type(value) is dict:
        return any(map(_holds_handle, value.values()))
    return isinstance(value, (Handle, StepOutputs))


def _find_stranger(value: Any) -> tuple[str, str] | None:
    """What is wrong with an argument that is, or holds where it cannot, a handle, a step or a pipeline."""
    if _is_stranger(value):
        return _describe_stranger(value)
    if isinstance(value, (dict, set, frozenset)) and any(map(_is_stranger, value)):
        return "a set or a dict with results as its keys", "use a list, or a dict with texts as its keys"
    if isinstance(value, dict) and _holds_handle(value):
        return "a dict of results with keys that are no texts", "use texts as the keys"
    if isinstance(value, (list, tuple)):
        return next((found for item in value if (found := _find_stranger(item))), None)
    return None


def _is_stranger(value: Any) -> bool:
    from zen_core.authoring.decorators import Pipeline, Step

    return isinstance(value, (Handle, StepOutputs, Step, Pipeline))


def _describe_stranger(value: Any) -> tuple[str, str]:
    from zen_core.authoring.decorators import Pipeline, Step

    if isinstance(value, Step):
        return f"the step {value.base_name!r} itself", f"call it, and pass its result: {value.base_name}(…)"
    if isinstance(value, Pipeline):
        return f"the pipeline {value.name!r}", "pass the result of a step"
    if isinstance(value, StepOutputs):
        names = [f".{port.name}" for port in value.call.outputs]
        hint = f"pass one of them: {', '.join(names)}" if names else "it hands over nothing; use `.after` for the order"
        return f"the result of step {value.call.name!r}, which has {len(names) or 'no'} outputs", hint
    if isinstance(value, Handle):
        return f"{value.subject}, of another pipeline", "use the parameters and call the steps of this pipeline"
    return f"a {type(value).__name__}", "pass the result of a step that is called in this pipeline"
