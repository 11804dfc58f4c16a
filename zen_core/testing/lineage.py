"""The canonical form of a run's lineage: what must be equal, whichever orchestrator ran the pipeline.

Left out is what belongs to one run or one engine: ids, times, addresses, versions, attempts, logs, MLflow runs, and
the steps that are none of the user's graph (gates, expanders, hooks). What stays are the parameters and, for each step,
its status, cache key, the digests that went in and came out, its metrics, and the edges. An element of a map comes from
what was mapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zen_core.contract.canonical import canonical_json


def canonical_lineage(show: Mapping[str, Any], *, tell_cached: bool = False) -> dict[str, Any]:
    """The canonical form of the document of `zen show --json`. Two of them compare with `==`.

    Args:
        tell_cached: whether a step that was reused differs from one that was executed. A cached step counts as
            completed everywhere, so that by default it does not.
    """
    steps = [step for step in show["steps"] if step.get("kind", "step") == "step"]
    producers = _producers(steps)
    _look_through(show["steps"], producers)
    return {
        "pipeline": show["pipeline"],
        "ir_digest": show["ir_digest"],
        "status": show["status"],
        "parameters": show["parameters"],
        "steps": {_label(step): _canonical_step(step, producers, tell_cached) for step in _ordered(steps)},
    }


def first_difference(left: Mapping[str, Any], right: Mapping[str, Any], path: str = "") -> str:
    """Where two canonical documents part, in words; "" when they are equal."""
    for key in sorted({*left, *right}):
        here = f"{path}.{key}" if path else str(key)
        if key not in left or key not in right:
            return f"{here} is only on the {'left' if key in left else 'right'}"
        ours, theirs = left[key], right[key]
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            if found := first_difference(ours, theirs, here):
                return found
        elif canonical_json(ours) != canonical_json(theirs):
            return f"{here}: {ours!r} and {theirs!r}"
    return ""


def _producers(steps: list[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Which outputs hold an artifact; several when a step reused what another one of the same run made."""
    found: dict[str, set[str]] = {}
    for step in steps:
        for name, output in step["outputs"].items():
            found.setdefault(output["artifact_id"], set()).add(f"{_label(step)}.{name}")
    return found


def _look_through(steps: list[Mapping[str, Any]], producers: dict[str, set[str]]) -> None:
    """Let what an expander made be the producers' of what it was made from, so that no edge ends at an expander."""
    for step in steps:
        if step.get("kind") == "expander":
            for port, item in step["inputs"].items():
                if port in step["outputs"]:
                    sources = [item, *item.get("items", {}).values()]
                    found = {name for source in sources for name in producers.get(source["artifact_id"] or "", ())}
                    producers.setdefault(step["outputs"][port]["artifact_id"], set()).update(found)


def _canonical_step(step: Mapping[str, Any], producers: Mapping[str, set[str]], tell_cached: bool) -> dict[str, Any]:
    status = step["status"]
    error = step.get("error")
    return {
        "status": "completed" if status == "cached" and not tell_cached else status,
        "cache_key": step["cache_key"],
        "inputs": {port: _canonical_input(item, producers) for port, item in step["inputs"].items()},
        "outputs": {name: _canonical_output(item) for name, item in step["outputs"].items()},
        "metrics": step.get("metrics", {}),
        "error": {"type": error["type"], "message": error["message"]} if error else None,
    }


def _canonical_input(item: Mapping[str, Any], producers: Mapping[str, set[str]]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "digest": item["digest"],
        "from": sorted(producers.get(item["artifact_id"] or "", ())),
    }
    if "items" in item:
        document["items"] = {path: _canonical_input(inner, producers) for path, inner in item["items"].items()}
    return document


def _canonical_output(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in ("digest", "type", "value") if key in item}


def _label(step: Mapping[str, Any]) -> str:
    return step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]"


def _ordered(steps: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(steps, key=lambda step: (step["name"], -1 if step["map_index"] is None else step["map_index"]))
