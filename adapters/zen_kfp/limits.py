"""What KFP takes only in part: names of parameters, schedules, retries. All problems at once."""

from __future__ import annotations

from collections.abc import Iterator

from zen_core.adapter.features import Feature
from zen_core.diagnostics import Diagnostic
from zen_core.errors import NameCollisionError, UnsupportedFeatureError
from zen_core.ir.specs import PipelineSpec, StepSpec
from zen_kfp.options import KfpOptions

USED_NAMES = frozenset({"dsl", "kubernetes", "container", "configured", "self"})
"""Names that the emitted functions use, or Python's call of them: a parameter of such a name would hide them."""
KEPT_NAMES = frozenset({"Output"})
"""Names that KFP keeps for itself."""


def refuse_beyond_limits(pipeline: PipelineSpec, options: KfpOptions, waived: tuple[Feature, ...]) -> None:
    """Raise NameCollisionError for names of parameters, UnsupportedFeatureError for values that KFP lacks."""
    if names := [*_find_parameter_names(pipeline)]:
        raise NameCollisionError(diagnostics=names)
    problems = [*_find_schedule_limits(pipeline), *_find_gpu_types(pipeline, options, waived)]
    if Feature.IMAGE not in waived:
        problems += _find_images_of_hooks(pipeline)
    if problems:
        raise UnsupportedFeatureError(diagnostics=problems)


def _find_parameter_names(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    for parameter in pipeline.parameters:
        if parameter.name in KEPT_NAMES:
            why = "KFP keeps this name for itself"
        elif parameter.name in USED_NAMES:
            why = "the emitted functions need this name"
        else:
            continue
        yield Diagnostic(
            NameCollisionError.code,
            f"a pipeline's parameter cannot be called {parameter.name!r} here",
            pipeline.source or f"pipeline {pipeline.name!r}",
            why=why,
            hint="give the parameter another name",
        )


def _find_schedule_limits(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    if pipeline.schedule is None:
        return
    required = [parameter.name for parameter in pipeline.parameters if parameter.required]
    if required:
        why = f"a scheduled run can only use defaults; without one: {', '.join(required)}"
        yield _beyond(Feature.SCHEDULE, pipeline, None, why, "give each parameter a default")
    if pipeline.schedule.start:
        why = "a recurring run begins when it is deployed"
        yield _beyond(Feature.SCHEDULE, pipeline, None, why, "leave out Schedule(start=...)")
    if "7" in pipeline.schedule.cron.split()[4]:
        why = "KFP counts the days of the week from 0 to 6"
        yield _beyond(Feature.SCHEDULE, pipeline, None, why, "write 0 or SUN for Sunday")


def _find_gpu_types(pipeline: PipelineSpec, options: KfpOptions, waived: tuple[Feature, ...]) -> Iterator[Diagnostic]:
    for step in (*pipeline.steps, *pipeline.hooks):
        if step.resources and step.resources.gpu_type and not options.gpu_type_label and Feature.GPU not in waived:
            why = "which node label holds the GPU type differs between clusters"
            hint = 'name it: [adapters.kfp] gpu_type_label = "cloud.google.com/gke-accelerator"'
            yield _beyond(Feature.GPU, pipeline, step, why, hint)


def _find_images_of_hooks(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    asked = [(hook, hook.environment.image) for hook in pipeline.hooks if hook.environment and hook.environment.image]
    for hook, image in asked:
        first, its = asked[0]
        if image != its:
            why = f"all hooks run in the closing container: {first.name!r} asks for {its}, this one for {image}"
            yield _beyond(Feature.IMAGE, pipeline, hook, why, "name one image for all hooks")


def _beyond(feature: Feature, pipeline: PipelineSpec, step: StepSpec | None, why: str, hint: str) -> Diagnostic:
    place = f"step {step.name!r} of pipeline {pipeline.name!r}" if step else f"pipeline {pipeline.name!r}"
    source = (step.source if step else pipeline.source) or ""
    return Diagnostic(
        UnsupportedFeatureError.code,
        f"adapter 'kfp' cannot express this {feature.value}",
        f"{source}, {place}" if source else place,
        why=why,
        hint=hint,
        context={"adapter": "kfp", "feature": feature.value, "step": step.name if step else None},
    )
