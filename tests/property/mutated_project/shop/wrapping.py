"""A decorator of the project's own."""

import functools
from collections.abc import Callable
from typing import Any


def traced(mark: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(items: list[int]) -> list[str]:
            return [mark, *function(items)]

        return inner

    return wrap
