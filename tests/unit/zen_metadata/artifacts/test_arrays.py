from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from zen_metadata.artifacts.store import ArtifactStore

RoundTrip = Callable[[object], object]
PADDED = numpy.dtype([("a", "i1"), ("b", "f8")], align=True)


@pytest.mark.parametrize(
    "array",
    [
        numpy.arange(6).reshape(2, 3),
        numpy.array(3.5),
        numpy.zeros((0, 4)),
        numpy.array(["a", "bcd"]),
        numpy.array([b"a", b"bcd"]),
        numpy.array(["2026-01-01", "NaT"], dtype="M8[s]"),
        numpy.array([1, 2], dtype="m8[ns]"),
        numpy.array([1 + 2j, numpy.nan]),
        numpy.array([True, False]),
        numpy.array([1.5, numpy.nan, -0.0], dtype="f2"),
        numpy.arange(5, dtype=">i4"),
        numpy.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        numpy.arange(10)[::3],
        numpy.zeros(2, dtype=[("größe", "f4"), ("n", "i8", (2,))]),
        numpy.random.default_rng(0).random((300, 2000)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_equal_and_writable(local_store: ArtifactStore, scratch: Path, array: numpy.ndarray) -> None:
    stored = local_store.save(array, scratch=scratch)
    loaded = local_store.load(stored, scratch=scratch)

    assert stored.serializer == "numpy"
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    assert numpy.array_equal(loaded, array, equal_nan=array.dtype.kind in "fcM")
    assert loaded.flags.writeable
    again = local_store.save(loaded, scratch=scratch)
    assert (again.digest, again.stored_digest) == (stored.digest, stored.stored_digest)


def test_other_programs_can_read_the_file(local_store: ArtifactStore, scratch: Path) -> None:
    array = numpy.arange(6.0).reshape(2, 3).T
    stored = local_store.save(array, scratch=scratch)

    assert numpy.array_equal(numpy.load(local_store.local_path(stored.location)), array)


def test_memory_order_does_not_count_and_is_restored(local_store: ArtifactStore, scratch: Path) -> None:
    array = numpy.random.default_rng(0).random((500, 700))
    row_wise = local_store.save(array, scratch=scratch)
    column_wise = local_store.save(numpy.asfortranarray(array), scratch=scratch)

    assert row_wise.digest == column_wise.digest
    assert row_wise.location == column_wise.location
    assert local_store.load(column_wise, scratch=scratch).flags.f_contiguous


def test_what_lies_in_the_padding_does_not_count(local_store: ArtifactStore, scratch: Path) -> None:
    digests = set()
    for filler in (0, 255):
        array = numpy.full(PADDED.itemsize * 3, filler, dtype="u1").view(PADDED)
        array["a"], array["b"] = 1, 2.0
        digests.add(local_store.save(array, scratch=scratch).digest)

    assert len(digests) == 1


def test_a_nan_is_a_nan(local_store: ArtifactStore, scratch: Path) -> None:
    patterns = [numpy.array([bits], dtype="u8").view("f8") for bits in (0x7FF8000000000000, 0xFFF8000000000001)]

    first, second = (local_store.save(pattern, scratch=scratch).digest for pattern in patterns)

    assert first == second


def test_different_arrays_differ(local_store: ArtifactStore, scratch: Path) -> None:
    arrays = [
        numpy.array([1, 2]),
        numpy.array([2, 1]),
        numpy.array([1.0, 2.0]),
        numpy.array([[1, 2]]),
        numpy.array([1, 2], dtype="i4"),
        numpy.array([0.0]),
        numpy.array([-0.0]),
        numpy.array([], dtype="f8"),
        numpy.zeros((0, 2)),
    ]
    digests = {local_store.save(array, scratch=scratch).digest for array in arrays}

    assert len(digests) == len(arrays)


@pytest.mark.parametrize(
    "array",
    [
        numpy.array([{"a": 1}, None], dtype=object),
        numpy.ma.MaskedArray([1, 2], mask=[True, False]),
        numpy.array(["a", "b"], dtype=numpy.dtypes.StringDType()),
    ],
    ids=["objects", "masked", "strings"],
)
def test_what_is_more_than_its_bytes_is_pickled(
    local_store: ArtifactStore, scratch: Path, array: numpy.ndarray
) -> None:
    stored = local_store.save(array, scratch=scratch)

    assert stored.serializer == "pickle"
    loaded = local_store.load(stored, scratch=scratch)
    assert loaded.tolist() == array.tolist()
    assert local_store.save(loaded, scratch=scratch).digest == stored.digest
