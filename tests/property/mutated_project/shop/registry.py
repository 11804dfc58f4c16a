"""A registry that a decorator fills."""

from collections.abc import Callable

Rule = Callable[[int], int]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register
