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


def numbers() -> list[int]:
    """A list to map over."""
    return [1, 2, 3, 4, 5]


def others() -> list[int]:
    """Another list of the same length."""
    return [10, 20, 30, 40, 50]


def nothing() -> list[int]:
    """An empty list."""
    return []


def notify(depth: int = 0) -> None:
    """What a hook does."""


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
    numbers,
    others,
    nothing,
    notify,
)
