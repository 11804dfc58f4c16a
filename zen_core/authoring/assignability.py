"""Whether a value of one declared type may be given where another is declared.

Only clear mismatches count: what cannot be judged (an unknown generic, a protocol, a type variable) is let through.
"""

from __future__ import annotations

import collections.abc
import numbers
import os
import typing
from typing import Any

from zen_core.authoring.annotations import (
    CONTAINERS,
    OpaqueType,
    accepts_anything,
    is_union,
    without_metadata,
)
from zen_core.contract.files import File

_NUMBERS: dict[type, type] = {int: numbers.Integral, float: numbers.Real, complex: numbers.Complex}


def is_assignable(source: Any, target: Any) -> bool:
    """Whether each value of type `source` may stand where `target` is declared."""
    source, target = without_metadata(source), without_metadata(target)
    if accepts_anything(source) or accepts_anything(target) or source == target:
        return True
    if is_union(source):
        return all(is_assignable(member, target) for member in typing.get_args(source))
    if is_union(target):
        return any(is_assignable(source, member) for member in typing.get_args(target))
    if isinstance(source, OpaqueType) or isinstance(target, OpaqueType):
        return _is_opaque_match(source, target)
    if typing.get_origin(source) is typing.Literal:
        return all(value_fits(value, target) for value in typing.get_args(source))
    if typing.get_origin(target) is typing.Literal:  # a text may be one of the texts that are allowed
        return any(is_assignable(source, type(value)) for value in typing.get_args(target))
    return _is_generic_match(source, target)


def value_fits(value: Any, target: Any) -> bool:
    """Whether a constant may stand where `target` is declared."""
    target = without_metadata(target)
    if accepts_anything(target) or isinstance(target, OpaqueType):
        return True
    if is_union(target):
        return any(value_fits(value, member) for member in typing.get_args(target))
    if typing.get_origin(target) is typing.Literal:
        return any(type(value) is type(choice) and value == choice for choice in typing.get_args(target))
    if not is_assignable(type(value), typing.get_origin(target) or target):
        return False
    return all(value_fits(item, wanted) for item, wanted in _items_with_types(value, target))


def element_type(target: Any, container: type, key: int | str, length: int) -> Any:
    """The type that `target` declares for one item of a list, tuple or dict; Any when it does not say.

    Raises:
        TypeError: such a container does not fit at all.
    """
    origin, arguments = typing.get_origin(target) or target, typing.get_args(target)
    if not _is_subclass(container, origin):
        raise TypeError
    if not arguments or origin not in CONTAINERS:
        return Any
    if origin is tuple and arguments[-1] is not Ellipsis:
        if length != len(arguments):
            raise TypeError
        return arguments[int(key)]
    if container is dict:
        return arguments[1] if len(arguments) == 2 else Any
    return arguments[0]


def _is_opaque_match(source: Any, target: Any) -> bool:
    if not (isinstance(source, OpaqueType) and isinstance(target, OpaqueType)):
        return True
    # "pd.DataFrame" and "pandas.DataFrame" may be one class, imported under two names.
    return source.text.rpartition(".")[2] == target.text.rpartition(".")[2]


def _is_generic_match(source: Any, target: Any) -> bool:
    source_class = typing.get_origin(source) or source
    target_class = typing.get_origin(target) or target
    if not _is_subclass(source_class, target_class):
        parametrised = typing.get_origin(target) is not None and target_class not in CONTAINERS
        return parametrised and _is_subclass(target_class, source_class)
    wanted, given = typing.get_args(target), typing.get_args(source)
    if not wanted or not given or target_class not in CONTAINERS or source_class not in CONTAINERS:
        return True
    if tuple in (source_class, target_class):
        return _is_tuple_match(given, wanted, fixed=target_class is tuple)
    return len(given) != len(wanted) or all(map(is_assignable, given, wanted))


def _is_tuple_match(given: tuple[Any, ...], wanted: tuple[Any, ...], *, fixed: bool) -> bool:
    if not fixed or wanted[-1] is Ellipsis:
        return all(is_assignable(item, wanted[0]) for item in given if item is not Ellipsis)
    if given[-1] is Ellipsis:
        return all(is_assignable(given[0], item) for item in wanted)
    return len(given) == len(wanted) and all(map(is_assignable, given, wanted))


def _is_subclass(source: Any, target: Any) -> bool:
    if source is None or target is None:
        source, target = (type(None) if kind is None else kind for kind in (source, target))
    if not isinstance(source, type) or not isinstance(target, type):
        return True
    if getattr(target, "_is_protocol", False) and target.__module__ != "collections.abc" and target is not os.PathLike:
        return True
    if source is File and issubclass(target, os.PathLike):
        return True  # a step that declares a path is given the file's local path
    try:
        return issubclass(source, _NUMBERS.get(target, target)) or issubclass(source, target)
    except TypeError:  # a class that refuses to be asked
        return True


def _items_with_types(value: Any, target: Any) -> list[tuple[Any, Any]]:
    """The items of a constant, each with the type that its container declares for it."""
    origin, arguments = typing.get_origin(target), typing.get_args(target)
    if not arguments or origin not in CONTAINERS or isinstance(value, (str, bytes)):
        return []
    if isinstance(value, collections.abc.Mapping) and len(arguments) == 2:
        return [pair for key, item in value.items() for pair in ((key, arguments[0]), (item, arguments[1]))]
    if origin is tuple and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            return [(value, type(None))]  # a wrong length fits nothing
        return list(zip(value, arguments, strict=True))
    if isinstance(value, collections.abc.Iterable) and origin is not type:
        return [(item, arguments[0]) for item in value]
    return []
