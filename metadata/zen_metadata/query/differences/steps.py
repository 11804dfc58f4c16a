"""The steps of two runs side by side: how they ended, how long they took, and how the pipeline defines them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from zen_metadata.lineage.records import StepRunStatus
from zen_metadata.query.differences.changes import same_value
from zen_metadata.query.rules import ANSWERS
from zen_metadata.query.runs import Run, StepRun

_GRAVEST_FIRST: tuple[StepRunStatus, ...] = (
    "failed", "lost", "cancelled", "upstream_failed", "running", "completed", "cached", "skipped",
)  # fmt: skip
# What people write about a step, and where: no part of how it runs.
_NOT_COMPARED = frozenset({"name", "kind", "description", "source"})


@dataclass(frozen=True, slots=True)
class StepSide:
    """A step in one of the runs, the elements of a map together.

    Attributes:
        status: of several elements the gravest.
        seconds: from the first beginning to the last end; None where it did not begin, or goes on.
        elements: how many elements of a map have which status; empty for other steps.
        answer: what a gate or an expander answered, in JSON form.
    """

    status: StepRunStatus
    seconds: float | None
    attempts: int
    elements: Mapping[str, int] = field(default_factory=dict)
    answer: Any = None

    @property
    def outcome(self) -> tuple[object, ...]:
        """What counts as a difference: not how long it took, nor whether a result was reused."""
        statuses = self.elements or {self.status: 1}
        done = statuses.get("completed", 0) + statuses.get("cached", 0)
        others = sorted(item for item in statuses.items() if item[0] not in ("completed", "cached"))
        return done, tuple(others), bool(self.elements)

    def to_json(self) -> dict[str, Any]:
        """`elements` and `answer` only where there are such."""
        document: dict[str, Any] = {"status": self.status, "seconds": self.seconds, "attempts": self.attempts}
        if self.elements:
            document["elements"] = dict(self.elements)
        return document if self.answer is None else {**document, "answer": self.answer}


@dataclass(frozen=True, slots=True)
class StepPair:
    """A step in both runs; None where one of them does not have it.

    Attributes:
        definition: what of the pipeline's definition of it differs (`retry`, `cache`, `inputs`, …), before and after.
    """

    name: str
    kind: str
    before: StepSide | None
    after: StepSide | None
    definition: Mapping[str, Any] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether both runs have it, defined alike, with the same outcome."""
        if self.before is None or self.after is None or self.definition:
            return False
        same_answer = same_value(self.before.answer, self.after.answer)
        return same_answer and self.before.outcome == self.after.outcome

    def to_json(self) -> dict[str, Any]:
        """An entry of `steps`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "same": self.same,
            "before": self.before.to_json() if self.before else None,
            "after": self.after.to_json() if self.after else None,
            "definition": dict(self.definition),
        }


def pair_steps(before: Run, after: Run) -> tuple[StepPair, ...]:
    """All steps of both runs, in the order of the second one's pipeline; what only the first has comes last."""
    left, right = _sides_of(before), _sides_of(after)
    defined_left, defined_right = definitions_of(before), definitions_of(after)
    pairs = []
    for name in dict.fromkeys([*right, *left]):
        kind = (right.get(name) or left[name])[0]
        differing: Mapping[str, Any] = {}
        if name in defined_left and name in defined_right and before.record.ir_digest != after.record.ir_digest:
            differing = _compare_definitions(defined_left[name], defined_right[name])
        sides = (left[name][1] if name in left else None, right[name][1] if name in right else None)
        pairs.append(StepPair(name, kind, *sides, differing))
    return tuple(pairs)


def definitions_of(run: Run) -> dict[str, Mapping[str, Any]]:
    """The IR's documents of the steps and hooks, by name."""
    return {step["name"]: step for step in (*run.ir["steps"], *run.ir.get("hooks", ()))}


def _compare_definitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    left, right = (
        {key: _shown(key, value) for key, value in step.items() if key not in _NOT_COMPARED} for step in (before, after)
    )
    names = sorted(left.keys() | right.keys())
    pairs = {name: {"before": left.get(name), "after": right.get(name)} for name in names}
    return {name: pair for name, pair in pairs.items() if not same_value(pair["before"], pair["after"])}


def _shown(key: str, value: Any) -> Any:
    """Inputs without their constants, which are compared with the parameters."""
    if key != "inputs":
        return value
    return {item["name"]: {"type": item.get("type"), "from": _without_constants(item["binding"])} for item in value}


def _without_constants(binding: Any) -> Any:
    if isinstance(binding, list):
        return [_without_constants(item) for item in binding]
    if not isinstance(binding, dict):
        return binding
    if binding.get("kind") == "constant":
        return {"kind": "constant"}
    return {key: _without_constants(value) for key, value in binding.items()}


def _sides_of(run: Run) -> dict[str, tuple[str, StepSide]]:
    grouped = groupby(run.steps, key=lambda step: step.name)
    return {name: _side(list(group)) for name, group in grouped}


def _side(group: Sequence[StepRun]) -> tuple[str, StepSide]:
    counts = Counter(step.status for step in group)
    status = next(status for status in _GRAVEST_FIRST if status in counts)
    first = group[0]
    mapped = first.map_index is not None
    answer = first.outputs.get(ANSWERS.get(first.kind, ""))
    side = StepSide(
        status=status,
        seconds=_seconds_of(group),
        attempts=sum(step.attempts for step in group),
        elements={name: counts[name] for name in _GRAVEST_FIRST if name in counts} if mapped else {},
        answer=answer.record.inline_value if answer else None,
    )
    return first.kind, side


def _seconds_of(group: Sequence[StepRun]) -> float | None:
    starts = [step.started_at for step in group if step.started_at]
    ends = [step.ended_at for step in group if step.ended_at]
    if not starts or len(ends) < len(starts):
        return None
    return (max(ends) - min(starts)).total_seconds()
