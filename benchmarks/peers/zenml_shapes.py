"""ZenML: the default local stack, whose store is a SQLite file."""

from typing import Any

from timing import SIDE, STEPS, report
from zenml import pipeline, step


@step
def begin(seed: int) -> dict[str, int]:
    return {"count": seed}


@step
def count(previous: dict[str, int]) -> dict[str, int]:
    return {"count": previous["count"] + 1}


@step
def add(value: dict[str, int], index: int) -> dict[str, int]:
    return {"count": value["count"] + index}


@step
def total(values: list[Any]) -> dict[str, int]:
    return {"count": sum(value["count"] for value in values)}


@pipeline(enable_cache=True)
def chain(seed: int):
    value = begin(seed)
    for _ in range(STEPS - 1):
        value = count(value)


@pipeline(enable_cache=True)
def fan_out(seed: int):
    first = begin(seed)
    total([add(first, index) for index in range(STEPS - 2)])


@pipeline(enable_cache=True)
def diamond(seed: int):
    left = right = begin(seed)
    for _ in range(SIDE):
        left, right = add(left, 1), add(right, 2)
    total([left, right])


def run(shape: str, seed: int) -> None:
    {"chain": chain, "fan_out": fan_out, "diamond": diamond}[shape](seed)


report(run, caches=True, repetitions=1)
