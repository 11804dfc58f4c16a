"""Records what a pipeline's body calls, while it runs once with handles for values.

Problems are collected and the recording goes on, so that one build tells them all. Only a use of a handle as a value,
or a call of a pipeline that cannot be, ends it, since there is nothing that Python could go on with.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.authoring import problems
from zen_core.authoring.arguments import bind_arguments, find_mismatch, holds_reference, type_mismatch
from zen_core.authoring.binding import Reader, describe_stranger
from zen_core.authoring.calls import Branch, StepCall
from zen_core.authoring.code_location import CodeLocation, entry_point_of, place_of, user_frame
from zen_core.authoring.conditions import Broadcast, read_condition
from zen_core.authoring.handles import EitherHandle, Handle, OutputHandle, ParameterHandle, StepOutputs
from zen_core.authoring.mapping import element_of, expand, find_in_elements, list_port
from zen_core.authoring.options import find_wrong_counts
from zen_core.authoring.signatures import REQUIRED, Port, Signature, read_step_signature
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError
from zen_core.ir.specs import TAKEN

if TYPE_CHECKING:
    from zen_core.authoring.decorators import Step

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What the IR takes as the name of a step or a pipeline."""
_LONGEST_BASE = 57
"""Of a name that Zen makes: it leaves room for a number."""
_TAKEN = Port(TAKEN, bool, "bool")


class Trace:
    """The recording of one pipeline.

    Attributes:
        calls: the step calls so far, by name, in order.
        diagnostics: the problems so far.
        locations: where each step function is imported from.
        branch: the branch that the body is in at this moment.
        prefix: of the names of steps that are called at this moment: they belong to a pipeline within this one.
    """

    def __init__(self, pipeline: str, roots: Sequence[Path]) -> None:
        self.pipeline = pipeline
        self.roots = tuple(roots)
        self.calls: dict[str, StepCall] = {}
        self.diagnostics: list[Diagnostic] = []
        self.locations: dict[Callable[..., Any], CodeLocation] = {}
        self.branch: Branch = ()
        self.prefix = ""
        self._signatures: dict[Callable[..., Any], Signature] = {}
        self._calls_by_base: dict[str, int] = {}
        self._inside: list[Callable[..., Any]] = []

    # -- what the body does -------------------------------------------------------------------------------------

    def call(self, step: Step[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> OutputHandle | StepOutputs:
        """Record a call, and answer with handles of its outputs."""
        call, arguments = self._begin(step, args, kwargs)
        for option in ("chunk", "max_parallel"):
            if (value := getattr(step.options, option)) is not None:
                self.diagnostics.append(problems.not_mapped(call.place, call.name, f"{option}={value}"))
        for port in self._signature(step).inputs if arguments is not None else ():
            self._bind(call, port, arguments or {})
        self.add_after(call, step.runs_after)
        return self._result(call)

    def map(
        self, step: Step[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> OutputHandle | StepOutputs:
        """Record a step that runs for each element of what it is given; its outputs are lists.

        Args:
            options: `chunk` and `max_parallel`, where they are given; they are arguments of a function that has
                parameters of these names.
        """
        ports = {port.name: port for port in self._signature(step).inputs}
        given = {name: value for name, value in options.items() if name in ports}
        options = {name: value for name, value in options.items() if name not in ports}
        call, arguments = self._begin(step, args, {**kwargs, **given})
        wrong = find_wrong_counts({f"map({name}=…)": value for name, value in options.items()})
        self.diagnostics.extend(wrong)
        if arguments is None:
            return self._result(call)
        mapped = {name: value for name, value in arguments.items() if isinstance(value, (OutputHandle, EitherHandle))}
        if not mapped:
            hint = "pass the result of a step that hands over a list; a list that is known now can come from a step too"
            self.diagnostics.append(problems.invalid_map(call.place, call.name, "has nothing to map", hint))
        for name, handle in mapped.items():
            self.diagnostics.extend(find_in_elements(call, ports[name], handle, self.roots))
        options = {"chunk": step.options.chunk, "max_parallel": step.options.max_parallel, **({} if wrong else options)}
        call.fan_out = expand(self, call, mapped, ports, **options)
        for name, port in ports.items():
            if name in mapped:
                call.inputs[name] = (port, element_of(call.fan_out.expander, mapped[name], name))
            else:
                self._bind(call, port, {key: _unwrapped(value) for key, value in arguments.items()})
        self.add_after(call, step.runs_after)
        return self._result(call)

    def add_gate(self, condition: Any, name: str | None) -> StepCall:
        """Record a condition as the step that answers it."""
        read, operands = read_condition(condition, self)
        place = self.place()
        gate = self.add(self._gate_name(name, place), None, place, (_TAKEN,), kind="gate", condition=read)
        for port, handle in operands.items():
            gate.inputs[port] = (replace(handle.port, name=port), self.reader(gate).bind(handle, port))
        return gate

    def run_body(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Run a pipeline's function, which may not come to itself again."""
        self._inside.append(function)
        try:
            return function(**arguments)
        finally:
            self._inside.pop()

    def is_inside(self, function: Callable[..., Any]) -> bool:
        """Whether this pipeline's function is being run at this moment."""
        return function in self._inside

    def leave_out_idle_gates(self) -> None:
        """Forget the conditions on which nothing depends."""
        needed = {gate for call in self.calls.values() if call.kind != "gate" for gate, _ in call.branch}
        self.calls = {name: call for name, call in self.calls.items() if call.kind != "gate" or name in needed}

    def add_hooks(
        self, hooks: Sequence[Step[Any]], handles: Mapping[str, ParameterHandle], pipeline: str
    ) -> list[StepCall]:
        """Steps that are run when all others have ended, outside the graph."""
        found = []
        for hook in hooks:
            signature = self._signature(hook)
            name = self._new_name(hook, signature.place)
            call = StepCall(name, hook, signature.place, signature.outputs, kind="hook")
            for option, hint in _options_without_effect(hook):
                what = f"has {option}, which has no effect on a hook"
                self.diagnostics.append(problems.invalid_hook(call.place, name, what, hint))
            for port in signature.inputs:
                if port.default is REQUIRED and port.name not in handles:
                    what = f"takes {port.name!r}, which pipeline {pipeline!r} has no parameter for"
                    hint = "give it a default; what failed is in `current().failures`"
                    self.diagnostics.append(problems.invalid_hook(call.place, name, what, hint))
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
            elif isinstance(result, OutputHandle) and result.trace is self:
                call.after.add(result.call.name)
            elif isinstance(result, StepOutputs) and result._trace is self:
                call.after.add(result._call.name)
            else:
                self.diagnostics.append(problems.invalid_after(self.place(), call.name, *_describe_no_step(result)))

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

    def add(self, name: str, step: Step[Any] | None, place: str, outputs: tuple[Port, ...], **fields: Any) -> StepCall:
        """Record a step, in the branch that the body is in."""
        call = StepCall(name, step, place, outputs, branch=self.branch, **fields)
        self.calls[name] = call
        return call

    def reader(self, call: StepCall) -> Reader:
        """What reads the call's arguments."""
        return Reader(self, call.subject, call.place, call.branch)

    def _begin(
        self, step: Step[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[StepCall, dict[str, Any] | None]:
        """A new call, and its arguments by name; None where the step's signature is no good."""
        place = self.place()
        signature = self._signature(step)
        call = self.add(self._new_name(step, place), step, place, signature.outputs)
        if signature.problems:
            return call, None
        arguments, found = bind_arguments(signature, call.subject, place, args, kwargs)
        self.diagnostics.extend(found)
        return call, arguments

    def _bind(self, call: StepCall, port: Port, arguments: Mapping[str, Any]) -> None:
        is_default = port.name not in arguments
        value = port.default if is_default else arguments[port.name]
        if value is REQUIRED:
            return  # told already
        known = len(self.diagnostics)
        binding = self.reader(call).bind(value, port.name, is_default=is_default)
        # The type of a plain default is between the function and its author.
        is_judged = known == len(self.diagnostics) and (not is_default or holds_reference(value))
        if is_judged and (mismatch := find_mismatch(value, port.annotation, self.roots)):
            self.diagnostics.append(type_mismatch(call.place, call.subject, port.name, mismatch))
        call.inputs[port.name] = (port, binding)

    def _result(self, call: StepCall) -> OutputHandle | StepOutputs:
        ports = tuple(list_port(port) for port in call.outputs) if call.fan_out else call.outputs
        handles = tuple(OutputHandle(self, port, call) for port in ports)
        return handles[0] if len(handles) == 1 else StepOutputs(self, call, handles)

    # -- names and signatures -----------------------------------------------------------------------------------

    def made_name(self, base: str) -> str:
        """A name for a step that Zen makes."""
        return self._numbered(f"{self.prefix}{base}"[:_LONGEST_BASE])

    def begin_pipeline(self, name: str) -> str:
        """A prefix for the steps of a pipeline that becomes a part of this one."""
        return f"{self._numbered(f'{self.prefix}{name}')}_"

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
        spelling = f'{step.function.__name__}.with_options(name="{{}}")(…)'
        if step.given_name:
            return self._exact_name(step.given_name, "step", place, spelling)
        name = self._numbered(f"{self.prefix}{step.base_name}")
        self._check_name(name, "step", place, spelling)
        return name

    def _gate_name(self, given: str | None, place: str) -> str:
        if given is None:
            return self.made_name("when")
        return self._exact_name(given, "condition", place, 'when(…, name="{}")')

    def _exact_name(self, given: str, kind: str, place: str, spelling: str) -> str:
        name = f"{self.prefix}{given}"
        if other := self.calls.get(name):
            self.diagnostics.append(problems.duplicate_name(place, name, other.place))
        self._check_name(name, kind, place, spelling)
        return name

    def _check_name(self, name: str, kind: str, place: str, spelling: str) -> None:
        if not NAME.fullmatch(name):
            proposal = propose_name(name.removeprefix(self.prefix), room=60 - len(self.prefix))
            self.diagnostics.append(problems.invalid_name(place, kind, name, proposal=proposal, spelling=spelling))

    def _numbered(self, base: str) -> str:
        """A name that is not taken, with a number from the second one on."""
        number = self._calls_by_base.get(base, 0)
        name = ""
        while not name or name in self.calls:
            number += 1
            name = base if number == 1 else f"{base}_{number}"
        self._calls_by_base[base] = number
        return name


def propose_name(name: str, *, room: int = 60) -> str:
    """A name that the IR takes, as near as can be to one that it does not; "" when there is none."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.sub(r"[^a-z0-9]+", "_", snake).strip("_").lstrip("_0123456789")[: max(room, 0)]


def _unwrapped(value: Any) -> Any:
    return value.value if isinstance(value, Broadcast) else value


def _describe_no_step(result: Any) -> tuple[str, str]:
    """What something is that a step cannot come after, and what to do about it."""
    if isinstance(result, EitherHandle):
        return result.subject, "name the steps themselves, or the one that reads the choice"
    if isinstance(result, Handle) and not isinstance(result, OutputHandle):
        return result.subject, "a parameter is there from the start: name steps only"
    return describe_stranger(result)


def _options_without_effect(hook: Step[Any]) -> list[tuple[str, str]]:
    """Options of a step that say what an orchestrator is to do with its task: a hook has none of its own."""
    options = hook.options
    given = {
        "retry": options.retry,
        "resources": options.resources,
        "cache": options.cache,
        "chunk": options.chunk,
        "max_parallel": options.max_parallel,
    }
    name = hook.function.__name__
    found = [
        (f"{option}=…", f"take it away: {name}.with_options({option}=None)") for option, value in given.items() if value
    ]
    if options.environment and options.environment.image:
        found.append(("an image", f"take it away: {name}.with_options(environment=None)"))
    return found
