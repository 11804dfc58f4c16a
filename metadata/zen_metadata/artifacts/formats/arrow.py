"""pyarrow tables as Arrow files, and the content digest of Arrow data that pandas uses too."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zen_core.contract.canonical import DIGEST_PREFIX
from zen_metadata.artifacts.digests import array_token, node, text_token
from zen_metadata.artifacts.serializers import DeclinedError


class ArrowSerializer:
    """`pyarrow.Table`, in the Arrow file format, which keeps every type, chunk and piece of schema metadata."""

    name = "arrow"
    version = 1
    extension = ".arrow"

    def handles(self, value: object) -> bool:
        """Whether it is a table."""
        return type(value) is sys.modules["pyarrow"].Table

    def dump(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write the Arrow file."""
        import pyarrow

        try:
            with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, value.schema) as writer:
                writer.write_table(value)
        except (pyarrow.ArrowNotImplementedError, pyarrow.ArrowTypeError) as error:
            raise DeclinedError(str(error)) from error
        return {"rows": value.num_rows, "columns": value.column_names[:1000]}

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the Arrow file."""
        import pyarrow

        with pyarrow.OSFile(str(path), "rb") as source:
            return pyarrow.ipc.open_file(source).read_all()

    def digest(self, value: Any, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """Of names, types and values; how the table is chunked does not count, nor does schema metadata."""
        return DIGEST_PREFIX + table_token(value).hex()


def table_token(table: Any) -> bytes:
    """The token of a table's names, types and values."""
    fields = [text_token(f"{field.name}\n{field.type}") for field in table.schema]
    return node("arrow-table", *fields, *(chunked_token(column) for column in table.columns))


def arrow_token(value: Any) -> bytes | None:
    """The token of a piece of Arrow data inside another object, or None for what is none (a schema, a type)."""
    import pyarrow

    if isinstance(value, pyarrow.Table):
        return table_token(value)
    if isinstance(value, (pyarrow.Array, pyarrow.ChunkedArray)):
        return node("arrow-array", str(value.type).encode(), chunked_token(value))
    return None


def chunked_token(values: Any) -> bytes:
    """The token of an array's values: chunks, offsets and what lies beneath nulls do not count."""
    import pyarrow

    if isinstance(values, pyarrow.ChunkedArray):
        values = _one_array(values)
    return _token(values)


def _one_array(values: Any) -> Any:
    import pyarrow

    # Offsets of 32 bits overflow when chunks of text are joined.
    wide = {pyarrow.string(): pyarrow.large_string(), pyarrow.binary(): pyarrow.large_binary()}.get(values.type)
    combined = (values.cast(wide) if wide is not None else values).combine_chunks()
    if isinstance(combined, pyarrow.ChunkedArray):
        return pyarrow.concat_arrays(combined.chunks) if combined.num_chunks else pyarrow.array([], values.type)
    return combined


def _token(values: Any) -> bytes:
    import pyarrow
    from pyarrow import compute, types

    kind = values.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        return node("extension", str(kind).encode(), _token(values.storage))
    nulls = array_token(values.is_null().to_numpy(zero_copy_only=False)) if values.null_count else b""
    if types.is_null(kind):
        return node("null", b"%d" % len(values))
    if types.is_dictionary(kind):
        indices = compute.fill_null(values.indices, 0)
        return node("dictionary", nulls, _token(indices), _token(values.dictionary))
    if types.is_struct(kind):
        return node("struct", b"%d" % len(values), nulls, *map(_token, values.flatten()))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind) or types.is_map(kind):
        if types.is_map(kind):
            values = values.cast(pyarrow.list_(pyarrow.struct([("key", kind.key_type), ("value", kind.item_type)])))
        lengths = compute.fill_null(compute.list_value_length(values), 0)
        return node("list", nulls, _token(lengths), _token(compute.list_flatten(values)))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return node("text", nulls, *_text_parts(compute.fill_null(values, "").cast(pyarrow.large_binary())))
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        filled = values.cast(pyarrow.large_binary())
        return node("binary", nulls, *_text_parts(compute.fill_null(filled, b"")))
    return node("primitive", nulls, *_primitive_parts(values))


def _text_parts(values: Any) -> tuple[bytes, bytes]:
    """Lengths and joined bytes of a large_binary array without nulls."""
    import numpy

    _, offsets_buffer, data = values.buffers()
    if len(values) == 0:
        return b"", b""
    offsets = numpy.frombuffer(offsets_buffer, numpy.int64, len(values) + 1, values.offset * 8)
    joined = memoryview(data)[int(offsets[0]) : int(offsets[-1])] if data is not None else b""
    return array_token(numpy.diff(offsets)), hashlib.sha256(joined).digest()


def _primitive_parts(values: Any) -> tuple[bytes, ...]:
    """The type and the values as numpy has them, with zeros beneath nulls."""
    import numpy
    import pyarrow
    from pyarrow import types

    kind = values.type
    if types.is_decimal(kind) or types.is_interval(kind):
        return str(kind).encode(), *(text_token(str(item)) for item in values.to_pylist())
    if types.is_boolean(kind):
        values = values.cast(pyarrow.uint8())
    elif not (types.is_integer(kind) or types.is_floating(kind)):
        width = {32: pyarrow.int32(), 64: pyarrow.int64()}[kind.bit_width]
        values = values.view(width)
    _, data = values.buffers()
    dtype = numpy.dtype(values.type.to_pandas_dtype())
    if data is None or len(values) == 0:
        return str(kind).encode(), array_token(numpy.zeros(0, dtype))
    numbers = numpy.frombuffer(data, dtype, len(values), values.offset * dtype.itemsize)
    if values.null_count:
        numbers = numpy.where(values.is_null().to_numpy(zero_copy_only=False), numpy.zeros(1, dtype), numbers)
    return str(kind).encode(), array_token(numbers)
