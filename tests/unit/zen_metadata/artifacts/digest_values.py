"""Values by kind, each made in several ways that count as equal. Run by test_digest_table.py in fresh processes.

Within a group all have one digest; no two groups share one, but for a link to a file, which counts as the file.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import json
import operator
import os
import re
import sys
import uuid
import warnings
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy
import pandas
import pyarrow
import pydantic
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from zen_core.contract.files import File
from zen_metadata.artifacts.digests import digest_object
from zen_metadata.artifacts.store import ArtifactStore

UTC = datetime.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
FRAME = pandas.DataFrame


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Crimson(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    y: Any = 0


@dataclasses.dataclass(frozen=True)
class Place:
    x: int
    y: Any = 0


class Pair(NamedTuple):
    x: int
    y: int = 0


class Settings(pydantic.BaseModel):
    name: str
    tags: set[str] = set()
    amount: Any = None


class Other(pydantic.BaseModel):
    name: str
    tags: set[str] = set()
    amount: Any = None


class Bag:
    def __init__(self, **content: object) -> None:
        self.__dict__.update(content)


class Threshold(BaseEstimator):
    def __init__(self, at: float = 0.5) -> None:
        self.at = at


class Sheet(pandas.DataFrame):
    _metadata = ("title",)

    def __init__(self, *arguments: Any, title: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.title = title


class Column(pandas.Series):
    pass


def twice(part: Any) -> Any:
    return part * 2


def text(*parts: str) -> str:
    """A text that is not interned."""
    return "".join(parts)


def blocks(frame: pandas.DataFrame) -> Iterator[pandas.DataFrame]:
    """The same frame in other block layouts."""
    yield frame
    yield frame.copy()
    yield pandas.concat([frame[[column]] for column in frame.columns], axis=1)
    grown = frame[[frame.columns[0]]].copy()
    for column in frame.columns[1:]:
        grown[column] = frame[column]
    yield grown
    yield pandas.concat([frame.iloc[:1], frame.iloc[1:]])
    yield frame.iloc[::-1].iloc[::-1]


def folder(root: Path, files: dict[str, bytes], *, executable: str = "", order: int = 1) -> Path:
    root = root / uuid.uuid4().hex
    root.mkdir(parents=True)
    for name, content in list(files.items())[::order]:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if name == executable else 0o640)
        os.utime(path, (0, order * 1000))
    return root


def file(root: Path, name: str, content: bytes) -> Path:
    path = root / uuid.uuid4().hex / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def plain() -> Iterator[tuple[str, list[Any]]]:
    yield "None", [None]
    for value in (True, False, 0, 1, -1, 2**70, 0.0, -0.0, 1.0, 1.5, float("inf"), float("-inf")):
        yield f"{type(value).__name__} {value}", [value]
    yield "nan", [float("nan"), -float("nan"), float("inf") - float("inf")]
    yield "text 1", ["1", text("1")]
    yield "composed é", ["\u00e9"]
    yield "decomposed é", ["e\u0301"]
    yield "surrogate", ["\ud800"]
    yield "text 0", [""]
    yield "text null", ["null"]
    yield "text None", ["None"]
    yield "long text", ["ab" * 40_000, text(*["ab"] * 40_000)]
    yield "long bytes", [b"ab" * 40_000]
    yield "no bytes", [b""]
    yield "bytes 1", [b"1"]
    yield "bytearray", [bytearray(b"1")]
    yield "complex", [1 + 0j]
    yield "list", [[]]
    yield "tuple", [()]
    yield "dict", [{}]
    yield "set", [set()]
    yield "frozenset", [frozenset()]
    yield "set of texts", [{"a", "b", "c", "dd"}, {"dd", "c", "b", "a"}, {text("d", "d"), "c", "b", "a"}]
    yield "frozenset of texts", [frozenset(["a", "b", "c", "dd"])]
    yield "set of mixed", [{1, "1", (1,), None, b"1", 1.5}]
    yield "dict order", [{"a": 1, "b": {"x": 1, "y": 2}}, {"b": {"y": 2, "x": 1}, "a": 1}]
    yield "dict 1", [{1: 1}]
    yield "dict '1'", [{"1": 1}]
    yield "dict True", [{True: 1}]
    yield "dict None", [{None: 1}]
    yield "dict of tuples", [{(1, "a"): 1, (2, "b"): 2}, {(2, "b"): 2, (1, "a"): 1}]
    yield "pairs", [[["a", 1], ["b", 2]]]
    yield "tag", [{"$zen": "set", "value": []}]
    yield "tag of a tuple", [{"$zen": "tuple", "value": [1]}]
    yield "[[1], [2]]", [[[1], [2]]]
    yield "[[1, 2]]", [[[1, 2]]]
    yield "[[[1], 2]]", [[[[1], 2]]]
    yield "[1, [2]]", [[1, [2]]]
    yield "[[1], 2]", [[[1], 2]]
    yield "[(1, 2)]", [[(1, 2)]]
    yield "([1, 2],)", [([1, 2],)]
    yield "[12]", [[12]]
    yield "['1', '2']", [["1", "2"]]
    yield "['12']", [["12"]]
    yield "['1,2']", [["1,2"]]
    yield "[None]", [[None]]
    yield "[[]]", [[[]]]
    yield "[''] ", [[""]]
    yield "twenty long ints", [[10**9000] * 20]
    yield "twenty ints", [[1] * 20]
    yield "twenty floats", [[1.0] * 20]
    yield "twenty bools", [[True] * 20]
    yield "twenty texts", [["1"] * 20]


def typed() -> Iterator[tuple[str, list[Any]]]:
    noon = datetime.datetime(2026, 3, 29, 12, 0)
    yield "naive", [noon]
    yield "utc", [noon.replace(tzinfo=UTC)]
    yield "berlin", [noon.replace(tzinfo=BERLIN), noon.replace(tzinfo=zoneinfo.ZoneInfo.no_cache("Europe/Berlin"))]
    yield "offset", [noon.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1)))]
    yield "first 02:30", [datetime.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)]
    yield "second 02:30", [datetime.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)]
    yield "as text", [noon.isoformat()]
    yield "date", [noon.date()]
    yield "midnight", [datetime.datetime(2026, 3, 29)]
    yield "time", [noon.time()]
    yield "time utc", [noon.time().replace(tzinfo=UTC)]
    yield "day", [datetime.timedelta(days=1), datetime.timedelta(hours=24)]
    yield "zone", [BERLIN]
    yield "decimal 1", [decimal.Decimal(1), decimal.Decimal("1")]
    yield "decimal 1.0", [decimal.Decimal("1.0")]
    yield "decimal -0", [decimal.Decimal("-0")]
    yield "decimal nan", [decimal.Decimal("nan")]
    yield "fraction", [fractions.Fraction(1, 2), fractions.Fraction(2, 4)]
    yield "uuid", [uuid.UUID(int=1)]
    yield "uuid text", [str(uuid.UUID(int=1))]
    yield "red", [Colour.RED, Colour(1), Colour["RED"]]
    yield "green", [Colour.GREEN]
    yield "crimson", [Crimson.RED]
    yield "level", [Level.ONE]
    yield "point", [Point(1, 2), Point(y=2, x=1)]
    yield "place", [Place(1, 2)]
    yield "pair", [Pair(1, 2)]
    yield "tuple like a pair", [(1, 2)]
    yield "dict like a point", [{"x": 1, "y": 2}]
    yield "point of set", [Point(1, {"a", "b", "c"}), Point(1, {text("c"), "b", "a"})]
    yield "point of list", [Point(1, ["a", "b", "c"])]
    yield "point of array", [Point(1, numpy.arange(3)), Point(1, numpy.arange(3))]
    yield "model", [Settings(name="n", tags={"a", "b", "c"}), Settings(tags={"c", "b", "a"}, name="n")]
    yield "model of other class", [Other(name="n", tags={"a", "b", "c"})]
    yield "model of decimal", [Settings(name="n", amount=decimal.Decimal("1.5"))]
    yield "model of text", [Settings(name="n", amount="1.5")]
    yield "model of a day", [Settings(name="n", amount=noon)]
    yield "model of a text day", [Settings(name="n", amount=noon.isoformat())]
    yield "model of bytes", [Settings(name="n", amount=b"1.5")]
    yield "model of a tuple", [Settings(name="n", amount=(1, 2))]
    yield "model of a list", [Settings(name="n", amount=[1, 2])]
    yield "model of nan", [Settings(name="n", amount=float("nan"))]
    yield "model of inf", [Settings(name="n", amount=float("inf"))]
    yield "model of none", [Settings(name="n")]
    yield "model of int", [Settings(name="n", amount=1)]
    yield "model of float", [Settings(name="n", amount=1.0)]
    yield "model of true", [Settings(name="n", amount=True)]
    yield "model of dict", [Settings(name="n", amount={"b": 1, "a": 2}), Settings(name="n", amount={"a": 2, "b": 1})]
    yield "model of dict of ints", [Settings(name="n", amount={1: 1})]
    yield "model of dict of texts", [Settings(name="n", amount={"1": 1})]
    yield "namespace", [SimpleNamespace(a=1, b=2), SimpleNamespace(b=2, a=1)]
    yield "bag", [Bag(a={"x", "y", "z"}, b=1), Bag(b=1, a={"z", "y", "x"})]
    yield "ordered dict", [collections.OrderedDict(a=1, b=2)]
    yield "counter", [collections.Counter("aab"), collections.Counter({"b": 1, "a": 2})]
    yield "default dict", [collections.defaultdict(list, a=[1], b=[2]), collections.defaultdict(list, b=[2], a=[1])]
    yield "deque", [collections.deque([1, 2])]
    yield "pattern", [re.compile("a+", re.IGNORECASE)]
    yield "partial", [functools.partial(operator.add, 1)]
    yield "buffer", [io.BytesIO(b"1")]
    yield "range", [range(3)]
    yield "path in a deque", [collections.deque([Path("a/b")]), collections.deque([Path("a") / "b"])]
    yield "class", [Point]
    yield "function", [twice]
    yield "lambda", [lambda value: value + 1, lambda value: value + 1]
    yield "other lambda", [lambda value: value + 2]


def arrays() -> Iterator[tuple[str, list[Any]]]:
    square = numpy.arange(6).reshape(2, 3)
    yield "array", [square, numpy.asfortranarray(square), numpy.arange(12).reshape(2, 6)[:, ::2] // 2]
    yield "transposed", [square.T, square.T.copy()]
    yield "flat", [numpy.arange(6)]
    yield "float array", [square.astype(float)]
    yield "int32", [square.astype("i4")]
    yield "big endian", [square.astype(">i8")]
    yield "bool array", [numpy.array([True, False])]
    yield "uint8 array", [numpy.array([1, 0], "u1")]
    yield "nan array", [numpy.array([numpy.nan, 1.0]), numpy.array([-numpy.nan, 1.0])]
    yield "zero array", [numpy.array([0.0])]
    yield "negative zero array", [numpy.array([-0.0])]
    yield "no rows", [numpy.zeros((0, 3))]
    yield "no columns", [numpy.zeros((3, 0))]
    yield "zero-dimensional", [numpy.array(1)]
    yield "one element", [numpy.array([1])]
    yield "numpy 1", [numpy.int64(1)]
    yield "numpy 1.0", [numpy.float64(1)]
    yield "numpy f4", [numpy.float32(1)]
    yield "numpy true", [numpy.bool_(True)]
    yield "numpy text", [numpy.str_("1")]
    yield "numpy bytes", [numpy.bytes_(b"1")]
    yield "numpy day", [numpy.datetime64("2026-01-01")]
    yield "numpy day in ns", [numpy.datetime64("2026-01-01", "ns")]
    yield "days", [numpy.array(["2026-01-01", "NaT"], "M8[D]")]
    yield "texts", [numpy.array(["a", "bb"])]
    yield "padded texts", [numpy.array(["a", "bb"], "U5")]
    yield "bytes array", [numpy.array([b"a", b"bb"])]
    yield "objects", [numpy.array([1, "a", None], dtype=object)]
    yield "objects of texts", [numpy.array(["a", "bb"], dtype=object), numpy.array([text("a"), text("b", "b")], object)]
    yield "objects of sets", [numpy.array([{"a", "b", "c"}, 1], dtype=object)]
    yield (
        "structured",
        [
            numpy.array([(1, 2.0)], dtype=[("a", "i1"), ("b", "f8")]),
            numpy.array([(1, 2.0)], dtype=numpy.dtype([("a", "i1"), ("b", "f8")], align=True)),
        ],
    )
    yield "structured, other names", [numpy.array([(1, 2.0)], dtype=[("a", "i1"), ("c", "f8")])]
    yield (
        "masked",
        [
            numpy.ma.MaskedArray([1, 2, 3], [False, True, False]),
            numpy.ma.MaskedArray([1, 9, 3], [False, True, False]),
        ],
    )
    yield "not masked", [numpy.ma.MaskedArray([1, 2, 3], False), numpy.ma.MaskedArray([1, 2, 3], [False] * 3)]
    yield "masked floats", [numpy.ma.MaskedArray([1.0, 2.0, 3.0], [False, True, False])]
    yield "array list", [[1, 2, 3]]
    yield "dict of arrays", [{"a": square, "b": square + 1}, {"b": square + 1, "a": square.copy()}]
    yield "list of arrays", [[square, square], [square.copy(), square]]
    yield "tuple of arrays", [(square, square)]
    yield "nested arrays", [{"a": {"b": [square, {"c": square}]}}]
    yield "sparse", [scipy.sparse.csr_array(square), scipy.sparse.csr_array(scipy.sparse.coo_array(square))]
    yield "long doubles", [numpy.array([1, 2], "g"), numpy.array([1, 2], "g").copy()]
    yield "long double", [numpy.longdouble(1)]
    record = numpy.rec.fromarrays([[1, 2], [1.5, 2.5]], names="a,b")
    yield "records", [record, record.copy()]
    yield "matrix", [numpy.matrix(square), numpy.matrix(numpy.asfortranarray(square))]
    yield "generator", [numpy.random.default_rng(1)]
    yield "dtype", [numpy.dtype("i8")]


def frames() -> Iterator[tuple[str, list[Any]]]:
    base = FRAME({"a": [1, 2, 3], "b": [1.5, None, 2.5], "c": [4, 5, 6], "d": ["x", None, "z"]})
    yield "frame", list(blocks(base))
    yield "other column order", [base[["b", "a", "c", "d"]]]
    yield "other row order", [base.iloc[::-1]]
    yield "reset row order", [base.iloc[::-1].reset_index(drop=True)]
    yield "other index", [base.set_axis(["x", "y", "z"])]
    yield "named index", [base.rename_axis("n")]
    yield "named columns", [base.rename_axis("n", axis=1)]
    yield "int32 column", [base.astype({"a": "i4"})]
    yield "nullable column", [base.astype({"a": "Int64"})]
    yield "object column", [base.astype({"d": object})]
    yield "string column", [base.astype({"d": "string"})]
    yield "category column", [base.astype({"d": "category"})]
    categories = pandas.CategoricalDtype(["z", "x"])
    yield "other category order", [base.astype({"d": categories})]
    yield "ordered category", [base.astype({"d": pandas.CategoricalDtype(["x", "z"], ordered=True)})]
    yield "more categories", [base.astype({"d": pandas.CategoricalDtype(["x", "z", "q"])})]
    days = pandas.date_range("2026-03-28", periods=3)
    yield "days", [FRAME({"t": days})]
    yield "utc days", [FRAME({"t": days.tz_localize("UTC")})]
    yield "berlin days", [FRAME({"t": days.tz_localize("Europe/Berlin")})]
    yield "berlin, the same moments", [FRAME({"t": days.tz_localize("UTC").tz_convert("Europe/Berlin")})]
    yield "days in seconds", [FRAME({"t": days.as_unit("s")})]
    yield "day index", [FRAME({"t": [1, 2, 3]}, index=days)]
    yield "day index without frequency", [FRAME({"t": [1, 2, 3]}, index=pandas.DatetimeIndex(days, freq=None))]
    yield "own frame", [Sheet(part) for part in blocks(base)]
    yield "own frame with a title", [Sheet(base, title="t")]
    yield "own column", [Column([1, 2])]
    yield "tuples as index", [FRAME({"t": [1, 2]}, index=pandas.MultiIndex.from_tuples([("a", 1), ("b", 2)]))]
    multi = pandas.MultiIndex.from_product([["a", "b"], [1, 2]], names=["p", "q"])
    yield (
        "multi",
        [
            FRAME({"t": range(2)}, index=multi[[0, 3]]),
            FRAME({"t": range(2)}, index=multi[[0, 3]].remove_unused_levels()),
        ],
    )
    yield (
        "masked values beneath",
        [
            FRAME({"a": pandas.array([1, None, 3], "Int64")}),
            FRAME({"a": pandas.arrays.IntegerArray(numpy.array([1, 99, 3]), numpy.array([False, True, False]))}),
        ],
    )
    yield "nullable booleans", [FRAME({"a": pandas.array([True, None], "boolean")})]
    yield "nullable floats", [FRAME({"a": pandas.array([1.0, None], "Float64")})]
    yield "arrow ints", [FRAME({"a": pandas.array([1, None], pandas.ArrowDtype(pyarrow.int64()))})]
    yield "objects of sets", [FRAME({"a": [{"x", "y", "z"}, {1}]}), FRAME({"a": [{"z", "y", "x"}, {1}]})]
    yield "objects of dicts", [FRAME({"a": [{"x": 1, "y": 2}]}), FRAME({"a": [{"y": 2, "x": 1}]})]
    yield "object ints", [FRAME({"a": pandas.Series([1, 2], dtype=object)})]
    yield "object bools", [FRAME({"a": pandas.Series([True, 2], dtype=object)})]
    yield "None and nan", [FRAME({"a": pandas.Series(["x", None], dtype=object)})]
    yield "nan and nan", [FRAME({"a": pandas.Series(["x", numpy.nan], dtype=object)})]
    yield "two empty", [FRAME(index=[0, 1])]
    yield "none", [FRAME()]
    yield "series", [pandas.Series([1, 2], name="a")]
    yield "unnamed series", [pandas.Series([1, 2])]
    yield "frame like a series", [FRAME({"a": [1, 2]})]
    yield "index", [pandas.Index([1, 2])]
    yield "timestamp", [pandas.Timestamp("2026-01-01")]
    yield "timestamp utc", [pandas.Timestamp("2026-01-01", tz="UTC")]
    yield "NaT", [pandas.NaT]
    yield "NA", [pandas.NA]
    yield "dict of frames", [{"a": base, "b": base.iloc[:1]}, {"b": base.iloc[:1], "a": base.copy()}]
    yield "list of frames", [[base, base.iloc[:1]]]
    yield "sparse frame", [FRAME({"a": pandas.arrays.SparseArray([0, 0, 1])})]
    table = pyarrow.table({"a": [1, 2, 3], "b": ["x", None, "z"]})
    yield "arrow", [table, pyarrow.concat_tables([table.slice(0, 1), table.slice(1)])]
    yield "arrow, other order", [table.select(["b", "a"])]
    yield "arrow array", [pyarrow.array([1, 2])]


def models() -> Iterator[tuple[str, list[Any]]]:
    x = numpy.random.default_rng(0).random((60, 3))
    y = (x[:, 0] > 0.5).astype(int)
    yield "unfitted", [LogisticRegression()]
    yield "other setting", [LogisticRegression(C=2)]
    yield "fitted", [LogisticRegression().fit(x, y), LogisticRegression().fit(x.copy(), y.copy())]
    yield "forest", [RandomForestClassifier(5, random_state=0, n_jobs=jobs).fit(x, y) for jobs in (1, 1)]
    yield "own estimator", [Threshold(0.5)]
    yield "own estimator 1", [Threshold(1)]
    yield "words", [CountVectorizer().fit(["some words and more words"])]
    yield "pipeline", [make_pipeline(FunctionTransformer(twice), StandardScaler()).fit(x) for _ in range(2)]
    yield "dict of models", [{"m": LogisticRegression().fit(x, y), "names": {"a", "b", "c"}}]


def places(root: Path) -> Iterator[tuple[str, list[Any]]]:
    yield "file", [file(root, "a.txt", b"content"), File(file(root, "b.bin", b"content"))]
    yield "empty file", [file(root, "a.txt", b"")]
    tree = {"a": b"1", "sub/b": b"2", "empty/": b""}
    yield "folder", [folder(root, tree), folder(root, tree, order=-1)]
    yield "folder, other name", [folder(root, {"z": b"1", "sub/b": b"2", "empty/": b""})]
    yield "folder, other content", [folder(root, {"a": b"1", "sub/b": b"3", "empty/": b""})]
    yield "folder, executable", [folder(root, tree, executable="a")]
    yield "folder without the empty one", [folder(root, {"a": b"1", "sub/b": b"2"})]
    yield "folder, moved", [folder(root, {"a": b"1", "sub/sub/b": b"2", "empty/": b""})]
    yield "folder, ambiguous", [folder(root, {"a": b"1sub/b2", "empty/": b""})]
    yield "empty folder", [folder(root, {})]
    linked = folder(root, tree)
    (linked / "sub" / "b").unlink()
    (linked / "sub" / "b").symlink_to(file(root, "b", b"2"))
    yield "folder with a link to a file", [linked]


def groups(root: Path) -> Iterator[tuple[str, list[Any]]]:
    kinds: dict[str, Callable[[], Iterator[tuple[str, list[Any]]]]] = {
        "plain": plain,
        "typed": typed,
        "arrays": arrays,
        "frames": frames,
        "models": models,
        "places": functools.partial(places, root),
    }
    for kind, make in kinds.items():
        for name, values in make():
            yield f"{kind}: {name}", values


def main(root: Path) -> None:
    """Print as JSON, by group: the digests of all its values, as artifacts and as parts of an object."""
    warnings.simplefilter("ignore")
    store, found = ArtifactStore(str(root / "store")), {}
    for name, values in groups(root):
        found[name] = {"stored": [store.save(value, scratch=root / "scratch").digest for value in values]}
        if not name.startswith("places"):
            found[name]["part"] = [digest_object([value]) for value in values]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    # The classes above must not be of `__main__`.
    sys.path.insert(0, str(Path(__file__).parent))
    from digest_values import main as imported_main

    imported_main(Path(sys.argv[1]))
