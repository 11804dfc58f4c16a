"""What a pipeline's body has called so far, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_core.authoring.decorators import Step
    from zen_core.authoring.signatures import Port
    from zen_core.contract.bindings import Binding
    from zen_core.contract.conditions import Condition
    from zen_core.ir.specs import StepKind

Branch = tuple[tuple[str, bool], ...]
"""The gates that a step lies under, the outermost first, each with the answer that it needs."""
_WORD = {"gate": "condition", "hook": "hook"}


@dataclass(frozen=True)
class FanOut:
    """The map that a call belongs to."""

    expander: str
    chunk: int
    max_parallel: int | None


@dataclass(eq=False)
class StepCall:
    """One step of the pipeline: a call in its body, or what Zen makes for a condition or a map; then `step` is None.

    Attributes:
        outputs: of one element, where the call is mapped.
    """

    name: str
    step: Step[Any] | None
    place: str
    outputs: tuple[Port, ...]
    kind: StepKind = "step"
    branch: Branch = ()
    fan_out: FanOut | None = None
    condition: Condition | None = None
    inputs: dict[str, tuple[Port, Binding]] = field(default_factory=dict)
    after: set[str] = field(default_factory=set)

    @property
    def subject(self) -> str:
        """What it is, in words."""
        return f"{_WORD.get(self.kind, 'step')} {self.name!r}"
