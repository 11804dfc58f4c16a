"""Which steps of a run never start, and why: the rules of the IR, applied to what is known of the run.

A broken predecessor makes a step `upstream_failed`; else a branch that was not taken, or a skipped predecessor, makes
it `skipped`. What `either` chooses from must not be skipped as a whole. The elements of a map wait for one another
index by index. Everything is linear in the number of steps, edges and elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from zen_core.contract.bindings import EitherBinding, ElementBinding, OutputBinding, binding_from_json, iter_leaves
from zen_metadata.lineage.records import StepRunState, StepRunStatus

DONE = frozenset({"completed", "cached", "skipped"})
"""Step statuses after which the next step may run, or is skipped too."""
BROKEN = frozenset({"failed", "upstream_failed", "lost", "cancelled"})
"""Step statuses that keep every later step from running."""
ANSWERS: Mapping[str, str] = {"gate": "taken", "expander": "count"}
"""The output that holds what a step of Zen's own answers, by the step's kind."""

Statuses = Mapping[str, Mapping[int | None, StepRunStatus]]
"""The statuses of step runs, by step and map index."""
Derived = dict[str, dict[int | None, StepRunStatus | None]]
"""The same for all steps of a pipeline; None for a step run that may still come."""
Outcome = Literal["done", "skipped", "broken", "open"]


@dataclass(frozen=True, slots=True)
class StepRule:
    """What decides whether a step runs.

    Attributes:
        needs: the steps that must all be done before: those it reads, those of `after`, its gate, its expander.
        options: for each `either`, the steps of which one at least must not be skipped.
        gate: the gate of its branch, which is taken when the gate answers `taken`.
        expander: what says how many elements a mapped step has.
        elements: the steps of the same map that it reads, each element the one of its own index.
        attempts: how many attempts an engine makes at it.
    """

    kind: str = "step"
    needs: tuple[str, ...] = ()
    options: tuple[tuple[str, ...], ...] = ()
    gate: str = ""
    taken: bool = True
    expander: str = ""
    elements: tuple[str, ...] = ()
    attempts: int = 1


@dataclass(frozen=True)
class PipelineRules:
    """The rules of all steps, in a topological order. Hooks have none: they run after everything.

    Attributes:
        optional: the steps that may be skipped, as far as the graph alone tells: those in a branch, and those that
            need one of them.
    """

    steps: Mapping[str, StepRule]
    optional: frozenset[str] = frozenset()

    @property
    def has_answers(self) -> bool:
        """Whether it depends on what a gate or an expander answered."""
        return any(rule.kind in ANSWERS for rule in self.steps.values())


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run.

    Attributes:
        statuses: of the step runs that there are, hooks left out.
        answers: what gates (a bool) and expanders (a count) answered, by step.
    """

    statuses: Statuses = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)


def rules_of(ir: Mapping[str, Any]) -> PipelineRules:
    """The rules of an IR document."""
    steps = {step["name"]: _rule_of(step) for step in ir["steps"]}
    optional: set[str] = set()
    for name, rule in steps.items():
        chosen = any(optional.issuperset(group) for group in rule.options)
        if rule.gate or chosen or not optional.isdisjoint(rule.needs) or not optional.isdisjoint(rule.elements):
            optional.add(name)
    return PipelineRules(steps, frozenset(optional))


def facts_of(states: Iterable[StepRunState]) -> Facts:
    """What step runs tell of a run."""
    statuses: dict[str, dict[int | None, StepRunStatus]] = {}
    answers: dict[str, Any] = {}
    for state in states:
        step_run = state.step_run
        if step_run.kind == "hook":
            continue
        statuses.setdefault(step_run.step, {})[step_run.map_index] = state.status
        answer = state.outputs.get(ANSWERS.get(step_run.kind, ""))
        if answer is not None and state.status in DONE:
            answers[step_run.step] = answer.inline_value
    return Facts(statuses, answers)


def facts_from_labels(labels: Mapping[str, StepRunStatus], answers: Mapping[str, Any]) -> Facts:
    """The same from statuses by `step` or `step[index]`."""
    statuses: dict[str, dict[int | None, StepRunStatus]] = {}
    for label, status in labels.items():
        step, mapped, index = label.partition("[")
        statuses.setdefault(step, {})[int(index[:-1]) if mapped else None] = status
    return Facts(statuses, answers)


def derive_statuses(rules: PipelineRules, facts: Facts, *, otherwise: StepRunStatus | None = None) -> Derived:
    """The statuses of all step runs: of those that there are, and of those that never start.

    Args:
        otherwise: what a step run is that no rule keeps from starting, and that is not there.
    """
    return _Derivation(rules, facts, otherwise).run()


def outcome_of(statuses: Iterable[StepRunStatus | None]) -> Outcome:
    """What the step runs of one step mean to a step that needs them all."""
    found = set(statuses)
    if not BROKEN.isdisjoint(found):
        return "broken"
    if None in found or "running" in found:
        return "open"
    return "skipped" if found == {"skipped"} else "done"


class _Derivation:
    """One pass over the steps, each after all that it needs."""

    def __init__(self, rules: PipelineRules, facts: Facts, otherwise: StepRunStatus | None) -> None:
        self._rules = rules
        self._facts = facts
        self._otherwise = otherwise
        self._outcomes: dict[str, Outcome] = {}
        self._turned_down: set[str] = set()
        self._found: Derived = {}

    def run(self) -> Derived:
        for name, rule in self._rules.steps.items():
            known = self._facts.statuses.get(name, {})
            if blocked := self._turned_down_as(name, rule, known):
                found: dict[int | None, StepRunStatus | None] = dict.fromkeys(known, blocked)
            elif rule.expander:
                found = self._elements(rule, known)
            else:
                found = {**known} or {None: self._blocked(rule) or self._otherwise}
            self._found[name] = found
            self._outcomes[name] = outcome_of(found.values())
        return self._found

    def _turned_down_as(
        self, name: str, rule: StepRule, known: Mapping[int | None, StepRunStatus]
    ) -> StepRunStatus | None:
        """What a step is that ran, before a condition was asked again and answered the other way round."""
        by_gate = bool(rule.gate) and self._facts.answers.get(rule.gate) is (not rule.taken)
        by_needs = not self._turned_down.isdisjoint(rule.needs)
        if not (by_gate or by_needs or any(self._turned_down.issuperset(group) for group in rule.options)):
            return None
        self._turned_down.add(name)
        return self._blocked(rule) if known and "running" not in known.values() else None

    def _blocked(self, rule: StepRule) -> StepRunStatus | None:
        """Why a step does not start; None where nothing keeps it from it."""
        needed = [self._outcomes.get(name, "open") for name in rule.needs]
        options = [[self._outcomes.get(name, "open") for name in group] for group in rule.options]
        if "broken" in needed or any("broken" in group for group in options):
            return "upstream_failed"
        if rule.gate and self._facts.answers.get(rule.gate) is (not rule.taken):
            return "skipped"
        if "skipped" in needed or any(set(group) == {"skipped"} for group in options):
            return "skipped"
        return None

    def _elements(
        self, rule: StepRule, known: Mapping[int | None, StepRunStatus]
    ) -> dict[int | None, StepRunStatus | None]:
        blocked = self._blocked(rule)
        count = self._facts.answers.get(rule.expander)
        if not isinstance(count, int) or self._outcomes.get(rule.expander) != "done":
            return {**known} or {None: blocked or self._otherwise}
        if count == 0:
            ready = all(self._outcomes.get(name) == "done" for name in rule.needs)
            return {None: blocked or ("completed" if ready else self._otherwise)}
        # What lies beyond the count is left of an earlier attempt, when the list was longer.
        return {
            index: known.get(index) or self._blocked_element(rule, index, blocked) or self._otherwise
            for index in range(count)
        }

    def _blocked_element(self, rule: StepRule, index: int, blocked: StepRunStatus | None) -> StepRunStatus | None:
        if blocked == "upstream_failed":
            return blocked
        before = [self._found[name].get(index, self._found[name].get(None)) for name in rule.elements]
        if not BROKEN.isdisjoint(before):
            return "upstream_failed"
        return "skipped" if "skipped" in before else blocked


def _rule_of(step: Mapping[str, Any]) -> StepRule:
    fan_out, branch = step.get("map") or {}, step.get("when") or {}
    expander, gate = fan_out.get("expander", ""), branch.get("gate", "")
    needs = [gate, expander, *step.get("after", ())]
    options: list[tuple[str, ...]] = []
    elements: list[str] = []
    for leaf in _leaves(step.get("inputs", ())):
        if isinstance(leaf, OutputBinding):
            needs.append(leaf.step)
        elif isinstance(leaf, ElementBinding) and leaf.step != expander:
            elements.append(leaf.step)
        elif isinstance(leaf, EitherBinding):
            options.append(tuple(option.step for option in leaf.options))
    return StepRule(
        kind=step.get("kind", "step"),
        needs=tuple(dict.fromkeys(filter(None, needs))),
        options=tuple(options),
        gate=gate,
        taken=branch.get("taken", True),
        expander=expander,
        elements=tuple(dict.fromkeys(elements)),
        attempts=1 + (step.get("retry") or {}).get("times", 0),
    )


def _leaves(inputs: Sequence[Mapping[str, Any]]) -> Iterable[object]:
    for item in inputs:
        for _, leaf in iter_leaves(binding_from_json(item["binding"])):
            yield leaf
