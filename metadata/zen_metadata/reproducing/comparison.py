"""Compares a run with its reproduction, digest by digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zen_metadata.query.rules import DONE
from zen_metadata.query.runs import Run, StepRun


@dataclass(frozen=True, slots=True)
class ComparedArtifact:
    """One output of one step run, before and after.

    Attributes:
        output: "" for a step without outputs, of which the statuses are compared.
        before: the digest, or the status where there is no output; None where there was nothing.
        why: what is known of a difference, in words.
        suspicious: whether it differs although everything that went in is equal.
    """

    step: str
    map_index: int | None
    output: str
    before: str | None
    after: str | None
    why: str = ""
    suspicious: bool = False

    @property
    def equal(self) -> bool:
        """Whether it is the same as before."""
        return self.before == self.after

    @property
    def label(self) -> str:
        """`step` or `step[index]`."""
        return self.step if self.map_index is None else f"{self.step}[{self.map_index}]"

    def to_json(self) -> dict[str, Any]:
        """The entry of `zen reproduce --json`."""
        return {
            "step": self.step,
            "map_index": self.map_index,
            "output": self.output,
            "equal": self.equal,
            "before": self.before,
            "after": self.after,
            "why": self.why,
        }


def compare_runs(before: Run, after: Run | None) -> list[ComparedArtifact]:
    """Every artifact of the user's steps, elements of maps too, in the order of the pipeline."""
    found = {step.label: step for step in (after.steps if after is not None else ()) if step.kind == "step"}
    known = [step for step in before.steps if step.kind == "step"]
    compared = [row for step in known for row in _compare_step(step, found.pop(step.label, None))]
    # What was not there before: more elements of a map, or a branch that was not taken.
    return compared + [row for step in found.values() for row in _compare_step(None, step)]


def tell_nondeterministic(
    rows: Sequence[ComparedArtifact], first: Run, second: dict[str, Run]
) -> list[ComparedArtifact]:
    """Say of each suspicious row whether its step gives the same result twice in the same place.

    Args:
        first: the reproduction.
        second: for each suspicious step, a run of it alone on what the reproduction left.
    """
    told = []
    for row in rows:
        once_more = second.get(row.step) if row.suspicious else None
        if once_more is None:
            told.append(row)
            continue
        again = {step.label: step for step in once_more.steps}.get(row.label)
        digest = again.outputs[row.output].digest if again is not None and row.output in again.outputs else None
        told.append(replace(row, why=_SAME_TWICE if digest == row.after else NONDETERMINISTIC))
    return told


NONDETERMINISTIC = "nondeterministic: the step gives another result each time it runs on the same inputs"
_SAME_TWICE = (
    "the inputs are equal, and the step gives this result each time here: what differs is the environment, "
    "or something that the step reads and does not declare"
)


def _compare_step(before: StepRun | None, after: StepRun | None) -> Iterator[ComparedArtifact]:
    step = before or after
    assert step is not None
    then, now = _digests(before), _digests(after)
    if not then and not now:
        statuses = _status(before), _status(after)
        why = _why_not_made(after) if statuses[0] != statuses[1] else ""
        yield ComparedArtifact(step.name, step.map_index, "", *statuses, why)
    for output in dict.fromkeys([*then, *now]):
        row = ComparedArtifact(step.name, step.map_index, output, then.get(output), now.get(output))
        yield row if row.equal else _explain(row, before, after)


def _explain(row: ComparedArtifact, before: StepRun | None, after: StepRun | None) -> ComparedArtifact:
    if row.after is None:
        return replace(row, why=_why_not_made(after))
    if row.before is None or before is None or after is None:
        return replace(row, why=f"the step was {before.status}" if before is not None else "it was not there")
    changed = [
        port for port in dict.fromkeys([*before.inputs, *after.inputs]) if _input(before, port) != _input(after, port)
    ]
    if changed:
        return replace(row, why=f"input {', '.join(changed)} differs")
    return replace(row, why="its inputs are equal", suspicious=True)


def _why_not_made(after: StepRun | None) -> str:
    if after is None:
        return "the step did not run"
    if after.error is not None:
        return f"the step failed: {after.error.type.rpartition('.')[2]}: {after.error.message}"
    return f"the step was {after.status}"


def _digests(step: StepRun | None) -> dict[str, str]:
    return {name: artifact.digest for name, artifact in step.outputs.items()} if step is not None else {}


def _input(step: StepRun, port: str) -> str | None:
    found = step.inputs.get(port)
    return found.digest if found is not None else None


def _status(step: StepRun | None) -> str | None:
    """A step that was reused counts as completed."""
    return None if step is None else "completed" if step.status in DONE else step.status
