"""The options of a step: how it is to be run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from zen_core.authoring.options import (
    DURATION_HINT,
    Cache,
    Environment,
    Resources,
    Retry,
    find_wrong_counts,
    find_wrong_texts,
    option_problem,
)
from zen_core.authoring.quantities import parse_duration
from zen_core.errors import DefinitionError

KEEP: Any = object()
"""Stands for "this option is not given", since None turns an option off."""


@dataclass(frozen=True)
class StepOptions:
    """How a step is to be run, as it was written; checked by `step_options`.

    Attributes:
        chunk: of its maps, where `.map` does not say it.
        max_parallel: likewise.
    """

    retry: Retry | None = None
    timeout_seconds: float | None = None
    resources: Resources | None = None
    cache: Cache | bool | None = None
    environment: Environment | None = None
    tags: tuple[str, ...] = ()
    chunk: int | None = None
    max_parallel: int | None = None


def step_options(
    base: StepOptions,
    *,
    name: object,
    retry: Any,
    timeout: Any,
    resources: Any,
    cache: Any,
    environment: Any,
    tags: Any,
    chunk: Any = KEEP,
    max_parallel: Any = KEEP,
) -> StepOptions:
    """The options with those replaced that are given. Raises DefinitionError with all that cannot be."""
    counts = {key: value for key, value in (("chunk", chunk), ("max_parallel", max_parallel)) if value is not KEEP}
    found = [*find_wrong_texts(name, () if tags is KEEP else tags), *find_wrong_counts(counts)]
    for option, value, kinds, hint in (
        ("retry", retry, Retry, 'write retry=Retry(times=2, delay="30s")'),
        ("resources", resources, Resources, 'write resources=Resources(cpu=2, memory="4Gi")'),
        ("cache", cache, (Cache, bool), 'write True, False or cache=Cache(ttl="7d")'),
        ("environment", environment, Environment, 'write environment=Environment(requirements=["torch>=2.4"])'),
    ):
        if value is not KEEP and value is not None and not isinstance(value, kinds):
            found.append(option_problem(option, value, hint))
    seconds = KEEP if timeout is KEEP else None
    if timeout is not KEEP and timeout is not None:
        try:
            seconds = parse_duration(timeout)
        except ValueError:
            seconds = 0.0
        if not seconds:
            found.append(option_problem("timeout", timeout, f"{DURATION_HINT}; None sets no timeout"))
    if found:
        raise DefinitionError(diagnostics=found)
    given = {
        "retry": retry,
        "timeout_seconds": seconds,
        "resources": resources,
        "cache": cache,
        "environment": environment,
        "tags": tags if tags is KEEP else tuple(sorted(set(tags))),
        **counts,
    }
    return replace(base, **{option: value for option, value in given.items() if value is not KEEP})
