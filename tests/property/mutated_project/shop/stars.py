"""What `import *` brings."""

__all__ = ["shine"]

POWER = 1


def shine(item: int) -> int:
    return item * POWER


def hidden(item: int) -> int:
    return item
