"""What stands in a pipeline's body for values that do not exist yet, and refuses to be used as if they did."""

from __future__ import annotations

import opcode
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, Union

from zen_core.authoring.problems import wrong_unpacking

if TYPE_CHECKING:
    from zen_core.authoring.calls import StepCall
    from zen_core.authoring.signatures import Port
    from zen_core.authoring.tracing import Trace
    from zen_core.contract.bindings import Binding

_IN_A_STEP = "do it inside a step, which is given the value: pass it as an argument"
AND_SPELLING = "(score > 0.9) & (depth < 10), with `|` for or and `~` for not"
_CONDITIONS = f"write `with when(…):` for `if`, and join conditions as in {AND_SPELLING}"


class Handle:
    """A value that a run will have: a parameter of the pipeline, or an output of a step."""

    __slots__ = ("_trace", "port")

    def __init__(self, trace: Trace, port: Port) -> None:
        self._trace = trace
        self.port = port

    @property
    def trace(self) -> Trace:
        """The recording that it belongs to."""
        return self._trace

    @property
    def subject(self) -> str:
        """What the handle is, in words."""
        raise NotImplementedError

    @property
    def short_name(self) -> str:
        """A Python identifier that tells it from most others."""
        raise NotImplementedError

    def is_same(self, other: Handle) -> bool:
        """Whether both stand for one value. `==` makes a condition of two handles."""
        return self is other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_trace":
            raise AttributeError(name)
        self.refuse(f"has no attribute {name!r} while the pipeline is built", _IN_A_STEP)

    def __repr__(self) -> str:
        return f"<{self.subject}>"

    def refuse(self, use: str, hint: str) -> NoReturn:
        """Raise the DefinitionError for a use that cannot be, at the user's line."""
        raise self._trace.misuse(self.subject, use, hint)


class ParameterHandle(Handle):
    """A parameter of the pipeline."""

    __slots__ = ()

    @property
    def subject(self) -> str:
        """What it is, in words."""
        return f"the parameter {self.port.name!r} of the pipeline"

    @property
    def short_name(self) -> str:
        """The parameter's name."""
        return self.port.name


class BoundHandle(Handle):
    """A parameter of a pipeline that is a part of another one, which gives it a value that is known already.

    It stays a handle, so that the body means the same as in a run of its own.
    """

    __slots__ = ("binding", "pipeline")

    def __init__(self, trace: Trace, port: Port, pipeline: str, binding: Binding) -> None:
        super().__init__(trace, port)
        self.pipeline = pipeline
        self.binding = binding

    @property
    def subject(self) -> str:
        """What it is, in words."""
        return f"the parameter {self.port.name!r} of pipeline {self.pipeline!r}"

    @property
    def short_name(self) -> str:
        """The parameter's name."""
        return self.port.name


class OutputHandle(Handle):
    """An output of a step."""

    __slots__ = ("call",)

    def __init__(self, trace: Trace, port: Port, call: StepCall) -> None:
        super().__init__(trace, port)
        self.call = call

    @property
    def subject(self) -> str:
        """What it is, in words."""
        return f"the output {self.port.name!r} of step {self.call.name!r}"

    @property
    def short_name(self) -> str:
        """The step's name, with the output's where it is not the only one."""
        return self.call.name if self.port.name == "result" else f"{self.call.name}_{self.port.name}"[:63]

    def is_same(self, other: Handle) -> bool:
        """Whether both are one output of one step."""
        return isinstance(other, OutputHandle) and other.call is self.call and other.port.name == self.port.name

    def after(self, *steps: Any) -> OutputHandle:
        """Have the step run after the steps of these results too; answers with the same result."""
        self._trace.add_after(self.call, steps)
        return self

    def __getattr__(self, name: str) -> Any:
        return self if name == self.port.name else super().__getattr__(name)


class EitherHandle(Handle):
    """The first of several outputs whose step was not skipped."""

    __slots__ = ("options",)

    def __init__(self, trace: Trace, options: tuple[OutputHandle, ...]) -> None:
        annotations = tuple(dict.fromkeys(option.port.annotation for option in options))
        texts = dict.fromkeys(option.port.type for option in options)
        annotation = annotations[0] if len(annotations) == 1 else Union[annotations]  # noqa: UP007 - of any length
        super().__init__(trace, replace(options[0].port, annotation=annotation, type=" | ".join(texts)))
        self.options = options

    @property
    def subject(self) -> str:
        """What it is, in words."""
        names = [repr(option.call.name) for option in self.options]
        return f"the choice between the results of {', '.join(names)}"

    @property
    def short_name(self) -> str:
        """The name of the first."""
        return f"either_{self.options[0].short_name}"[:63]


class StepOutputs:
    """The result of a step with several outputs, or with none: `out.train`, `out["train"]`, or unpacked in order.

    What it has beside `after` is private, since its public names are those of the outputs.
    """

    __slots__ = ("_call", "_handles", "_trace")

    def __init__(self, trace: Trace, call: StepCall, handles: tuple[OutputHandle, ...]) -> None:
        self._trace = trace
        self._call = call
        self._handles = {handle.port.name: handle for handle in handles}

    def after(self, *steps: Any) -> StepOutputs:
        """Have the step run after the steps of these results too; answers with the same result."""
        self._trace.add_after(self._call, steps)
        return self

    def __getattr__(self, name: str) -> OutputHandle:
        if name.startswith("__") or name in StepOutputs.__slots__:
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, key: str | int) -> OutputHandle:
        names = list(self._handles)
        if isinstance(key, int) and -len(names) <= key < len(names):
            key = names[key]
        if key not in names:
            self._refuse(f"has no output {key!r}", f"its outputs: {', '.join(names) or 'none'}")
        return self._handles[str(key)]

    def __iter__(self) -> Iterator[OutputHandle]:
        if not self._handles:
            self._refuse("has no output to unpack", "use `.after` to order steps that hand over nothing")
        wanted = _unpacking_width()
        if wanted not in (None, len(self._handles)):
            function = self._call.step.function.__name__ if self._call.step else self._call.name
            names = list(self._handles)
            problem = wrong_unpacking(self._trace.place(), self._call.name, function, names, wanted or 0)
            raise self._trace.error(problem)
        return iter(self._handles.values())

    def __len__(self) -> int:
        return len(self._handles)

    def __bool__(self) -> bool:  # noqa: PLE0304 - it has no truth value
        self._refuse("is used as a condition", _CONDITIONS)

    def __repr__(self) -> str:
        return f"<the result of step {self._call.name!r}: {', '.join(self._handles) or 'no output'}>"

    def _refuse(self, use: str, hint: str) -> NoReturn:
        raise self._trace.misuse(f"the result of step {self._call.name!r}", use, hint)


def _unpacking_width() -> int | None:
    """Into how many names the caller's caller is unpacking at this moment; None when it does something else."""
    frame = sys._getframe(2)
    code, place = frame.f_code.co_code, frame.f_lasti
    return code[place + 1] if opcode.opname[code[place]] == "UNPACK_SEQUENCE" else None


def _refusing(use: str, hint: str) -> Callable[..., Any]:
    def method(self: Handle, *_: Any) -> NoReturn:
        self.refuse(use, hint)

    return method


_AS_TEXT = "is put into a text", "build the text " + _IN_A_STEP.removeprefix("do it ")
_AS_CONDITION = "is used as a condition (`if`, `while`, `and`, `or`, `not`)", _CONDITIONS
_COMPUTED = "is calculated with", _IN_A_STEP
_ITERATED = (
    "is iterated or unpacked",
    'loop inside a step; a step with several outputs names them: tuple[Annotated[A, "a"], Annotated[B, "b"]]',
)
_USES: dict[tuple[str, str], str] = {
    _AS_CONDITION: "bool",
    ("is joined with `^`", _CONDITIONS): "xor rxor",
    _COMPUTED: (
        "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod divmod rdivmod pow rpow matmul "
        "rmatmul lshift rlshift rshift rrshift neg pos abs round trunc floor ceil int float complex index"
    ),
    _ITERATED: "iter reversed next",
    _AS_TEXT: "str format bytes fspath",
    ("is searched with `in`", _IN_A_STEP): "contains",
    ("is asked for its length", _IN_A_STEP): "len",
    ("is indexed", "take the part " + _IN_A_STEP.removeprefix("do it ")): "getitem",
    ("is changed", _IN_A_STEP): "setitem delitem",
    ("is called", _IN_A_STEP): "call",
    ("is used in `with`", _IN_A_STEP): "enter exit",
}
# Python looks these up on the class, so that refusing each kind of use means defining each method.
for _use, _methods in _USES.items():
    for _method in _methods.split():
        setattr(Handle, f"__{_method}__", _refusing(*_use))


def _comparing(operator: str) -> Callable[..., Any]:
    def method(self: Handle, other: Any) -> Any:
        from zen_core.authoring.conditions import comparison

        return comparison(self, operator, other)

    return method


def _joining(operator: str, *, reflected: bool = False) -> Callable[..., Any]:
    def method(self: Handle, other: Any = None) -> Any:
        from zen_core.authoring.conditions import Term

        if operator == "not":
            return Term(self.trace, "not", (self,))
        if not isinstance(other, (Handle, Term)):
            self.refuse(f"is joined with {other!r:.60}", f"put brackets around each comparison: {AND_SPELLING}")
        return Term(self.trace, operator, (other, self) if reflected else (self, other))

    return method


for _method, _operator in {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items():
    setattr(Handle, f"__{_method}__", _comparing(_operator))
for _operator in ("and", "or"):
    setattr(Handle, f"__{_operator}__", _joining(_operator))
    setattr(Handle, f"__r{_operator}__", _joining(_operator, reflected=True))
setattr(Handle, "__invert__", _joining("not"))  # noqa: B010 - as the others
Handle.__hash__ = object.__hash__  # type: ignore[method-assign]
