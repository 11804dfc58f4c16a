import pytest

from zen_core.adapter.form import NO_DEFAULT, form_field
from zen_core.ir.specs import ParameterSpec


def tagged(kind, value, **extra):
    return {"$zen": kind, "value": value, **extra}


def lower(declared, default=None, **options):
    found = form_field(ParameterSpec(name="p", type=declared, default=default, **options))
    return found.default, dict(found.schema)


@pytest.mark.parametrize(
    ("declared", "default", "shown", "schema"),
    [
        ("int", 4, 4, {"type": "integer"}),
        ("float", 4, 4, {"type": "number"}),
        ("bool", True, True, {"type": "boolean"}),
        ("str", "{{ ds }}", "{{ ds }}", {"type": "string"}),
        ("int | None", None, None, {"type": ["null", "integer"]}),
        ("Optional[int]", 3, 3, {"type": ["null", "integer"]}),
        ("int", None, None, {"type": ["null", "integer"]}),
        ("int | str", "a", "a", {"type": ["integer", "string"]}),
        ("Literal['a', 'b']", "a", "a", {"enum": ["a", "b"]}),
        ("Literal[1, 2] | None", None, None, {"enum": [1, 2, None]}),
        ("Literal['a'] | int", 3, 3, {}),
        ("Annotated[int, 'x']", 3, 3, {"type": "integer"}),
        ("list[int]", [1], [1], {"type": "array", "items": {"type": "integer"}}),
        ("list[str]", ["a"], ["a"], {"type": "array"}),
        ("list", [1, "a"], [1, "a"], {"type": "array"}),
        ("dict[str, int]", {"a": 1}, {"a": 1}, {"type": "object"}),
        ("Any", {"a": 1}, {"a": 1}, {}),
        ("some.Thing", 1, 1, {}),
        ("not a type", "x", "x", {}),
    ],
)
def test_plain_values_are_shown_as_they_are(declared, default, shown, schema):
    assert lower(declared, default) == (shown, schema)


@pytest.mark.parametrize(
    ("declared", "default", "shown", "schema"),
    [
        ("zen_core.File", tagged("file", "a.csv"), "a.csv", {"type": "string"}),
        ("pathlib.Path", tagged("path", "a/b"), "a/b", {"type": "string"}),
        ("datetime.date", tagged("date", "2026-01-31"), "2026-01-31", {"type": "string", "format": "date"}),
        (
            "datetime.datetime",
            tagged("datetime", "2026-01-31T06:00:00+01:00"),
            "2026-01-31T06:00:00+01:00",
            {"type": "string", "format": "date-time"},
        ),
        # Airflow refuses a time without an offset where the format is declared.
        ("datetime.datetime", tagged("datetime", "2026-01-31T06:00:00"), "2026-01-31T06:00:00", {"type": "string"}),
        ("tuple[int, str]", tagged("tuple", [1, "a"]), [1, "a"], {"type": "array"}),
        ("set[int]", tagged("set", [1, 2]), [1, 2], {"type": "array", "items": {"type": "integer"}}),
        ("list[datetime.date]", [tagged("date", "2026-01-31")], ["2026-01-31"], None),
        ("dict[str, zen_core.File]", {"a": tagged("file", "x")}, {"a": "x"}, {"type": "object"}),
        ("zen_core.File | None", tagged("file", "a.csv"), "a.csv", {"type": ["null", "string"]}),
        ("shop.Config", tagged("model", {"depth": 3}, **{"class": "shop:Config"}), {"depth": 3}, {}),
    ],
)
def test_what_the_declared_type_reads_back_is_shown_plainly(declared, default, shown, schema):
    found = lower(declared, default)
    assert found[0] == shown
    assert schema is None or found[1] == schema


@pytest.mark.parametrize(
    ("declared", "default", "types"),
    [
        ("float", tagged("float", "inf"), ["number", "object"]),
        ("tuple", tagged("tuple", [1]), ["array", "object"]),
        ("decimal.Decimal", tagged("decimal", "1.5"), None),
        ("Any", tagged("file", "a.csv"), None),
        ("zen_core.File | pathlib.Path", tagged("path", "a"), ["string", "object"]),
        ("list[float]", [tagged("float", "nan")], "array"),
    ],
)
def test_what_it_would_not_read_back_stays_tagged_and_passes_the_schema(declared, default, types):
    shown, schema = lower(declared, default)
    assert shown == default
    assert schema.get("type") == types
    assert "items" not in schema


def test_required_and_scheduled_parameters():
    assert lower("int", required=True) == (NO_DEFAULT, {"type": "integer"})
    assert lower("datetime.datetime", scheduled_time=True) == (
        None,
        {"type": ["null", "string"], "format": "date-time"},
    )
