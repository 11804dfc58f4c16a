"""What is wrong with a pipeline's definition: all of it at once, each with the user's line and what to do."""

# ruff: noqa: B008 - a call as a default is how a pipeline's parameters are written

import contextlib
import datetime
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from zen_core import File, ScheduledTime, pipeline, step
from zen_core.authoring.problems import PROBLEMS
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError


@step
def load() -> list[int]:
    return [1]


@step
def train(frame: list[int], depth: int = 4, *, rate: float = 0.5) -> Annotated[float, "score"]:
    return 0.5


@step
def split(frame: list[int]) -> tuple[Annotated[list[int], "train"], Annotated[list[int], "test"]]:
    return [], []


@step
def collect(parts: Any) -> int:
    return 0


@step
def publish(score: Any) -> None: ...


@step
def read(file: File) -> int:
    return 1


@step
def read_text(path: str) -> int:
    return 1


@step
def read_all(parts: list[int], names: dict[str, int] | None = None) -> int:
    return 1


@step
def Publish() -> None: ...


@step
def lock(key: Any = threading.Lock()) -> int:
    return 1


@pipeline
def other() -> None:
    load()


def _problems(body: Callable[..., Any]) -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        pipeline(name="p")(body).build()
    for problem in caught.value.diagnostics:
        assert problem.code in PROBLEMS
        assert problem.where.startswith("tests/unit/zen_core/authoring/test_problems.py:")
        assert problem.hint
    return caught.value.diagnostics


def _one(body: Callable[..., Any]) -> Diagnostic:
    (problem,) = _problems(body)
    return problem


def _line(body: Callable[..., Any], offset: int) -> str:
    return f"tests/unit/zen_core/authoring/test_problems.py:{body.__code__.co_firstlineno + offset}"


leaked: list[Any] = []


@pytest.mark.parametrize(
    ("call", "code", "message", "hint"),
    [
        (lambda p: train(), "ZEN-D101", "step 'train' is called without 'frame'", "pass 'frame'"),
        (lambda p: train(load(), 1, 2), "ZEN-D101", "called with 3 positional arguments, and takes 2", "by name"),
        (lambda p: load(1), "ZEN-D101", "called with 1 positional arguments, and takes none", "take the others away"),
        (lambda p: train(load(), dept=1), "ZEN-D101", "has no parameter 'dept'", "did you mean 'depth'?"),
        (lambda p: load(x=1), "ZEN-D101", "has no parameter 'x'", "it takes none"),
        (lambda p: train(load(), frame=1), "ZEN-D101", "step 'train' is given 'frame' twice", "once"),
        (
            lambda p: train(train(load())),
            "ZEN-D102",
            "'frame' as list[int], and is given the output 'score' of step 'train', which is float",
            "change one of the two annotations",
        ),
        (lambda p: train(load(), depth="4"), "ZEN-D102", "'depth' as int, and is given '4', which is str", "pass"),
        (lambda p: train(p), "ZEN-D102", "is given the parameter 'n' of the pipeline, which is int", "annotations"),
        (lambda p: read("a.csv"), "ZEN-D102", "'file' as zen_core.File, and is given 'a.csv'", 'write File("…")'),
        (lambda p: read_text(read_all([p])), "ZEN-D102", "as str, and is given the output 'result'", "annotations"),
        (lambda p: read_text(File("a")), "ZEN-D102", "as str, and is given File('a')", "annotate the parameter File"),
        (lambda p: read_text(Path("a")), "ZEN-D102", "as str, and is given PosixPath('a')", "pathlib.Path"),
        (lambda p: read_all([p, load()]), "ZEN-D102", "'parts[1]' as int, and is given the output", "annotations"),
        (lambda p: read_all((p, p)), "ZEN-D102", "as list[int], and is given a tuple of 2 items", "annotation"),
        (lambda p: read_all([], {"a": load()}), "ZEN-D102", "takes \"names['a']\" as int", "annotations"),
        (
            lambda p: collect([1, {"a": threading}]),
            "ZEN-D103",
            "the argument \"parts[1]['a']\" of step 'collect' is a builtins.module, which has no JSON form",
            "make the value inside a step",
        ),
        (lambda p: lock(), "ZEN-D103", "the default 'key' of step 'lock' is a _thread.lock", "with None"),
        (lambda p: Publish(), "ZEN-D105", "step name 'Publish' cannot be", 'Publish.with_options(name="publish")(…)'),
        (lambda p: load.with_options(name="my step")(), "ZEN-D105", "step name 'my step'", 'name="my_step"'),
        (lambda p: publish(publish(1)), "ZEN-D110", "the result of step 'publish', which has no outputs", "`.after`"),
        (lambda p: publish(split(load())), "ZEN-D110", "which has 2 outputs", "pass one of them: .train, .test"),
        (lambda p: publish([load]), "ZEN-D110", "'score' of step 'publish' is the step 'load' itself", "load(…)"),
        (lambda p: publish(other), "ZEN-D110", "is the pipeline 'other'", "pass the result of a step"),
        (lambda p: publish({load()}), "ZEN-D110", "is a set or a dict with results as its keys", "use a list"),
        (lambda p: publish({1: load()}), "ZEN-D110", "a dict of results with keys that are no texts", "use texts"),
        (lambda p: load().after(load), "ZEN-D111", "step 'load' is after the step 'load' itself", "load(…)"),
        (lambda p: load().after(p), "ZEN-D111", "is after the parameter 'n' of the pipeline", "name steps only"),
        (lambda p: load().after("train"), "ZEN-D111", "step 'load' is after a str", "pass the result of a step"),
    ],
)  # fmt: skip
def test_a_wrong_call(call: Callable[[Any], Any], code: str, message: str, hint: str) -> None:
    def body(n: int = 1) -> None:
        call(n)

    problem = _one(body)
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("use", "what", "hint"),
    [
        (lambda h: 1 if h else 2, "is used as a condition", "write `with when(…):` for `if`"),
        (lambda h: h and 1, "is used as a condition", "(score > 0.9) & (depth < 10)"),
        (lambda h: not h, "is used as a condition", "`~` for not"),
        (lambda h: h & True, "is joined with True", "put brackets around each comparison"),
        (lambda h: h | 1 > 0, "is joined with 1", "put brackets around each comparison"),
        (lambda h: h ^ h, "is joined with `^`", "`|` for or"),
        (lambda h: h == [1], "is compared with [1], which is no scalar", "compare with a text, a number"),
        (lambda h: 3 in h, "is searched with `in`", "inside a step"),
        (lambda h: len(h), "is asked for its length", "inside a step"),
        (lambda h: list(h), "is iterated or unpacked", "loop inside a step"),
        (lambda h: [*h], "is iterated or unpacked", 'tuple[Annotated[A, "a"], Annotated[B, "b"]]'),
        (lambda h: f"{h}", "is put into a text", "build the text inside a step"),
        (lambda h: str(h), "is put into a text", "build the text inside a step"),
        (lambda h: "{:.2f}".format(h), "is put into a text", "build the text inside a step"),  # noqa: UP032
        (lambda h: os.fspath(h), "is put into a text", "inside a step"),
        (lambda h: h + 1, "is calculated with", "inside a step"),
        (lambda h: 1 - h, "is calculated with", "inside a step"),
        (lambda h: -h, "is calculated with", "inside a step"),
        (lambda h: int(h), "is calculated with", "inside a step"),
        (lambda h: range(h), "is calculated with", "inside a step"),
        (lambda h: h[0], "is indexed", "take the part inside a step"),
        (lambda h: h(), "is called", "inside a step"),
        (lambda h: h.shape, "has no attribute 'shape' while the pipeline is built", "inside a step"),
    ],
)
@pytest.mark.parametrize("kind", ["parameter", "output"])
def test_a_handle_is_no_value(use: Callable[[Any], Any], what: str, hint: str, kind: str) -> None:
    def body(n: int = 1) -> None:
        use(n if kind == "parameter" else train(load()))

    subject = {"parameter": "the parameter 'n' of the pipeline", "output": "the output 'score' of step 'train'"}[kind]
    problem = _one(body)
    assert problem.code == "ZEN-D106"
    assert problem.message.startswith(f"{subject} {what}")
    assert "no step has run" in problem.why
    assert hint in problem.hint


@pytest.mark.parametrize(
    "use",
    [
        lambda h: 1 if h > 3 else 2,
        lambda h: 0 < h < 3,
        lambda h: h in (1, 2),
        lambda h: h > 1 and h < 3,
        lambda h: not (h > 1),
    ],
)
def test_a_condition_is_no_bool(use: Callable[[Any], Any]) -> None:
    def body(n: int = 1) -> None:
        use(n)

    problem = _one(body)
    assert problem.code == "ZEN-D106"
    assert problem.message.startswith("a condition on results is used with `if`, `and`, `or`, `not`")
    assert "(score > 0.9) & (depth < 10), with `|` for or and `~` for not" in problem.hint


def test_a_handle_can_be_looked_at() -> None:
    def body(n: int) -> None:
        assert repr(n) == "<the parameter 'n' of the pipeline>"
        assert repr(load()) == "<the output 'result' of step 'load'>"
        assert repr(split(load())) == "<the result of step 'split': train, test>"
        assert not hasattr(n, "__array__")

    pipeline(name="p")(body).build()


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda out: out.model, "has no output 'model'"),
        (lambda out: out["model"], "has no output 'model'"),
        (lambda out: out[2], "has no output 2"),
        (lambda out: bool(out), "is used as a condition"),
    ],
)
def test_a_result_of_several_outputs_has_those(use: Callable[[Any], Any], what: str) -> None:
    def body() -> None:
        use(split(load()))

    assert _one(body).message == f"the result of step 'split' {what}"


def test_unpacking_into_another_number_of_names() -> None:
    def body() -> None:
        split(load())
        _a, _b, _c = split(load())

    problem = _one(body)
    assert problem.message == "step 'split_2' has 2 outputs (train, test), and is unpacked into 3"
    assert problem.hint == "write train, test = split(…)"
    assert problem.where == _line(body, 2)


def test_a_step_without_outputs_cannot_be_unpacked() -> None:
    def body() -> None:
        (_a,) = publish(1)

    assert "has no output to unpack" in _one(body).message


def test_two_steps_of_one_given_name_name_both_lines() -> None:
    def body() -> None:
        load.with_options(name="first")()
        load.with_options(name="first")()

    problem = _one(body)
    assert problem.message == "two steps are named 'first'"
    assert (problem.where, problem.why) == (_line(body, 2), f"the other one is at {_line(body, 1)}")


def test_a_cycle_names_its_steps() -> None:
    def body() -> None:
        a = load()
        b = train(a)
        a.after(b)

    with pytest.raises(DefinitionError) as caught:
        pipeline(name="p")(body).build()
    (problem,) = caught.value.diagnostics
    assert "in a circle: load -> train -> load" in problem.message
    assert problem.where == f"{_line(body, 1)}, {_line(body, 2)}"


def test_a_handle_of_another_pipeline() -> None:
    def first() -> None:
        leaked.append(load())

    def second() -> None:
        publish(leaked[-1])

    pipeline(name="p")(first).build()
    problem = _one(second)
    assert problem.code == "ZEN-D110"
    assert "the output 'result' of step 'load', of another pipeline" in problem.message


def test_a_constant_that_contains_itself() -> None:
    def body() -> None:
        endless: list[Any] = []
        endless.append(endless)
        collect([endless])

    assert "which has no JSON form" in _one(body).message


def test_all_problems_are_told_at_once_in_the_order_of_the_lines() -> None:
    def body(n: int = "3") -> None:
        train()
        train(load(), depth="x", foo=1)
        publish(load)
        if n > 3:
            publish(1)

    problems = _problems(body)
    assert [problem.code for problem in problems] == [
        "ZEN-D113",
        "ZEN-D101",
        "ZEN-D101",
        "ZEN-D102",
        "ZEN-D110",
        "ZEN-D106",
    ]
    assert [problem.where for problem in problems[1:]] == [_line(body, offset) for offset in (1, 2, 2, 3, 4)]


def test_a_problem_counts_even_when_the_body_catches_it() -> None:
    def body() -> None:
        with contextlib.suppress(ValueError):
            f"{load()}"

    assert _one(body).code == "ZEN-D106"


def test_the_users_own_exception_passes_through_unchanged() -> None:
    error = KeyError("mine")

    def body() -> None:
        load()
        raise error

    with pytest.raises(KeyError) as caught:
        pipeline(name="p")(body).build()
    assert caught.value is error
    assert not hasattr(error, "__notes__")


def test_the_users_own_exception_carries_what_was_found_before_it() -> None:
    def body() -> None:
        train()
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        pipeline(name="p")(body).build()
    assert "step 'train' is called without 'frame'" in caught.value.__notes__[0]


def test_a_wrong_option_in_the_body_is_one_of_the_problems() -> None:
    def body() -> None:
        train()
        load.with_options(timeout="soon")()

    assert [problem.code for problem in _problems(body)] == ["ZEN-D101", "ZEN-D112"]


def _scheduled_text(day: str = ScheduledTime()) -> None: ...
def _file_text(data: str = File("a")) -> None: ...
def _text_file(data: File = "a.csv") -> None: ...
def _wrong_default(depth: int = "4") -> None: ...
def _lock(lock=threading.Lock()) -> None: ...


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        (_scheduled_text, "parameter 'day' of pipeline 'p' is ScheduledTime(), and annotated str", "datetime.datetime"),
        (_file_text, "parameter 'data' of pipeline 'p' is a File, and annotated str", "annotate it File"),
        (_text_file, "is annotated zen_core.File, and has the default 'a.csv'", 'File("…")'),
        (_wrong_default, "is annotated int, and has the default '4'", "change the annotation or the default"),
        (_lock, "has a default that is a _thread.lock, which has no JSON form", "plain data"),
    ],
)
def test_a_wrong_default(body: Callable[..., Any], message: str, hint: str) -> None:
    problem = _one(body)
    assert problem.code == "ZEN-D113"
    assert message in problem.message
    assert hint in problem.hint


def test_a_default_may_be_a_scheduled_time_only_in_a_pipeline() -> None:
    @step
    def report(day: datetime.datetime = ScheduledTime()) -> None: ...

    def body() -> None:
        report()

    assert "the default 'day' of step 'report' is a" in _one(body).message


async def _async_body() -> None: ...
def _generator_body():
    yield 1


def _varargs_body(*n: int) -> None: ...


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (_async_body, "pipeline 'p' is an async function"),
        (_generator_body, "pipeline 'p' is a generator"),
        (_varargs_body, "pipeline 'p' takes *n"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_pipeline(body: Callable[..., Any], message: str) -> None:
    problem = _one(body)
    assert (problem.code, problem.message) == ("ZEN-D107", message)


def test_a_pipeline_without_steps() -> None:
    def body() -> None: ...

    assert _one(body).message == "pipeline 'p' calls no step"


def test_the_name_of_the_pipeline() -> None:
    @pipeline
    def TrainChurn() -> None:
        load()

    with pytest.raises(DefinitionError) as caught:
        TrainChurn.build()
    (problem,) = caught.value.diagnostics
    assert problem.message == "the pipeline name 'TrainChurn' cannot be used"
    assert problem.hint == 'write @pipeline(name="train_churn")'


def test_each_code_has_a_meaning_that_is_a_sentence() -> None:
    assert all(code.startswith("ZEN-D") and meaning.endswith(".") for code, meaning in PROBLEMS.items())
