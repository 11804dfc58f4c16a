"""The digest of any object that can be pickled: of what it consists of, not of its pickle.

A pickle's bytes tell which equal strings are one object and in which order a set happens to lie; they differ between
processes for equal values. Here an object is what its `__reduce_ex__` says: a callable, arguments and a state. The
digest is a tree of SHA-256 digests: numpy arrays and pandas frames count by content, dicts and sets without order,
strings by their text; whether two equal parts are the same object does not count.
"""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import math
import struct
import sys
import types
from array import array
from collections.abc import Callable, Iterable
from typing import Any

from zen_core.contract.canonical import DIGEST_PREFIX

_PICKLE_PROTOCOL = 4  # 5 hands buffers out of band


class UndigestibleError(TypeError):
    """The object holds something that has no content to digest, such as a lock or an open connection."""


def digest_object(value: object) -> str:
    """`sha256:` and the digest of any object that can be pickled, the same in each process for equal objects.

    Example:
        >>> digest_object({"a", "b"}) == digest_object({"b", "a"})
        True

    Raises:
        UndigestibleError: a part of it cannot be pickled.
    """
    return DIGEST_PREFIX + token_of(value).hex()


def token_of(value: object) -> bytes:
    """The 32 bytes of `digest_object`."""
    try:
        return _Walk().token(value)
    except RecursionError as error:
        raise UndigestibleError("it is nested too deeply") from error


def node(tag: str, *parts: bytes) -> bytes:
    """The token of a compound: the tag keeps kinds apart, the lengths keep parts apart."""
    hasher = hashlib.sha256(b"%s:%d;" % (tag.encode(), len(parts)))
    for part in parts:
        hasher.update(b"%d:" % len(part))
        hasher.update(part)
    return hasher.digest()


def text_token(text: str) -> bytes:
    """The token of a text."""
    return node("str", text.encode("utf-8", "surrogatepass"))


def array_token(value: Any, elements: Callable[[object], bytes] = token_of) -> bytes:
    """The token of a numpy array: dtype, shape and elements; memory order and padding do not count."""
    from zen_metadata.artifacts.formats.arrays import canonical_chunks, has_plain_bytes, npy_header, without_padding

    if not has_plain_bytes(value.dtype):
        shape = repr(tuple(map(int, value.shape))).encode()
        return node("objects", str(value.dtype).encode(), shape, elements(value.ravel().tolist()))
    packed = without_padding(value)
    hasher = hashlib.sha256(npy_header(packed.dtype, packed.shape))
    for chunk in canonical_chunks(packed):
        hasher.update(chunk)
    return node("ndarray", hasher.digest())


class _Walk:
    """One walk through an object; remembers what it has met, which ends cycles and keeps shared parts cheap."""

    def __init__(self) -> None:
        # The objects are kept alive beside their tokens: an id is free for another object once its owner is gone.
        self._done: dict[int, tuple[object, bytes]] = {}
        self._open: dict[int, int] = {}

    def token(self, value: object) -> bytes:
        primitive = _PRIMITIVES.get(type(value))
        if primitive is not None:
            return primitive(value)
        key = id(value)
        done = self._done.get(key)
        if done is not None:
            return done[1]
        if key in self._open:
            return node("cycle", b"%d" % (len(self._open) - self._open[key]))
        self._open[key] = len(self._open)
        try:
            token = self._compound(value)
        finally:
            del self._open[key]
        self._done[key] = (value, token)
        return token

    def _compound(self, value: Any) -> bytes:
        kind = type(value)
        if kind is list or kind is tuple:
            return node(kind.__name__, *(_uniform(value) or map(self.token, value)))
        if kind is dict:
            return node("dict", *sorted(self._pairs(value.items())))
        if kind is set or kind is frozenset:
            return node(kind.__name__, *sorted(map(self.token, value)))
        if isinstance(value, type):
            return self._class(value)
        if kind is types.FunctionType:
            return self._function(value)
        if kind is types.CodeType:
            return self._code(value)
        if kind is types.MappingProxyType:
            return node("proxy", self.token(dict(value)))
        if kind is types.ModuleType:
            return node("module", value.__name__.encode())
        if kind is types.CellType:
            return node("cell", *(self.token(content) for content in _cell_contents(value)))
        return self._from_library(value) or self._reduced(value)

    def _from_library(self, value: Any) -> bytes | None:
        library = type(value).__module__.partition(".")[0]
        if library == "numpy":
            numpy = sys.modules["numpy"]
            if type(value) is numpy.ndarray:
                return array_token(value, self.token)
            if type(value) is numpy.ma.MaskedArray:
                # What lies beneath the mask, and a fill value that is made on first use, are no part of the value.
                mask = numpy.ma.getmaskarray(value)
                return node("masked", array_token(mask), self.token(value.data[~mask]))
        if library == "pandas":
            from zen_metadata.artifacts.formats.frames import pandas_token

            return pandas_token(value, self.token)
        if library == "pyarrow":
            from zen_metadata.artifacts.formats.arrow import arrow_token

            return arrow_token(value)
        return None

    def _reduced(self, value: Any) -> bytes:
        reducer = copyreg.dispatch_table.get(type(value))
        try:
            reduced = reducer(value) if reducer else value.__reduce_ex__(_PICKLE_PROTOCOL)
        except Exception as error:
            return self._pickled(value, error)
        if isinstance(reduced, str):
            return node("global", str(getattr(value, "__module__", "")).encode(), reduced.encode())
        call, arguments, state, items, pairs, setter = (*reduced, None, None, None, None)[:6]
        if type(state) is dict and not _MACHINE_FACTS.isdisjoint(state) and _is_from_sklearn(value):
            state = {name: item for name, item in state.items() if name not in _MACHINE_FACTS}
        return node(
            "object",
            self.token(call),
            self.token(arguments),
            self.token(state),
            node("items", *map(self.token, items or ())),
            node("pairs", *self._pairs(pairs or ())),
            self.token(setter),
        )

    def _pickled(self, value: object, reason: Exception) -> bytes:
        """What only cloudpickle can take apart. Its bytes may differ between processes: a miss, never a wrong hit."""
        import cloudpickle

        try:
            return node("pickle", cloudpickle.dumps(value, protocol=_PICKLE_PROTOCOL))
        except Exception as error:
            raise UndigestibleError(str(reason)) from error

    def _pairs(self, pairs: Iterable[tuple[object, object]]) -> list[bytes]:
        return [self.token(key) + self.token(item) for key, item in pairs]

    def _class(self, value: type) -> bytes:
        if _is_importable(value):
            return node("global", value.__module__.encode(), value.__qualname__.encode())
        members = [
            (name, member)
            for name, member in vars(value).items()
            if name not in _CLASS_BOOKKEEPING and not isinstance(member, _SLOT_TYPES)
        ]
        bases = node("bases", *map(self.token, value.__bases__))
        return node("class", value.__qualname__.encode(), bases, *sorted(self._pairs(members)))

    def _function(self, value: types.FunctionType) -> bytes:
        if _is_importable(value):
            return node("global", value.__module__.encode(), value.__qualname__.encode())
        names = [name for name in _names_in(value.__code__) if name in value.__globals__]
        parts = (
            value.__code__,
            value.__defaults__,
            value.__kwdefaults__,
            value.__closure__,
            {name: value.__globals__[name] for name in names},
        )
        return node("function", *map(self.token, parts))

    def _code(self, value: types.CodeType) -> bytes:
        parts = (value.co_code, value.co_consts, value.co_names, value.co_varnames, value.co_freevars)
        flags = value.co_flags & _CODE_KINDS
        counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, flags)
        return node("code", *map(self.token, (*parts, *counts)))


_MACHINE_FACTS = frozenset({"_stop_words_id", "_n_threads", "n_threads", "_init_prev_time", "_iter_prev_time"})
"""What scikit-learn's objects keep of the process that trained them: an `id()`, the number of cores, a clock."""
_CLASS_BOOKKEEPING = frozenset(
    {"__module__", "__dict__", "__weakref__", "__doc__", "__firstlineno__", "__static_attributes__", "_abc_impl"}
)
_CODE_KINDS = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
"""The flags that say what a function is; the others say how its file was compiled."""
_SLOT_TYPES = (types.GetSetDescriptorType, types.MemberDescriptorType)


def _is_from_sklearn(value: object) -> bool:
    return any(ancestor.__module__.partition(".")[0] == "sklearn" for ancestor in type(value).__mro__)


def _is_importable(value: Any) -> bool:
    """Whether a reader finds it under its name; what lies in `__main__` is pickled by value."""
    if value.__module__ in (None, "__main__"):
        return False
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _names_in(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names_in(constant)
    return names


def _cell_contents(cell: types.CellType) -> tuple[object, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # not filled yet: a function that refers to itself
        return ()


def _float_bytes(value: float) -> bytes:
    return struct.pack(">d", math.nan if math.isnan(value) else value)


def _uniform(value: list[Any] | tuple[Any, ...]) -> tuple[bytes, ...] | None:
    """The elements of a long list of one plain type, encoded at the speed of C; None for any other list."""
    if len(value) < 16:
        return None
    kinds = set(map(type, value))
    if kinds == {float}:
        numbers = array("d", (math.nan if math.isnan(item) else item for item in value))
        if sys.byteorder == "little":
            numbers.byteswap()
        return b"floats", numbers.tobytes()
    if kinds == {int}:
        return b"ints", ",".join(map(str, value)).encode()
    if kinds == {str}:
        lengths = ",".join(str(len(item)) for item in value)
        return b"strs", lengths.encode(), "".join(value).encode("utf-8", "surrogatepass")
    return None


_PRIMITIVES: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: node("none"),
    bool: lambda value: node("bool", b"1" if value else b"0"),
    int: lambda value: node("int", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)),
    float: lambda value: node("float", _float_bytes(value)),
    complex: lambda value: node("complex", _float_bytes(value.real), _float_bytes(value.imag)),
    str: text_token,
    bytes: lambda value: node("bytes", value),
    bytearray: lambda value: node("bytearray", bytes(value)),
    type(Ellipsis): lambda value: node("ellipsis"),
    type(NotImplemented): lambda value: node("not-implemented"),
}
