"""What holds for any value: it comes back equal, and its digest follows its value, not its making."""

from __future__ import annotations

import pickle
import random
import tempfile
from pathlib import Path

import numpy
import pandas
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pandas.testing import assert_frame_equal

from zen_core.contract.values import digest_value
from zen_metadata.artifacts.digests import digest_object
from zen_metadata.artifacts.store import ArtifactStore

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner) | st.sets(SCALARS),
    max_leaves=20,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
COLUMNS = st.sampled_from(["int", "float", "text", "object", "category", "day", "nullable"])


def round_trip(value: object) -> tuple[object, str, str]:
    """The value as it is loaded, its digest, and the digest of what is loaded when that is stored again."""
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(f"{folder}/store")
        stored = store.save(value, scratch=Path(folder))
        loaded = store.load(stored, scratch=Path(folder))
        return loaded, stored.digest, store.save(loaded, scratch=Path(folder)).digest


def shuffled(value: object, generator: random.Random) -> object:
    """An equal value, with no part shared and dicts and sets filled in another order."""
    if isinstance(value, dict):
        items = [(shuffled(key, generator), shuffled(item, generator)) for key, item in value.items()]
        generator.shuffle(items)
        return dict(items)
    if isinstance(value, set):
        items = list(value)
        generator.shuffle(items)
        return set(items)
    if isinstance(value, (list, tuple)):
        return type(value)(shuffled(item, generator) for item in value)
    return pickle.loads(pickle.dumps(value))


@QUICK
@given(VALUES)
def test_plain_values(value: object) -> None:
    loaded, digest, again = round_trip(value)

    assert loaded == value
    assert type(loaded) is type(value)
    assert digest == again == digest_value(value)


@QUICK
@given(VALUES, st.integers())
def test_the_digest_of_an_object_follows_its_value(value: object, seed: int) -> None:
    assert digest_object(shuffled(value, random.Random(seed))) == digest_object(value)


@QUICK
@given(st.lists(SCALARS | st.lists(SCALARS), max_size=40), st.lists(SCALARS | st.lists(SCALARS), max_size=40))
def test_objects_that_differ_have_different_digests(left: list, right: list) -> None:
    # In print, unlike in `==`, True is not 1 and 0.0 is not -0.0.
    assert (digest_object(left) == digest_object(right)) == (repr(left) == repr(right))


@QUICK
@given(arrays.arrays(arrays.array_dtypes() | arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, min_side=0)))
def test_arrays(array: numpy.ndarray) -> None:
    loaded, digest, again = round_trip(array)

    assert loaded.shape == array.shape
    assert repr(loaded.tolist()) == repr(array.tolist())  # nan and NaT equal themselves only in print
    assert digest == again == round_trip(numpy.array(array, order="F"))[1]


@st.composite
def frames(draw: st.DrawFn) -> pandas.DataFrame:
    rows = draw(st.integers(0, 12))

    def column(kind: str) -> pandas.Series:
        many = {"min_size": rows, "max_size": rows}
        if kind == "int":
            return pandas.Series(draw(st.lists(st.integers(-(2**63), 2**63 - 1), **many)), dtype="int64")
        if kind == "float":
            return pandas.Series(draw(st.lists(st.floats(), **many)), dtype="float64")
        if kind == "text":
            return pandas.Series(draw(st.lists(st.none() | TEXTS, **many)), dtype="str")
        if kind == "category":
            return pandas.Series(draw(st.lists(st.none() | st.integers(0, 3), **many)), dtype="category")
        if kind == "day":
            return pandas.Series(draw(st.lists(st.datetimes(), **many)), dtype="M8[us]")
        if kind == "nullable":
            return pandas.Series(draw(st.lists(st.none() | st.integers(0, 9), **many)), dtype="Int64")
        return pandas.Series(draw(st.lists(st.none() | st.floats() | TEXTS | st.integers(), **many)), dtype=object)

    kinds = draw(st.lists(COLUMNS, max_size=4))
    frame = pandas.concat([column(kind) for kind in kinds], axis=1) if kinds else pandas.DataFrame(index=range(rows))
    labels = st.lists(TEXTS | st.integers(0, 9) | st.none(), min_size=len(kinds), max_size=len(kinds))
    frame.columns = pandas.Index(draw(labels), dtype=object)
    index = draw(COLUMNS.filter(lambda kind: kind != "object") | st.none())
    if index is not None:
        frame.index = pandas.Index(column(index), name=draw(st.none() | TEXTS))
    return frame


def apart(value: object) -> object:
    """The value with the type of each part beside it: what must not be confused."""
    if isinstance(value, dict):
        return "dict", sorted(repr((apart(key), apart(item))) for key, item in value.items())
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(repr(apart(item)) for item in value)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [apart(item) for item in value]
    if isinstance(value, numpy.ndarray):
        return "array", value.dtype.str, value.shape, value.tolist()
    return type(value).__name__, repr(value)


PLAIN = [None, True, 1, 1.0, -0.0, 0.0, 0, False, "", "1", b"", b"1", [], (), {}, set(), frozenset(), [1], (1,), {1}]
NESTED = [{1: 1}, {"1": 1}, [[1], [2]], [[1, 2]], ["ab", "c"], ["a", "bc"], [None], [[]], ["None"]]
ARRAYS = [numpy.array(value) for value in ([1], [1.0], [[1]], [], [True], [[]], 1)]
CLOSE = st.sampled_from([*PLAIN, *NESTED, *ARRAYS])
MIXED = st.recursive(
    CLOSE,
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(KEYS, inner),
    max_leaves=6,
)


@QUICK
@given(MIXED, MIXED)
def test_artifacts_share_a_digest_only_when_they_are_one(left: object, right: object) -> None:
    assert (round_trip(left)[1] == round_trip(right)[1]) == (repr(apart(left)) == repr(apart(right)))


@QUICK
@given(MIXED, st.integers())
def test_containers(value: object, seed: int) -> None:
    loaded, digest, again = round_trip(value)

    assert repr(apart(loaded)) == repr(apart(value))
    assert digest == again == round_trip(shuffled(value, random.Random(seed)))[1]


@QUICK
@given(frames(), st.integers())
def test_the_layout_of_a_frame_does_not_count(frame: pandas.DataFrame, seed: int) -> None:
    parts = [frame.iloc[:, [at]] for at in range(frame.shape[1])]
    apart_again = pandas.concat(parts, axis=1) if parts else frame.copy()
    apart_again = apart_again.set_axis(frame.columns, axis=1)  # pandas makes labels of objects labels of texts
    cut = random.Random(seed).randint(0, len(frame))
    back = pandas.concat([frame.iloc[:cut], frame.iloc[cut:]]) if 0 < cut < len(frame) else frame.iloc[::-1].iloc[::-1]
    back = back.set_axis(frame.columns, axis=1)

    assert digest_object(apart_again) == digest_object(frame) == digest_object(back)


@QUICK
@given(frames())
def test_frames(frame: pandas.DataFrame) -> None:
    loaded, digest, again = round_trip(frame)

    assert_frame_equal(loaded, frame)
    assert digest == again == round_trip(frame.copy())[1]
