"""A step that asks for an environment runs in no other."""

from __future__ import annotations

import platform

import pytest

from zen_core.errors import StepEnvironmentError
from zen_core.ir.specs import CacheSpec, EnvironmentSpec


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({"requirements": ("pydantic>=2", "Click")}, []),
        ({"requirements": ('nowhere==1; python_version < "3"',)}, []),
        ({"python": ">=3.11,<4"}, []),
        (
            {"python": "<3.9", "requirements": ("nowhere-at-all>=2", "pydantic<1")},
            [
                f"the step needs Python <3.9, this is Python {platform.python_version()}",
                "the step needs nowhere-at-all>=2, and nowhere-at-all is not installed",
                "the step needs pydantic<1, and pydantic {version} is installed",
            ],
        ),
    ],
)
def test_everything_that_is_missing_is_told_before_the_step_starts(engine, make_code, fields, faults) -> None:
    import pydantic

    started: list[int] = []
    run = engine.run(make_code("load", lambda: started.append(1), _environment=EnvironmentSpec(**fields)))
    if not faults:
        assert run.status == "completed"
        return
    error = engine.failures["load"]
    assert isinstance(error, StepEnvironmentError)
    told = [item.message for item in error.diagnostics]
    assert told == [fault.format(version=pydantic.VERSION) for fault in faults]
    assert started == []
    assert run.step("load").status == "failed"
    assert run.step("load").error.type == "zen_core.errors.StepEnvironmentError"


def test_what_is_done_already_needs_no_environment(engine, make_code) -> None:
    cache = CacheSpec(enabled=True)
    engine.run(make_code("load", lambda: 1, _cache=cache))
    wanted = EnvironmentSpec(requirements=("nowhere-at-all",))
    engine.run(make_code("load", lambda: 1, _cache=cache, _environment=wanted))
    assert engine.statuses == {"load": "cached"}
