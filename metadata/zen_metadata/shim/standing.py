"""How the other steps of a run stand, as far as a step that was started must know: whether it is to be skipped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zen_core.contract.manifest import PipelineManifest
from zen_core.errors import MissingInputError, StepSkipped
from zen_metadata.query.rules import (
    ANSWERS,
    Derived,
    Facts,
    Outcome,
    PipelineRules,
    StepRule,
    derive_statuses,
    facts_from_labels,
    outcome_of,
)

if TYPE_CHECKING:
    from zen_metadata.shim.workspace import Workspace


class UpstreamFailedError(MissingInputError):
    """What a step needs failed: by the rules it does not run, and nothing is recorded of it."""


class Standing:
    """The steps of one run. The lineage store is asked once, and only where refs do not tell.

    Args:
        upstream: the refs that earlier tasks handed over, by step and output.
    """

    def __init__(
        self,
        workspace: Workspace,
        manifest: PipelineManifest,
        run_id: str,
        upstream: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._workspace = workspace
        self._manifest = manifest
        self._run_id = run_id
        self._upstream = upstream

    def may_be_skipped(self, step: str) -> bool:
        """Whether some run of the pipeline skips this step."""
        return step in self._rules.optional

    def outcome_of(self, step: str) -> Outcome:
        """What became of a step; `open` where that is not known."""
        return outcome_of(self._derived.get(step, {None: None}).values())

    def refuse_skipped(self, step: str, where: str) -> None:
        """Raise what says so where by the rules the step does not run. A step that no run skips costs nothing.

        Raises:
            StepSkipped: it is skipped.
            UpstreamFailedError: what it needs failed, behind something that was skipped.
        """
        if not self.may_be_skipped(step):
            return
        rule = self._rules.steps[step]
        answer = self._handed_answer(rule)
        if answer is (not rule.taken):
            raise StepSkipped(f"{where}: the condition {rule.gate!r} answered {str(answer).lower()}")
        if self._is_sure(rule, answer) or (self._run_id, step) in self._workspace.cleared:
            return
        derived = derive_statuses(self._rules, _without(step, self._facts))[step]
        if set(derived.values()) == {"skipped"}:
            raise StepSkipped(f"{where}: its branch was not taken, or a step that it needs was skipped")
        if set(derived.values()) == {"upstream_failed"}:
            raise UpstreamFailedError("a step that it needs failed", where=where)
        if rule.expander:  # its other elements need not ask again
            self._workspace.cleared.add((self._run_id, step))

    def _handed_answer(self, rule: StepRule) -> Any:
        gate = self._upstream.get(rule.gate) if rule.gate else None
        return (gate or {}).get(ANSWERS["gate"], {}).get("value")

    def _is_sure(self, rule: StepRule, answer: Any) -> bool:
        """Whether the refs alone show that nothing which the step needs was skipped."""
        mapped = bool(rule.expander and self._upstream.get(rule.expander))
        # An expander lies in the branch of its map: that it ran shows that the branch was taken.
        branch = not rule.gate or answer is rule.taken or mapped
        needs = all(
            name == rule.gate or name not in self._rules.optional or self._upstream.get(name) is not None
            for name in rule.needs
        )
        return branch and needs and all(any(self._upstream.get(name) for name in group) for group in rule.options)

    @property
    def _rules(self) -> PipelineRules:
        return self._workspace.rules_of(self._manifest.ir_digest, self._manifest.ir)

    @cached_property
    def _facts(self) -> Facts:
        run_id = self._run_id
        none: Mapping[str, Mapping[str, Any]] = {}
        labels = self._workspace.ask(lambda lineage: lineage.find_step_statuses([run_id]), none)[0]
        answers = self._workspace.ask(lambda lineage: lineage.find_answers([run_id]), none)[0]
        return facts_from_labels(labels.get(run_id, {}), answers.get(run_id, {}))

    @cached_property
    def _derived(self) -> Derived:
        return derive_statuses(self._rules, self._facts)


def _without(step: str, facts: Facts) -> Facts:
    """The facts as if the step had never begun: what an earlier attempt at it did decides nothing."""
    return Facts({name: found for name, found in facts.statuses.items() if name != step}, facts.answers)
