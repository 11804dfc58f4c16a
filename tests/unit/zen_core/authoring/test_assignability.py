"""Which type may stand for which other: clear mismatches only."""

import collections.abc
import datetime
import decimal
import enum
import os
import pathlib
from typing import Any, Literal, Protocol, TypedDict, TypeVar

import numpy as np
import pytest

from zen_core import File
from zen_core.authoring.annotations import OpaqueType
from zen_core.authoring.assignability import is_assignable, value_fits

T = TypeVar("T")


class Animal: ...


class Dog(Animal): ...


class Sized(Protocol):
    def size(self) -> int: ...


class Row(TypedDict):
    x: int


class Box(list[T]): ...


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (int, int), (Any, int), (int, Any), (int, object), (object, int), (Dog, Animal), (T, int), (int, T),
        (bool, int), (int, float), (bool, float), (float, complex), (np.float64, float), (np.int64, int),
        (int, int | None), (None, int | None), (type(None), None), (int | None, int | str | None),
        (Literal["a"], str), (Literal["a"], Literal["a", "b"]), (str, Literal["a", "b"]), (Literal[1], float),
        (list[int], list[int]), (list[int], list), (list, list[int]), (list[int], list[float]),
        (list[Dog], list[Animal]),
        (list[int], collections.abc.Sequence[float]), (list[int], collections.abc.Iterable[int]),
        (dict[str, int], collections.abc.Mapping[str, float]), (dict[str, int], collections.abc.Iterable[str]),
        (tuple[int, str], tuple[int, str]), (tuple[int, int], tuple[int, ...]), (tuple[int, ...], tuple[int, int]),
        (tuple[int, int], collections.abc.Sequence[int]), (Row, dict), (dict, Row), (Box[int], list[str]),
        (Animal, Sized), (OpaqueType("pd.DataFrame"), OpaqueType("pandas.DataFrame")), (OpaqueType("X"), int),
        (int, OpaqueType("X")), (datetime.datetime, datetime.date),
        (File, File), (File, pathlib.Path), (File, os.PathLike), (File, os.PathLike[str]), (File, pathlib.PurePath),
    ],
)  # fmt: skip
def test_these_fit(source: Any, target: Any) -> None:
    assert is_assignable(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (str, int), (int, str), (float, int), (int, bool), (Animal, Dog), (int, None), (int | None, int),
        (int | str, int), (str, int | None), (Literal["a"], Literal["b"]), (int, Literal["a"]), (Literal["a"], int),
        (list[str], list[int]), (list[int], set[int]), (list[int], dict[str, int]), (int, list[int]),
        (dict[str, int], dict[str, str]), (dict[int, int], dict[str, int]), (str, collections.abc.Mapping[str, int]),
        (tuple[int, str], tuple[int, int]), (tuple[int, int, int], tuple[int, int]), (tuple[str, ...], tuple[int, ...]),
        (list[int], tuple[int, ...]), (OpaqueType("A"), OpaqueType("B")), (datetime.date, datetime.datetime),
        (decimal.Decimal, float), (File, str), (pathlib.Path, File), (str, File), (str, pathlib.Path),
    ],
)  # fmt: skip
def test_these_do_not(source: Any, target: Any) -> None:
    assert not is_assignable(source, target)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (1, int), (1, float), (True, int), (None, None), (None, int | None), ("a", Literal["a"]), ([1, 2], list[int]),
        ([], list[str]), ((1, "a"), tuple[int, str]), ((1, 2), tuple[int, ...]), ({"a": 1}, dict[str, float]),
        ([[1]], list[list[int]]), ("abc", collections.abc.Sequence[str]), (File("a"), pathlib.Path),
        (Colour.RED, Colour),
        ([1], Any), (1, OpaqueType("X")), ({1}, set[int]), (len, collections.abc.Callable[..., int]),
    ],
)  # fmt: skip
def test_these_values_fit(value: Any, target: Any) -> None:
    assert value_fits(value, target)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("1", int), (1.5, int), (1, bool), (None, int), ("c", Literal["a"]), (True, Literal[1]), ([1, "a"], list[int]),
        ((1,), tuple[int, str]), ((), tuple[int]), ({"a": "x"}, dict[str, int]), ({1: 1}, dict[str, int]),
        ([["a"]], list[list[int]]), ("a.csv", File), ("a.csv", pathlib.Path), ("RED", Colour), (1, list[int]),
    ],
)  # fmt: skip
def test_these_values_do_not(value: Any, target: Any) -> None:
    assert not value_fits(value, target)
