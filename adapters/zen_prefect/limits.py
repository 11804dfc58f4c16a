"""What Prefect takes only in part: names of parameters, delays, one image for a flow. All problems at once."""

from __future__ import annotations

from collections.abc import Iterator

from zen_core.adapter.features import Feature
from zen_core.diagnostics import Diagnostic
from zen_core.errors import NameCollisionError, UnsupportedFeatureError
from zen_core.ir.specs import PipelineSpec, RetrySpec, StepSpec
from zen_prefect.options import PrefectOptions

RESERVED_PARAMETERS = frozenset({"return_state", "wait_for", "self", "cls"})
"""Names that Prefect keeps for itself in the call of a flow, or leaves out of its form; and all that begin with _."""
USED_TO_MAP = frozenset({"unmapped", "allow_failure", "ThreadPoolTaskRunner"})
"""Names that the function of a flow with maps uses: a parameter of such a name would hide them."""
MOST_DELAYS = 50
"""How many delays Prefect takes for the retries of a task."""


def refuse_beyond_limits(pipeline: PipelineSpec, options: PrefectOptions) -> None:
    """Raise NameCollisionError for names of parameters, UnsupportedFeatureError for values that Prefect lacks."""
    if names := [*_find_parameter_names(pipeline)]:
        raise NameCollisionError(diagnostics=names)
    problems = [*_find_schedule_limits(pipeline), *_find_images(pipeline, options), *_find_delays(pipeline)]
    if problems:
        raise UnsupportedFeatureError(diagnostics=problems)


def delays_of(retry: RetrySpec | None) -> float | tuple[float, ...]:
    """Delays are lower bounds, and Prefect adds no jitter unless it is asked to."""
    if retry is None or retry.backoff == 1 or retry.delay_seconds == 0:
        return retry.delay_seconds if retry else 0.0
    return tuple(round(retry.delay_seconds * retry.backoff**number, 3) for number in range(retry.times))


def _find_parameter_names(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    maps = any(step.map for step in pipeline.steps)
    for parameter in pipeline.parameters:
        if parameter.name in RESERVED_PARAMETERS or parameter.name.startswith("_"):
            why = "Prefect keeps this name for itself in the call of a flow"
        elif maps and parameter.name in USED_TO_MAP:
            why = "the emitted flow needs Prefect's own object of this name for its maps"
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
        why = "a Prefect schedule has no start: it runs from when it is deployed"
        yield _beyond(Feature.SCHEDULE, pipeline, None, why, "leave out Schedule(start=...)")


def _find_images(pipeline: PipelineSpec, options: PrefectOptions) -> Iterator[Diagnostic]:
    """Steps that ask for another image than the first one that asks, or than `job_variables`."""
    if not options.takes_image:
        return  # then images are refused, or waived
    given = options.job_variables.get("image")
    first, whose = (str(given), "[adapters.prefect] job_variables") if given else ("", "")
    for step in (*pipeline.steps, *pipeline.hooks):
        image = step.environment.image if step.environment else None
        if image and not first:
            first, whose = image, f"step {step.name!r}"
        elif image and image != first:
            why = f"Prefect runs a whole flow in one image: {whose} asks for {first}, this step for {image}"
            hint = "name one image for the pipeline: @pipeline(environment=Environment(image=...))"
            yield _beyond(Feature.IMAGE, pipeline, step, why, hint)


def _find_delays(pipeline: PipelineSpec) -> Iterator[Diagnostic]:
    for step in pipeline.steps:
        delays = delays_of(step.retry)
        if isinstance(delays, tuple) and len(delays) > MOST_DELAYS:
            why = f"Prefect takes at most {MOST_DELAYS} delays, the step asks for {len(delays)}"
            yield _beyond(Feature.RETRY_BACKOFF, pipeline, step, why, "retry fewer times, or with backoff=1")


def _beyond(feature: Feature, pipeline: PipelineSpec, step: StepSpec | None, why: str, hint: str) -> Diagnostic:
    place = f"step {step.name!r} of pipeline {pipeline.name!r}" if step else f"pipeline {pipeline.name!r}"
    source = (step.source if step else pipeline.source) or ""
    return Diagnostic(
        UnsupportedFeatureError.code,
        f"adapter 'prefect' cannot express this {feature.value}",
        f"{source}, {place}" if source else place,
        why=why,
        hint=hint,
        context={"adapter": "prefect", "feature": feature.value, "step": step.name if step else None},
    )
