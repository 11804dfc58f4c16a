"""Arguments as bindings of the IR: where the input of a step comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zen_core.authoring import problems
from zen_core.authoring.arguments import holds_reference
from zen_core.authoring.calls import Branch
from zen_core.authoring.conditions import Branches, Broadcast, Term
from zen_core.authoring.handles import BoundHandle, EitherHandle, Handle, OutputHandle, StepOutputs
from zen_core.authoring.references import Artifact, Secret
from zen_core.contract.bindings import (
    Binding,
    ConstantBinding,
    DictBinding,
    EitherBinding,
    ExternalBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
    SecretBinding,
)
from zen_core.contract.values import UnserializableError, to_json

if TYPE_CHECKING:
    from zen_core.authoring.tracing import Trace


@dataclass(frozen=True, eq=False)
class Reader:
    """What is given an argument: a step, or a pipeline that becomes a part of another one.

    Attributes:
        subject: what it is, for messages: `step 'train'`.
        branch: the branch that it lies in.
    """

    trace: Trace
    subject: str
    place: str
    branch: Branch

    def bind(self, value: Any, path: str, *, is_default: bool = False) -> Binding:
        """Where an argument comes from. What is wrong with it is told to the trace; then any binding will do.

        Args:
            value: a handle, a reference, a constant, or a list, tuple or dict of these.
            path: of the argument, for messages: `frame`, `frames[0]`.
            is_default: whether it is a default, and not written in the call.
        """
        try:
            return self._bind(value, path, is_default)
        except RecursionError:
            return self._unserializable(path, "value that contains itself", is_default)

    def _bind(self, value: Any, path: str, is_default: bool) -> Binding:
        if isinstance(value, Handle) and value.trace is self.trace:
            return self._bind_handle(value, path)
        if isinstance(value, Secret):
            return SecretBinding(value.name)
        if isinstance(value, Artifact):
            return ExternalBinding(value.name, value.version)
        if type(value) in (list, tuple) and holds_reference(value):
            items = (self._bind(item, f"{path}[{index}]", is_default) for index, item in enumerate(value))
            return ListBinding(tuple(items), as_tuple=type(value) is tuple)
        if type(value) is dict and holds_reference(value) and all(type(key) is str for key in value):
            return DictBinding({key: self._bind(item, f"{path}[{key!r}]", is_default) for key, item in value.items()})
        return self._bind_constant(value, path, is_default)

    def _bind_handle(self, handle: Handle, path: str) -> Binding:
        if isinstance(handle, BoundHandle):
            return handle.binding
        if isinstance(handle, EitherHandle):
            return EitherBinding(tuple(OutputBinding(item.call.name, item.port.name) for item in handle.options))
        if isinstance(handle, OutputHandle):
            made = handle.call
            if self.branch[: len(made.branch)] != made.branch:
                self.trace.diagnostics.append(
                    problems.used_outside_branch(self.place, self.subject, repr(path), made.name, made.place)
                )
            return OutputBinding(made.name, handle.port.name)
        return ParameterBinding(handle.port.name)

    def _bind_constant(self, value: Any, path: str, is_default: bool) -> Binding:
        if stranger := _find_stranger(value):
            self.trace.diagnostics.append(problems.not_a_result(self.place, self.subject, repr(path), *stranger))
            return ConstantBinding()
        try:
            return ConstantBinding(to_json(value, path=path))
        except UnserializableError as error:
            return self._unserializable(error.path, error.type_name, is_default)

    def _unserializable(self, path: str, type_name: str, is_default: bool) -> Binding:
        self.trace.diagnostics.append(
            problems.unserializable_constant(self.place, self.subject, repr(path), type_name, default=is_default)
        )
        return ConstantBinding()


def describe_stranger(value: Any) -> tuple[str, str]:
    """What a value is that looks like a result and is none, and what to do about it."""
    from zen_core.authoring.decorators import Pipeline, Step

    if isinstance(value, Step):
        return f"the step {value.base_name!r} itself", f"call it, and pass its result: {value.base_name}(…)"
    if isinstance(value, Pipeline):
        return f"the pipeline {value.name!r}", "pass the result of a step"
    if isinstance(value, Broadcast):
        return "a `broadcast(…)` outside a `.map`", "pass the result itself"
    if isinstance(value, (Term, Branches)):
        return "a condition on results", "use it in `with when(…):`"
    if isinstance(value, StepOutputs):
        names = [f".{port.name}" for port in value._call.outputs]
        hint = f"pass one of them: {', '.join(names)}" if names else "it hands over nothing; use `.after` for the order"
        return f"the result of step {value._call.name!r}, which has {len(names) or 'no'} outputs", hint
    if isinstance(value, Handle):
        return f"{value.subject}, of another pipeline", "use the parameters and call the steps of this pipeline"
    return f"a {type(value).__name__}", "pass the result of a step that is called in this pipeline"


def _find_stranger(value: Any) -> tuple[str, str] | None:
    """What is wrong with an argument that is, or holds where it cannot, something that only a run has."""
    if _is_stranger(value):
        return describe_stranger(value)
    if isinstance(value, (dict, set, frozenset)) and any(_is_stranger(item) or _is_reference(item) for item in value):
        return "a set or a dict with results as its keys", "use a list, or a dict with texts as its keys"
    if isinstance(value, dict) and holds_reference(value):
        return "a dict of results with keys that are no texts", "use texts as the keys"
    if isinstance(value, (list, tuple)):
        return next((found for item in value if (found := _find_stranger(item))), None)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _find_in_object(value)
    return None


def _find_in_object(value: Any) -> tuple[str, str] | None:
    """Zen does not look for results within objects of the user's, and would write down the reference itself."""
    parts: Iterable[Any] = (getattr(value, field.name, None) for field in dataclasses.fields(value))
    if any(_is_stranger(part) or holds_reference(part) for part in parts):
        return f"a {type(value).__name__} that holds a result or a reference", "pass its parts one by one"
    return None


def _is_stranger(value: Any) -> bool:
    from zen_core.authoring.decorators import Pipeline, Step

    return isinstance(value, (Handle, StepOutputs, Step, Pipeline, Broadcast, Term, Branches))


def _is_reference(value: Any) -> bool:
    return isinstance(value, (Secret, Artifact))
