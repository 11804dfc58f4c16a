from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import ipaddress
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pydantic
import pytest

from zen_core.contract.files import File
from zen_core.contract.values import digest_value
from zen_core.errors import OutputError, StoreError
from zen_metadata.artifacts.store import ArtifactStore


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: tuple[int, ...] = ()


class Report(pydantic.BaseModel):
    title: str
    scores: dict[str, float] = {}


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Anything(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    value: Any


class Outer(pydantic.BaseModel):
    size: int = pydantic.Field(alias="Size")
    width: int = pydantic.Field(validation_alias=pydantic.AliasChoices("w", "Width"))
    hidden: str = pydantic.Field(default="", exclude=True)
    inner: Report | Point
    site: pydantic.HttpUrl | None = None


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    day: datetime.date
    price: decimal.Decimal


@dataclasses.dataclass
class Derived:
    parts: list[int]
    total: int = dataclasses.field(init=False)
    notes: list[str] = dataclasses.field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.total = sum(self.parts)


@dataclasses.dataclass
class Greedy:
    items: list[int]
    more: dataclasses.InitVar[int] = 0

    def __post_init__(self, more: int) -> None:
        self.items = [*self.items, 1]


RoundTrip = Callable[[object], object]


@pytest.mark.parametrize(
    "value",
    [
        {1: "a", (2, 3): "b"},
        {"$zen": "mine"},
        frozenset({1, 2}),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        decimal.Decimal("1.50"),
        float("inf"),
        Colour.RED,
        Point(1, (2, 3)),
        [Report(title="x", scores={"a": 1.0})],
        "\ud800",
        10**50,
        [Path("a/b")],
    ],
)
def test_plain_values_come_back_as_they_were(round_trip: RoundTrip, value: object) -> None:
    loaded = round_trip(value)

    assert loaded == value
    assert type(loaded) is type(value)


DERIVED = Derived([1, 2])
DERIVED.notes.append("added later")
MODELS = [
    Anything(value=float("inf")),
    Anything(value=decimal.Decimal("1.5")),
    Anything(value=b"\xff"),
    Anything(value=(1, {2: {1, 2}}), more=[datetime.date(2026, 1, 1)]),
    Anything(value=Report(title="in", scores={"a": 1.0})),
    Outer(Size=1, w=2, hidden="kept", inner=Point(1, (2,)), site="https://example.com/a"),
    Strict(day=datetime.date(2026, 1, 1), price=decimal.Decimal("1.50")),
    DERIVED,
    [Access.READ | Access.WRITE, Access(0)],
    ipaddress.ip_network("10.0.0.0/8"),
]


@pytest.mark.parametrize("value", MODELS, ids=lambda value: type(value).__name__)
def test_models_and_dataclasses_come_back_with_all_their_fields(
    local_store: ArtifactStore, scratch: Path, value: object
) -> None:
    stored = local_store.save(value, scratch=scratch)
    loaded = local_store.load(stored, into=type(value), scratch=scratch)

    assert stored.serializer == "json"
    assert loaded == value == local_store.load(stored, scratch=scratch)
    assert repr(loaded) == repr(value)
    assert local_store.save(loaded, scratch=scratch).digest == stored.digest


def test_nan_in_a_model_is_not_none(local_store: ArtifactStore, scratch: Path) -> None:
    stored = local_store.save(Anything(value=float("nan")), scratch=scratch)

    assert math.isnan(local_store.load(stored, scratch=scratch).value)
    assert stored.digest != local_store.save(Anything(value=None), scratch=scratch).digest


def test_a_class_that_does_not_give_its_fields_back_is_pickled(
    local_store: ArtifactStore, scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    value = Greedy([1])
    stored = local_store.save(value, scratch=scratch)

    assert stored.serializer == "pickle"
    assert local_store.load(stored, scratch=scratch) == value
    assert "its class changes its fields when it is made of them" in caplog.text


def test_a_hidden_secret_of_a_model_is_not_lost(local_store: ArtifactStore, scratch: Path) -> None:
    loaded = local_store.load(
        local_store.save(Anything(value=pydantic.SecretStr("s3cret")), scratch=scratch), scratch=scratch
    )

    assert loaded.value.get_secret_value() == "s3cret"


def test_the_declared_class_is_used_where_the_module_has_another_name(
    local_store: ArtifactStore, scratch: Path
) -> None:
    class Report(pydantic.BaseModel):
        title: str

    Report.__qualname__ = "Report"
    Report.__module__ = "a_module_that_is_not_here"
    stored = local_store.save(Report(title="x"), scratch=scratch)

    assert local_store.load(stored, into=Report, scratch=scratch) == Report(title="x")
    with pytest.raises(StoreError, match="cannot be read here") as caught:
        local_store.load(stored, scratch=scratch)
    assert "a_module_that_is_not_here" in str(caught.value)


def test_numpy_scalars_keep_their_type_and_can_be_conditions(local_store: ArtifactStore, scratch: Path) -> None:
    stored = local_store.save(numpy.float64(0.91), scratch=scratch)
    loaded = local_store.load(stored, scratch=scratch)

    assert stored.serializer == "json"
    assert stored.type == "numpy.float64"
    assert stored.inline_value == 0.91
    assert type(loaded) is numpy.float64
    assert loaded == 0.91
    assert stored.digest != local_store.save(0.91, scratch=scratch).digest


@pytest.mark.parametrize(
    "value", [numpy.float32(0.1), numpy.int8(-3), numpy.bool_(True), numpy.uint64(2**63), numpy.float16("inf")]
)
def test_numpy_scalars_inside_plain_values(round_trip: RoundTrip, value: numpy.generic) -> None:
    loaded = round_trip({"metrics": [value]})["metrics"][0]

    assert loaded == value
    assert type(loaded) is type(value)


def test_a_long_text_is_kept_as_text(local_store: ArtifactStore, scratch: Path) -> None:
    text = "Zürich\n" * 20_000
    stored = local_store.save(text, scratch=scratch)

    assert stored.serializer == "text"
    assert local_store.read_bytes(stored.location).decode() == text
    assert local_store.load(stored, scratch=scratch) == text
    assert stored.digest != local_store.save(text.encode(), scratch=scratch).digest


@pytest.mark.parametrize("size", [0, 64 * 1024 - 1])
def test_short_bytes_have_the_digest_of_a_constant(local_store: ArtifactStore, scratch: Path, size: int) -> None:
    assert local_store.save(b"x" * size, scratch=scratch).digest == digest_value(b"x" * size)


@pytest.mark.parametrize("value", [[File("a.csv")], {"report": File("a.html")}, Point(File("x"))])
def test_a_file_inside_another_value_is_refused(local_store: ArtifactStore, scratch: Path, value: object) -> None:
    with pytest.raises(OutputError, match="a File lies inside a") as caught:
        local_store.save(value, scratch=scratch, where="step 'train', output 'result'")

    assert "step 'train', output 'result'" in str(caught.value)
    assert "File(folder)" in str(caught.value)


def test_text_that_looks_like_a_file_is_text(round_trip: RoundTrip) -> None:
    assert round_trip(['{"$zen":"file"']) == ['{"$zen":"file"']
