"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_map_max_parallel
IR: sha256:cd627a9668176a4c99ed75acfeaa1b100b3b2e8f96f540f10fd8e3e5e2dfdc48
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:cd627a9668176a4c99ed75acfeaa1b100b3b2e8f96f540f10fd8e3e5e2dfdc48"
MANIFEST = hashlib.sha256((Path(__file__).with_suffix(".zen") / "manifest.json").read_bytes()).hexdigest()


def container(run, *arguments, upstream=None, parameters=None, image=IMAGE):
    # KFP puts the values of inputs into their places. All are texts that it does not read.
    return dsl.ContainerSpec(
        image=image,
        command=["python3", "-m", "zen_kfp.runtime"],
        args=[
            *arguments,
            f"--manifest={MANIFEST}",
            f"--ir={IR}",
            f"--run={run}",
            *(f"--refs={step}={refs}" for step, refs in (upstream or {}).items()),
            *(f"--parameter={name}={value}" for name, value in (parameters or {}).items()),
        ],
    )


def configured(task):
    # Zen decides in the container whether work is done again.
    # A task that KFP takes from its own cache runs no container, and would be missing in the lineage.
    task.set_caching_options(False)
    return task


@dsl.container_component
def numbers(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "numbers", f"--to={refs}")


@dsl.container_component
def expand_increase(run: str, numbers: str, parts: dsl.OutputPath(list)):
    return container(run, "expand", "expand_increase", f"--to={parts}", upstream={"numbers": numbers})


@dsl.container_component
def increase(run: str, part: str):
    return container(run, "run-part", "increase", f"--part={part}")


@dsl.container_component
def total(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "total", f"--to={refs}")


@dsl.container_component
def zen_end(run: str):
    return container(run, "end-run")


@dsl.pipeline(name="map-increase")
def map_increase(parts: list):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.ParallelFor(parts, parallelism=2) as part:
        configured(increase(part=part, **given))


@dsl.pipeline(name="uses-map-max-parallel")
def uses_map_max_parallel():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        numbers_task = configured(numbers(**given))
        expand_increase_task = configured(expand_increase(numbers=numbers_task.outputs["refs"], **given))
        map_increase_task = map_increase(parts=expand_increase_task.outputs["parts"])
        total_task = configured(total(**given))
        total_task.after(map_increase_task)


if __name__ == "__main__":
    compiler.Compiler().compile(uses_map_max_parallel, str(Path(__file__).with_suffix(".yaml")))
