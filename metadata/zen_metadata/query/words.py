"""Values, times and code in the words that people read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from zen_core.contract.values import TAG

if TYPE_CHECKING:
    from zen_metadata.lineage.records import OutboxLag

PROJECTION_NAMES = {"mlflow": "MLflow", "openlineage": "OpenLineage"}

_LONGEST_VALUE = 60
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def value_text(value: Any, *, longest: int = _LONGEST_VALUE) -> str:
    """A value in JSON form, on one line."""
    value = _untagged(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _untagged(value: Any) -> Any:
    """The value without the marks that say of what kind it is."""
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if isinstance(value, dict):
        return _untagged(value["value"]) if TAG in value else {key: _untagged(item) for key, item in value.items()}
    return value


def duration_text(seconds: float) -> str:
    """A duration as it is written in a policy: `7d`, `1h30m`, `0.5s`."""
    if seconds < 1:
        return f"{seconds:g}s"
    parts, left = [], round(seconds)
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def moment_text(moment: datetime | None) -> str:
    """A point in time, in this machine's zone; "" for None."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def definition_text(name: str) -> str:
    """A definition that code reaches, by its name in a code document: `features.scale`, `statements of features`."""
    module, _, inner = name.partition(":")
    inner = inner.partition("#")[0]
    if inner == "(statements)":
        return f"statements of {module}"
    if inner.startswith("(alters "):
        return f"what {module} does to {inner[8:-1].replace(':', '.')}"
    if inner.endswith(" (globals)"):
        return f"globals of {module}.{inner.removesuffix(' (globals)')}"
    return f"{module}.{inner}" if inner else module


def place_text(definition: Mapping[str, Any]) -> str:
    """`features.py:14-19`; "" where there is no source."""
    first, last = definition.get("lines") or (0, 0)
    file = str(definition.get("file", ""))
    if not file or not first:
        return file
    return f"{file}:{first}" if first == last else f"{file}:{first}-{last}"


def version_text(version: str | None) -> str:
    """The version of a package as a part of a key names it."""
    return "not installed" if version in (None, "missing") else str(version)


def count_text(number: int, what: str) -> str:
    """`1 row`, `3 rows`."""
    return f"{number} {what}{'s' * (number != 1)}"


def list_text(names: Sequence[str], shown: int = 3) -> str:
    """`a, b, c and 4 more`."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"


def lag_sentence(projection: str, lag: OutboxLag) -> str:
    """`MLflow does not show all of it: 3 facts wait since 2026-01-01 12:00:00: the server is away`."""
    facts = "1 fact waits" if lag.pending == 1 else f"{lag.pending} facts wait"
    refused = f", {lag.refused} of them refused" if lag.refused else ""
    said = f": {lag.last_error}" if lag.last_error else ""
    name = PROJECTION_NAMES.get(projection, projection)
    return f"{name} does not show all of it: {facts} since {moment_text(lag.oldest_at)}{refused}{said}"
