"""The step functions of the cases: small, deterministic, plain Python values only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def load() -> int:
    """A source."""
    return 3


def increase(value: int) -> int:
    """One input, one output."""
    return value + 1


def double(value: int) -> int:
    """Another one."""
    return value * 2


def add(left: int, right: int) -> int:
    """Two inputs."""
    return left + right


def total(values: list[int]) -> int:
    """Collects a list."""
    return sum(values)


def total_by_name(values: dict[str, int]) -> int:
    """Collects a dict."""
    return sum(values.values())


def split(value: int) -> tuple[int, int]:
    """Two named outputs, `low` and `high`."""
    return value - 1, value + 1


def note(text: str) -> None:
    """No output."""


def echo(value: Any) -> Any:
    """Hands on whatever it gets."""
    return value


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    load,
    increase,
    double,
    add,
    total,
    total_by_name,
    split,
    note,
    echo,
)
