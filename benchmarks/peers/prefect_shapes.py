"""Prefect: a server of its own in this process, SQLite, results kept by their inputs."""

from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE
from prefect.task_runners import ThreadPoolTaskRunner
from timing import SIDE, STEPS, report

kept = task(cache_policy=INPUTS + TASK_SOURCE, persist_result=True, retries=0)
flowing = flow(task_runner=ThreadPoolTaskRunner(max_workers=2), retries=0)


@kept
def begin(seed: int):
    return {"count": seed}


@kept
def count(previous: dict):
    return {"count": previous["count"] + 1}


@kept
def add(value: dict, index: int):
    return {"count": value["count"] + index}


@kept
def total(values: list):
    return {"count": sum(value["count"] for value in values)}


@flowing
def chain(seed: int):
    value = begin.submit(seed)
    for _ in range(STEPS - 1):
        value = count.submit(value)
    return value.result()


@flowing
def fan_out(seed: int):
    first = begin.submit(seed)
    return total.submit([add.submit(first, index) for index in range(STEPS - 2)]).result()


@flowing
def diamond(seed: int):
    left = right = begin.submit(seed)
    for _ in range(SIDE):
        left, right = add.submit(left, 1), add.submit(right, 2)
    return total.submit([left, right]).result()


def run(shape: str, seed: int) -> None:
    {"chain": chain, "fan_out": fan_out, "diamond": diamond}[shape](seed)


report(run, caches=True, repetitions=1)
