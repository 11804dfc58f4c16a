"""The values that a run was given, and the numbers that it gave: parameters, constants, what steps logged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zen_core.contract.bindings import ConstantBinding, binding_from_json, iter_leaves
from zen_core.contract.values import to_json
from zen_metadata.query.differences.changes import Changes, compare_numbers, compare_values, difference_of
from zen_metadata.query.runs import Run

Elements = dict[int | None, float]


def compare_parameters(before: Run, after: Run) -> Changes:
    """Pipeline parameters by name; constants as `step.input`, what `log_params` recorded as `step.params.name`."""
    return compare_values(_parameters_of(before), _parameters_of(after))


def compare_metrics(before: Run, after: Run) -> Changes:
    """Metrics as `step.name`, the latest value of each, with the `difference`.

    Where the elements of a map logged it, `before` and `after` are means over them, `elements` says how many logged
    it, and `elements_changed` how many of those in both runs logged another value.
    """
    left, right = _metrics_of(before), _metrics_of(after)
    found = compare_numbers(_means(left), _means(right))
    changed = dict(found.changed)
    for name in left.keys() & right.keys():
        if left[name].keys() != {None} or right[name].keys() != {None}:
            changed |= _compare_elements(name, left[name], right[name])
    return Changes(found.added, found.removed, dict(sorted(changed.items())))


def _parameters_of(run: Run) -> dict[str, Any]:
    found = dict(run.record.parameters)
    for step in (*run.ir["steps"], *run.ir.get("hooks", ())):
        for item in step.get("inputs", ()):
            for path, leaf in iter_leaves(binding_from_json(item["binding"])):
                if isinstance(leaf, ConstantBinding):
                    found[f"{step['name']}.{item['name']}{path}"] = leaf.value
    for step_run in run.steps:
        for name, value in step_run.params.items():
            found[f"{step_run.label}.params.{name}"] = to_json(value)
    return found


def _metrics_of(run: Run) -> dict[str, Elements]:
    found: dict[str, Elements] = {}
    for step in run.steps:
        for name, value in step.metrics.items():
            found.setdefault(f"{step.name}.{name}", {})[step.map_index] = value
    return found


def _means(metrics: Mapping[str, Elements]) -> dict[str, float]:
    # A mean of equal numbers is that number: adding up ten times 0.1 would make another one.
    return {
        name: next(iter(values.values())) if len(set(values.values())) == 1 else _mean(values)
        for name, values in metrics.items()
    }


def _mean(values: Elements) -> float:
    try:
        return math.fsum(values.values()) / len(values)
    except (OverflowError, ValueError):  # beyond what a float holds, or infinities that cancel out
        return math.nan


def _compare_elements(name: str, before: Elements, after: Elements) -> dict[str, Any]:
    differing = compare_numbers(
        {str(index): value for index, value in before.items()}, {str(index): value for index, value in after.items()}
    )
    if not differing:
        return {}
    means = {"before": to_json(_means({name: before})[name]), "after": to_json(_means({name: after})[name])}
    counts = {"before": len(before), "after": len(after)}
    return {name: {**means, **difference_of(means), "elements": counts, "elements_changed": len(differing.changed)}}
