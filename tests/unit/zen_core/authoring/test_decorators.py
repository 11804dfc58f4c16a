"""`@step` and `@pipeline` outside a build: plain functions with options, and clear refusals."""

import asyncio
import copy
import functools
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from zen_core import Retry, pipeline, step
from zen_core.errors import DefinitionError


@step
def add(a: int, b: int = 2) -> int:
    """Adds."""
    return a + b


@step(name="sum_up")
async def add_slowly(a: int) -> int:
    return a + 1


@pipeline
def sums(n: int = 1) -> None:
    """Many sums."""
    add(n)


def test_a_step_is_a_plain_function_outside_a_pipeline() -> None:
    assert add(1) == 3
    assert add(1, b=4) == 5
    assert asyncio.run(add_slowly(1)) == 2
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        add()


def test_a_step_keeps_what_its_function_says() -> None:
    assert (add.__name__, add.__doc__, add.__module__) == ("add", "Adds.", __name__)
    assert add.__wrapped__ is add.function
    assert repr(add) == "<step 'add'>"
    assert repr(add_slowly) == "<step 'sum_up'>"
    assert (repr(sums), sums.__doc__) == ("<pipeline 'sums'>", "Many sums.")


def test_a_step_pickles_by_name_as_its_function_would() -> None:
    assert pickle.loads(pickle.dumps(add)) is add
    assert copy.deepcopy({"step": add})["step"] is add


def test_with_options_leaves_the_step_as_it_was() -> None:
    other = add.with_options(name="other", retry=Retry(times=1))
    assert other.options.retry == Retry(times=1)
    assert add.options.retry is None
    assert other(1) == 3


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda: step(retry=2), "retry cannot be 2", "Retry(times=2"),
        (lambda: step(timeout="soon"), "timeout cannot be 'soon'", '"15m"'),
        (lambda: step(timeout=0), "timeout cannot be 0", "None sets no timeout"),
        (lambda: step(resources={"cpu": 1}), "resources cannot be {'cpu': 1}", "Resources(cpu=2"),
        (lambda: step(cache="7d"), "cache cannot be '7d'", 'Cache(ttl="7d")'),
        (lambda: step(tags="churn"), "tags cannot be 'churn'", "a list of texts"),
        (lambda: step(tags=[1]), "tags cannot be [1]", "a list of texts"),
        (lambda: step(name=3), "name cannot be 3", "write a text"),
        (lambda: add.with_options(name=""), "name cannot be ''", "write a text"),
        (lambda: pipeline(schedule="0 6 * * *"), "schedule cannot be '0 6 * * *'", "Schedule(cron="),
        (lambda: pipeline(tags=None), "tags cannot be None", "a list of texts"),
        (lambda: pipeline(description=3), "description cannot be 3", "write a text"),
        (lambda: pipeline(cache="7d"), "cache cannot be '7d'", 'Cache(ttl="7d")'),
    ],
)
def test_an_option_that_cannot_be(make: Callable[[], Any], message: str, hint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.message) == ("ZEN-D112", message)
    assert hint in problem.hint
    assert problem.where.startswith("tests/unit/zen_core/authoring/test_decorators.py:")


def test_all_wrong_options_are_told_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        step(retry=1, timeout=-1, cache="x", tags=3)
    assert len(caught.value.diagnostics) == 4


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (int, "the class int"),
        ("train", "'train'"),
        (functools.partial(print, 1), "functools.partial"),
        (add, "<step 'add'>"),
    ],
)
@pytest.mark.parametrize("decorator", [step, pipeline])
def test_decorators_go_on_functions(decorator: Callable[..., Any], target: Any, what: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        decorator(target)
    (problem,) = caught.value.diagnostics
    assert what in problem.message
    assert problem.message.startswith(f"@{decorator.__name__} is put on ")
    assert problem.message.endswith(", which is no function")


def test_a_pipeline_is_not_called() -> None:
    with pytest.raises(DefinitionError) as caught:
        sums(3)
    (problem,) = caught.value.diagnostics
    assert problem.message == "pipeline 'sums' is called like a function"
    assert problem.hint == "run it with sums.run(…) or `zen run`, or compile it with `zen compile`"


def test_a_step_that_is_called_by_a_step_is_a_plain_function() -> None:
    @step
    def twice(a: int) -> int:
        return int(add(add(a)))

    def body() -> None:
        twice(1)

    built = pipeline(name="p")(body).build()
    assert [item.name for item in built.spec.steps] == ["twice"]
    assert twice(1) == 5
