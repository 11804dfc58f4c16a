"""The status of a run, derived from its IR and its step runs.

No orchestrator can be trusted to say how a run ended (a worker may be killed, a closing call may never come),
so the reader works it out: step runs are the truth, a closing call only makes the answer earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zen_metadata.lineage.records import RunRecord, RunStatus, StepRunState, StepRunStatus
from zen_metadata.query.rules import BROKEN, DONE, Derived, Facts, PipelineRules, derive_statuses, facts_of, rules_of


def derive_run_status(run: RunRecord, ir: Mapping[str, Any], states: Sequence[StepRunState]) -> RunStatus:
    """How a run stands, from its IR document and its step runs. Hooks do not count."""
    return status_from(rules_of(ir), facts_of(states), closed=run.closed_status, reopened=is_reopened(run, states))


def is_reopened(run: RunRecord, states: Iterable[StepRunState]) -> bool:
    """Whether a step began after the closing call, because somebody ran it again."""
    closed_at = run.ended_at
    return closed_at is not None and any(
        state.started_at > closed_at for state in states if state.step_run.kind != "hook"
    )


def status_from(rules: PipelineRules, facts: Facts, *, closed: RunStatus | None, reopened: bool = False) -> RunStatus:
    """How a run stands, from the statuses alone.

    Args:
        closed: what a closing call said.
        reopened: whether a step began after the closing call.
    """
    derived = _flat(derive_statuses(rules, facts))
    if derived and all(status in DONE for status in derived):
        # Also after a closing call that said otherwise: what had failed was run again, and is done.
        return "completed"
    foreign = (status for step, found in facts.statuses.items() if step not in rules.steps for status in found.values())
    known = {*derived, *foreign}
    if "running" in known and (closed is None or reopened):
        return "running"
    if "failed" in known:
        return "failed"
    if closed is not None and not reopened:
        return closed
    if "cancelled" in known:
        return "cancelled"
    return "lost" if "lost" in known else "running"


def is_over(rules: PipelineRules, facts: Facts) -> bool:
    """Whether nothing is left to run, further attempts at what broke aside."""
    derived = _flat(derive_statuses(rules, facts))
    return bool(derived) and None not in derived and "running" not in derived


def has_attempts_left(rules: PipelineRules, states: Iterable[StepRunState]) -> bool:
    """Whether an engine will try a step again that broke."""
    return any(
        state.status in BROKEN and state.attempts < rules.steps[state.step_run.step].attempts
        for state in states
        if state.step_run.step in rules.steps
    )


def derive_final_statuses(rules: PipelineRules, facts: Facts, run_status: RunStatus) -> Derived:
    """The statuses of all step runs of a run that is over.

    What should have run and is not there was left out: `skipped`. But where the run failed and no step says why, the
    first step that should have run died before it could record anything: it is `lost`.
    """
    known = {status for found in facts.statuses.values() for status in found.values()}
    unexplained = run_status == "failed" and BROKEN.isdisjoint(known)
    return derive_statuses(rules, facts, otherwise="lost" if unexplained else "skipped")


def _flat(derived: Derived) -> list[StepRunStatus | None]:
    return [status for found in derived.values() for status in found.values()]
