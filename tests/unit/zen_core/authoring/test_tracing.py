"""What a pipeline's body becomes: steps, names, bindings and edges."""

# ruff: noqa: B008 - a call as a default is how a pipeline's parameters are written

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from zen_core import Cache, File, Resources, Retry, Schedule, ScheduledTime, pipeline, step
from zen_core.contract.bindings import (
    ConstantBinding,
    DictBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
)
from zen_core.ir.specs import PipelineSpec, StepSpec


@step
def load(path: str = "a.csv") -> list[int]:
    """Reads it.

    All of it.
    """
    return [1]


@step(retry=Retry(times=2, delay="30s", backoff=2), timeout="1h", resources=Resources(cpu=1), cache=Cache(ttl="7d"))
def train(frame: list[int], depth: int = 4, *, rate: float = 0.5) -> Annotated[dict[str, float], "model"]:
    return {}


@step(tags=["b", "a", "a"])
def split(frame: list[int]) -> tuple[Annotated[list[int], "train"], Annotated[list[int], "test"]]:
    return [], []


@step
def collect(parts: Any) -> int:
    return 0


@step
def publish(score: Any) -> None: ...


def _spec(body: Callable[..., Any]) -> PipelineSpec:
    return pipeline(name="p")(body).build().spec


def _step_of(body: Callable[..., Any], name: str) -> StepSpec:
    return _spec(body).step_by_name[name]


def _bindings(spec: StepSpec) -> dict[str, Any]:
    return {item.name: item.binding for item in spec.inputs}


def test_a_call_is_a_step_with_its_function_ports_and_line() -> None:
    def body() -> None:
        load("b.csv")

    (spec,) = _spec(body).steps
    assert (spec.name, spec.entry_point) == ("load", "tests.unit.zen_core.authoring.test_tracing:load")
    assert _bindings(spec) == {"path": ConstantBinding("b.csv")}
    assert [(output.name, output.type) for output in spec.outputs] == [("result", "list[int]")]
    assert spec.description == "Reads it.\n\nAll of it."
    line = body.__code__.co_firstlineno + 1
    assert spec.source == f"tests/unit/zen_core/authoring/test_tracing.py:{line}"


def test_arguments_are_parameters_outputs_constants_and_defaults() -> None:
    def body(depth: int = 3) -> None:
        train(load(), depth=depth)

    assert _bindings(_step_of(body, "train")) == {
        "frame": OutputBinding("load", "result"),
        "depth": ParameterBinding("depth"),
        "rate": ConstantBinding(0.5),
    }


def test_lists_tuples_and_dicts_of_handles_nest_and_mix_with_constants() -> None:
    def body(n: int) -> None:
        a = load()
        collect({"x": [a, 1, (n, None)], "y": {"z": a}, "w": [1, 2]})

    loaded = OutputBinding("load", "result")
    assert _bindings(_step_of(body, "collect"))["parts"] == DictBinding(
        {
            "x": ListBinding(
                (loaded, ConstantBinding(1), ListBinding((ParameterBinding("n"), ConstantBinding(None)), as_tuple=True))
            ),
            "y": DictBinding({"z": loaded}),
            "w": ConstantBinding([1, 2]),
        }
    )


def test_containers_without_handles_are_one_constant() -> None:
    def body() -> None:
        collect([1, (2, 3), {}])

    constant = ConstantBinding([1, {"$zen": "tuple", "value": [2, 3]}, {}])
    assert _bindings(_step_of(body, "collect"))["parts"] == constant


def test_a_constant_is_taken_as_it_is_at_the_call() -> None:
    def body() -> None:
        parts = [1]
        collect(parts)
        parts.append(2)

    assert _bindings(_step_of(body, "collect"))["parts"] == ConstantBinding([1])


def test_several_outputs_are_unpacked_indexed_or_named() -> None:
    def body() -> None:
        frame = load()
        first, second = split(frame)
        out = split(frame)
        collect([first, second, out.train, out["test"], out[0], out[-1]])
        collect(list(out))
        assert len(out) == 2

    spec = _spec(body)
    leaves = [(leaf.step, leaf.output) for leaf in _bindings(spec.step_by_name["collect"])["parts"].items]
    assert leaves == [
        ("split", "train"),
        ("split", "test"),
        ("split_2", "train"),
        ("split_2", "test"),
        ("split_2", "train"),
        ("split_2", "test"),
    ]


def test_a_single_named_output_can_be_asked_for_by_name() -> None:
    def body() -> None:
        publish(train(load()).model)

    assert _bindings(_step_of(body, "publish"))["score"] == OutputBinding("train", "model")


def test_a_step_that_is_called_again_gets_a_number() -> None:
    def body() -> None:
        load()
        load.with_options(name="load_2")()
        load()
        load()

    assert [item.name for item in _spec(body).steps] == ["load", "load_2", "load_3", "load_4"]


def test_a_name_in_the_decorator_is_numbered_like_a_functions() -> None:
    @step(name="fit")
    def _Fit() -> int:
        return 1

    def body() -> None:
        _Fit()
        _Fit()

    assert [item.name for item in _spec(body).steps] == ["fit", "fit_2"]


def test_options_of_the_decorator_and_of_the_call() -> None:
    def body() -> None:
        frame = load()
        train(frame)
        train.with_options(name="quick", retry=None, timeout=5, cache=False, tags=["x"])(frame)

    spec = _spec(body).step_by_name
    usual, quick = spec["train"], spec["quick"]
    assert usual.retry is not None
    assert (usual.retry.times, usual.retry.delay_seconds, usual.retry.backoff) == (2, 30.0, 2.0)
    assert (usual.timeout_seconds, usual.cache.ttl_seconds) == (3600.0, 604_800.0)
    assert (quick.retry, quick.timeout_seconds, quick.cache.enabled, quick.tags) == (None, 5.0, False, ("x",))
    assert quick.resources == usual.resources


def test_tags_are_a_sorted_set() -> None:
    def body() -> None:
        split(load())

    assert _step_of(body, "split").tags == ("a", "b")


def test_steps_with_inputs_and_outputs_are_cached_others_are_not() -> None:
    @step
    def start() -> int:
        return 1

    def body() -> None:
        publish(train([start()]))

    enabled = {item.name: item.cache.enabled for item in _spec(body).steps}
    assert enabled == {"start": False, "train": True, "publish": False}


def test_after_orders_without_data() -> None:
    def body() -> None:
        a, b, c = load(), load(), publish(1)
        publish(2).after(a, [b, c])
        split(load()).after(c)

    spec = _spec(body).step_by_name
    assert spec["publish_2"].after == ("load", "load_2", "publish")
    assert spec["split"].after == ("publish",)


def test_after_on_the_step_itself_holds_for_each_of_its_calls() -> None:
    def body() -> None:
        first = load()
        later = load.after(first)
        later()
        later.with_options(name="last")()

    spec = _spec(body).step_by_name
    assert spec["load_2"].after == spec["last"].after == ("load",)


def test_an_ordering_edge_beside_a_data_edge_is_left_out() -> None:
    def body() -> None:
        a = load()
        publish(a).after(a)

    assert _step_of(body, "publish").after == ()


def test_a_step_may_be_put_after_one_that_is_called_later() -> None:
    def body() -> None:
        first = load()
        second = publish(1)
        first.after(second)

    assert [item.name for item in _spec(body).steps] == ["publish", "load"]


def test_parameters_of_the_pipeline() -> None:
    def body(
        name: str,
        data: File = File("data/churn.csv"),
        day: datetime.datetime = ScheduledTime(),
        free=(1, 2),
        maybe: int = None,  # noqa: RUF013
    ) -> None:
        collect([name, data, day, free, maybe])

    parameters = {item.name: item for item in _spec(body).parameters}
    assert [item.type for item in parameters.values()] == [
        "str",
        "zen_core.File",
        "datetime.datetime",
        "Any",
        "int | None",
    ]
    assert [item.required for item in parameters.values()] == [True, False, False, False, False]
    assert parameters["data"].default == {"$zen": "file", "value": "data/churn.csv"}
    assert parameters["free"].default == {"$zen": "tuple", "value": [1, 2]}
    assert parameters["day"].scheduled_time
    assert parameters["day"].default is None


def test_defaults_tell_the_type_where_nothing_is_annotated() -> None:
    def body(data=File("a.csv"), day=ScheduledTime()) -> None:
        collect([data, day])

    assert [item.type for item in _spec(body).parameters] == ["zen_core.File", "datetime.datetime"]


def test_a_file_may_go_where_a_path_is_declared() -> None:
    @step
    def read(path: Path, file: File = File("b.csv")) -> int:
        return 1

    def body(data: File = File("a.csv")) -> None:
        read(data)

    assert _bindings(_step_of(body, "read")) == {
        "path": ParameterBinding("data"),
        "file": ConstantBinding({"$zen": "file", "value": "b.csv"}),
    }


def test_what_the_decorator_of_the_pipeline_says() -> None:
    @pipeline(schedule=Schedule("0 6 * * *", "Europe/Berlin", overlap="skip"), tags=["churn"])
    def churn() -> None:
        """Finds who leaves."""
        load()

    spec = churn.build().spec
    assert spec.schedule is not None
    assert (spec.schedule.timezone, spec.schedule.overlap) == ("Europe/Berlin", "skip")
    assert (spec.name, spec.tags, spec.description) == ("churn", ("churn",), "Finds who leaves.")


def test_the_body_runs_once_for_each_build() -> None:
    seen = []

    @pipeline
    def churn() -> None:
        seen.append(1)
        load()

    assert churn.build().spec == churn.build().spec
    assert len(seen) == 2


def test_helpers_called_by_the_body_add_their_steps() -> None:
    def fit_all(frame: Any) -> list[Any]:
        return [train(frame, depth=depth) for depth in (1, 2)]

    def body() -> None:
        collect(fit_all(load()))

    assert [item.name for item in _spec(body).steps] == ["load", "train", "train_2", "collect"]


def test_an_async_step_is_a_step() -> None:
    @step
    async def fetch(url: str) -> int:
        return len(url)

    def body() -> None:
        publish(fetch("a"))

    built = pipeline(name="p")(body).build()
    (function,) = [item for item in built.functions.values() if item.__name__ == "fetch"]
    assert inspect.iscoroutinefunction(function)


def test_the_functions_come_with_the_spec() -> None:
    def body() -> None:
        load()
        load.with_options(name="again")()

    built = pipeline(name="p")(body).build()
    assert built.importable
    assert built.functions == {"tests.unit.zen_core.authoring.test_tracing:load": load.function}


@pytest.mark.parametrize("kind", ["lambda", "closure"])
def test_what_no_task_can_import_still_runs_here(kind: str) -> None:
    def inner() -> int:
        return 1

    function: Any = step(name="inner")(inner if kind == "closure" else lambda: 1)

    def body() -> None:
        function()

    built = pipeline(name="p")(body).build()
    assert not built.importable
    (problem,) = built.not_importable
    assert problem.code == "ZEN-D116"
    assert "step 'inner' cannot be compiled: it is defined inside another function" in problem.message
    (entry_point,) = built.functions
    assert entry_point.startswith("__main__:")


def test_two_local_functions_of_one_name_are_kept_apart() -> None:
    def make(value: int) -> Any:
        @step
        def give() -> int:
            return value

        return give

    def body() -> None:
        make(1)()
        make(2)()

    built = pipeline(name="p")(body).build()
    assert [built.functions[item.entry_point]() for item in built.spec.steps] == [1, 2]


def test_a_chain_of_thousands_of_steps() -> None:
    def body() -> None:
        last = load()
        for _ in range(2_000):
            last = split(last).train

    assert len(_spec(body).steps) == 2_001
