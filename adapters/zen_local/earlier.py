"""What an earlier run left for a run of a part of the pipeline: `--only` and `--from`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import RunRecord, StepRunState
from zen_metadata.query.rules import Outcome, PipelineRules, derive_statuses, facts_of, outcome_of
from zen_metadata.shim.workspace import Workspace

_RUNS_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run left of steps that are not run again: their step runs, and what became of each."""

    states: Sequence[StepRunState] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


def choose_steps(
    rules: PipelineRules, *, only: str | None, from_step: str | None
) -> tuple[frozenset[str], frozenset[str]]:
    """The steps to run, and those whose earlier results are needed."""
    if only is not None:
        before = _before(rules, only)
        # What says how many elements there are belongs to a map: without it nobody can collect them.
        expanders = {rules.steps[name].expander for name in before} - {""}
        return frozenset({only}), before | expanders
    if from_step is not None:
        chosen = {from_step}
        for name in rules.steps:  # each comes after all that it waits for
            if not chosen.isdisjoint(_before(rules, name)):
                chosen.add(name)
        return frozenset(chosen), frozenset(rules.steps) - chosen
    return frozenset(rules.steps), frozenset()


def find_earlier(workspace: Workspace, run: RunRecord, rules: PipelineRules, needed: frozenset[str]) -> Earlier:
    """What the latest run of the pipeline that has them all made of these steps.

    Raises:
        NotFoundError: there is none; the text says what the latest one lacks.
    """
    order = {name: number for number, name in enumerate(rules.steps)}
    lacking: list[str] = []
    for record in workspace.lineage.find_runs(run.project, pipeline=run.pipeline, limit=_RUNS_LOOKED_AT):
        states = workspace.lineage.get_step_runs(record.run_id)
        derived = derive_statuses(rules, facts_of(states))
        outcomes = {name: outcome_of(derived[name].values()) for name in needed}
        if set(outcomes.values()) <= {"done", "skipped"}:
            found = [state for state in states if state.step_run.step in needed]
            return Earlier(sorted(found, key=lambda state: order[state.step_run.step]), outcomes)
        lacking = lacking or [name for name in order if outcomes.get(name) in ("broken", "open")]
    needed_names = ", ".join(sorted(needed, key=order.__getitem__))
    raise NotFoundError(
        f"no earlier run of {run.pipeline!r} has all that this needs: {needed_names}",
        why=f"the latest run has no results of {', '.join(lacking)}" if lacking else "",
        hint="run the whole pipeline once",
    )


def _before(rules: PipelineRules, name: str) -> frozenset[str]:
    """The steps that one waits for, whole or element by element."""
    rule = rules.steps[name]
    return frozenset((*rule.needs, *rule.elements, *(option for group in rule.options for option in group)))
