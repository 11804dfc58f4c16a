"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_map_chain
IR: sha256:accea11612820424fd0369dea7fcc70a5a5d9a7f4c9011f0c99e92df2630a164
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:accea11612820424fd0369dea7fcc70a5a5d9a7f4c9011f0c99e92df2630a164"
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
def load(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "load", f"--to={refs}")


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
def double(run: str, part: str):
    return container(run, "run-part", "double", f"--part={part}")


@dsl.container_component
def add(run: str, part: str, load: str):
    return container(run, "run-part", "add", f"--part={part}", upstream={"load": load})


@dsl.container_component
def total(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "total", f"--to={refs}")


@dsl.container_component
def zen_end(run: str):
    return container(run, "end-run")


@dsl.pipeline(name="map-increase")
def map_increase(parts: list):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.ParallelFor(parts) as part:
        increase_task = configured(increase(part=part, **given))
        double_task = configured(double(part=part, **given))
        double_task.after(increase_task)


@dsl.pipeline(name="map-add")
def map_add(parts: list, load: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.ParallelFor(parts) as part:
        configured(add(part=part, load=load, **given))


@dsl.pipeline(name="uses-map-chain")
def uses_map_chain():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        load_task = configured(load(**given))
        numbers_task = configured(numbers(**given))
        expand_increase_task = configured(expand_increase(numbers=numbers_task.outputs["refs"], **given))
        map_increase_task = map_increase(parts=expand_increase_task.outputs["parts"])
        map_add_task = map_add(parts=expand_increase_task.outputs["parts"], load=load_task.outputs["refs"])
        map_add_task.after(map_increase_task)
        total_task = configured(total(**given))
        total_task.after(map_add_task)


if __name__ == "__main__":
    compiler.Compiler().compile(uses_map_chain, str(Path(__file__).with_suffix(".yaml")))
