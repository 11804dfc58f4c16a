"""The status of a run, derived from its IR and its step runs.

No orchestrator can be trusted to say how a run ended (a worker may be killed, a closing call may never come),
so the reader works it out: step runs are the truth, a closing call only makes the answer earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zen_core.contract.bindings import upstream_steps
from zen_metadata.lineage.records import RunRecord, RunStatus, StepRunState, StepRunStatus

DONE = frozenset({"completed", "cached", "skipped"})
"""Step statuses after which the next step may run."""
BROKEN = frozenset({"failed", "upstream_failed", "lost", "cancelled"})
"""Step statuses that keep every later step from running."""

StatusesByStep = Mapping[str, Sequence[StepRunStatus]]
"""The statuses of the step runs of each step: one, or one for each element of a fan-out."""


def predecessors_by_step(ir: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """The steps of an IR document in its (topological) order, each with those it waits for, data or ordering."""
    return {step["name"]: upstream_steps(step) for step in ir["steps"]}


def derive_run_status(run: RunRecord, ir: Mapping[str, Any], states: Sequence[StepRunState]) -> RunStatus:
    """How a run stands, from its IR document and its step runs."""
    closed_at = run.ended_at
    return status_from(
        predecessors_by_step(ir),
        statuses_by_step((state.step_run.step, state.status) for state in states),
        closed=run.closed_status,
        reopened=closed_at is not None and any(state.started_at > closed_at for state in states),
    )


def statuses_by_step(pairs: Iterable[tuple[str, StepRunStatus]]) -> dict[str, list[StepRunStatus]]:
    """Pairs of step and status, gathered by step."""
    groups: dict[str, list[StepRunStatus]] = {}
    for step, status in pairs:
        groups.setdefault(step, []).append(status)
    return groups


def status_from(
    steps: Iterable[str], statuses: StatusesByStep, *, closed: RunStatus | None, reopened: bool = False
) -> RunStatus:
    """How a run stands, from the statuses alone.

    Args:
        steps: the steps of the IR.
        statuses: of those steps that have a step run.
        closed: what a closing call said.
        reopened: whether a step began after the closing call, because somebody ran it again.
    """
    known = {status for group in statuses.values() for status in group}
    steps = tuple(steps)
    if steps and all(statuses.get(step) and DONE.issuperset(statuses[step]) for step in steps):
        # Also after a closing call that said otherwise: what had failed was run again, and is done.
        return "completed"
    if "running" in known and (closed is None or reopened):
        return "running"
    if "failed" in known:
        return "failed"
    if closed is not None and not reopened:
        return closed
    if "cancelled" in known:
        return "cancelled"
    return "lost" if "lost" in known else "running"


def derive_absent_statuses(
    predecessors: Mapping[str, frozenset[str]], statuses: StatusesByStep, run_status: RunStatus
) -> dict[str, StepRunStatus]:
    """The statuses of the steps that have no step run; none of them while the run is going on.

    A step after a broken one is `upstream_failed`; else it was `skipped`. But where the run failed and no
    step says why, the first step that should have run died before it could record anything: it is `lost`.
    """
    if run_status == "running":
        return {}
    unexplained = run_status == "failed" and not any(BROKEN.intersection(group) for group in statuses.values())
    broken = {step for step, group in statuses.items() if BROKEN.intersection(group)}
    absent: dict[str, StepRunStatus] = {}
    for step, before in predecessors.items():
        if statuses.get(step):
            continue
        if broken.intersection(before):
            absent[step] = "upstream_failed"
        else:
            absent[step] = "lost" if unexplained else "skipped"
        if absent[step] in BROKEN:
            broken.add(step)
    return absent
