"""numpy arrays as `.npy` files, always in C order and without pickle, so that equal arrays have equal bytes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zen_core.contract.canonical import digest_json
from zen_metadata.artifacts.serializers import Chunk, Encoding

CHUNK_BYTES = 1 << 20
"""Small enough to be hashed and written while it is in the processor's cache."""
_MAGIC = b"\x93NUMPY"
_PLAIN_KINDS = "biufcmMSUV"


class ArraySerializer:
    """Arrays of every dtype whose elements are bytes; arrays of objects are pickled, by the last resort.

    The memory order is restored but does not count in the digest; nor does the bit pattern of a NaN, which differs
    between processors. The padding of structured dtypes is left out.
    """

    name = "numpy"
    version = 1
    extension = ".npy"

    def handles(self, value: Any) -> bool:
        """Whether it is an ndarray proper (no subclass) of a dtype without objects."""
        return type(value) is sys.modules["numpy"].ndarray and has_plain_bytes(value.dtype)

    def encode(self, value: Any) -> Encoding:
        """The header and the elements, in pieces of a mebibyte."""
        array = without_padding(value)
        metadata: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
        if array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous:
            metadata["order"] = "F"
        return Encoding(_NpyBytes(array), metadata)

    def decode(self, data: bytearray, metadata: Mapping[str, Any], into: Any) -> object:
        """The array, over `data` itself: writable and without a copy."""
        import numpy

        start = 10 if data[6] == 1 else 12
        end = start + int.from_bytes(data[8:start], "little")
        header = ast.literal_eval(data[start:end].decode("utf-8"))
        dtype = numpy.lib.format.descr_to_dtype(header["descr"])
        shape = header["shape"]
        if dtype.itemsize == 0 or 0 in shape:
            return numpy.zeros(shape, dtype)
        array = numpy.frombuffer(data, dtype, offset=end).reshape(shape)
        return numpy.asfortranarray(array) if metadata.get("order") == "F" else array

    def dump(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write the `.npy` file."""
        encoding = self.encode(value)
        with path.open("wb") as stream:
            for chunk in encoding.chunks:
                stream.write(chunk)
        return encoding.metadata

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the `.npy` file."""
        return self.decode(bytearray(path.read_bytes()), metadata, into)

    def digest(self, value: Any, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """Of the stored bytes: header and elements have one form each."""
        return digest_json("numpy", stored_digest)


class _NpyBytes:
    """The bytes of an array's `.npy` file; can be iterated again."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __iter__(self) -> Iterator[Chunk]:
        yield npy_header(self._array.dtype, self._array.shape)
        yield from canonical_chunks(self._array)


def has_plain_bytes(dtype: Any) -> bool:
    """Whether the elements of this dtype are nothing but their bytes.

    Long doubles are not: they have padding, and other machines have other ones.
    """
    if dtype.fields is not None:
        return all(has_plain_bytes(part[0]) for part in dtype.fields.values())
    if dtype.subdtype is not None:
        return has_plain_bytes(dtype.subdtype[0])
    return dtype.kind in _PLAIN_KINDS and not dtype.hasobject and dtype.char not in "gG"


def without_padding(array: Any) -> Any:
    """The array, its structured dtype packed: padding holds whatever the memory held before."""
    if array.dtype.fields is None:
        return array
    from numpy.lib.recfunctions import repack_fields

    return repack_fields(array, recurse=True)


def npy_header(dtype: Any, shape: tuple[int, ...]) -> bytes:
    """The header of a `.npy` file in C order. Written here, since numpy's own changes its padding with its version."""
    from numpy.lib.format import dtype_to_descr

    # A tuple of Python integers prints the same everywhere.
    text = f"{{'descr': {dtype_to_descr(dtype)!r}, 'fortran_order': False, 'shape': {tuple(map(int, shape))!r}, }}"
    encoded = text.encode("utf-8")
    if len(encoded) < 65_000 and text.isascii():
        padding = -(len(_MAGIC) + 4 + len(encoded) + 1) % 64
        length = len(encoded) + padding + 1
        return _MAGIC + b"\x01\x00" + length.to_bytes(2, "little") + encoded + b" " * padding + b"\n"
    padding = -(len(_MAGIC) + 6 + len(encoded) + 1) % 64
    length = len(encoded) + padding + 1
    return _MAGIC + b"\x03\x00" + length.to_bytes(4, "little") + encoded + b" " * padding + b"\n"


def canonical_chunks(array: Any) -> Iterator[memoryview]:
    """The elements' bytes in C order, with one bit pattern for NaN. Each piece is valid until the next is asked for."""
    import numpy

    if array.size == 0 or array.dtype.itemsize == 0:
        return
    if array.dtype.kind == "c":
        part = numpy.dtype(array.dtype.str.replace("c", "f")[:2] + str(array.dtype.itemsize // 2))
        array = numpy.ascontiguousarray(array).reshape(-1).view(part)
    if array.dtype.fields is not None:
        array = numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8)
    buffersize = max(1, CHUNK_BYTES // array.dtype.itemsize)
    pieces: Any = numpy.nditer(array, flags=["external_loop", "buffered"], order="C", buffersize=buffersize)
    may_hold_nan = array.dtype.kind == "f"
    for piece in pieces:
        chunk = piece
        if may_hold_nan and numpy.isnan(numpy.max(chunk)):
            chunk = numpy.where(numpy.isnan(chunk), numpy.array(numpy.nan, chunk.dtype), chunk)
        yield memoryview(numpy.ascontiguousarray(chunk).view(numpy.uint8))
