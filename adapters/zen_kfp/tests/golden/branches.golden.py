"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: branches
IR: sha256:a30a2ef18086b92a977339c7fa3e6219c12f3c55c5ffe657f83d65e5154f9a30
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:a30a2ef18086b92a977339c7fa3e6219c12f3c55c5ffe657f83d65e5154f9a30"
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
def when(run: str, load: str, taken: dsl.OutputPath(str)):
    "Asks: load > 2."
    return container(run, "ask", "when", f"--to={taken}", upstream={"load": load})


@dsl.container_component
def yes(run: str, load: str, refs: dsl.OutputPath(str)):
    "Runs if `when` answers yes: load > 2."
    return container(run, "run-step", "yes", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def no(run: str, load: str, refs: dsl.OutputPath(str)):
    "Runs if `when` answers no: load > 2."
    return container(run, "run-step", "no", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def after(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "after", f"--to={refs}")


@dsl.container_component
def zen_end(run: str):
    return container(run, "end-run")


@dsl.pipeline(name="branch-yes")
def branch_yes(taken: str, load: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "true", name="when"):
        configured(yes(load=load, **given))


@dsl.pipeline(name="branch-no")
def branch_no(taken: str, load: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "false", name="not when"):
        configured(no(load=load, **given))


@dsl.pipeline(name="branches")
def branches():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        load_task = configured(load(**given))
        when_task = configured(when(load=load_task.outputs["refs"], **given))
        branch_yes_task = branch_yes(taken=when_task.outputs["taken"], load=load_task.outputs["refs"])
        branch_no_task = branch_no(taken=when_task.outputs["taken"], load=load_task.outputs["refs"])
        after_task = configured(after(**given))
        after_task.after(branch_yes_task, branch_no_task)


if __name__ == "__main__":
    compiler.Compiler().compile(branches, str(Path(__file__).with_suffix(".yaml")))
