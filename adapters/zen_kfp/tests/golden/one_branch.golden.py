"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: one_branch
IR: sha256:75d9d05f1a4551c7b5ebfe127d586fa2d022b0edd3064388da00d3b1fc5062e1
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:75d9d05f1a4551c7b5ebfe127d586fa2d022b0edd3064388da00d3b1fc5062e1"
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
def load(run: str, depth: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "load", f"--to={refs}", parameters={"depth": depth})


@dsl.container_component
def other(run: str, depth: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "other", f"--to={refs}", parameters={"depth": depth})


@dsl.container_component
def when(run: str, load: str, other: str, depth: str, taken: dsl.OutputPath(str)):
    "Asks: (load > 2) & ((depth == 4) | (~(other <= 1e+300)))."
    return container(
        run,
        "ask",
        "when",
        f"--to={taken}",
        upstream={"load": load, "other": other},
        parameters={"depth": depth},
    )


@dsl.container_component
def first(run: str, load: str, depth: str, refs: dsl.OutputPath(str)):
    "Runs if `when` answers yes: (load > 2) & ((depth == 4) | (~(other <= 1e+300)))."
    return container(
        run,
        "run-step",
        "first",
        f"--to={refs}",
        upstream={"load": load},
        parameters={"depth": depth},
    )


@dsl.container_component
def second(run: str, first: str, depth: str, refs: dsl.OutputPath(str)):
    "Runs if `when` answers yes: (load > 2) & ((depth == 4) | (~(other <= 1e+300)))."
    return container(
        run,
        "run-step",
        "second",
        f"--to={refs}",
        upstream={"first": first},
        parameters={"depth": depth},
    )


@dsl.container_component
def aside(run: str, other: str, depth: str, refs: dsl.OutputPath(str)):
    return container(
        run,
        "run-step",
        "aside",
        f"--to={refs}",
        upstream={"other": other},
        parameters={"depth": depth},
    )


@dsl.container_component
def zen_end(run: str, depth: str):
    return container(run, "end-run", parameters={"depth": depth})


@dsl.pipeline(name="branch-first")
def branch_first(taken: str, load: str, depth: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "depth": depth}
    with dsl.If(taken == "true", name="when"):
        first_task = configured(first(load=load, **given))
        configured(second(first=first_task.outputs["refs"], **given))


@dsl.pipeline(name="one-branch")
def one_branch(depth: str = "4"):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "depth": depth}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        load_task = configured(load(**given))
        other_task = configured(other(**given))
        when_task = configured(
            when(load=load_task.outputs["refs"], other=other_task.outputs["refs"], **given),
        )
        branch_first(taken=when_task.outputs["taken"], load=load_task.outputs["refs"], depth=depth)
        configured(aside(other=other_task.outputs["refs"], **given))


if __name__ == "__main__":
    compiler.Compiler().compile(one_branch, str(Path(__file__).with_suffix(".yaml")))
