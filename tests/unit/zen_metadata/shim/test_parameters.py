"""A value means the same whether it comes from Python, the command line or an orchestrator's form."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from zen_core.contract.files import File
from zen_core.contract.manifest import ParameterManifest
from zen_core.contract.values import from_json, to_json
from zen_core.errors import ParameterError
from zen_metadata.shim.parameters import resolve_parameters

TICK = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)


def declare(type_text: str, default: Any = None, **facts: Any) -> dict[str, ParameterManifest]:
    return {"p": ParameterManifest(name="p", type=type_text, required=False, default=to_json(default), **facts)}


def resolve(declared: dict[str, ParameterManifest], value: Any, *, text: bool = False) -> Any:
    effective = resolve_parameters(declared, {"p": value}, texts=frozenset({"p"}) if text else frozenset(), tick=TICK)
    return from_json(effective["p"])


@pytest.mark.parametrize(
    ("type_text", "text", "plain", "expected"),
    [
        ("int", "5", 5, 5),
        ("float", "5", 5, 5.0),
        ("float", "0.5", 0.5, 0.5),
        ("bool", "true", True, True),
        ("bool", "no", False, False),
        ("str", "5", "5", "5"),
        ("str", "{{ 1 + 1 }}", "{{ 1 + 1 }}", "{{ 1 + 1 }}"),
        ("int | None", "null", None, None),
        ("int | None", "7", 7, 7),
        ("str | int", "7", 7, 7),
        ("str | int", "seven", "seven", "seven"),
        ("Optional[float]", "2", 2, 2.0),
        ("Literal['a', 'b']", "b", "b", "b"),
        ("list[int]", "[1, 2]", [1, 2], [1, 2]),
        ("dict[str, float]", '{"a": 1}', {"a": 1}, {"a": 1.0}),
        ("tuple[int, ...]", "[1, 2]", [1, 2], (1, 2)),
        ("zen_core.File", "data/a.csv", "data/a.csv", File("data/a.csv")),
        (
            "datetime.datetime",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T03:04:05+00:00",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        ("Any", "[1]", [1], [1]),
        ("a type that cannot be read", "x", "x", "x"),
    ],
)
def test_text_and_json_give_the_same_value(type_text: str, text: str, plain: Any, expected: Any) -> None:
    declared = declare(type_text)
    from_text, from_plain = resolve(declared, text, text=True), resolve(declared, plain)
    assert from_text == from_plain == expected
    assert type(from_text) is type(from_plain) is type(expected)


def test_dates_within_a_list_are_read() -> None:
    declared = declare("list[datetime.date]", [date(2026, 1, 2)])
    expected = [date(2026, 1, 2)]
    assert from_json(resolve_parameters(declared, {}, tick=TICK)["p"]) == expected
    assert resolve(declared, ["2026-01-02"]) == resolve(declared, '["2026-01-02"]', text=True) == expected
    assert resolve(declared, to_json(expected)) == resolve(declared, expected) == expected


def test_an_override_equal_to_the_default_gives_the_same_parameters() -> None:
    declared = declare("float", 1)
    untouched = resolve_parameters(declared, {}, tick=TICK)
    assert resolve_parameters(declared, {"p": 1.0}, tick=TICK) == untouched
    assert resolve_parameters(declared, {"p": "1"}, texts=frozenset({"p"}), tick=TICK) == untouched


def test_a_time_without_an_offset_is_one_in_the_schedules_zone() -> None:
    value = resolve(declare("datetime.datetime", timezone="Europe/Berlin"), "2026-07-01T06:00:00")
    assert value.isoformat() == "2026-07-01T06:00:00+02:00"


def test_the_scheduled_time_is_the_tick_in_the_schedules_zone() -> None:
    declared = {
        "day": ParameterManifest("day", "datetime.datetime", required=False, scheduled_time=True, timezone="Asia/Tokyo")
    }
    assert from_json(resolve_parameters(declared, {}, tick=TICK)["day"]).isoformat() == "2026-03-01T14:00:00+09:00"
    by_form = resolve_parameters(declared, {"day": None}, tick=TICK)
    assert by_form == resolve_parameters(declared, {}, tick=TICK)


def test_all_problems_come_at_once_with_what_to_do() -> None:
    declared = {
        "depth": ParameterManifest("depth", "int", required=True),
        "rate": ParameterManifest("rate", "float", required=False, default=0.1),
        "mode": ParameterManifest("mode", "Literal['fast', 'slow']", required=False, default="fast"),
    }
    with pytest.raises(ParameterError) as caught:
        resolve_parameters(declared, {"rat": 1, "rate": "much", "mode": "medium"}, tick=TICK)
    text = str(caught.value)
    assert len(caught.value.diagnostics) == 4
    assert "no parameter 'rat'" in text
    assert "did you mean 'rate'?" in text
    assert "parameter 'depth' has no value" in text
    assert "--param depth=" in text
    assert "parameter 'rate' does not take 'much'" in text
    assert "it is declared as float" in text
    assert "'medium' is not one of 'fast', 'slow'" in text


@pytest.mark.parametrize(
    ("type_text", "value"), [("int", True), ("int", 1.5), ("float", True), ("list[int]", 3), ("str", 3)]
)
def test_nothing_is_bent_to_fit(type_text: str, value: Any) -> None:
    with pytest.raises(ParameterError, match="does not take"):
        resolve(declare(type_text), value)
