"""The JSON Schema of an IR document; `python -m zen_core.ir.schema` prints docs/reference/ir.schema.json."""

from __future__ import annotations

import json
from typing import Any

from zen_core.ir.specs import IR_VERSION, PipelineSpec


def ir_schema() -> dict[str, Any]:
    """The schema, as a JSON Schema (draft 2020-12) document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Zen's IR, version {IR_VERSION}. Fields that are null are left out of a document.",
        **PipelineSpec.model_json_schema(),
    }


def ir_schema_text() -> str:
    """The schema as text: sorted and indented, the same on each machine."""
    return json.dumps(ir_schema(), indent=2, sort_keys=True, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    print(ir_schema_text(), end="")
