"""Closures, defaults, constants by way of a module's other name."""

from collections.abc import Callable

from shop import settings as conf

MARGIN = 1


def make_fee(amount: int) -> Callable[[int], int]:
    def fee(item: int) -> int:
        return item + amount

    return fee


with_fee = make_fee(5)


def charge(item: int, discount: int = 0, *, margin: int = MARGIN) -> int:
    return with_fee(item) * conf.RATE - discount + margin + conf.FEES["base"]
