"""When a task runs after others that were skipped, where Airflow's rules and the pipeline's differ.

By default Airflow skips a task as soon as one before it is skipped, and does not wait for the others. So a failure that
the task should have passed on stays hidden from what runs after a skip all the same: the reader of an `either`, and
what collects a map (one over an empty list is skipped in Airflow, and done by the pipeline's rules).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property

from zen_core.contract.bindings import EitherBinding, ElementBinding, OutputBinding, iter_leaves
from zen_core.ir.graph import read_steps, upstream_edges
from zen_core.ir.specs import StepSpec


class SkipRules:
    """The rules for the steps of one pipeline.

    Args:
        steps: in topological order.
    """

    def __init__(self, steps: Sequence[StepSpec]) -> None:
        self._steps = {step.name: step for step in steps}
        self._waits = upstream_edges(steps)
        self._rules = {step.name: self._rule_of(step) for step in steps}
        self._by_need: set[str] = set()
        self._after_skip: set[str] = set()
        self._hiding: set[str] = set()
        for step in steps:
            others = [name for name in self._waits[step.name] if not self._same_map(step, name)]
            foreign = {name for name in others if self._is_skipped_alone(name, step)}
            if step.map and foreign and not self._rules[step.name]:
                self._rules[step.name] = "none_failed"  # what collects it must find the expander done
            rule = self._rules[step.name]
            if not rule and (foreign or any(self._steps[name].map for name in others)):
                self._after_skip.add(step.name)
            if step.when or step.name in self._after_skip or (rule == "all_done" and others):
                self._hiding.add(step.name)
            if _needs_one_of(step, foreign):
                self._by_need.add(step.name)

    @property
    def may_hide_failure(self) -> bool:
        """Whether Airflow can show a failed run as a success: where a task that comes last was skipped."""
        return bool(self._hiding)

    def trigger_rule(self, step: StepSpec) -> str:
        """When its task runs, where that is not "when all before it have succeeded".

        That a step must be skipped for another reason than its gate is found in the task, which then skips itself.
        """
        return self._rules[step.name]

    def guards(self, step: StepSpec) -> tuple[str, ...]:
        """The steps that its task must wait for although it reads none of them, in the pipeline's order.

        A step in a branch that was not taken may need one that fails. Airflow skips it without a look at that; its
        readers must not run, and so have to wait for it themselves.
        """
        if not self._rules[step.name]:
            return ()
        direct = self._waits[step.name]
        behind, gates = self._behind(step, [name for name in direct if self._may_hide_from(step, name)])
        sure = [name for name in (*direct, *behind, *gates) if not self._may_hide_from(step, name)]
        needed = (name for name in behind if name not in direct and not self._is_before(name, sure))
        return tuple(sorted(needed, key=self._places.__getitem__))

    def _rule_of(self, step: StepSpec) -> str:
        waits = (*read_steps(step), *step.after)
        chained = [name for name in waits if self._same_map(step, name) and self._steps[name].map]
        if chained and step.map and step.map.chunk > 1:
            return "all_done"  # of a task that failed for one of its elements, the others go on
        through_skip = any(self._steps[name].map for name in waits)
        if through_skip and not all(self._same_map(step, name) for name in waits):
            return "none_failed"
        if any(isinstance(leaf, EitherBinding) for leaf in _leaves(step)):
            return "none_failed" if step.map else "none_failed_min_one_success"
        return ""

    def _is_skipped_alone(self, name: str, step: StepSpec) -> bool:
        """Whether a step may be skipped for another reason than a gate that then skips the later step too."""
        branch, own = self._steps[name].when, step.when
        while own is not None and own != branch:
            own = self._steps[own.gate].when
        return name in self._by_need or own != branch

    def _same_map(self, step: StepSpec, name: str) -> bool:
        """Whether another step is the expander of a step's map, or a step of it."""
        if step.map is None:
            return False
        other = self._steps[name]
        return name == step.map.expander or (other.map is not None and other.map.expander == step.map.expander)

    def _waits_outside_chain(self, step: StepSpec) -> list[str]:
        """What it waits for, without earlier steps of its map, which count element by element.

        Nor its expander, where the task waits for that whatever happens, and is what that is.
        """
        own = {other for other in self._waits[step.name] if self._same_map(step, other)}
        waits_for_all = self._rules[step.name] == "all_done"
        left_out = {other for other in own if self._steps[other].map or (waits_for_all and other not in self._hiding)}
        return [other for other in self._waits[step.name] if other not in left_out]

    def _may_hide_from(self, step: StepSpec, name: str) -> bool:
        """Whether a step may be skipped, with a failure behind it, while the other one runs."""
        other = self._steps[name]
        return name in self._hiding and not (step.when and other.when == step.when)

    def _behind(self, step: StepSpec, hiding: Sequence[str]) -> tuple[list[str], list[str]]:
        """What may fail behind steps that are skipped; and the gates that must have answered for that."""
        behind: dict[str, None] = {}
        gates: dict[str, None] = {}
        seen = set(hiding)
        stack = list(hiding)
        while stack:
            skipped = self._steps[stack.pop()]
            asked = [skipped.when.gate] if skipped.when else []
            gates.update(dict.fromkeys(gate for gate in asked if not self._may_hide_from(step, gate)))
            for name in self._waits_outside_chain(skipped):
                if self._is_before(name, asked):
                    continue  # and so with the gate, if that was skipped itself
                if name not in asked and not self._shares_skip(skipped, name):
                    behind[name] = None
                if name not in seen and self._may_hide_from(step, name):
                    seen.add(name)
                    stack.append(name)
        return list(behind), list(gates)

    def _shares_skip(self, skipped: StepSpec, name: str) -> bool:
        """Whether whatever skips a step skips this one of its branch too."""
        same_branch = skipped.when is not None and self._steps[name].when == skipped.when
        return same_branch and skipped.name not in self._after_skip

    def _is_before(self, name: str, others: Iterable[str]) -> bool:
        return any(self._before[other] >> self._places[name] & 1 for other in others)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self._steps)}

    @cached_property
    def _before(self) -> dict[str, int]:
        """For each step all that comes before it, as the bits of a number: there may be many thousands."""
        found: dict[str, int] = {}
        for name, waits in self._waits.items():
            bits = 0
            for other in waits:
                bits |= found[other] | 1 << self._places[other]
            found[name] = bits
        return found


def _needs_one_of(step: StepSpec, names: Container[str]) -> bool:
    """Whether it cannot run without one of these steps, or reads an `either` of nothing else."""
    if any(name in names for name in (*step.after, *([step.when.gate] if step.when else []))):
        return True
    for leaf in _leaves(step):
        if isinstance(leaf, EitherBinding):
            if all(option.step in names for option in leaf.options):
                return True
        elif isinstance(leaf, (OutputBinding, ElementBinding)) and leaf.step in names:
            return True
    return False


def _leaves(step: StepSpec) -> Iterator[object]:
    return (leaf for item in step.inputs for _, leaf in iter_leaves(item.binding))
