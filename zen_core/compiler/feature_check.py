"""Which features a pipeline uses, and the refusal of all that a target cannot express, in one error."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from zen_core.adapter.features import WAIVABLE, Feature, SupportTable
from zen_core.adapter.options import AdapterOptions
from zen_core.contract.bindings import (
    DictBinding,
    EitherBinding,
    ElementBinding,
    ExternalBinding,
    ListBinding,
    SecretBinding,
    iter_leaves,
    iter_outputs,
)
from zen_core.diagnostics import Diagnostic
from zen_core.errors import ConfigError, UnsupportedFeatureError
from zen_core.ir.specs import EnvironmentSpec, PipelineSpec, ResourceSpec, RetrySpec, ScheduleSpec, StepSpec


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """A feature that a pipeline uses: by which step (None: the pipeline itself), and where that is written."""

    feature: Feature
    step: str | None = None
    where: str = ""


def uses_of(spec: PipelineSpec) -> tuple[FeatureUse, ...]:
    """Every use of a feature: those of the pipeline first, then step by step."""
    found = [FeatureUse(feature, None, spec.source or "") for feature in _pipeline_features(spec)]
    step_by_name = spec.step_by_name
    for step in spec.steps:
        features = _map_features(step, step_by_name) if step.kind == "expander" else _step_features(step)
        found += [FeatureUse(feature, step.name, step.source or "") for feature in features]
    for hook in spec.hooks:
        found.append(FeatureUse(_HOOK[hook.on or "failure"], hook.name, hook.source or ""))
        found += [FeatureUse(feature, hook.name, hook.source or "") for feature in _step_features(hook)]
    return tuple(found)


def check_features(
    spec: PipelineSpec,
    *,
    adapter: str,
    support: SupportTable,
    options: AdapterOptions,
    able: Callable[[Feature], tuple[str, ...]],
) -> tuple[Feature, ...]:
    """The features that the pipeline uses, the target lacks and the project waives, each once.

    Args:
        able: answers which targets can express a feature; asked only for a refusal.

    Raises:
        ConfigError: a waiver names no feature, one that cannot be waived, or one that the target has anyway.
        UnsupportedFeatureError: every other use of what the target lacks.
    """
    waivers = _read_waivers(options, adapter, support)
    lacking = [use for use in uses_of(spec) if support[use.feature].level == "unsupported"]
    refused = [use for use in lacking if use.feature not in waivers]
    if refused:
        targets = {feature: able(feature) for feature in {use.feature for use in refused}}
        raise UnsupportedFeatureError(
            diagnostics=[_refusal(use, spec, adapter, support, targets[use.feature]) for use in refused]
        )
    return tuple(dict.fromkeys(use.feature for use in lacking))


def _pipeline_features(spec: PipelineSpec) -> Iterator[Feature]:
    if spec.parameters:
        yield Feature.PARAMETERS
    if any(parameter.scheduled_time for parameter in spec.parameters):
        yield Feature.SCHEDULED_TIME
    if spec.schedule:
        yield from _schedule_features(spec.schedule)
    if spec.tags:
        yield Feature.TAGS
    if spec.max_parallel is not None:
        yield Feature.MAX_PARALLEL


def _schedule_features(schedule: ScheduleSpec) -> Iterator[Feature]:
    yield Feature.SCHEDULE
    if schedule.timezone != "UTC":
        yield Feature.SCHEDULE_TIMEZONE
    yield _OVERLAP[schedule.overlap]
    if schedule.catch_up:
        yield Feature.SCHEDULE_CATCH_UP


_OVERLAP = {
    "queue": Feature.SCHEDULE_OVERLAP_QUEUE,
    "skip": Feature.SCHEDULE_OVERLAP_SKIP,
    "allow": Feature.SCHEDULE_OVERLAP_ALLOW,
}


_HOOK = {"failure": Feature.ON_FAILURE, "success": Feature.ON_SUCCESS}


def _map_features(expander: StepSpec, step_by_name: Mapping[str, StepSpec]) -> Iterator[Feature]:
    yield Feature.MAP
    if len(expander.inputs) > 1:
        yield Feature.MAP_ZIP
    if any(step_by_name[output.step].map for item in expander.inputs for output in iter_outputs(item.binding)):
        yield Feature.MAP_OF_MAP
    if expander.when:
        yield Feature.MAP_IN_BRANCH


def _step_features(step: StepSpec) -> Iterator[Feature]:
    if step.kind == "gate":
        yield Feature.CONDITION
        if step.when:
            yield Feature.NESTED_CONDITION
    if step.when and not step.when.taken:
        yield Feature.OTHERWISE
    if len(step.outputs) > 1:
        yield Feature.MULTIPLE_OUTPUTS
    yield from _input_features(step)
    if step.after:
        yield Feature.ORDERING
    if step.map and step.map.chunk > 1:
        yield Feature.MAP_CHUNK
        if _is_chained(step):
            yield Feature.MAP_CHUNK_CHAIN
    if step.map and step.map.max_parallel is not None:
        yield Feature.MAP_MAX_PARALLEL
    if step.retry:
        yield from _retry_features(step.retry)
    if step.timeout_seconds is not None:
        yield Feature.TIMEOUT
    if step.resources:
        yield from _resource_features(step.resources)
    if step.environment:
        yield from _environment_features(step.environment)
    if step.tags:
        yield Feature.TAGS


def _is_chained(step: StepSpec) -> bool:
    """Whether it goes on element by element with what an earlier step of its map made."""
    leaves = (leaf for item in step.inputs for _, leaf in iter_leaves(item.binding))
    expander = step.map.expander if step.map else ""
    return any(isinstance(leaf, ElementBinding) and leaf.step != expander for leaf in leaves)


def _input_features(step: StepSpec) -> Iterator[Feature]:
    leaves = [leaf for item in step.inputs for _, leaf in iter_leaves(item.binding)]
    if any(_collects(item.binding) for item in step.inputs):
        yield Feature.COLLECTED_INPUTS
    if _is_chained(step):
        yield Feature.MAP_CHAIN
    for kind, feature in _LEAVES.items():
        if any(isinstance(leaf, kind) for leaf in leaves):
            yield feature


_LEAVES = {
    EitherBinding: Feature.EITHER,
    ExternalBinding: Feature.EXTERNAL_ARTIFACT,
    SecretBinding: Feature.SECRET,
}


def _resource_features(resources: ResourceSpec) -> Iterator[Feature]:
    if resources.cpu is not None or resources.memory_bytes is not None:
        yield Feature.RESOURCES
    if resources.gpu is not None or resources.gpu_type is not None:
        yield Feature.GPU


def _environment_features(environment: EnvironmentSpec) -> Iterator[Feature]:
    if environment.image is not None:
        yield Feature.IMAGE
    if environment.requirements:
        yield Feature.REQUIREMENTS
    if environment.python is not None:
        yield Feature.PYTHON_VERSION


def _collects(binding: object) -> bool:
    return isinstance(binding, (ListBinding, DictBinding)) and any(iter_outputs(binding))


def _retry_features(retry: RetrySpec) -> Iterator[Feature]:
    yield Feature.RETRY
    if retry.backoff == 2:
        yield Feature.RETRY_BACKOFF
    elif retry.backoff != 1:
        yield Feature.RETRY_BACKOFF_FACTOR


def _read_waivers(options: AdapterOptions, adapter: str, support: SupportTable) -> frozenset[Feature]:
    by_name = {feature.value: feature for feature in WAIVABLE}
    problems = []
    for name in options.waive:
        feature = by_name.get(name)
        if feature is None:
            close = difflib.get_close_matches(name, by_name, n=1)
            known = f"what can be waived: {', '.join(sorted(by_name))}"
            problem, hint = f"{name!r} cannot be waived", f"did you mean {close[0]!r}?" if close else known
        elif support[feature].level != "unsupported":
            problem, hint = f"{name!r} is waived, but this target has it", "take it out of `waive`"
        else:
            continue
        problems.append(Diagnostic("ZEN-U202", problem, f"[adapters.{adapter}] waive", hint=hint))
    if problems:
        raise ConfigError(diagnostics=problems)
    return frozenset(by_name[name] for name in options.waive)


def _refusal(
    use: FeatureUse, spec: PipelineSpec, adapter: str, support: SupportTable, targets: tuple[str, ...]
) -> Diagnostic:
    place = f"step {use.step!r} of pipeline {spec.name!r}" if use.step else f"pipeline {spec.name!r}"
    hints = [f"compile for: {', '.join(targets)}"] if targets else []
    if use.feature in WAIVABLE:
        hints.append(f'or let this target leave it out: [adapters.{adapter}] waive = ["{use.feature.value}"]')
    return Diagnostic(
        UnsupportedFeatureError.code,
        f"adapter {adapter!r} cannot express {use.feature.value}",
        f"{use.where}, {place}" if use.where else place,
        why=support[use.feature].reason,
        hint="\n".join(hints) or f"leave it out: {use.feature.meaning}",
        context={"adapter": adapter, "feature": use.feature.value, "step": use.step, "targets": list(targets)},
    )
