"""Two values that are no tables: plain values, texts, arrays, models."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from zen_core.contract.values import UnserializableError, to_json
from zen_metadata.artifacts.type_names import type_name
from zen_metadata.query.differences.changes import compare_values, difference_of, same_value

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def compare_plain(before: Any, after: Any, *, whole: bool) -> dict[str, Any]:
    """Two values in JSON form.

    Args:
        whole: whether they are small enough to be told as they are.

    Returns:
        `value` (before, after, and of numbers the `difference`); of two dicts or lists, how many `entries` were
        added, removed and changed.
    """
    pair = {"before": before, "after": after}
    document: dict[str, Any] = {"value": {**pair, **difference_of(pair)}} if whole else {}
    if isinstance(before, dict) and isinstance(after, dict) and not {"$zen"} & (before.keys() | after.keys()):
        found = compare_values(before, after)
        document["entries"] = {"added": [*found.added], "removed": [*found.removed], "changed": [*found.changed]}
    elif isinstance(before, list) and isinstance(after, list):
        differing = [at for at, (old, new) in enumerate(zip(before, after, strict=False)) if not same_value(old, new)]
        document["length"] = {"before": len(before), "after": len(after)}
        document["items_changed"] = len(differing)
    return document


def compare_texts(before: str, after: str) -> dict[str, Any]:
    """Two long texts: how many `lines` they have, and how many were added and removed."""
    left, right = Counter(before.splitlines()), Counter(after.splitlines())
    return {
        "lines": {
            "before": left.total(),
            "after": right.total(),
            "added": (right - left).total(),
            "removed": (left - right).total(),
        }
    }


def recorded_array(metadata: Any) -> dict[str, Any]:
    """What is recorded of an array: `shape` and `dtype`."""
    return {name: metadata.get(name) for name in ("shape", "dtype")}


def compare_arrays(before: Any, after: Any) -> dict[str, Any]:
    """Two arrays: how many `elements` differ where the shapes are equal, and mean, min and max of numbers."""
    document: dict[str, Any] = {}
    if before.shape == after.shape and before.dtype.fields is None and after.dtype.fields is None:
        differing = before != after
        if before.dtype.kind in "fcmM" and after.dtype.kind in "fcmM":
            differing &= ~((before != before) & (after != after))  # both NaN, or no time
        document["elements"] = {"total": int(before.size), "changed": int(differing.sum())}
    statistics = {
        name: {"before": _statistic(before, name), "after": _statistic(after, name)} for name in ("mean", "min", "max")
    }
    differing_ones = {name: pair for name, pair in statistics.items() if not same_value(pair["before"], pair["after"])}
    return document | ({"statistics": differing_ones} if differing_ones else {})


def _statistic(array: Any, name: str) -> Any:
    if array.size == 0 or array.dtype.kind not in "biuf":
        return None
    return to_json(getattr(array, name)().item())


def describe_model(value: Any) -> dict[str, Any]:
    """A scikit-learn estimator: its `type`, and its `parameters`, nested ones too, in JSON form."""
    parameters = value.get_params(deep=True)
    return {
        "type": type_name(type(value)),
        "parameters": {name: _parameter(parameters[name]) for name in sorted(parameters)},
    }


def _parameter(value: Any) -> Any:
    if hasattr(value, "get_params"):
        return type_name(type(value))  # its own parameters stand beside it
    if isinstance(value, (list, tuple)):
        return [_parameter(item) for item in value]
    try:
        return to_json(value)
    except (UnserializableError, ValueError, RecursionError):
        return _ADDRESS.sub("", repr(value))
