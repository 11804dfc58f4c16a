"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_image
IR: sha256:df15fa68e3d359183a9e87c40b9cf03f5ed6d2ef4b7d54c9dc215e7a5ec19d41
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:df15fa68e3d359183a9e87c40b9cf03f5ed6d2ef4b7d54c9dc215e7a5ec19d41"
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
    return container(run, "run-step", "load", f"--to={refs}", image="registry.example/train:1.2")


@dsl.container_component
def zen_end(run: str):
    return container(run, "end-run")


@dsl.pipeline(name="uses-image")
def uses_image():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        configured(load(**given))


if __name__ == "__main__":
    compiler.Compiler().compile(uses_image, str(Path(__file__).with_suffix(".yaml")))
