"""Zen: the embedded engine, its lineage store a SQLite file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from timing import FOLDER, SIDE, STEPS, report

from zen_core import pipeline, step
from zen_core.adapter.protocol import RunRequest
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings
from zen_local import LocalAdapter


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
def total(values: list[dict[str, int]]) -> dict[str, int]:
    return {"count": sum(value["count"] for value in values)}


@pipeline
def chain(seed: int = 0):
    value = begin(seed)
    for _ in range(STEPS - 1):
        value = count(value)


@pipeline
def fan_out(seed: int = 0):
    first = begin(seed)
    total([add(first, index) for index in range(STEPS - 2)])


@pipeline
def diamond(seed: int = 0):
    left = right = begin(seed)
    for _ in range(SIDE):
        left, right = add(left, 1), add(right, 2)
    total([left, right])


PIPELINES: dict[str, Any] = {"chain": chain, "fan_out": fan_out, "diamond": diamond}


def run(shape: str, seed: int) -> None:
    """From the pipeline's Python to the end of the run, as the others do it."""
    folder = Path(FOLDER, shape)
    folder.mkdir(exist_ok=True)
    built = PIPELINES[shape].build()
    settings = replace(load_settings(folder), root=folder, mlflow_sync="off").with_local_defaults()
    manifest = build_manifest(built.spec, built.functions, settings)
    parameters = {"seed": seed}
    request = RunRequest(manifest=manifest, functions=built.functions, settings=settings, parameters=parameters)
    assert LocalAdapter().run(request).status == "completed"


report(run, caches=True)
