from __future__ import annotations

import datetime
import decimal
from pathlib import Path

import numpy
import pandas
import pyarrow
import pytest
from pandas.testing import assert_frame_equal, assert_index_equal, assert_series_equal

from zen_metadata.artifacts.store import ArtifactStore

Frame = pandas.DataFrame
TWO = [1, 2]
DAYS = pandas.date_range("2026", periods=2)

FRAMES = {
    "plain": Frame({"a": TWO, "b": [1.5, None], "c": ["x", None]}),
    "range columns": Frame(numpy.arange(6.0).reshape(2, 3)),
    "integer columns": Frame({3: TWO, 1: TWO, 7: TWO}),
    "mixed columns": Frame([TWO], columns=["a", 1]),
    "duplicate columns": Frame([TWO], columns=["a", "a"]),
    "None as column": Frame([TWO], columns=["a", None]),
    "multi columns": Frame([TWO], columns=pandas.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None])),
    "day columns": Frame([TWO], columns=DAYS),
    "zoned day columns": Frame([TWO], columns=DAYS.tz_localize("Europe/Berlin")),
    "category columns": Frame([TWO], columns=pandas.CategoricalIndex(["a", "b"])),
    "object columns": Frame([TWO], columns=pandas.Index(["a", "b"], dtype=object)),
    "named columns": Frame([TWO], columns=pandas.Index(["a", "b"], name=5)),
    "ordered category": Frame({"a": pandas.Categorical(["b", "a"], categories=["c", "b", "a"], ordered=True)}),
    "category of numbers": Frame({"a": pandas.Categorical([1, None], categories=[3, 2, 1])}),
    "category of days": Frame({"a": pandas.Categorical(list(DAYS))}),
    "seconds": Frame({"a": pandas.Series(["2026", None], dtype="M8[s]")}),
    "zone": Frame({"a": pandas.date_range("2026-03-29", periods=3, freq="h", tz="Europe/Berlin")}),
    "durations": Frame({"a": pandas.Series(TWO, dtype="m8[s]")}),
    "small numbers": Frame({"a": numpy.array(TWO, "f2"), "b": numpy.array(TWO, "u4"), "c": numpy.array(TWO, "i1")}),
    "nullable": Frame({"a": pandas.array([1, None], "Int64"), "b": pandas.array([True, None], "boolean")}),
    "nullable floats": Frame({"a": pandas.array([1.5, None], "Float64")}),
    "string": Frame({"a": pandas.array(["a", None], "string")}),
    "string in python": Frame({"a": pandas.array(["a", None], "string[python]")}),
    "object texts": Frame({"a": pandas.Series(["a", "b"], dtype=object)}),
    "object texts and None": Frame({"a": pandas.Series(["a"] * 20 + [None], dtype=object)}),
    "object texts and NaN": Frame({"a": pandas.Series(["a"] * 20 + [numpy.nan], dtype=object)}),
    "object bytes": Frame({"a": [b"x", None]}),
    "object days": Frame({"a": [datetime.date(2026, 1, 1)]}),
    "object decimals": Frame({"a": [decimal.Decimal("1.50"), decimal.Decimal("2.25")]}),
    "object integers": Frame({"a": pandas.Series(TWO, dtype=object)}),
    "text index": Frame({"a": TWO}, index=pandas.Index(["r", "s"], name="a")),
    "object index": Frame({"a": TWO}, index=pandas.Index(["r", "s"], dtype=object)),
    "multi index": Frame({"a": TWO}, index=pandas.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None])),
    "range index": Frame({"a": TWO}, index=pandas.RangeIndex(5, 9, 2, name="q")),
    "day index": Frame({"a": range(100)}, index=pandas.date_range("2026", periods=100, freq="h", tz="Europe/Berlin")),
    "day index without rows": Frame({"a": [1]}, index=pandas.date_range("2026", periods=1, freq="D")).iloc[:0],
    "category index": Frame({"a": [1]}, index=pandas.CategoricalIndex([1], categories=[2, 1])),
    "period index": Frame({"a": TWO}, index=pandas.period_range("2026", periods=2, freq="M")),
    "duration index": Frame({"a": TWO}, index=pandas.timedelta_range("1s", periods=2)),
    "periods": Frame({"a": pandas.period_range("2026", periods=2, freq="M")}),
    "intervals": Frame({"a": pandas.interval_range(0, 2)}),
    "arrow": Frame({"a": pandas.array([1, None], dtype=pandas.ArrowDtype(pyarrow.int64()))}),
    "nothing": Frame(),
    "no rows": Frame({"a": pandas.Series([], dtype="int64"), "b": pandas.Series([], dtype="str")}),
    "no columns": Frame(index=[1, 2, 3]),
}
PICKLED = {
    "mixed objects": Frame({"a": [1, "x"]}),
    "dicts": Frame({"a": [{"x": 1}, {"y": 2}]}),
    "decimals of several scales": Frame({"a": [decimal.Decimal("1.5"), decimal.Decimal("2.25")]}),
    "sparse": Frame({"a": pandas.arrays.SparseArray([0, 0, 1])}),
    "complex": Frame({"a": [1j, 2]}),
    "None and NaN": Frame({"a": pandas.Series(["a", None, numpy.nan], dtype=object)}),
    "NaN and NA": Frame(
        {"a": pandas.arrays.FloatingArray(numpy.array([1.0, numpy.nan, 2.0]), numpy.array([False, False, True]))}
    ),
}


def assert_same_frame(left: Frame, right: Frame) -> None:
    assert_frame_equal(left, right, check_column_type="exact", check_index_type="exact")


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_comes_back_as_it_was(local_store: ArtifactStore, scratch: Path, name: str) -> None:
    stored = local_store.save(FRAMES[name], scratch=scratch)
    loaded = local_store.load(stored, scratch=scratch)

    assert stored.serializer == "pandas"
    assert_same_frame(loaded, FRAMES[name])
    assert local_store.save(loaded, scratch=scratch).digest == stored.digest


@pytest.mark.parametrize("name", PICKLED)
def test_what_parquet_would_change_is_pickled_and_said(
    local_store: ArtifactStore, scratch: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    stored = local_store.save(PICKLED[name], scratch=scratch)
    loaded = local_store.load(stored, scratch=scratch)

    assert stored.serializer == "pickle"
    assert "pandas.DataFrame is stored as a pickle" in caplog.text
    assert_same_frame(loaded, PICKLED[name])
    assert local_store.save(loaded, scratch=scratch).digest == stored.digest


def test_the_column_that_parquet_would_change_is_named(
    local_store: ArtifactStore, scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    local_store.save(Frame({"fine": [1, 2], "tags": [{"a": 1}, {"b": 2}], "more": "x"}), scratch=scratch)

    assert "Parquet does not keep the values of column 'tags' (object)" in caplog.text


@pytest.mark.parametrize(
    "series",
    [
        pandas.Series([1, 2], name="n"),
        pandas.Series(["a", None], index=["x", "y"], name=("a", 1)),
        pandas.Series([1.5], name=None, index=pandas.Index([7], name="k")),
    ],
)
def test_series(local_store: ArtifactStore, scratch: Path, series: pandas.Series) -> None:
    stored = local_store.save(series, scratch=scratch)

    assert stored.serializer == "pandas"
    assert_series_equal(local_store.load(stored, scratch=scratch), series)


@pytest.mark.parametrize(
    "index",
    [
        pandas.Index(["a", "b"], name="n"),
        pandas.RangeIndex(3),
        pandas.date_range("2026", periods=3, freq="D"),
        pandas.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"]),
    ],
    ids=["text", "range", "days", "multi"],
)
def test_indexes(local_store: ArtifactStore, scratch: Path, index: pandas.Index) -> None:
    stored = local_store.save(index, scratch=scratch)

    assert stored.serializer == "pandas"
    assert_index_equal(local_store.load(stored, scratch=scratch), index, exact=True)


def test_what_is_stored_is_parquet_that_others_can_read(local_store: ArtifactStore, scratch: Path) -> None:
    stored = local_store.save(FRAMES["plain"], scratch=scratch)

    assert stored.location.endswith(".parquet")
    assert_frame_equal(pandas.read_parquet(local_store.local_path(stored.location)), FRAMES["plain"])
    assert stored.metadata["shape"] == [2, 3]
    assert stored.metadata["columns"]["b"] == "float64"


def test_a_subclass_is_not_taken_for_a_frame(local_store: ArtifactStore, scratch: Path) -> None:
    assert local_store.save(Special({"a": [1]}), scratch=scratch).serializer == "pickle"


class Special(Frame):
    pass


def test_frames_that_differ_have_different_digests(local_store: ArtifactStore, scratch: Path) -> None:
    frames = [
        Frame({"a": [1, 2], "b": [3, 4]}),
        Frame({"b": [3, 4], "a": [1, 2]}),
        Frame({"a": [2, 1], "b": [4, 3]}),
        Frame({"a": [1.0, 2.0], "b": [3, 4]}),
        Frame({"a": [1, 2], "b": [3, 4]}, index=[1, 0]),
        Frame({"a": [1, 2], "b": [3, 4]}, index=pandas.Index([0, 1], name="i")),
        Frame({"a": ["1", "2"], "b": [3, 4]}),
        Frame({"a": pandas.Series(["1", "2"], dtype=object), "b": [3, 4]}),
        Frame({"a": pandas.Categorical(["1", "2"]), "b": [3, 4]}),
        Frame({"a": pandas.Categorical(["1", "2"], categories=["2", "1"]), "b": [3, 4]}),
        Frame({"a": ["1", None], "b": [3, 4]}),
        Frame({"a": ["1", ""], "b": [3, 4]}),
        Frame({"a": ["", "1"], "b": [3, 4]}),
        Frame({"a": pandas.Series(["1", None], dtype=object), "b": [3, 4]}),
        Frame({"a": pandas.Series(["1", numpy.nan], dtype=object), "b": [3, 4]}),
        Frame({"a": [1, 2]}),
    ]
    digests = [local_store.save(frame, scratch=scratch).digest for frame in frames]

    assert len(set(digests)) == len(frames)


def test_frames_that_are_equal_have_one_digest(local_store: ArtifactStore, scratch: Path) -> None:
    texts = ["a", None, "ccc"] * 5
    long = Frame({"n": range(15), "t": texts})
    wide = Frame({"x": 0.0, "n": range(30), "t": texts * 2}).loc[:14, ["n", "t"]]
    pieces = pandas.concat([long.iloc[:4], long.iloc[4:]])
    pieces.attrs["note"] = "does not count"
    from_arrow = pyarrow.Table.from_pandas(long).to_pandas()

    digests = {local_store.save(frame, scratch=scratch).digest for frame in (long, wide, pieces, from_arrow)}

    assert len(digests) == 1


def test_where_a_text_column_keeps_its_texts_does_not_count(local_store: ArtifactStore, scratch: Path) -> None:
    texts = ["a", None, "ccc"]
    frames = [Frame({"t": pandas.array(texts, f"string[{storage}]")}) for storage in ("python", "pyarrow")]

    first, second = (local_store.save(frame, scratch=scratch).digest for frame in frames)

    assert first == second


TABLE = pyarrow.table(
    {
        "n": pyarrow.chunked_array([[1, None], [3]]),
        "t": pyarrow.array(["a", None, "ccc"]),
        "l": pyarrow.array([[1, 2], None, []]),
        "s": pyarrow.array([{"x": 1}, None, {"x": None}]),
        "d": pyarrow.array(["u", "v", "u"]).dictionary_encode(),
        "b": pyarrow.array([True, None, False]),
        "w": pyarrow.array([datetime.datetime(2026, 1, 1)] * 3, pyarrow.timestamp("s")),
        "m": pyarrow.array([[("k", 1)], [], None], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        "c": pyarrow.array([decimal.Decimal("1.5")] * 3),
        "f": pyarrow.array([b"ab", b"cd", None], pyarrow.binary(2)),
    }
)


def test_arrow_tables(local_store: ArtifactStore, scratch: Path) -> None:
    stored = local_store.save(TABLE, scratch=scratch)
    loaded = local_store.load(stored, scratch=scratch)

    assert stored.serializer == "arrow"
    assert loaded.equals(TABLE, check_metadata=True)


def test_how_an_arrow_table_is_chunked_does_not_count(local_store: ArtifactStore, scratch: Path) -> None:
    doubled = pyarrow.concat_tables([TABLE, TABLE])
    tables = [TABLE, TABLE.combine_chunks(), doubled.slice(0, 3), doubled.slice(3, 3)]

    digests = {local_store.save(table, scratch=scratch).digest for table in tables}

    assert len(digests) == 1


@pytest.mark.parametrize("name", TABLE.column_names)
def test_arrow_tables_that_differ_have_different_digests(local_store: ArtifactStore, scratch: Path, name: str) -> None:
    column = TABLE[name]
    swapped = pyarrow.chunked_array([column.slice(1, 2).combine_chunks(), column.slice(0, 1).combine_chunks()])
    tables = [
        TABLE.select([name]),
        TABLE.select([name]).rename_columns(["other"]),
        TABLE.select([name]).slice(1),
    ]
    if len(set(map(str, column.to_pylist()))) > 1:
        tables.append(pyarrow.table({name: swapped}))

    digests = {local_store.save(table, scratch=scratch).digest for table in tables}

    assert len(digests) == len(tables)
