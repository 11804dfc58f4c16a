"""Retry, Resources, Cache and Schedule: checked when they are written."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from zen_core import Cache, Resources, Retry, Schedule
from zen_core.authoring.option_specs import cache_spec, resource_spec, retry_spec, schedule_spec
from zen_core.errors import DefinitionError
from zen_core.ir.specs import CacheSpec


def test_options_become_seconds_and_bytes() -> None:
    retry = retry_spec(Retry(times=2, delay="30s", backoff=2))
    assert retry is not None
    assert (retry.times, retry.delay_seconds, retry.backoff) == (2, 30.0, 2.0)
    resources = resource_spec(Resources(cpu=2, memory="4Gi", gpu=1, gpu_type="a100"))
    assert resources is not None
    assert (resources.cpu, resources.memory_bytes, resources.gpu) == (2.0, 4 * 1024**3, 1)
    cache = cache_spec(Cache(ttl="7d", wait=0, files=["b", "a"], env=["X"]), None, has_inputs=False, has_outputs=False)
    assert (cache.enabled, cache.ttl_seconds, cache.wait_seconds, cache.files) == (True, 604_800.0, 0.0, ("a", "b"))
    schedule = schedule_spec(Schedule("0  6 * * *", "Europe/Berlin", catch_up=True, start=datetime.date(2026, 1, 31)))
    assert schedule is not None
    assert (schedule.cron, schedule.timezone, schedule.start) == ("0 6 * * *", "Europe/Berlin", "2026-01-31")


def test_an_option_that_asks_for_nothing_is_none() -> None:
    assert resource_spec(Resources()) is None
    assert retry_spec(None) is None
    assert schedule_spec(None) is None


@pytest.mark.parametrize(
    ("cache", "has_inputs", "has_outputs", "enabled"),
    [
        (None, True, True, True), (None, False, True, False), (None, True, False, False),
        (True, False, True, True), (False, True, True, False),
    ],
)  # fmt: skip
def test_what_is_cached_when_nothing_is_written(
    cache: bool | None, has_inputs: bool, has_outputs: bool, enabled: bool
) -> None:
    assert cache_spec(cache, None, has_inputs=has_inputs, has_outputs=has_outputs).enabled is enabled


def test_a_pipelines_policy_holds_for_steps_that_are_cached_and_say_nothing() -> None:
    around = Cache(ttl="1d", packages="all")
    taken = cache_spec(None, around, has_inputs=True, has_outputs=True)
    assert (taken.enabled, taken.ttl_seconds, taken.packages) == (True, 86_400.0, "all")
    assert cache_spec(None, around, has_inputs=False, has_outputs=True) == CacheSpec(enabled=False)
    assert not cache_spec(None, False, has_inputs=True, has_outputs=True).enabled
    assert cache_spec(True, False, has_inputs=False, has_outputs=True) == CacheSpec(enabled=True)
    own = cache_spec(Cache(salt="2"), around, has_inputs=True, has_outputs=True)
    assert (own.salt, own.ttl_seconds, own.packages) == ("2", None, None)
    assert cache_spec(None, True, has_inputs=False, has_outputs=True) == CacheSpec(enabled=False)


def test_the_packages_that_are_imported_are_no_word_in_the_ir() -> None:
    spec = cache_spec(Cache(packages="imported"), None, has_inputs=True, has_outputs=True)
    assert spec == CacheSpec(enabled=True)
    assert cache_spec(Cache(packages="none"), None, has_inputs=True, has_outputs=True).packages == "none"


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda: Retry(times=0), "Retry(times=…) cannot be 0", "from 1 to 100"),
        (lambda: Retry(times=True), "Retry(times=…) cannot be True", "from 1 to 100"),
        (lambda: Retry(times=1, delay="soon"), "Retry(delay=…) cannot be 'soon'", '"30s"'),
        (lambda: Retry(times=1, delay="2d"), "Retry(delay=…) cannot be '2d'", "a day at most"),
        (lambda: Retry(times=1, backoff=0.5), "Retry(backoff=…) cannot be 0.5", "from 1 to 10"),
        (lambda: Resources(cpu=0), "Resources(cpu=…) cannot be 0", "above 0"),
        (lambda: Resources(memory="4 Gigs"), "Resources(memory=…) cannot be '4 Gigs'", '"4Gi"'),
        (lambda: Resources(gpu=0), "Resources(gpu=…) cannot be 0", "from 1"),
        (lambda: Resources(gpu_type="a100"), "Resources(gpu_type=…) cannot be 'a100'", "gpu=1"),
        (lambda: Cache(ttl=0), "Cache(ttl=…) cannot be 0", "cache=False"),
        (lambda: Cache(packages="some"), "Cache(packages=…) cannot be 'some'", "imported, all, none"),
        (lambda: Cache(files="rules.json"), "Cache(files=…) cannot be 'rules.json'", "a list of paths"),
        (lambda: Cache(env=["A B"]), "Cache(env=…) cannot be ['A B']", "variables' names"),
        (lambda: Cache(salt=3), "Cache(salt=…) cannot be 3", "a text"),
        (lambda: Schedule("0 25 * * *"), "Schedule(cron=…) cannot be '0 25 * * *'", "the hour '25' is not between"),
        (lambda: Schedule(None), "Schedule(cron=…) cannot be None", "five fields"),
        (lambda: Schedule("* * * * *", "Europe/Berln"), "cannot be 'Europe/Berln'", "did you mean 'Europe/Berlin'?"),
        (lambda: Schedule("* * * * *", "../etc"), "cannot be '../etc'", "IANA zone"),
        (lambda: Schedule("* * * * *", overlap="wait"), "cannot be 'wait'", "queue, skip, allow"),
        (lambda: Schedule("* * * * *", start="31.1.2026"), "cannot be '31.1.2026'", "ISO date"),
        (lambda: Schedule("* * * * *", catch_up=True), "Schedule(start=…) cannot be None", "needs the first day"),
    ],
)
def test_a_value_that_cannot_be_says_what_can(make: Callable[[], Any], message: str, hint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    (problem,) = caught.value.diagnostics
    assert problem.code == "ZEN-D112"
    assert message in problem.message
    assert hint in problem.hint
    assert problem.where.startswith("tests/unit/zen_core/authoring/test_options.py:")


def test_all_problems_of_one_object_are_told_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        Retry(times=-1, delay=-1, backoff=-1)
    assert len(caught.value.diagnostics) == 3


def test_options_are_values() -> None:
    assert Cache(files=["a"]) == Cache(files=("a",))
    assert hash(Retry(times=1)) == hash(Retry(times=1))
