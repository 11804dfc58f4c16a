"""Annotations of functions: resolved as far as they can be, and written as one text that is the same everywhere."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import enum
import sys
import types
import typing
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Union

from zen_core.authoring.code_location import public_module_name
from zen_core.contract.files import File

NOT_ANNOTATED = Any


class OpaqueType:
    """A part of an annotation that has no meaning here, such as a name imported for type checkers only.

    It stands for that part in the whole, so that `tuple[Annotated[pd.DataFrame, "train"], ...]` still tells its
    outputs, and it matches by its text.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __getattr__(self, name: str) -> OpaqueType:
        if name.startswith("__"):
            raise AttributeError(name)
        return OpaqueType(f"{self.text}.{name}")

    def __getitem__(self, item: Any) -> OpaqueType:
        items = item if isinstance(item, tuple) else (item,)
        return OpaqueType(f"{self.text}[{', '.join(type_text(part, ()) for part in items)}]")

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - `|` is what is being defined

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpaqueType) and other.text == self.text

    def __hash__(self) -> int:
        return hash((OpaqueType, self.text))


def resolve_annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """The function's annotations as types; what cannot be resolved is an OpaqueType, one by one."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # evaluating annotations runs the user's code: each one is tried by itself instead
        annotations = getattr(function, "__annotations__", {})
        return {name: _resolve(annotation, function) for name, annotation in annotations.items()}


def without_metadata(annotation: Any) -> Any:
    """The type itself, without `Annotated`, NewType and type aliases around it."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = annotation.__origin__
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12
            annotation = annotation.__value__
        else:
            return annotation


def is_union(annotation: Any) -> bool:
    """Whether it is `A | B` or `Union[A, B]`."""
    return typing.get_origin(annotation) in (Union, types.UnionType)


def accepts_anything(annotation: Any) -> bool:
    """Whether the annotation says nothing that could be held against a value."""
    return annotation in (Any, object) or isinstance(annotation, (typing.TypeVar, str, typing.ForwardRef))


def type_text(annotation: Any, roots: Sequence[Path]) -> str:
    """The canonical text of a type, the same on all supported Python versions.

    Classes are written by the shortest path at which their package shows them (`pandas.DataFrame`), builtins by their
    name. Members of unions and literals are sorted, since Python itself takes them as sets.
    """
    annotation = without_metadata(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, OpaqueType):
        return annotation.text
    if accepts_anything(annotation):
        return annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", "Any")
    if is_union(annotation):
        members = {type_text(member, roots) for member in typing.get_args(annotation)}
        return " | ".join(sorted(members, key=lambda text: (text == "None", text)))
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        values = {_literal_text(value, roots) for value in typing.get_args(annotation)}
        return f"Literal[{', '.join(sorted(values))}]"
    if origin is not None:
        return _generic_text(origin, typing.get_args(annotation), tuple(roots))
    # An object that is used as an annotation: its kind is all there is to say.
    kind: Any = annotation if isinstance(annotation, type) else type(annotation)
    return class_text(kind, tuple(roots))


@lru_cache(maxsize=4096)
def class_text(kind: type[Any], roots: tuple[Path, ...]) -> str:
    """The shortest dotted path at which the class's package shows it; for builtins the name alone."""
    module = public_module_name(kind.__module__, roots)
    if kind is File:
        return "zen_core.File"
    if module == "builtins":
        return kind.__qualname__
    parts = module.split(".")
    for length in range(1, len(parts)):
        package = sys.modules.get(".".join(parts[:length]))
        if package is not None and _is_shown(package, kind):
            return f"{'.'.join(parts[:length])}.{kind.__qualname__}"
    return f"{module}.{kind.__qualname__}"


def _is_shown(package: types.ModuleType, kind: type) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a package may deprecate the name that is looked for
        try:
            return getattr(package, kind.__qualname__, None) is kind
        except Exception:  # a package that loads its names lazily, and fails: then it does not show it
            return False


def _generic_text(origin: Any, arguments: tuple[Any, ...], roots: tuple[Path, ...]) -> str:
    name = class_text(origin, roots) if isinstance(origin, type) else str(origin)
    if not arguments:
        return name
    return f"{name}[{', '.join(_argument_text(argument, roots) for argument in arguments)}]"


def _argument_text(argument: Any, roots: tuple[Path, ...]) -> str:
    if argument is Ellipsis:
        return "..."
    if isinstance(argument, list):  # the parameters of a Callable
        return f"[{', '.join(_argument_text(item, roots) for item in argument)}]"
    return type_text(argument, roots)


def _literal_text(value: Any, roots: Sequence[Path]) -> str:
    return f"{class_text(type(value), tuple(roots))}.{value.name}" if isinstance(value, enum.Enum) else repr(value)


def _resolve(annotation: Any, function: Callable[..., Any]) -> Any:
    if annotation is None:
        return type(None)
    if not isinstance(annotation, str):
        return annotation
    try:
        tree = ast.parse(annotation, mode="eval")
    except SyntaxError:
        return OpaqueType(annotation)
    try:
        names = _TolerantNames(getattr(function, "__globals__", {}))
        return eval(compile(tree, "<annotation>", "eval"), {"__builtins__": {}}, names)
    except Exception:  # the user's expression: whatever it raises, its text is what is left
        return OpaqueType(ast.unparse(tree))


class _TolerantNames(dict[str, Any]):
    """The names that an annotation is evaluated with: those of its module, and an OpaqueType for any other."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, OpaqueType(name))


CONTAINERS: tuple[type, ...] = (
    list, tuple, set, frozenset, dict, type,
    collections.abc.Iterable, collections.abc.Collection, collections.abc.Sequence, collections.abc.MutableSequence,
    collections.abc.Mapping, collections.abc.MutableMapping, collections.abc.Set, collections.abc.MutableSet,
)  # fmt: skip
"""Generic types whose arguments are compared one by one."""
