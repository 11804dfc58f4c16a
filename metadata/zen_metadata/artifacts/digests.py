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
from collections import OrderedDict
from collections.abc import Callable, Iterable
from operator import itemgetter
from pathlib import PurePath
from typing import Any
from zoneinfo import ZoneInfo

from zen_core.contract.canonical import DIGEST_PREFIX
from zen_metadata.artifacts.class_code import code_digest
from zen_metadata.artifacts.type_names import type_name

_PICKLE_PROTOCOL = 4  # 5 hands buffers out of band


class UncertainDigest(str):
    """A digest that may be another one in another process, though the value is equal; `doubt` says why."""

    __slots__ = ("doubt",)
    doubt: str

    def __new__(cls, digest: str, doubt: str) -> UncertainDigest:
        """The digest, with the doubt beside it."""
        made = super().__new__(cls, digest)
        made.doubt = doubt
        return made


class UndigestibleError(TypeError):
    """The object holds something that has no content to digest, such as a lock or an open connection."""


def digest_object(value: object) -> str:
    """`sha256:` and the digest of any object that can be pickled, the same in each process for equal objects.

    Where that cannot be promised, since a part of it can be pickled and not taken apart, the answer is an
    `UncertainDigest`: two objects that differ have two of them, two equal ones may have two of them as well.

    Example:
        >>> digest_object({"a", "b"}) == digest_object({"b", "a"})
        True

    Raises:
        UndigestibleError: a part of it cannot be pickled.
    """
    walk = _Walk()
    digest = DIGEST_PREFIX + walk.start(value).hex()
    return UncertainDigest(digest, walk.doubt) if walk.doubt else digest


def token_of(value: object) -> bytes:
    """The 32 bytes of `digest_object`."""
    return _Walk().start(value)


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
        self.doubt = ""

    def start(self, value: object) -> bytes:
        """The token of a whole object."""
        try:
            return self.token(value)
        except RecursionError as error:
            raise UndigestibleError("it is nested too deeply") from error

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
            return node("dict", *self._sorted_pairs(value.items()))
        if kind is set or kind is frozenset:
            return node(kind.__name__, *sorted(map(self.token, value)))
        if isinstance(value, type):
            return self._class(value)
        if kind is types.FunctionType:
            return self._function(value)
        if kind is ZoneInfo and value.key:
            return node("zone", text_token(value.key))
        if kind is types.CodeType:
            return self._code(value)
        if kind is types.MappingProxyType:
            return node("proxy", self.token(dict(value)))
        if kind is types.ModuleType:
            return node("module", value.__name__.encode(), code_digest(value.__name__, "*").encode())
        if kind is types.CellType:
            return node("cell", *(self.token(content) for content in _cell_contents(value)))
        if isinstance(value, PurePath) and kind.__module__.partition(".")[0] == "pathlib":
            return node("path", kind.__name__.encode(), text_token(str(value)))  # its own form differs with Python's
        if kind is property:
            return node("property", *map(self.token, (value.fget, value.fset, value.fdel)))
        if kind is staticmethod or kind is classmethod:
            return node(kind.__name__, self.token(value.__func__))
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
            if type(value) in (numpy.matrix, numpy.memmap, numpy.recarray):
                return node(type(value).__name__, array_token(numpy.asarray(value), self.token))
            if isinstance(value, numpy.generic) and value.dtype.char in "gG":
                # Beside a long double lies padding, which holds whatever the memory held before.
                return node("long-double", value.dtype.char.encode(), str(value).encode())
        if library == "pandas" or _is_derived_frame(value):
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
        in_order = self._pairs if isinstance(value, OrderedDict) else self._sorted_pairs
        if type(state) is dict and not _MACHINE_FACTS.isdisjoint(state) and _is_from_sklearn(value):
            state = {name: item for name, item in state.items() if name not in _MACHINE_FACTS}
        return node(
            "object",
            self.token(call),
            self.token(arguments),
            self.token(state),
            node("items", *map(self.token, items or ())),
            node("pairs", *in_order(pairs or ())),
            self.token(setter),
        )

    def _pickled(self, value: object, reason: Exception) -> bytes:
        """What only cloudpickle can take apart. Its bytes may differ between processes: a miss, never a wrong hit."""
        import cloudpickle

        self.doubt = self.doubt or f"a {type_name(type(value))} in it can only be told by its pickle"
        try:
            return node("pickle", cloudpickle.dumps(value, protocol=_PICKLE_PROTOCOL))
        except Exception as error:
            raise UndigestibleError(str(reason)) from error

    def _pairs(self, pairs: Iterable[tuple[object, object]]) -> list[bytes]:
        return [self.token(key) + self.token(item) for key, item in pairs]

    def _sorted_pairs(self, pairs: Iterable[tuple[object, object]]) -> list[bytes]:
        """In an order of the keys' own, also of the walk: the place where a cycle is entered shows in its token."""
        by_key = sorted(((self.token(key), item) for key, item in pairs), key=itemgetter(0))
        return [key + self.token(item) for key, item in by_key]

    def _class(self, value: type) -> bytes:
        if _is_importable(value):
            return _global(value)
        members = [
            (name, member)
            for name, member in vars(value).items()
            if name not in _CLASS_BOOKKEEPING and not isinstance(member, _SLOT_TYPES)
        ]
        bases = node("bases", *map(self.token, value.__bases__))
        return node("class", value.__qualname__.encode(), bases, *self._sorted_pairs(members))

    def _function(self, value: types.FunctionType) -> bytes:
        if _is_importable(value):
            return _global(value)
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
_LONGEST_INT_BITS = 10_000  # Python refuses to print longer ones
_SLOT_TYPES = (types.GetSetDescriptorType, types.MemberDescriptorType)


def _is_from_sklearn(value: object) -> bool:
    return any(ancestor.__module__.partition(".")[0] == "sklearn" for ancestor in type(value).__mro__)


def _is_derived_frame(value: object) -> bool:
    return any(ancestor.__module__ == "pandas.core.generic" for ancestor in type(value).__mro__)


def _is_importable(value: Any) -> bool:
    """Whether a reader finds it under its name; what lies in `__main__` is pickled by value."""
    if value.__module__ in (None, "__main__"):
        return False
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _global(value: Any) -> bytes:
    """What a reader finds under its name. What the project itself says of it counts; a package's version does not."""
    code = code_digest(value.__module__, value.__qualname__)
    parts = (value.__module__, value.__qualname__, *([code] if code else []))
    return node("global", *(part.encode() for part in parts))


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
    if kinds == {int} and max(map(int.bit_length, value)) < _LONGEST_INT_BITS:
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
