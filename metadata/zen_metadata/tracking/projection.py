"""What MLflow is to hold of a run and of its steps: facts in, names and texts out, no client.

All of MLflow's limits are kept here, so that the client is never refused: lengths, the characters of keys,
and the rule that a parameter's value never changes. What is not shown as it is, a tag names: `zen.truncated`.
"""

from __future__ import annotations

import hashlib
import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zen_core.contract.bindings import Binding, ConstantBinding, ParameterBinding, binding_from_json
from zen_core.contract.canonical import canonical_json
from zen_core.contract.values import TAG
from zen_metadata.lineage.records import MetricRecord, RunRecord, StepRunState

PARAM_LIMIT = 6000
TAG_LIMIT = 8000
KEY_LIMIT = 250
TRUNCATED = "zen.truncated"
"""The tag that names what MLflow cannot show as it is: `param text, tag zen.error, metric loss (infinite)`."""
_CUT_MARKER = "… [cut by Zen]"
_STATUS = {
    "running": "RUNNING",
    "completed": "FINISHED",
    "cached": "FINISHED",
    "skipped": "FINISHED",
    "failed": "FAILED",
    "upstream_failed": "FAILED",
    "cancelled": "KILLED",
    "lost": "KILLED",
}
DONE = frozenset({"completed", "cached"})


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One value of a metric, as MLflow takes it: the time in milliseconds since 1970."""

    key: str
    value: float
    timestamp_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class Projection:
    """One MLflow run as it is to be. `ended_at` None: it goes on."""

    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: tuple[MetricPoint, ...]
    started_at: datetime | None
    ended_at: datetime | None


def project_run(run: RunRecord, status: str, ended_at: datetime | None) -> Projection:
    """The MLflow run that stands for a pipeline run; status and end as the reader derives them."""
    facts = {
        "zen.kind": "run",
        "zen.run_id": run.run_id,
        "zen.pipeline": run.pipeline,
        "zen.status": status,
        "zen.orchestrator": run.orchestrator,
        "zen.deployment": run.deployment,
        "zen.ir_digest": run.ir_digest,
        "zen.code_digest": run.code_digest,
        "zen.version": run.zen_version,
        "zen.run_url": run.run_url,
        "zen.scheduled_at": run.scheduled_at.isoformat() if run.scheduled_at else "",
        "zen.tags": ", ".join(run.tags),
    }
    cut: list[str] = []
    params = _texts("param", run.parameters.items(), PARAM_LIMIT, cut)
    return Projection(
        name=f"{run.pipeline} {run.run_id[:8]}",
        status=_STATUS[status],
        tags=_tags(facts, cut),
        params=params,
        metrics=(),
        started_at=run.started_at,
        ended_at=None if status == "running" else ended_at,
    )


def project_step(
    run: RunRecord, state: StepRunState, ir_step: Mapping[str, Any] | None, *, run_ended: bool
) -> Projection:
    """The MLflow run that stands for a step run, after its latest attempt.

    A failed attempt may be tried again, and MLflow can neither change a parameter nor take a metric back: so
    what an attempt logged is shown once it is done, or once the run has ended. Tags and status are shown at
    once.
    """
    step_run, attempt = state.step_run, state.attempt
    facts = {
        **attempt_tags(run, step_run.step, step_run.step_run_id, attempt.attempt_id, step_run.map_index),
        "zen.status": state.status,
        "zen.attempts": state.attempts,
        "zen.cache_key": attempt.cache_key,
        "zen.environment_digest": attempt.environment_digest,
        "zen.reused_from": state.reused_from or "",
        "zen.error": f"{state.error.type}: {state.error.message}" if state.error else "",
        **{f"zen.output.{name}": artifact.digest for name, artifact in state.outputs.items()},
    }
    is_final = state.status in DONE or (run_ended and state.status != "running")
    cut: list[str] = []
    values = {**_input_values(run, ir_step), **state.params} if is_final else {}
    params = _texts("param", values.items(), PARAM_LIMIT, cut)
    metrics = _metric_points(state.metrics, cut) if is_final else ()
    return Projection(
        name=step_label(step_run.step, step_run.map_index),
        status=_STATUS[state.status],
        tags=_tags(facts, cut),
        params=params,
        metrics=metrics,
        started_at=state.started_at,
        ended_at=None if state.status == "running" else state.ended_at or state.started_at,
    )


def attempt_tags(run: RunRecord, step: str, step_run_id: str, attempt_id: str, map_index: int | None) -> dict[str, str]:
    """The tags that say whose MLflow run it is."""
    return {
        "zen.kind": "step",
        "zen.run_id": run.run_id,
        "zen.step_run_id": step_run_id,
        "zen.attempt_id": attempt_id,
        "zen.pipeline": run.pipeline,
        "zen.step": step,
        "zen.orchestrator": run.orchestrator,
        **({} if map_index is None else {"zen.map_index": str(map_index)}),
    }


def step_label(step: str, map_index: int | None) -> str:
    """How a step run is called in MLflow: `train`, or `train[3]` for an element of a fan-out."""
    return step if map_index is None else f"{step}[{map_index}]"


def milliseconds(moment: datetime) -> int:
    """A time as MLflow takes it."""
    return int(moment.timestamp() * 1000)


def valid_key(name: str) -> str:
    """A name as MLflow takes it for a key: other characters become `_`, too long an end becomes a digest."""
    key = posixpath.normpath(re.sub(r"[^\w.\- :/]", "_", name)).lstrip("/").replace("../", "__/")
    key = "_" if key in ("", ".", "..") else key
    return key if len(key) <= KEY_LIMIT else f"{key[: KEY_LIMIT - 9]}_{_short_digest(name)}"


def as_text(value: Any) -> str:
    """A value in JSON form, as a person would write it: `4`, `0.5`, `data/churn.csv`, `[1,2]`."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and TAG in value:
        return as_text(value["value"])
    return canonical_json(value)


def _tags(facts: Mapping[str, Any], cut: list[str]) -> dict[str, str]:
    """The facts as tags, and one that names what was `cut`, of them and before."""
    tags = _texts("tag", facts.items(), TAG_LIMIT, cut)
    return tags | ({TRUNCATED: _fit(", ".join(cut), TAG_LIMIT)} if cut else {})


def _texts(kind: str, items: Iterable[tuple[str, Any]], limit: int, cut: list[str]) -> dict[str, str]:
    """What is to be shown, by key. Names in `cut` what is not shown as it is."""
    texts: dict[str, str] = {}
    for name, value in items:
        if value == "":
            continue
        text = as_text(value)
        shown, key = _fit(_storable(text), limit), _free_key(name, texts)
        if shown != text or len(name) > KEY_LIMIT:
            cut.append(f"{kind} {key}")
        texts[key] = shown
    return texts


def _fit(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(_CUT_MARKER)] + _CUT_MARKER


def _storable(text: str) -> str:
    """Without what no database takes: NUL, and half of a pair of surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _free_key(name: str, taken: Mapping[str, Any]) -> str:
    """Two names that MLflow cannot tell apart (`a[0]`, `a{0}`) keep different keys."""
    key = valid_key(name)
    return key if key not in taken else f"{key[: KEY_LIMIT - 9]}_{_short_digest(name)}"


def _short_digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _metric_points(metrics: Iterable[MetricRecord], cut: list[str]) -> tuple[MetricPoint, ...]:
    """The values as MLflow takes them. It writes the largest number for an infinite one: named in `cut`."""
    key_by_name: dict[str, str] = {}
    points = []
    for metric in metrics:
        if metric.name not in key_by_name:
            key_by_name[metric.name] = _free_key(metric.name, dict.fromkeys(key_by_name.values()))
        value = float(metric.value)
        if math.isinf(value) and (said := f"metric {key_by_name[metric.name]} (infinite)") not in cut:
            cut.append(said)
        points.append(
            MetricPoint(
                key_by_name[metric.name],
                value,
                milliseconds(metric.logged_at),
                metric.step or 0,
            )
        )
    return tuple(dict.fromkeys(points))


def _input_values(run: RunRecord, ir_step: Mapping[str, Any] | None) -> dict[str, Any]:
    """The inputs that are parameters or constants; what comes from another step is an artifact."""
    values = {}
    for document in ir_step["inputs"] if ir_step else ():
        binding: Binding = binding_from_json(document["binding"])
        if isinstance(binding, ConstantBinding):
            values[document["name"]] = binding.value
        elif isinstance(binding, ParameterBinding) and binding.parameter in run.parameters:
            values[document["name"]] = run.parameters[binding.parameter]
    return values
