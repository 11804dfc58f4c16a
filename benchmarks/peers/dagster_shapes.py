"""Dagster: jobs in this process, an instance on disk, what ops hand over as files. Its ops are not cached."""

from dagster import DagsterInstance, FilesystemIOManager, graph, op
from timing import FOLDER, SIDE, STEPS, report


@op(config_schema={"seed": int})
def begin(context) -> dict:
    return {"count": context.op_config["seed"]}


@op
def count(previous: dict) -> dict:
    return {"count": previous["count"] + 1}


@op
def add(value: dict) -> dict:
    return {"count": value["count"] + 1}


@op
def total(values: list[dict]) -> dict:
    return {"count": sum(value["count"] for value in values)}


@graph
def chain():
    value = begin()
    for index in range(STEPS - 1):
        value = count.alias(f"count_{index}")(value)


@graph
def fan_out():
    first = begin()
    total([add.alias(f"add_{index}")(first) for index in range(STEPS - 2)])


@graph
def diamond():
    left = right = begin()
    for index in range(SIDE):
        left, right = add.alias(f"left_{index}")(left), add.alias(f"right_{index}")(right)
    total([left, right])


FILES = {"io_manager": FilesystemIOManager(base_dir=f"{FOLDER}/files")}
JOBS = {item.name: item.to_job(resource_defs=FILES) for item in (chain, fan_out, diamond)}
INSTANCE = DagsterInstance.get()


def run(shape: str, seed: int) -> None:
    config = {"ops": {"begin": {"config": {"seed": seed}}}}
    assert JOBS[shape].execute_in_process(run_config=config, instance=INSTANCE).success


report(run, caches=False)
