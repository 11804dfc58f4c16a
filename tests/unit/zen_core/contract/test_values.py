"""Python values as JSON and back."""

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import Any
from zoneinfo import ZoneInfo

import pydantic
import pytest

from zen_core import File
from zen_core.contract.values import UnserializableError, digest_value, from_json, iter_files, to_json


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: tuple[int, ...] = ()


class Model(pydantic.BaseModel):
    name: str
    day: datetime.date


VALUES = [
    None, True, 1, -(2**70), 1.5, "text", "", "\ud800", b"\x00\xff", [1, [2]], {"a": None}, (), (1, ("a",)),
    {1, 2}, frozenset({"a"}), {1: "a", (2, 3): "b"}, {"$zen": "mine", "value": 1}, {"$zen": {"$zen": 1}},
    datetime.date(2026, 1, 31), datetime.time(6, 30), datetime.timedelta(days=-1, microseconds=5),
    datetime.datetime(2026, 1, 31, 6), datetime.datetime(2026, 1, 31, 6, tzinfo=datetime.UTC),
    decimal.Decimal("1.10"), uuid.UUID(int=3), pathlib.Path("a/b"), File("data/a.csv"),
    Colour.RED, Point(1, (2,)), Model(name="a", day=datetime.date(2026, 1, 31)), {"deep": [(Colour.RED, {Point(1)})]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    again = from_json(json.loads(json.dumps(to_json(value))))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.0])
def test_floats_that_json_lacks(value: float) -> None:
    again = from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))
    assert repr(again) == repr(value)


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        (object(), "value", "builtins.object"),
        ([1, {"a": len}], "value[1]['a']", "builtins.builtin_function_or_method"),
        ({(1, object()): 2}, "a key of value[1]", "builtins.object"),
        ({object()}, "an item of value", "builtins.object"),
        (Point(object()), "value['x']", "builtins.object"),
    ],
)
def test_what_has_no_json_form_is_named(value: Any, path: str, kind: str) -> None:
    with pytest.raises(UnserializableError) as caught:
        to_json(value)
    assert (caught.value.path, caught.value.type_name) == (path, kind)


def test_a_local_class_has_no_json_form() -> None:
    class Local(enum.Enum):
        A = 1

    with pytest.raises(UnserializableError, match="Local, which has no JSON form"):
        to_json(Local.A)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind of value 'pickle'"):
        from_json({"$zen": "pickle", "value": ""})


def test_the_order_of_sets_and_dicts_does_not_show() -> None:
    assert to_json({"b", "a", "c"}) == to_json({"c", "b", "a"})
    assert digest_value({"a": 1, "b": 2}) == digest_value({"b": 2, "a": 1})
    assert digest_value({1: "a", 2: "b"}) == digest_value({2: "b", 1: "a"})


def test_equal_looking_values_of_different_kinds_are_told_apart() -> None:
    alike = [
        1,
        "1",
        True,
        1.0,
        [1],
        (1,),
        {1},
        frozenset({1}),
        {"1": 1},
        {1: 1},
        b"1",
        decimal.Decimal(1),
        None,
        "None",
    ]
    assert len({digest_value(value) for value in alike}) == len(alike)


def test_a_zone_is_kept_as_its_offset() -> None:
    day = datetime.datetime(2026, 7, 1, 6, tzinfo=ZoneInfo("Europe/Berlin"))
    again = from_json(to_json(day))
    assert again == day
    assert again.utcoffset() == datetime.timedelta(hours=2)


def test_files_within_a_value_are_found() -> None:
    value = to_json({"a": [File("b.csv"), File("a.csv")], "c": (File("b.csv"),), "d": "no.csv"})
    assert iter_files(value) == ["a.csv", "b.csv"]
