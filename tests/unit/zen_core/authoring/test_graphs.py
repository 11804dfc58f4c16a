"""Branches, hooks, and references to what only a run has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from zen_core import (
    Artifact,
    Cache,
    Environment,
    Resources,
    Retry,
    Secret,
    broadcast,
    either,
    pipeline,
    step,
    when,
)
from zen_core.contract.bindings import (
    EitherBinding,
    ExternalBinding,
    OutputBinding,
    ParameterBinding,
    SecretBinding,
)
from zen_core.contract.conditions import condition_text
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError
from zen_core.ir.specs import EnvironmentSpec, PipelineSpec

HERE = "tests/unit/zen_core/authoring/test_graphs.py"


@step
def load() -> list[int]:
    return [1]


@step
def score(value: int = 1) -> float:
    return 0.5


@step
def grow(value: int, by: int = 1) -> int:
    return value + by


@step
def halves(value: int) -> tuple[Annotated[int, "low"], Annotated[str, "high"]]:
    return value, ""


@step
def total(values: list[int]) -> int:
    return 0


@step
def anything(value: Any = None) -> Any:
    return value


@step
def tell(depth: int = 0) -> None: ...


@step
def log_in(password: str = Secret("CHURN_PASSWORD")) -> None: ...  # type: ignore[assignment]


def _spec(body: Callable[..., Any], **options: Any) -> PipelineSpec:
    return pipeline(name="p", **options)(body).build().spec


def _problems(body: Callable[..., Any], **options: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        pipeline(name="p", **options)(body).build()
    assert all(problem.hint and problem.where.startswith(f"{HERE}:") for problem in caught.value.diagnostics)
    return caught.value.diagnostics


def _one(body: Callable[..., Any], **options: Any) -> Diagnostic:
    (problem,) = _problems(body, **options)
    return problem


def _inputs(spec: PipelineSpec, step: str) -> dict[str, Any]:
    return {item.name: item.binding for item in spec.step_by_name[step].inputs}


# -- branches ---------------------------------------------------------------------------------------------------


def test_a_condition_is_a_gate_and_its_branches() -> None:
    def body(depth: int = 3, flag: bool = True) -> None:
        value = score()
        parts = halves(1)
        with when((value > 0.9) & (depth < 10) & ((parts.high == "it's") | ~flag)) as good:
            yes = grow(1)
        with good.otherwise():
            no = grow(2)
        grow(either(yes, no))

    spec = _spec(body)
    gate = spec.step_by_name["when"]
    assert gate.condition is not None
    text = condition_text(gate.condition)
    assert text == """(score > 0.9) & (depth < 10) & ((halves_high == "it's") | (~(flag)))"""
    assert _inputs(spec, "when") == {
        "score": OutputBinding("score", "result"),
        "depth": ParameterBinding("depth"),
        "halves_high": OutputBinding("halves", "high"),
        "flag": ParameterBinding("flag"),
    }
    assert [(item.name, item.when and (item.when.gate, item.when.taken)) for item in spec.steps[3:]] == [
        ("grow", ("when", True)),
        ("grow_2", ("when", False)),
        ("grow_3", None),
    ]
    options = (OutputBinding("grow", "result"), OutputBinding("grow_2", "result"))
    assert _inputs(spec, "grow_3")["value"] == EitherBinding(options)


def test_conditions_stand_within_branches_and_have_names() -> None:
    def body() -> None:
        value = score()
        with when(value > 0.5, name="is_good"):
            inside = score(2)
            with when(inside <= value), when(inside > 0.1):
                last = grow(1)
        anything(either(either(last), value))

    spec = _spec(body)
    branches = {item.name: item.when and item.when.gate for item in spec.steps}
    assert branches == {
        "score": None,
        "is_good": None,
        "score_2": "is_good",
        "when": "is_good",
        "when_2": "when",
        "grow": "when_2",
        "anything": None,
    }


def test_what_a_branch_makes_is_not_used_outside_it() -> None:
    def body() -> None:
        with when(score() > 0.5) as good:
            yes = grow(1)
            grow(yes)
        with good.otherwise():
            grow(yes)
        total([1, yes])
        with when(yes > 3):
            grow(1)
        grow.map(anything(), by=broadcast(yes))

    problems = _problems(body)
    assert {problem.code for problem in problems} == {"ZEN-D120"}
    assert [problem.message.partition(" is the result")[0] for problem in problems] == [
        "the argument 'value' of step 'grow_3'",
        "the argument 'values[1]' of step 'total'",
        "the argument 'grow' of condition 'when_2'",
        "the argument 'by' of step 'grow_5'",
    ]
    made_at = f"{HERE}:{body.__code__.co_firstlineno + 2}"
    assert all(
        problem.why == f"step 'grow', called at {made_at}, runs only when its condition holds" for problem in problems
    )
    assert all("either(…)" in problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (lambda: when(True).__enter__(), "ZEN-D119", "the condition is True, and no result"),
        (
            lambda: when(load() == 1),
            "ZEN-D106",
            "the output 'result' of step 'load' is used in a condition, and is list[int]",
        ),
        (lambda: when(load()).__enter__(), "ZEN-D106", "the output 'result' of step 'load' is used in a condition"),
        (
            lambda: when(grow.map(load()) > 1),
            "ZEN-D106",
            "the output 'result' of step 'grow' is used in a condition, and is a list with a value for each element",
        ),
        (lambda: (score() > 1) & True, "ZEN-D106", "a condition on results is joined with True"),
        (lambda: grow(score() > 1), "ZEN-D110", "the argument 'value' of step 'grow' is a condition on results"),
        (lambda: either(1, grow(1)), "ZEN-D119", "`either` is given 1"),
        (lambda: either(), "ZEN-D119", "`either` is given nothing"),
        (lambda: when(score() > 1).otherwise().__enter__(), "ZEN-D119", "`otherwise` comes before its `when`"),
        (
            lambda: grow(either(grow(1), score())),
            "ZEN-D102",
            "step 'grow_2' takes 'value' as int, and is given the choice between the results of 'grow', 'score'",
        ),
    ],
)
def test_what_is_no_condition_is_told(call: Callable[[], Any], code: str, message: str) -> None:
    def body() -> None:
        call()

    problem = _problems(body)[0]
    assert problem.code == code
    assert message in problem.message


@pytest.mark.parametrize("call", [lambda: when(True), lambda: either(1), lambda: broadcast(1)])
def test_conditions_are_made_in_a_pipeline_only(call: Callable[[], Any]) -> None:
    with pytest.raises(DefinitionError, match="is used outside a pipeline's body"):
        call()


def test_a_branch_ends_with_its_block_even_when_the_body_raises() -> None:
    def body() -> None:
        try:
            with when(score() > 0.5):
                raise KeyError
        except KeyError:
            grow(1)

    assert _spec(body).step_by_name["grow"].when is None


# -- hooks ------------------------------------------------------------------------------------------------------


def test_hooks_stand_beside_the_steps() -> None:
    def body(depth: int = 3) -> None:
        tell(1)

    spec = _spec(body, on_failure=tell, on_success=[score, log_in])
    assert [(hook.name, hook.kind, hook.on, hook.cache.enabled) for hook in spec.hooks] == [
        ("tell_2", "hook", "failure", False),
        ("score", "hook", "success", False),
        ("log_in", "hook", "success", False),
    ]
    assert {item.name: item.binding for item in spec.hooks[0].inputs} == {"depth": ParameterBinding("depth")}
    built = pipeline(name="p", on_failure=tell)(body).build()
    assert f"{__name__}:tell" in built.functions or any(name.endswith(":tell") for name in built.functions)


def test_a_hook_takes_what_there_is() -> None:
    def body(value: str = "a") -> None:
        tell()

    missing = _one(lambda: tell(), on_failure=total)
    assert missing.code == "ZEN-D121"
    assert missing.message == "hook 'total' takes 'values', which pipeline 'p' has no parameter for"
    assert missing.where == f"{HERE}:{total.function.__code__.co_firstlineno}"
    wrong = _one(body, on_failure=grow)
    assert wrong.message.startswith("hook 'grow' takes 'value' as int, and is given the parameter 'value'")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"retry": Retry(times=1)}, "retry=…"),
        ({"resources": Resources(cpu=1)}, "resources=…"),
        ({"cache": True}, "cache=…"),
        ({"chunk": 2}, "chunk=…"),
        ({"environment": Environment(image="a")}, "an image"),
    ],
)
def test_what_has_no_effect_on_a_hook_is_refused(options: dict[str, Any], what: str) -> None:
    problem = _one(lambda: load(), on_success=tell.with_options(**options))
    assert problem.message == f"hook 'tell' has {what}, which has no effect on a hook"
    assert "tell.with_options(" in problem.hint


def test_a_hook_runs_in_the_environment_of_the_task_that_closes_the_run() -> None:
    around = Environment(image="train:1", requirements=["torch"])
    own = tell.with_options(environment=Environment(requirements=["requests"]), timeout="1m")
    hooks = _spec(lambda: load(), on_success=[tell, own], environment=around).hooks
    assert [hook.environment for hook in hooks] == [None, EnvironmentSpec(requirements=("requests",))]
    assert hooks[1].timeout_seconds == 60


@pytest.mark.parametrize("hook", ["tell", len, [tell, 3]])
def test_only_a_step_is_a_hook(hook: Any) -> None:
    with pytest.raises(DefinitionError, match="on_failure cannot be"):
        pipeline(on_failure=hook)


# -- what only a run has ----------------------------------------------------------------------------------------


def test_secrets_and_artifacts_are_named() -> None:
    def body() -> None:
        log_in()
        log_in(Secret("OTHER"))
        anything([Secret("A"), {"m": Artifact("churn/model", version=2)}])
        grow(Artifact("depth"))

    spec = _spec(body)
    assert _inputs(spec, "log_in") == {"password": SecretBinding("CHURN_PASSWORD")}
    assert _inputs(spec, "log_in_2") == {"password": SecretBinding("OTHER")}
    assert _inputs(spec, "anything")["value"].items[0] == SecretBinding("A")
    assert _inputs(spec, "anything")["value"].items[1].items == {"m": ExternalBinding("churn/model", 2)}
    assert _inputs(spec, "grow")["value"] == ExternalBinding("depth")


@step
def pay(amount: int = Secret("AMOUNT")) -> None: ...  # type: ignore[assignment]


@dataclasses.dataclass
class Login:
    password: Any


@pytest.mark.parametrize(
    ("call", "code", "message", "hint"),
    [
        (
            lambda: grow(Secret("A")),
            "ZEN-D102",
            "step 'grow' takes 'value' as int, and is given Secret(name='A'), which is a text",
            "annotate the parameter str",
        ),
        (lambda: pay(), "ZEN-D102", "step 'pay' takes 'amount' as int, and is given Secret(name='AMOUNT')", "str"),
        (lambda: total([1, Secret("A")]), "ZEN-D102", "step 'total' takes 'values[1]' as int", "str"),
        (
            lambda: anything(Login(Secret("A"))),
            "ZEN-D110",
            "the argument 'value' of step 'anything' is a Login that holds a result or a reference",
            "pass its parts one by one",
        ),
        (lambda: anything([Login([load()])]), "ZEN-D110", "is a Login that holds a result", "one by one"),
        (lambda: anything({Artifact("a")}), "ZEN-D110", "is a set or a dict with results as its keys", "use a list"),
        (lambda: anything({1: Secret("A")}), "ZEN-D110", "a dict of results with keys that are no texts", "texts"),
    ],
)
def test_a_secret_stands_where_a_text_can(call: Callable[[], Any], code: str, message: str, hint: str) -> None:
    problem = _one(lambda: call())
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize("default", [Secret("A"), Artifact("model"), [Secret("A")]])
def test_a_pipelines_parameter_is_no_reference(default: Any) -> None:
    def body(key: Any = default) -> None:
        anything(key)

    problem = _one(body)
    assert problem.code == "ZEN-D113"
    assert f"has the default {default!r}, and its value stands in the record of each run" in problem.message
    assert "as the default of the step's parameter" in problem.hint


@pytest.mark.parametrize(
    "make",
    [
        lambda: Secret("a b"),
        lambda: Secret(""),
        lambda: Artifact("a/b/c/d"),
        lambda: Artifact("a", version=0),
        lambda: Environment(python="three"),
        lambda: Environment(requirements=["torch @ file:///x"]),
        lambda: Environment(requirements=["=="]),
        lambda: Environment(image="a b"),
    ],
)
def test_what_cannot_be_is_told_where_it_is_written(make: Callable[[], Any]) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()
    (problem,) = caught.value.diagnostics
    assert problem.code == "ZEN-D112"
    assert problem.where.startswith(f"{HERE}:")
    assert problem.hint


def test_a_pipelines_cache_policy_is_that_of_its_steps_and_not_of_its_hooks() -> None:
    def body() -> None:
        total(load())
        total.with_options(name="own", cache=Cache(ttl="1h"))(load())
        total.with_options(name="off", cache=False)(load())

    steps = _spec(body, cache=Cache(salt="2"), on_success=tell).step_by_name
    assert {name: (step.cache.enabled, step.cache.salt) for name, step in steps.items()} == {
        "load": (False, ""),
        "load_2": (False, ""),
        "load_3": (False, ""),
        "total": (True, "2"),
        "own": (True, ""),
        "off": (False, ""),
    }
    assert not any(step.cache.enabled for step in _spec(body, cache=False).steps if step.name != "own")
    hooks = _spec(body, cache=Cache(salt="2"), on_success=tell).hooks
    assert [hook.cache.enabled for hook in hooks] == [False]


def test_a_steps_environment_comes_before_the_pipelines() -> None:
    own = Environment(requirements=["b>=2", "a", "a"], python=">=3.11")

    def body() -> None:
        load()
        load.with_options(name="other", environment=own)()

    spec = _spec(body, environment=Environment(image="train:1", requirements=["c"]), max_parallel=3)
    assert spec.max_parallel == 3
    assert spec.step_by_name["load"].environment == EnvironmentSpec(image="train:1", requirements=("c",))
    assert spec.step_by_name["other"].environment == EnvironmentSpec(
        image="train:1", requirements=("a", "b>=2"), python=">=3.11"
    )
    assert _spec(lambda: load()).step_by_name["load"].environment is None
    with pytest.raises(DefinitionError, match="max_parallel cannot be 0"):
        pipeline(max_parallel=0)


def test_ten_thousand_calls_are_not_slow() -> None:
    def body() -> None:
        value = grow(0)
        for number in range(2_500):
            with when(value > number) as good:
                yes = grow(1)
            with good.otherwise():
                no = grow(2)
            value = grow(either(yes, no))

    assert len(_spec(body).steps) == 10_001
