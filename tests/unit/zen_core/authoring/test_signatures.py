"""Annotations as typed ports."""

# ruff: noqa: UP006, UP007, UP045 - the old spellings are among what is read
import collections.abc
import datetime
import enum
import functools
import pathlib
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from zen_core import File
from zen_core.authoring.annotations import type_text
from zen_core.authoring.signatures import Signature, read_step_signature

ROOTS = (Path(__file__).parents[4],)
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    RED = 1


def _read(function: Callable[..., Any]) -> Signature:
    return read_step_signature(function, function.__name__, ROOTS)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"), (None, "None"), (Any, "Any"), (object, "Any"), (UserId, "int"),
        (typing.List[int], "list[int]"), (list[int], "list[int]"), (list, "list"), (typing.Dict, "dict"),
        (dict[str, Any], "dict[str, Any]"), (tuple[int, ...], "tuple[int, ...]"),
        (Optional[int], "int | None"), (Union[str, None, int], "int | str | None"), (str | int, "int | str"),
        (Literal["b", "a"], "Literal['a', 'b']"),
        (Literal[Colour.RED], "Literal[tests.unit.zen_core.authoring.test_signatures.Colour.RED]"),
        (Annotated[int, "x"], "int"), (Callable[[int], str], "collections.abc.Callable[[int], str]"),
        (typing.Sequence[int], "collections.abc.Sequence[int]"),
        (collections.abc.Sequence[int], "collections.abc.Sequence[int]"),
        (pathlib.Path, "pathlib.Path"), (datetime.datetime, "datetime.datetime"), (File, "zen_core.File"),
        (pd.DataFrame, "pandas.DataFrame"), (dict[str, pd.Series], "dict[str, pandas.Series]"),
        (RandomForestClassifier, "sklearn.ensemble.RandomForestClassifier"),
        (Colour, "tests.unit.zen_core.authoring.test_signatures.Colour"),
    ],
)  # fmt: skip
def test_the_text_of_a_type_is_canonical(annotation: Any, text: str) -> None:
    assert type_text(annotation, ROOTS) == text


def test_the_order_in_which_a_union_was_first_written_does_not_show() -> None:
    texts = {type_text(typing.List[Union[int, str]], ROOTS), type_text(typing.List[Union[str, int]], ROOTS)}
    assert texts == {"list[int | str]"}


def test_inputs_have_types_and_defaults() -> None:
    def fit(frame: pd.DataFrame, depth: int = 4, *, rate=0.5) -> None: ...

    signature = _read(fit)
    assert [(port.name, port.type) for port in signature.inputs] == [
        ("frame", "pandas.DataFrame"),
        ("depth", "int"),
        ("rate", "Any"),
    ]
    assert signature.positional == ["frame", "depth"]
    assert signature.outputs == ()
    assert signature.problems == ()


def test_a_default_of_none_makes_the_type_optional() -> None:
    def fit(a: int = None, b: int | None = None, c=None): ...  # noqa: RUF013

    assert [port.type for port in _read(fit).inputs] == ["int | None", "int | None", "Any"]


def test_an_annotation_that_cannot_be_resolved_is_its_text_and_the_others_stay_types() -> None:
    def fit(
        a: "pl.DataFrame",  # noqa: F821
        b: "int",
        c: "list[  pl.Series | None ]",  # noqa: F821
        d: "1 +",  # noqa: F722
    ) -> "tuple[Annotated[pl.DataFrame, 'train'], Annotated[int, 'count']]":  # noqa: F821
        raise NotImplementedError

    signature = _read(fit)
    assert [port.type for port in signature.inputs] == ["pl.DataFrame", "int", "list[pl.Series | None]", "1 +"]
    assert [(port.name, port.type) for port in signature.outputs] == [("train", "pl.DataFrame"), ("count", "int")]


def test_a_wrapped_function_keeps_its_signature() -> None:
    def fit(depth: int) -> str:
        return str(depth)

    @functools.wraps(fit)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fit(*args, **kwargs)

    signature = _read(wrapper)
    assert [(port.name, port.type) for port in signature.inputs] == [("depth", "int")]
    assert signature.problems == ()


def _nothing(): ...
def _none() -> None: ...
def _one() -> int: ...
def _named() -> Annotated[int, "score"]: ...
def _several() -> tuple[Annotated[int, "a"], Annotated[str, "b"]]: ...
def _tuple() -> tuple[int, str]: ...
def _whole_tuple() -> Annotated[tuple[int, str], "pair"]: ...


@pytest.mark.parametrize(
    ("function", "outputs"),
    [
        (_nothing, [("result", "Any")]),
        (_none, []),
        (_one, [("result", "int")]),
        (_named, [("score", "int")]),
        (_several, [("a", "int"), ("b", "str")]),
        (_tuple, [("result", "tuple[int, str]")]),
        (_whole_tuple, [("pair", "tuple[int, str]")]),
    ],
)
def test_outputs(function: Callable[..., Any], outputs: list[tuple[str, str]]) -> None:
    assert [(port.name, port.type) for port in _read(function).outputs] == outputs


def _half() -> tuple[Annotated[int, "a"], str]: ...
def _twice() -> tuple[Annotated[int, "a"], Annotated[int, "a"]]: ...
def _after() -> Annotated[int, "after"]: ...
def _odd() -> Annotated[int, "my model"]: ...
def _keyword() -> Annotated[int, "class"]: ...
def _generator() -> Iterator[int]:
    yield 1


async def _async_generator() -> AsyncIterator[int]:
    yield 1


def _varargs(*parts: int) -> None: ...
def _kwargs(**parts: int) -> None: ...
def _positional(a: int, /) -> None: ...
def _unicode(größe: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "code", "message", "hint"),
    [
        (_half, "ZEN-D108", "the outputs of step '_half' are named in part", "name each of them"),
        (_twice, "ZEN-D108", "have the name 'a' twice", "a name of its own"),
        (_after, "ZEN-D105", "the output name 'after' cannot be used", "rename it"),
        (_odd, "ZEN-D105", "the output name 'my model' cannot be used", "rename it"),
        (_keyword, "ZEN-D105", "the output name 'class' cannot be used", "rename it"),
        (_generator, "ZEN-D107", "step '_generator' is a generator", "return a list"),
        (_async_generator, "ZEN-D107", "is a generator", "return a list"),
        (_varargs, "ZEN-D107", "step '_varargs' takes *parts", "one parameter that is a list"),
        (_kwargs, "ZEN-D107", "step '_kwargs' takes **parts", "one parameter that is a dict"),
        (_positional, "ZEN-D107", "takes 'a' by position only", "`/`"),
        (_unicode, "ZEN-D105", "the parameter name 'größe' cannot be used", "rename it"),
        (dict, "ZEN-D107", "step 'dict' has no signature that Python can tell", "`def`"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_step(function: Callable[..., Any], code: str, message: str, hint: str) -> None:
    (problem,) = _read(function).problems
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint
