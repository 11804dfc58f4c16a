"""A pipeline whose steps reach the rest of the project in every way that Python has; an edit is made to it, and run."""

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import shop.pricing
import shop.rules  # fills the registry
import tariffs
from shop import levies, tables
from shop import tidy as tidy_up
from shop.models import Basket, Limits
from shop.ranking import Ranker
from shop.registry import RULES
from shop.stars import *  # noqa: F403
from shop.wrapping import traced

from zen_core import Cache, pipeline, step

if TYPE_CHECKING:
    from collections.abc import Sequence


def divide(item: int, by: int) -> int:
    return item // by


halve = functools.partial(divide, by=2)
ACTIONS = {"negate": lambda item: -item, "double": lambda item: 2 * item}


def unrelated(item: int) -> int:
    return item - 1


@step
def load(count: int) -> list[int]:
    """Numbers to begin with."""
    from shop.source import numbers

    return numbers(count)


@step
def clean(items: list[int]) -> list[str]:
    return [tidy_up(f" item {item} ") for item in items]


@step
def price(items: list[int]) -> list[int]:
    # an attribute of an attribute of a module
    return [shop.pricing.charge(item) for item in items]


@step
def rank(items: list[int]) -> list[int]:
    return Ranker(items).order()


@step
def pack(items: list[int]) -> Basket:
    return Basket(items)


@step
def bound(items: "Sequence[int]") -> Limits:
    return Limits(highest=max(items))


@step
def judge(basket: Basket, limits: Limits) -> str:
    return f"{basket.label}: {basket.size() <= limits.highest}"


@step
@traced("gold")
def trace(items: list[int]) -> list[str]:
    return [str(item) for item in items]


@step
@tariffs.rounded
def tax(items: list[int]) -> list[float]:
    return [tariffs.tax(item) for item in items]


@step
def levy(items: list[int]) -> list[int]:
    return [levies.levy(item) for item in items]


@step
def rule(items: list[int]) -> dict[str, int]:
    return {name: RULES[name](sum(items)) for name in sorted(RULES)}


@step
def act(items: list[int]) -> list[int]:
    return [ACTIONS["negate"](halve(item)) for item in items]


@step
def star(items: list[int]) -> list[int]:
    return [shine(item) for item in items]  # noqa: F405


@step
def table(items: list[int]) -> list[int]:
    return [tables.SQUARES[item % 3] + len(tables.NAMES) for item in items]


@step(cache=Cache(files=["data/rules.txt"], env=["SHOP_MODE"]))
def declare(items: list[int]) -> str:
    return Path(__file__).with_name("data").joinpath("rules.txt").read_text() + os.environ.get("SHOP_MODE", "")


@step
def gather(parts: list[object]) -> list[object]:
    return parts


@pipeline
def everything(count: int = 4):
    items = load(count)
    judged = judge(pack(items), bound(items))
    each = (clean, price, rank, trace, tax, levy, rule, act, star, table, declare)
    return gather([judged, *(leaf(items) for leaf in each)])


if __name__ == "__main__":
    print(everything.run().run_id)
