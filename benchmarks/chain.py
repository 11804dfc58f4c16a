"""The pipelines that are measured."""

from __future__ import annotations

from zen_core import pipeline, step


@step
def begin(seed: int) -> dict[str, int]:
    return {"count": seed}


@step
def count(previous: dict[str, int]) -> dict[str, int]:
    return {"count": previous["count"] + 1}


@step
def finish(previous: dict[str, int]) -> int:
    return previous["count"]


def chain(seed: int, steps: int):
    value = begin(seed)
    for _ in range(steps - 2):
        value = count(value)
    finish(value)


@pipeline
def chain_of_10(seed: int = 0):
    chain(seed, 10)


@pipeline
def chain_of_20(seed: int = 0):
    chain(seed, 20)


@pipeline
def chain_of_100(seed: int = 0):
    chain(seed, 100)


@pipeline
def chain_of_1000(seed: int = 0):
    chain(seed, 1_000)


@pipeline
def chain_of_10000(seed: int = 0):
    chain(seed, 10_000)


@pipeline
def three_steps(seed: int = 0):
    finish(count(begin(seed)))


@step
def numbers(seed: int) -> list[int]:
    return list(range(seed, seed + 1000))


@step
def double(value: int) -> int:
    return value * 2


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def map_of_1000(seed: int = 0):
    total(double.map(value=numbers(seed)))
