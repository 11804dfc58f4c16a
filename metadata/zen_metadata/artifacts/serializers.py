"""What turns a value into bytes and back, and how the one for a value is found.

Built-in serializers live in `formats/`, one file per family, and are imported when a value of their family is met:
a step that passes JSON never imports numpy.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from zen_core.contract.files import File
from zen_core.contract.refs import NO_VALUE
from zen_core.errors import StoreError

ENTRY_POINT_GROUP = "zen.serializers"

Chunk = bytes | bytearray | memoryview


class Serializer(Protocol):
    """Writes values of one family to a file, and reads them back.

    `name` and `version` are recorded with each artifact and name the serializer that can read it; raise `version`
    when the bytes change, and list in `reads` the older versions that `load` still understands. `extension` ends the
    stored file's name.

    Three more attributes are looked at where they are there: `reads` (older versions, none), `pickles` (whether
    loading can run code, so that `allow_pickle = false` refuses it; false) and `keeps_path` (whether what `load`
    returns goes on using the file, so that it must be a private copy; false).

    Example:
        class TensorSerializer:
            name, version, extension = "torch", 1, ".safetensors"

            def handles(self, value):
                return type(value).__module__.startswith("torch") and hasattr(value, "detach")

            def dump(self, value, path):
                safetensors.torch.save_file({"tensor": value}, path)
                return {"shape": list(value.shape)}

            def load(self, path, metadata, into):
                return safetensors.torch.load_file(path)["tensor"]

            def digest(self, value, stored_digest, metadata):
                return stored_digest        # these bytes are the same for equal tensors

        zen_metadata.artifacts.register(TensorSerializer())

    A package makes its serializer known to all who install it by an entry point in the group `zen.serializers`, whose
    value is the class (`torch = "my_package.serializers:TensorSerializer"`).
    """

    name: str
    version: int
    extension: str

    def handles(self, value: object) -> bool:
        """Whether this value is of the family. Called with every value that no simpler serializer took."""

    def dump(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write one file, and return what `load` needs and people want to know, as JSON."""

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the file, whose bytes are those that were stored. `into` is the reading parameter's annotation."""

    def digest(self, value: Any, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """The digest of the value: equal for equal values, in any process and on any machine.

        `stored_digest` will do where equal values always have equal bytes; else `digest_object(value)`.
        """


@dataclass(frozen=True, slots=True)
class Encoding:
    """A value's bytes, at hand: what a serializer's `encode` answers, so that bytes that are there are not written.

    Attributes:
        chunks: the bytes in pieces; iterated twice, for the digest and for writing.
        digest: the value's digest, where it is known already, or answers with it once the bytes have been iterated;
            else `Serializer.digest` is asked.
        inline_value: the value in JSON form, where it is a scalar.
    """

    chunks: Iterable[Chunk]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    digest: str | Callable[[], str] | None = None
    inline_value: Any = NO_VALUE


class DeclinedError(Exception):
    """Raised by `encode` or `dump`: this value cannot be kept in this format without loss; another is to be tried."""


_FORMATS = "zen_metadata.artifacts.formats"
_BUILT_IN = {
    "json": f"{_FORMATS}.plain:JsonSerializer",
    "text": f"{_FORMATS}.plain:TextSerializer",
    "bytes": f"{_FORMATS}.plain:BytesSerializer",
    "file": f"{_FORMATS}.files:FileSerializer",
    "folder": f"{_FORMATS}.files:FolderSerializer",
    "numpy": f"{_FORMATS}.arrays:ArraySerializer",
    "pandas": f"{_FORMATS}.frames:FrameSerializer",
    "arrow": f"{_FORMATS}.arrow:ArrowSerializer",
    "container": f"{_FORMATS}.containers:ContainerSerializer",
    "sklearn": f"{_FORMATS}.pickles:EstimatorSerializer",
    "pickle": f"{_FORMATS}.pickles:PickleSerializer",
}
LAST_RESORT = "pickle"
_NAMES_BY_LIBRARY = {"numpy": "numpy", "pandas": "pandas", "pyarrow": "arrow", "sklearn": "sklearn"}
_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set, frozenset})
_CONTAINERS = frozenset({list, tuple, dict})

_registered: list[Serializer] = []


def register(serializer: Serializer, *, replace: bool = False) -> None:
    """Use this serializer from now on, before all others; of several, the one registered last comes first.

    Args:
        serializer: an object as `Serializer` describes.
        replace: whether it may bear the name of another one. The other stays in use for the artifacts that it
            wrote, as far as `version` and `reads` do not say that the new one reads them.

    Raises:
        StoreError: the name is taken and `replace` is not set.
    """
    taken = serializer.name in _BUILT_IN or any(other.name == serializer.name for other in _registered)
    if taken and not replace:
        raise StoreError(
            f"there is a serializer named {serializer.name!r} already",
            where=_home_of(serializer),
            hint="give it another name, or say register(..., replace=True)",
        )
    _registered.append(serializer)


def unregister(serializer: Serializer) -> None:
    """Take back `register`."""
    _registered.remove(serializer)


def candidates(value: object) -> Iterator[Serializer]:
    """The serializers that may take this value, the best first; the last one is the pickle."""
    yield from (serializer for serializer in reversed(_registered) if serializer.handles(value))
    kind = type(value)
    if kind in _PLAIN:
        # Not even the entry points are read for these: that alone would cost more than the rest of a small step.
        if kind is str:
            yield _built_in("text")
        yield _built_in("bytes" if kind is bytes else "json")
    yield from (serializer for serializer in _installed() if serializer.handles(value))
    if isinstance(value, (File, pathlib.Path)):
        yield _built_in("folder")
        yield _built_in("file")
    libraries = {ancestor.__module__.partition(".")[0] for ancestor in kind.__mro__}
    for library, name in _NAMES_BY_LIBRARY.items():
        if library in libraries and (serializer := _built_in(name)).handles(value):
            yield serializer
    if kind not in _PLAIN:
        yield _built_in("json")
    if kind in _CONTAINERS:
        yield _built_in("container")
    yield _built_in(LAST_RESORT)


def find_serializer(name: str, version: int, metadata: Mapping[str, Any], *, artifact: str) -> Serializer:
    """The serializer that reads what `name` wrote in `version`.

    Raises:
        StoreError: there is none here; says what to install.
    """
    known = [serializer for serializer in reversed(_registered) if serializer.name == name]
    if not known and name not in _BUILT_IN:
        known = [serializer for serializer in _installed() if serializer.name == name]
    if name in _BUILT_IN:
        known.append(_built_in(name))
    for serializer in known:
        older: Collection[int] = getattr(serializer, "reads", ())
        if version == serializer.version or version in older:
            return serializer
    if known:
        raise StoreError(
            f"{artifact} was stored by version {version} of the serializer {name!r}, here is version "
            f"{known[0].version}",
            hint="install the version of its package that stored it, or run the step again",
        )
    home = metadata.get("serializer_home")
    raise StoreError(
        f"{artifact} was stored by the serializer {name!r} version {version}, which is not known here",
        hint=f"install the package that has {home}" if home else "install the package that registers it",
    )


def foreign_metadata(serializer: Serializer) -> dict[str, Any]:
    """What is recorded so that a reader who lacks a user's own serializer is told where it comes from."""
    if type(serializer).__module__.startswith(f"{_FORMATS}."):
        return {}
    return {"serializer_home": _home_of(serializer)}


def _home_of(serializer: Serializer) -> str:
    return f"{type(serializer).__module__}.{type(serializer).__qualname__}"


@cache
def _built_in(name: str) -> Serializer:
    module, _, attribute = _BUILT_IN[name].partition(":")
    serializer: Serializer = getattr(import_module(module), attribute)()
    return serializer


@cache
def _installed() -> tuple[Serializer, ...]:
    found: list[Serializer] = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP)):
        try:
            serializer = entry_point.load()()
        except Exception as error:
            distribution = entry_point.dist.name if entry_point.dist else "an unknown distribution"
            raise StoreError(
                f"the serializer {entry_point.name!r} cannot be loaded: {type(error).__name__}: {error}",
                where=f"{entry_point.value} in {distribution}",
                hint=f"install {distribution} again, or remove it",
            ) from error
        if serializer.name in _BUILT_IN:
            raise StoreError(
                f"an installed serializer is named {serializer.name!r}, as a built-in one is",
                where=entry_point.value,
                hint="give it another name; only register(..., replace=True) may replace a built-in one",
            )
        found.append(serializer)
    return tuple(found)
