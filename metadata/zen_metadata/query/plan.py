"""What a run would do, and why: the form of a plan. `planner.make_plan` makes one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["cached", "run", "depends", "skipped", "fails"]
"""What will become of a step run: `depends` is what only the run itself will tell."""


@dataclass(frozen=True)
class PlannedStep:
    """What a run would do with a step, or with an element of a map.

    Attributes:
        action: see `Action`.
        reason: why, in a few words.
        cache_key: None where it depends on a step that will run.
        reused_from: the run whose result will be reused.
        depends_on: the steps that will run, on whose results it depends.
    """

    name: str
    map_index: int | None
    kind: str
    action: Action
    reason: str
    cache_key: str | None = None
    reused_from: str | None = None
    depends_on: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """An entry of `steps` in `zen plan --json`."""
        return {
            "name": self.name,
            "map_index": self.map_index,
            "kind": self.kind,
            "action": self.action,
            "reason": self.reason,
            "cache_key": self.cache_key,
            "reused_from": self.reused_from,
            "depends_on": list(self.depends_on),
        }


@dataclass(frozen=True)
class Plan:
    """What a run would do, in the pipeline's order; hooks are left out."""

    pipeline: str
    project: str
    parameters: Mapping[str, Any]
    steps: tuple[PlannedStep, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many steps would be cached, run, …; conditions and beginnings of maps left out."""
        return Counter(step.action for step in self.steps if step.kind == "step")

    def to_json(self) -> dict[str, Any]:
        """The document of `zen plan --json`."""
        return {
            "pipeline": self.pipeline,
            "project": self.project,
            "parameters": dict(self.parameters),
            "counts": dict(self.counts),
            "steps": [step.to_json() for step in self.steps],
        }
