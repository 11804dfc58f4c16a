"""What is in the registry."""

from shop.registry import rule
from shop.text import words


@rule("longest")
def longest(total: int) -> int:
    return len(words.shout("x" * total))


@rule("twice")
def twice(total: int) -> int:
    return 2 * total
