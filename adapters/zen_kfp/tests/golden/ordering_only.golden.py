"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: ordering_only
IR: sha256:76ca97140c9f54c302de5fcaad4db95444cd0e772ee43abdb93dfef40b4e419e
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:76ca97140c9f54c302de5fcaad4db95444cd0e772ee43abdb93dfef40b4e419e"
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
def first(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "first", f"--to={refs}")


@dsl.container_component
def second(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "second", f"--to={refs}")


@dsl.container_component
def other(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "other", f"--to={refs}")


@dsl.container_component
def last(run: str, second: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "last", f"--to={refs}", upstream={"second": second})


@dsl.container_component
def zen_end(run: str):
    return container(run, "end-run")


@dsl.pipeline(name="ordering-only")
def ordering_only():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        first_task = configured(first(**given))
        second_task = configured(second(**given))
        second_task.after(first_task)
        other_task = configured(other(**given))
        last_task = configured(last(second=second_task.outputs["refs"], **given))
        last_task.after(first_task, other_task)


if __name__ == "__main__":
    compiler.Compiler().compile(ordering_only, str(Path(__file__).with_suffix(".yaml")))
