"""The form of every comparison: what is there in one run only, and what is there in both and differs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zen_core.contract.canonical import digest_json
from zen_core.contract.values import from_json, to_json


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs, by name. All values are JSON; names are sorted.

    Attributes:
        added: what only the second run has.
        removed: what only the first run has.
        changed: what both have, with a mapping that tells `before` and `after`.
    """

    added: Mapping[str, Any] = field(default_factory=dict)
    removed: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def to_json(self) -> dict[str, Any]:
        """The three of them."""
        return {"added": dict(self.added), "removed": dict(self.removed), "changed": dict(self.changed)}


def sorted_changes(added: Mapping[str, Any], removed: Mapping[str, Any], changed: Mapping[str, Any]) -> Changes:
    """The changes in the order of their names."""
    return Changes(*(dict(sorted(part.items())) for part in (added, removed, changed)))


def compare_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """Values in JSON form, by name: `1`, `1.0`, `True` and `"1"` differ from one another."""
    return sorted_changes(
        {name: value for name, value in after.items() if name not in before},
        {name: value for name, value in before.items() if name not in after},
        {
            name: {"before": before[name], "after": after[name]}
            for name in before
            if name in after and not same_value(before[name], after[name])
        },
    )


def same_value(before: Any, after: Any) -> bool:
    """Whether two values in JSON form are the same one."""
    return digest_json("value", before) == digest_json("value", after)


def compare_numbers(before: Mapping[str, float], after: Mapping[str, float]) -> Changes:
    """Numbers by name; what changed has a `difference` too, None where one of them is no finite number."""
    forms = compare_values(to_json(dict(before)), to_json(dict(after)))
    changed = {name: {**pair, **difference_of(pair)} for name, pair in forms.changed.items()}
    return Changes(forms.added, forms.removed, changed)


def difference_of(pair: Mapping[str, Any]) -> dict[str, Any]:
    """`difference` of a pair of numbers in JSON form; empty for what are no numbers."""
    before, after = (from_json(pair[side]) if is_number(pair[side]) else None for side in ("before", "after"))
    if before is None or after is None:
        return {}
    try:
        difference = after - before
        return {"difference": difference if isinstance(difference, int) or math.isfinite(difference) else None}
    except OverflowError:  # an integer beyond what a float holds, and a float
        return {"difference": None}


def is_number(value: Any) -> bool:
    """Whether a value in JSON form is a number: an integer, a float, NaN or an infinity."""
    if isinstance(value, dict):
        return value.get("$zen") == "float"
    return isinstance(value, (int, float)) and not isinstance(value, bool)
