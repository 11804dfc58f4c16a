"""redun: its scheduler in this process, its backend a SQLite file."""

from pathlib import Path

from redun import Scheduler, task
from redun.config import Config
from timing import FOLDER, SIDE, STEPS, report

redun_namespace = "bench"


@task(version="1")
def begin(seed: int) -> dict:
    return {"count": seed}


@task(version="1")
def count(previous: dict) -> dict:
    return {"count": previous["count"] + 1}


@task(version="1")
def add(value: dict, index: int) -> dict:
    return {"count": value["count"] + index}


@task(version="1")
def total(values: list) -> dict:
    return {"count": sum(value["count"] for value in values)}


@task(version="1")
def chain(seed: int) -> dict:
    value = begin(seed)
    for _ in range(STEPS - 1):
        value = count(value)
    return value


@task(version="1")
def fan_out(seed: int) -> dict:
    first = begin(seed)
    return total([add(first, index) for index in range(STEPS - 2)])


@task(version="1")
def diamond(seed: int) -> dict:
    left = right = begin(seed)
    for _ in range(SIDE):
        left, right = add(left, 1), add(right, 2)
    return total([left, right])


def run(shape: str, seed: int) -> None:
    scheduler = Scheduler(config=Config({"backend": {"db_uri": f"sqlite:///{Path(FOLDER, f'{shape}.db')}"}}))
    scheduler.load()
    scheduler.run({"chain": chain, "fan_out": fan_out, "diamond": diamond}[shape](seed))


report(run, caches=True)
