from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pandas
import pyarrow
import pytest
from pandas.testing import assert_frame_equal
from sklearn.linear_model import LinearRegression

from zen_core.contract.files import File
from zen_core.errors import OutputError, StoreError
from zen_metadata.artifacts import serializers
from zen_metadata.artifacts.digests import digest_object
from zen_metadata.artifacts.store import ArtifactStore

ARRAY = numpy.arange(6.0).reshape(2, 3)
FRAME = pandas.DataFrame({"a": [1, 2], "b": ["x", None]}, index=pandas.Index([7, 8], name="n"))


def assert_same(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    if isinstance(right, pandas.DataFrame):
        assert_frame_equal(left, right)
    elif isinstance(right, numpy.ndarray):
        numpy.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype
        assert left.flags.writeable
    elif isinstance(right, dict):
        assert list(left) == list(right)
        for key in right:
            assert_same(left[key], right[key])
    elif isinstance(right, (list, tuple)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert left == right


VALUES = {
    "dict of arrays": {"weights": ARRAY, "bias": ARRAY[0], "epochs": 3, "name": "n"},
    "list of frames": [FRAME, FRAME.iloc[:1]],
    "tuple": (ARRAY, None, (1, 2)),
    "deep": {"layers": [{"w": ARRAY, "notes": {1: "a", (2, 3): {"x"}}}, {"frame": FRAME}], "empty": [], "b": b"\x00"},
    "keys": {(1, "a"): ARRAY, 2: FRAME, None: [ARRAY]},
    "a key of our own": {"$zen": ARRAY},
    "table": [pyarrow.table({"a": [1, 2]})],
    "many": [numpy.array([number]) for number in range(200)],
}


@pytest.mark.parametrize("name", VALUES)
def test_a_container_comes_back_as_it_was(
    store: ArtifactStore, scratch: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    stored = store.save(VALUES[name], scratch=scratch)
    loaded = store.load(stored, scratch=scratch)

    assert stored.serializer == "container"
    assert_same(loaded, VALUES[name])
    assert stored.digest == digest_object(VALUES[name])
    assert store.save(loaded, scratch=scratch).digest == stored.digest
    assert not caplog.records
    assert [path for path in scratch.iterdir() if path.name.startswith("upload")] == []


def test_equal_containers_are_stored_once_and_tell_what_they_hold(local_store: ArtifactStore, scratch: Path) -> None:
    first = local_store.save({"w": ARRAY, "f": [FRAME]}, scratch=scratch)
    second = local_store.save({"w": ARRAY.copy(order="F"), "f": [FRAME.copy()]}, scratch=scratch)

    assert first.digest == second.digest
    assert first.metadata == {"parts": {"['w']": "numpy.ndarray", "['f'][0]": "pandas.DataFrame"}, "count": 2}
    assert local_store.save({"w": ARRAY, "f": [FRAME]}, scratch=scratch).location == first.location
    assert local_store.list("tmp") == []
    with zipfile.ZipFile(local_store.local_path(first.location)) as archive:
        assert archive.namelist() == ["0.npy", "1.parquet", "skeleton.json"]


def test_a_container_is_no_pickle(tmp_path: Path, scratch: Path) -> None:
    strict = ArtifactStore(str(tmp_path / "store"), allow_pickle=False)

    assert_same(strict.load(strict.save([ARRAY], scratch=scratch), scratch=scratch), [ARRAY])
    with pytest.raises(OutputError, match="only as a pickle, and pickles are not allowed"):
        strict.save([ARRAY, LinearRegression()], scratch=scratch)


LOOP: list[Any] = [ARRAY]
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value", [[ARRAY, LinearRegression()], {"a": [ARRAY, {frozenset({len}): 1}]}, [ARRAY, lambda: 1], LOOP]
)
def test_a_part_that_only_a_pickle_holds_makes_the_whole_a_pickle(
    local_store: ArtifactStore, scratch: Path, value: object
) -> None:
    stored = local_store.save(value, scratch=scratch)

    assert stored.serializer == "pickle"
    assert local_store.list("tmp") == []


def test_a_file_in_a_container_is_refused(local_store: ArtifactStore, scratch: Path) -> None:
    with pytest.raises(OutputError, match="a File lies inside a dict") as caught:
        local_store.save({"a": ARRAY, "report": File("a.html")}, scratch=scratch, where="step 'train'")

    assert "step 'train'" in str(caught.value)
    assert local_store.list("tmp") == []


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


class MoneySerializer:
    name, version, extension = "money", 1, ".money"

    def handles(self, value: object) -> bool:
        return isinstance(value, Money)

    def dump(self, value: Money, path: Path) -> Mapping[str, Any]:
        path.write_text(str(value.cents))
        return {}

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> Money:
        return Money(int(path.read_text()))

    def digest(self, value: Money, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        return stored_digest


def test_a_serializer_of_ones_own_stores_the_parts(local_store: ArtifactStore, scratch: Path) -> None:
    serializer = MoneySerializer()
    serializers.register(serializer)
    try:
        stored = local_store.save({"prices": [Money(5), Money(6)]}, scratch=scratch)
        loaded = local_store.load(stored, scratch=scratch)
    finally:
        serializers.unregister(serializer)

    assert stored.serializer == "container"
    assert [item.cents for item in loaded["prices"]] == [5, 6]
    with pytest.raises(StoreError, match="which is not known here") as caught:
        local_store.load(replace(stored), scratch=scratch)
    assert "MoneySerializer" in str(caught.value)
