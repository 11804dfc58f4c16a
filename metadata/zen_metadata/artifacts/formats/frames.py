"""pandas frames, series and indexes as Parquet, and their digests.

Parquet and pyarrow keep most of a frame by themselves. What they lose (a categorical of numbers, an object column of
texts, column labels that are not text) is recorded as a repair and made good on loading. What is left is found out
before anything is stored: a few rows, and every column whose values could be lost one by one, are written to memory
and read back; if they differ, the frame is pickled instead.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zen_core.contract.canonical import DIGEST_PREFIX
from zen_core.contract.values import UnserializableError, from_json, to_json
from zen_metadata.artifacts.digests import array_token, node, token_of
from zen_metadata.artifacts.formats.arrow import chunked_token
from zen_metadata.artifacts.serializers import DeclinedError

_SAMPLE_ROWS = 8
_SHOWN_COLUMNS = 200
_SAFE_KINDS = "biufmM"
_SERIES_COLUMN = "value"

Tokens = Callable[[object], bytes]


class FrameSerializer:
    """`DataFrame`, `Series` and `Index`, with index, dtypes, categories and names; `attrs` are not kept."""

    name = "pandas"
    version = 1
    extension = ".parquet"

    def handles(self, value: object) -> bool:
        """Whether it is one of the three proper (no subclass, except those of Index)."""
        pandas = sys.modules["pandas"]
        return type(value) in (pandas.DataFrame, pandas.Series) or isinstance(value, pandas.Index)

    def dump(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write the Parquet file. Raises DeclinedError for what Parquet would change."""
        try:
            import pyarrow
        except ImportError as error:
            raise DeclinedError("pyarrow is not installed") from error
        try:
            frame, metadata = _as_frame(value)
            sample = frame.iloc[:_SAMPLE_ROWS]
            metadata |= _find_repairs(frame, sample, metadata)
            _check_round_trip(sample, metadata)
            risky = [at for at, dtype in enumerate(frame.dtypes) if not _is_safe(dtype)]
            if risky or not _is_safe_index(frame.index):
                _check_round_trip(frame.iloc[:, risky], _for_columns(metadata, risky))
            _write(frame, metadata, path)
        except (pyarrow.ArrowException, UnserializableError, ValueError, TypeError, KeyError, OverflowError) as error:
            raise DeclinedError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
        return metadata

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the Parquet file."""
        frame = _read(path, metadata)
        if metadata["kind"] == "frame":
            return frame
        if metadata["kind"] == "index":
            return frame.index
        series = frame.iloc[:, 0]
        series.name = from_json(metadata["name"])
        return series

    def digest(self, value: Any, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """Of labels, dtypes and values, in order; where a text column keeps its texts does not count."""
        token = pandas_token(value, token_of)
        if token is None:
            raise TypeError(f"{type(value).__qualname__} is not handled here")
        return DIGEST_PREFIX + token.hex()


def _as_frame(value: Any) -> tuple[Any, dict[str, Any]]:
    import pandas

    if isinstance(value, pandas.DataFrame):
        shown = {str(label): str(dtype) for label, dtype in list(value.dtypes.items())[:_SHOWN_COLUMNS]}
        return value, {"kind": "frame", "shape": list(value.shape), "columns": shown}
    if isinstance(value, pandas.Series):
        frame = value.to_frame(_SERIES_COLUMN)
        return frame, {"kind": "series", "shape": [len(value)], "name": to_json(value.name), "dtype": str(value.dtype)}
    return pandas.DataFrame(index=value), {"kind": "index", "shape": [len(value)], "dtype": str(value.dtype)}


# -- repairs: what pyarrow does not restore by itself ---------------------------------------------------------------


def _find_repairs(frame: Any, sample: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Labels, dtypes and the frequency of the index, as far as a round trip of a few rows loses them."""
    import pandas

    labels = _labels_form(sample.columns)
    repairs: dict[str, Any] = {"labels": labels} if labels else {}
    if (frequency := getattr(sample.index, "freqstr", None)) and not hasattr(sample.index.dtype, "freq"):
        repairs["index_frequency"] = frequency
    if frame.shape[1] == 0 and isinstance(frame.index, pandas.RangeIndex):
        # Without a column there is nothing that tells the number of rows.
        repairs["index_range"] = [frame.index.start, frame.index.stop, frame.index.step]
    back = _round_trip(sample, {**metadata, **repairs})
    dtypes = {
        str(at): _objects_form(frame.iloc[:, at]) if _holds_objects(dtype) else _dtype_form(dtype)
        for at, (dtype, other) in enumerate(zip(sample.dtypes, back.dtypes, strict=True))
        if _holds_objects(dtype) or not _same_dtype(dtype, other)
    }
    if dtypes:
        repairs["dtypes"] = dtypes
    if not hasattr(sample.index, "levels") and not _same_dtype(sample.index.dtype, back.index.dtype):
        repairs["index_dtype"] = _dtype_form(sample.index.dtype)
    return repairs


def _for_columns(metadata: Mapping[str, Any], positions: list[int]) -> dict[str, Any]:
    """The repairs of a frame that has only these columns, which are named by number in the meantime."""
    dtypes = metadata.get("dtypes", {})
    kept = {str(new): dtypes[str(old)] for new, old in enumerate(positions) if str(old) in dtypes}
    return {**metadata, "dtypes": kept, "labels": {"skip": True}}


def _labels_form(columns: Any) -> dict[str, Any]:
    """How to make the column labels again, or nothing where Parquet keeps them: unique texts in a plain index."""
    import pandas

    if isinstance(columns, pandas.RangeIndex):
        bounds = [columns.start, columns.stop, columns.step]
        return {"range": bounds, "names": to_json(list(columns.names))}
    plain = columns.dtype == pandas.Index(["text"]).dtype and columns.nlevels == 1 and columns.is_unique
    if plain and columns.name is None and not columns.hasnans:
        return {}
    form: dict[str, Any] = {"names": to_json(list(columns.names))}
    if columns.nlevels > 1:
        return form | {"arrays": [_array_form(columns.get_level_values(at)) for at in range(columns.nlevels)]}
    return form | {"array": _array_form(columns), "frequency": getattr(columns, "freqstr", None)}


def _array_form(labels: Any) -> dict[str, Any]:
    """One level of labels: dates as integers, since JSON has no nanoseconds."""
    dtype = labels.dtype
    if dtype.kind in "mM" and not hasattr(dtype, "freq"):
        return {"dtype": str(dtype), "integers": labels.asi8.tolist()}
    return {"dtype": _dtype_form(dtype), "values": to_json(labels.astype(object).tolist())}


def _labels_from_form(form: Mapping[str, Any]) -> Any:
    import pandas

    names = from_json(form["names"])
    if "range" in form:
        return pandas.RangeIndex(*form["range"], name=names[0])
    if "arrays" in form:
        return pandas.MultiIndex.from_arrays([_array_from_form(array) for array in form["arrays"]], names=names)
    labels = _array_from_form(form["array"]).rename(names[0])
    if form.get("frequency"):
        labels.freq = form["frequency"]
    return labels


def _array_from_form(form: Mapping[str, Any]) -> Any:
    import numpy
    import pandas

    if "integers" in form:
        integers = numpy.array(form["integers"], dtype="int64")
        dtype = pandas.api.types.pandas_dtype(form["dtype"])
        if isinstance(dtype, pandas.DatetimeTZDtype):
            naive = pandas.DatetimeIndex(integers.view(f"M8[{dtype.unit}]"))
            return naive.tz_localize("UTC").tz_convert(dtype.tz)
        return pandas.Index(integers.view(dtype))
    return pandas.Index(from_json(form["values"]), dtype=_dtype_from_form(form["dtype"]))


def _objects_form(column: Any) -> dict[str, Any]:
    """An object column, with what stands for a missing value in it: None or NaN."""
    missing = column[column.isna()]
    return {"objects": True, "missing": "None" if any(item is None for item in missing) else "nan"}


def _dtype_form(dtype: Any) -> Any:
    import pandas

    if isinstance(dtype, pandas.CategoricalDtype):
        if dtype.categories is None or hasattr(dtype.categories, "levels"):
            raise DeclinedError("its categories are not plain values")
        return {"categories": _array_form(dtype.categories), "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pandas.StringDtype):
        return {"storage": dtype.storage, "missing": "NA" if dtype.na_value is pandas.NA else "nan"}
    return str(dtype)


def _dtype_from_form(form: Any) -> Any:
    import numpy
    import pandas

    if isinstance(form, str):
        return pandas.api.types.pandas_dtype(form)
    if "categories" in form:
        return pandas.CategoricalDtype(_array_from_form(form["categories"]), ordered=form["ordered"])
    if form["missing"] == "nan":
        return pandas.StringDtype(form["storage"], na_value=numpy.nan)
    return pandas.StringDtype(form["storage"])


def _same_dtype(left: Any, right: Any) -> bool:
    storages = getattr(left, "storage", None) == getattr(right, "storage", None)
    return bool(left == right) and storages and str(left) == str(right)


# -- reading and writing --------------------------------------------------------------------------------------------


def _write(frame: Any, metadata: Mapping[str, Any], target: Any) -> None:
    import pyarrow
    from pyarrow import parquet

    if "labels" in metadata:
        frame = frame.set_axis([str(at) for at in range(frame.shape[1])], axis=1)
    with warnings.catch_warnings():
        # pyarrow reads `.values` of zoned times, which pandas 3.1 is about to change.
        warnings.filterwarnings("ignore", message=".*drops timezone", category=DeprecationWarning)
        table = pyarrow.Table.from_pandas(frame, preserve_index=True if frame.shape[1] == 0 else None)
    parquet.write_table(table, target)


def _read(source: Any, metadata: Mapping[str, Any]) -> Any:
    import pandas
    from pyarrow import parquet

    frame = parquet.ParquetFile(source).read().to_pandas()
    for position, form in metadata.get("dtypes", {}).items():
        at = int(position)
        frame.isetitem(at, _repaired(frame.iloc[:, at], form))
    if "index_dtype" in metadata:
        frame.index = frame.index.astype(_dtype_from_form(metadata["index_dtype"]))
    if "index_range" in metadata:
        whole = pandas.RangeIndex(*metadata["index_range"], name=frame.index.name)
        frame.index = whole[: len(frame)]
    if "index_frequency" in metadata:
        frame.index.freq = metadata["index_frequency"]
    labels = metadata.get("labels", {})
    if "names" in labels:
        frame.columns = _labels_from_form(labels)
    return frame


def _repaired(column: Any, form: Any) -> Any:
    if not (isinstance(form, dict) and "objects" in form):
        return column.astype(_dtype_from_form(form))
    objects = column.astype(object)
    if objects.isna().any():
        objects[objects.isna()] = None if form["missing"] == "None" else float("nan")
    return objects


def _round_trip(frame: Any, metadata: Mapping[str, Any]) -> Any:
    memory = io.BytesIO()
    _write(frame, metadata, memory)
    memory.seek(0)
    return _read(memory, metadata)


def _check_round_trip(frame: Any, metadata: Mapping[str, Any]) -> None:
    back = _round_trip(frame, metadata)
    if metadata.get("labels", {}).get("skip"):
        frame = frame.set_axis(back.columns, axis=1)
    if pandas_token(frame, token_of) == pandas_token(back, token_of):
        return
    for at, label in enumerate(frame.columns):
        if pandas_token(frame.iloc[:, at], token_of) != pandas_token(back.iloc[:, at], token_of):
            raise DeclinedError(f"Parquet does not keep the values of column {label!r} ({frame.dtypes.iloc[at]})")
    raise DeclinedError("Parquet does not keep its labels")


def _holds_objects(dtype: Any) -> bool:
    return bool(getattr(dtype, "hasobject", False))


def _is_safe(dtype: Any) -> bool:
    """Whether Parquet keeps every value of this dtype: then a few rows are enough of a trial."""
    import numpy
    import pandas

    if isinstance(dtype, numpy.dtype):
        return dtype.kind in _SAFE_KINDS
    safe = (pandas.StringDtype, pandas.DatetimeTZDtype, pandas.CategoricalDtype, pandas.PeriodDtype)
    return isinstance(dtype, safe) or str(dtype).lower().startswith(("int", "uint", "boolean"))


def _is_safe_index(index: Any) -> bool:
    levels = index.levels if hasattr(index, "levels") else (index,)
    return all(_is_safe(level.dtype) for level in levels)


# -- digests --------------------------------------------------------------------------------------------------------


def pandas_token(value: Any, tokens: Tokens) -> bytes | None:
    """The token of a pandas object, or None for one that is digested as any object (a dtype, a timestamp).

    `tokens` digests the elements of object columns and the names.
    """
    pandas = sys.modules["pandas"]
    if type(value) is pandas.DataFrame:
        columns = (_values_token(value.iloc[:, at], tokens) for at in range(value.shape[1]))
        return node("frame", _index_token(value.index, tokens), _index_token(value.columns, tokens), *columns)
    if type(value) is pandas.Series:
        return node("series", _index_token(value.index, tokens), tokens(value.name), _values_token(value, tokens))
    if isinstance(value, pandas.Index):
        return _index_token(value, tokens)
    for kind in (pandas.DataFrame, pandas.Series):
        if isinstance(value, kind):  # a class derived from it, which says what else its objects keep
            kept = {name: getattr(value, name, None) for name in type(value)._metadata if name != "name"}
            return node("derived", tokens(type(value)), tokens(kind(value)), tokens(kept))
    return None


def _index_token(index: Any, tokens: Tokens) -> bytes:
    """A RangeIndex and an index of the same integers are equal, for pandas and here; days with a frequency count it."""
    names = tokens(list(index.names))
    if hasattr(index, "levels"):
        levels = (_values_token(index.get_level_values(at), tokens) for at in range(index.nlevels))
        return node("multi-index", names, *levels)
    frequency = "" if hasattr(index.dtype, "freq") else getattr(index, "freqstr", None)
    return node("index", names, _values_token(index, tokens), *([frequency.encode()] if frequency else []))


def _values_token(values: Any, tokens: Tokens) -> bytes:
    """The dtype and the values of a series or index."""
    import numpy
    import pandas

    dtype = values.dtype
    name = str(dtype).encode()
    if isinstance(dtype, numpy.dtype):
        numbers = values.to_numpy()
        return node("values", name, tokens(numbers.tolist()) if dtype.hasobject else array_token(numbers))
    if isinstance(dtype, pandas.CategoricalDtype):
        categorical = values.array
        ordered = b"ordered" if dtype.ordered else b""
        codes = array_token(numpy.asarray(categorical.codes).astype("int64"))
        return node("categorical", ordered, _index_token(dtype.categories, tokens), codes)
    if isinstance(dtype, (pandas.StringDtype, pandas.ArrowDtype)):
        return node("values", name, _text_token(values, tokens))
    if isinstance(dtype, (pandas.DatetimeTZDtype, pandas.PeriodDtype)):
        return node("values", name, array_token(values.array.asi8))
    if hasattr(values.array, "_mask"):
        missing = numpy.asarray(values.isna())
        plain = values.array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return node("values", name, array_token(missing), array_token(plain))
    return node("values", name, tokens(values.astype(object).tolist()))


def _text_token(values: Any, tokens: Tokens) -> bytes:
    try:
        import pyarrow
    except ImportError:
        pyarrow = None
    if pyarrow is None:
        return tokens([None if item is not item or item is None else item for item in values.astype(object)])
    array = pyarrow.array(values.array, from_pandas=True)
    if pyarrow.types.is_string(array.type) or pyarrow.types.is_large_string(array.type):
        array = array.cast(pyarrow.large_string())
    return chunked_token(array)
