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


def cache_spec(cache: Cache | bool | None, *, has_inputs: bool, has_outputs: bool) -> CacheSpec:
    """The cache policy; where none is written, a step with inputs and outputs is cached, any other runs each time."""
    if not isinstance(cache, Cache):
        return CacheSpec(enabled=has_inputs and has_outputs if cache is None else cache)
    return CacheSpec(
        enabled=True,
        ttl_seconds=None if cache.ttl is None else parse_duration(cache.ttl),
        wait_seconds=parse_duration(cache.wait),
        files=tuple(sorted(set(cache.files))),
        env=tuple(sorted(set(cache.env))),
        salt=cache.salt,
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
