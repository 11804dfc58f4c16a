"""The options of steps and pipelines as parts of the IR."""

from __future__ import annotations

from zen_core.authoring.options import Cache, Environment, Resources, Retry, Schedule
from zen_core.authoring.quantities import parse_duration, parse_size
from zen_core.ir.specs import CacheSpec, EnvironmentSpec, ResourceSpec, RetrySpec, ScheduleSpec


def retry_spec(retry: Retry | None) -> RetrySpec | None:
    """Further attempts, in seconds."""
    if retry is None:
        return None
    return RetrySpec(times=retry.times, delay_seconds=parse_duration(retry.delay), backoff=float(retry.backoff))


def resource_spec(resources: Resources | None) -> ResourceSpec | None:
    """What a step needs, in cores and bytes; None for a Resources() that asks for nothing."""
    if resources is None or resources == Resources():
        return None
    return ResourceSpec(
        cpu=None if resources.cpu is None else float(resources.cpu),
        memory_bytes=None if resources.memory is None else parse_size(resources.memory),
        gpu=resources.gpu,
        gpu_type=resources.gpu_type,
    )


def environment_spec(own: Environment | None, around: Environment | None) -> EnvironmentSpec | None:
    """What a step needs around its code: its own words, and for what it does not say those of the pipeline."""
    own, around = own or Environment(), around or Environment()
    found = EnvironmentSpec(
        python=own.python or around.python,
        requirements=tuple(sorted(set(own.requirements or around.requirements))),
        image=own.image or around.image,
    )
    return None if found == EnvironmentSpec() else found


def cache_spec(
    own: Cache | bool | None, around: Cache | bool | None, *, has_inputs: bool, has_outputs: bool
) -> CacheSpec:
    """The cache policy of a step.

    Args:
        own: what the step says; it replaces what the pipeline says.
        around: the pipeline's policy, for those of its steps that have inputs and outputs: any other runs each time,
            unless it says itself that it is cached.
    """
    if own is not None:
        return _cache_spec(own, enabled=own is not False)
    enabled = has_inputs and has_outputs and around is not False
    return _cache_spec(around, enabled=enabled) if enabled else CacheSpec(enabled=False)


def _cache_spec(cache: Cache | bool | None, *, enabled: bool) -> CacheSpec:
    if not isinstance(cache, Cache):
        return CacheSpec(enabled=enabled)
    return CacheSpec(
        enabled=enabled,
        ttl_seconds=None if cache.ttl is None else parse_duration(cache.ttl),
        wait_seconds=parse_duration(cache.wait),
        files=tuple(sorted(set(cache.files))),
        env=tuple(sorted(set(cache.env))),
        salt=cache.salt,
        packages=None if cache.packages == "imported" else cache.packages,
    )


def schedule_spec(schedule: Schedule | None) -> ScheduleSpec | None:
    """When the pipeline starts by itself."""
    if schedule is None:
        return None
    return ScheduleSpec(
        cron=" ".join(schedule.cron.split()),
        timezone=schedule.timezone,
        overlap=schedule.overlap,
        catch_up=schedule.catch_up,
        start=None if schedule.start is None else str(schedule.start),
    )
