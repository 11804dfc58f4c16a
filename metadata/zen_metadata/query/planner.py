"""What a run would do, and why: found out with the stores as they are, without running a step or writing anything.

Inputs, keys and conditions are worked out by the same code as in a run. A step that will be reused has known outputs,
so what reads them is known too; behind a step that will run, the plan says what it depends on.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from zen_core.contract.bindings import Binding, EitherBinding, ElementBinding, iter_leaves, iter_outputs
from zen_core.contract.conditions import condition_text
from zen_core.contract.manifest import PipelineManifest, StepManifest
from zen_core.contract.settings import Settings
from zen_core.errors import NotFoundError, StepSkipped, ZenError
from zen_metadata.artifacts.store import StoredArtifact
from zen_metadata.cache.key import step_cache_key
from zen_metadata.lineage.records import ArtifactRecord, CachedResult, EarlierAttempt, RunRecord
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.store import LineageStore
from zen_metadata.query.earlier import Candidates
from zen_metadata.query.foreseen import ForeseenArtifacts, ForeseenLineage
from zen_metadata.query.key_changes import CODE, short_text
from zen_metadata.query.nearest import refuse_unknown_steps
from zen_metadata.query.plan import Action, Plan, PlannedStep
from zen_metadata.query.reasons import FIRST_RUN, NOT_KEPT, NOTHING_CHANGED, reason_text
from zen_metadata.query.rules import ANSWERS, PipelineRules, rules_of
from zen_metadata.query.stores import ReadStores
from zen_metadata.query.words import list_text
from zen_metadata.shim.calls import refs_of
from zen_metadata.shim.inputs import InputResolver, ResolvedInputs
from zen_metadata.shim.own_work import do_own_work
from zen_metadata.shim.requirements import check_environment
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.standing import Standing
from zen_metadata.shim.work import Work
from zen_metadata.shim.workspace import Workspace


def make_plan(
    manifest: PipelineManifest,
    settings: Settings,
    *,
    parameters: Mapping[str, Any] | None = None,
    texts: frozenset[str] = frozenset(),
    no_cache: bool = False,
    refresh: Iterable[str] = (),
) -> Plan:
    """What a run of a pipeline would do on this machine now.

    Args:
        parameters: overrides by name; texts still to be read for those in `texts`.
        no_cache: as if every step were told to execute.
        refresh: the steps that are told to execute.

    Raises:
        UsageError: `refresh` names a step that the pipeline has not.
        ParameterError: parameters that do not fit.
        StoreError: a store cannot be read.
    """
    settings = replace(settings.with_local_defaults(), on_store_error="fail")
    forced = frozenset(refresh)
    known = [name for name, step in manifest.steps.items() if step.kind != "hook"]
    refuse_unknown_steps(manifest.pipeline, sorted(forced), known)
    run = new_run(
        manifest,
        settings,
        orchestrator="local",
        run_key=uuid.uuid4().hex,
        overrides=parameters or {},
        texts=texts,
        tick=datetime.now(UTC),
    )
    with tempfile.TemporaryDirectory(prefix="zen-plan-") as folder:
        planner = _Planner(manifest, settings, run, frozenset(known) if no_cache else forced, Path(folder))
        try:
            return planner.plan()
        finally:
            planner.close()


@dataclass
class _Fate:
    """What is known of a step, all elements together: whether what it makes is known, or why it is not.

    `may_skip`: of one that is open, whether a condition that is not known yet may skip it.
    """

    state: Literal["known", "open", "skipped", "fails"]
    answer: Any = None
    may_skip: bool = False


class _Planner:
    """One plan, step by step in the pipeline's order."""

    def __init__(
        self, manifest: PipelineManifest, settings: Settings, run: RunRecord, forced: frozenset[str], folder: Path
    ) -> None:
        self._manifest = manifest
        self._run = run
        self._forced = forced
        self._folder = folder
        stores = ReadStores(settings)
        self._lineage = ForeseenLineage(_readable(stores, folder))
        self._artifacts = ForeseenArtifacts(stores.artifacts, folder / "artifacts", allow_pickle=settings.allow_pickle)
        self._workspace = Workspace(settings, cast("LineageStore", self._lineage), self._artifacts)
        self._rules: PipelineRules = rules_of(manifest.ir)
        self._refs: dict[str, dict[str, Any]] = {}
        self._fates: dict[str, _Fate] = {}

    def close(self) -> None:
        """Close the stores."""
        self._workspace.close()

    def plan(self) -> Plan:
        """All steps."""
        found: list[PlannedStep] = []
        for name in self._rules.steps:
            found += self._plan_step(self._manifest.steps[name])
        return Plan(self._manifest.pipeline, self._manifest.project, self._run.parameters, tuple(found))

    # -- one step ----------------------------------------------------------------------------------------------------

    def _plan_step(self, step: StepManifest) -> list[PlannedStep]:
        kept = self._kept_from_running(step)
        if kept is not None:
            planned, self._fates[step.name] = kept
            return [planned]
        if step.kind in ANSWERS:
            return [self._plan_own(step)]
        if not step.expander:
            planned = self._plan_one(step, None)
            self._fates[step.name] = _fate_of([planned])
            return [planned]
        fate = self._fates[step.expander]
        if fate.state != "known":
            self._fates[step.name] = _Fate("open")
            sources = self._open_sources(self._manifest.steps[step.expander])
            return [
                _planned(step, "depends", f"as many elements as {list_text(sources)} will make", depends_on=sources)
            ]
        elements = [self._plan_one(step, index) for index in range(fate.answer)]
        self._fates[step.name] = _fate_of(elements)
        if not elements:
            return [_planned(step, "cached", "the list is empty")]
        return elements

    def _kept_from_running(self, step: StepManifest) -> tuple[PlannedStep, _Fate] | None:
        """What is told of a step that will not run, or of which only the run will tell whether it does."""
        rule = self._rules.steps[step.name]
        needed = [name for name in (*rule.needs, *rule.elements) if name in self._fates]
        skipped = [name for name in needed if self._fates[name].state == "skipped"]
        failing = [name for name in needed if self._fates[name].state == "fails"]
        if failing:
            return _planned(step, "fails", f"{failing[0]} would fail"), _Fate("fails")
        gate = self._fates.get(rule.gate)
        if gate is not None and gate.state == "known" and gate.answer is not rule.taken:
            told = f"{self._condition_of(rule.gate)} is {str(gate.answer).lower()}"
            return _planned(step, "skipped", told), _Fate("skipped")
        groups = [group for group in rule.options if all(self._fates[name].state == "skipped" for name in group)]
        if skipped or groups:
            return _planned(step, "skipped", f"{(skipped or groups[0])[0]} is skipped"), _Fate("skipped")
        if gate is not None and gate.state == "open":
            words = self._condition_of(rule.gate)
            told = f"only if {words}" if rule.taken else f"only if not ({words})"
            return _planned(step, "depends", told, depends_on=(rule.gate,)), _Fate("open", may_skip=True)
        unsure = [name for name in needed if self._fates[name].may_skip]
        unsure += [group[0] for group in rule.options if self._may_be_skipped(group)]
        if unsure:
            told = f"only if {unsure[0]} is not skipped"
            return _planned(step, "depends", told, depends_on=(unsure[0],)), _Fate("open", may_skip=True)
        return None

    def _may_be_skipped(self, group: Sequence[str]) -> bool:
        """Whether all that an `either` chooses from may turn out to be skipped."""
        if not all(self._fates[name].may_skip or self._fates[name].state == "skipped" for name in group):
            return False
        rules = [self._rules.steps[name] for name in group]
        gates = {(rule.gate, rule.taken) for rule in rules if rule.gate and not self._fates[rule.gate].may_skip}
        return not any((gate, not taken) in gates for gate, taken in gates)  # of two branches one is taken

    def _condition_of(self, gate: str) -> str:
        condition = self._manifest.steps[gate].condition
        return condition_text(condition) if condition else gate

    def _open_sources(self, step: StepManifest) -> tuple[str, ...]:
        """The steps whose results it reads, and that will run."""
        found = (name for item in step.inputs for name in self._open_in(item.binding, None))
        return tuple(dict.fromkeys(found))

    def _open_in(self, binding: Binding, index: int | None) -> list[str]:
        """The steps that a binding reads, and of which the result is not known."""
        names: list[str] = []
        for _, leaf in iter_leaves(binding):
            options = [output.step for output in iter_outputs(leaf)]
            if isinstance(leaf, EitherBinding):
                options = [name for name in options if self._fates[name].state != "skipped"][:1]
            for name in options:
                if self._fates[name].state == "known":
                    continue
                if isinstance(leaf, ElementBinding) and index in self._lineage.foreseen(name):
                    continue  # the element of its own index is known, whatever becomes of the others
                source = self._manifest.steps[name]
                names += self._open_sources(source) if source.kind == "expander" else [name]
        return names

    # -- conditions and maps -----------------------------------------------------------------------------------------

    def _plan_own(self, step: StepManifest) -> PlannedStep:
        """A condition is asked, and a list laid out, where what they read is known."""
        sources = self._open_sources(step)
        if sources:
            self._fates[step.name] = _Fate("open")
            return _planned(step, "depends", f"after {list_text(sources)}", depends_on=sources)
        try:
            resolved = self._resolve(step, None)
            outputs = self._answer(step, resolved)
        except (ZenError, StepSkipped) as error:
            self._fates[step.name] = _Fate("fails")
            return _planned(step, "fails", _first_line(error))
        answer = outputs[ANSWERS[step.kind]].inline_value
        self._fates[step.name] = _Fate("known", answer)
        self._foresee(step.name, None, outputs)
        told = str(answer).lower() if step.kind == "gate" else f"{answer} element{'s' * (answer != 1)}"
        return _planned(step, "run", told)

    def _answer(self, step: StepManifest, resolved: ResolvedInputs) -> dict[str, ArtifactRecord]:
        work = Work(
            step=step,
            plans=resolved.plans,
            run_id=self._run.run_id,
            pipeline=self._manifest.pipeline,
            attempt_number=1,
            map_index=None,
            scratch=self._folder / "scratch" / step.name,
        )
        found = do_own_work(work, self._artifacts)
        return {name: self._record_of(step, name, stored) for name, stored in found.outputs.items()}

    def _record_of(self, step: StepManifest, name: str, stored: StoredArtifact) -> ArtifactRecord:
        facts = {field: getattr(stored, field) for field in StoredArtifact.__slots__}
        return ArtifactRecord(
            artifact_id=str(uuid.uuid4()),
            project=self._run.project,
            pipeline=self._manifest.pipeline,
            name=f"{step.name}.{name}",
            kind="internal",
            **facts,
        )

    # -- steps and elements ------------------------------------------------------------------------------------------

    def _plan_one(self, step: StepManifest, index: int | None) -> PlannedStep:
        is_open = {item.name: self._open_in(item.binding, index) for item in step.inputs}
        sources = tuple(dict.fromkeys(name for names in is_open.values() for name in names))
        known = replace(step, inputs=tuple(item for item in step.inputs if not is_open[item.name]))
        try:
            digests = self._resolve(known, index).digests
            key = step_cache_key(known, digests, self._workspace.digest_of_file, root=self._workspace.settings.root)
        except (ZenError, StepSkipped) as error:
            return _planned(step, "fails", _first_line(error), index)
        reason = "" if step.cache.enabled else reason_text("off")
        reason = reason or (reason_text("refresh") if step.name in self._forced else "")
        if reason:
            return self._would_run(step, index, reason, None if sources else key.key)
        if sources:
            return self._plan_open(
                step, index, key.parts, {f"input:{name}" for name, of in is_open.items() if of}, sources
            )
        found = self._lineage.look_up(self._run.project, key.key, max_age_seconds=step.cache.ttl_seconds)
        hit: CachedResult | None = found.hit
        damage = None if hit is None else self._artifacts.find_damage(hit.outputs)
        if hit is not None and damage is None:
            self._foresee(step.name, index, hit.outputs)
            return _planned(step, "cached", NOTHING_CHANGED, index, cache_key=key.key, reused_from=hit.run_id)
        word = damage or found.reason
        why = reason_text(word, step.cache.ttl_seconds) if word else self._compare(step, index, key.parts, frozenset())
        return self._would_run(step, index, why or NOT_KEPT, key.key)

    def _would_run(self, step: StepManifest, index: int | None, reason: str, cache_key: str | None) -> PlannedStep:
        try:
            check_environment(step.environment, f"step {step.name!r}")
        except ZenError as error:
            return _planned(step, "fails", _first_line(error), index)
        return _planned(step, "run", reason, index, cache_key=cache_key)

    def _plan_open(
        self,
        step: StepManifest,
        index: int | None,
        parts: Mapping[str, str],
        opened: set[str],
        sources: tuple[str, ...],
    ) -> PlannedStep:
        """A step that reads what a step makes which will run: whether it runs depends on that, or is sure already."""
        why = self._compare(step, index, parts, frozenset(opened))
        if why:
            return replace(self._would_run(step, index, why, None), depends_on=sources)
        verb = "yields" if len(sources) == 1 else "yield"
        told = f"depends on {list_text(sources)}: cached if {'it' if len(sources) == 1 else 'they'} {verb} the same"
        return _planned(step, "depends", told, index, depends_on=sources)

    def _compare(self, step: StepManifest, index: int | None, parts: Mapping[str, str], opened: frozenset[str]) -> str:
        """What differs from the nearest earlier attempt, parts that are open left out; "" for nothing."""
        nearest = self._candidates.nearest(step.name, index, parts)
        if nearest is None:
            return FIRST_RUN
        before = {name: value for name, value in nearest.key_parts.items() if name not in opened}
        codes = {**self._codes, step.fingerprint.digest: step.fingerprint.to_document()}
        return short_text(before, parts, {digest: document for digest, document in codes.items() if document})

    @cached_property
    def _earlier(self) -> Sequence[EarlierAttempt]:
        names = [name for name, rule in self._rules.steps.items() if rule.kind == "step"]
        now = self._lineage.read_clock()
        found: Sequence[EarlierAttempt] = self._lineage.find_earlier_attempts(
            self._run.project, self._run.pipeline, names, before=now, but_run=self._run.run_id
        )
        return found

    @cached_property
    def _candidates(self) -> Candidates:
        return Candidates(self._earlier)

    @cached_property
    def _codes(self) -> Mapping[str, Mapping[str, Any]]:
        digests = {attempt.key_parts.get(CODE, "") for attempt in self._earlier} - {""}
        found: Mapping[str, Mapping[str, Any]] = self._lineage.get_codes(self._run.project, sorted(digests))
        return found

    def _resolve(self, step: StepManifest, index: int | None) -> ResolvedInputs:
        resolver = InputResolver(
            manifest=self._manifest,
            run=self._run,
            where=f"step {step.name!r} of pipeline {self._manifest.pipeline!r}",
            upstream=self._refs,
            map_index=index,
            workspace=self._workspace,
            standing=Standing(self._workspace, self._manifest, self._run.run_id, self._refs),
        )
        return resolver.resolve(step)

    def _foresee(self, step: str, index: int | None, outputs: Mapping[str, ArtifactRecord]) -> None:
        self._lineage.foresee(step, index, outputs)
        if index is None:
            self._refs[step] = refs_of(outputs)


def _readable(stores: ReadStores, folder: Path) -> LineageStore:
    """The lineage store; an empty one of the plan's own, where there is none yet."""
    try:
        stores.lineage.read_clock()
        return stores.lineage
    except NotFoundError:
        return open_lineage_store(f"sqlite:///{folder / 'empty.db'}")


def _fate_of(planned: Sequence[PlannedStep]) -> _Fate:
    actions = {step.action for step in planned}
    if "fails" in actions:
        return _Fate("fails")
    return _Fate("known" if actions <= {"cached"} else "open")


def _planned(
    step: StepManifest,
    action: Action,
    reason: str,
    index: int | None = None,
    *,
    cache_key: str | None = None,
    reused_from: str | None = None,
    depends_on: tuple[str, ...] = (),
) -> PlannedStep:
    return PlannedStep(step.name, index, step.kind, action, reason, cache_key, reused_from, depends_on)


def _first_line(error: BaseException) -> str:
    if isinstance(error, ZenError):
        return error.message
    return str(error).partition("\n")[0]
