"""The published JSON Schema."""

from pathlib import Path

from zen_core.ir.schema import ir_schema, ir_schema_text

PUBLISHED = Path(__file__).parents[4] / "docs" / "reference" / "ir.schema.json"


def test_the_published_schema_is_this_versions() -> None:
    command = "python -m zen_core.ir.schema > docs/reference/ir.schema.json"
    assert PUBLISHED.read_text(encoding="utf-8") == ir_schema_text(), f"run: {command}"


def test_the_schema_is_closed_and_names_its_draft() -> None:
    schema = ir_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["additionalProperties"] is False
    models = [name for name, part in schema["$defs"].items() if part["type"] == "object"]
    assert all(schema["$defs"][name]["additionalProperties"] is False for name in models)
