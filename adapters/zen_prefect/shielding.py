"""Objects that Prefect would take for instructions, written so that it hands them on as they are.

Prefect looks into parameters for references of its JSON schema and for values to be rendered. What holds such a key is
written as a text, which the runtime part reads again before anything else sees it.
"""

from __future__ import annotations

import json
from typing import Any

from zen_core.contract.canonical import canonical_json
from zen_core.contract.values import TAG

READ_BY_PREFECT = frozenset({"$ref", "__prefect_kind"})
"""Keys of an object that Prefect takes for instructions: a reference of its JSON schema, a value to be rendered."""
_KIND = "json"


def shield(value: Any) -> Any:
    """The value in JSON form, each object with such a key as a text."""
    if isinstance(value, list):
        return [shield(item) for item in value]
    if not isinstance(value, dict):
        return value
    if READ_BY_PREFECT.intersection(value):
        return {TAG: _KIND, "value": canonical_json(value)}
    return {key: shield(item) for key, item in value.items()}


def unshield(value: Any) -> Any:
    """The value that `shield` was given; anything else as it is."""
    if isinstance(value, list):
        return [unshield(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(TAG) == _KIND and isinstance(value.get("value"), str):
        return json.loads(value["value"])
    return {key: unshield(item) for key, item in value.items()}
