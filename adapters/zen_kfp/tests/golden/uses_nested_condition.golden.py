"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_nested_condition
IR: sha256:27799562772cc6882157885850dfe173437a0a08943535b1d085d3fcfb1cf707
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:27799562772cc6882157885850dfe173437a0a08943535b1d085d3fcfb1cf707"
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
def inner(run: str, load: str, refs: dsl.OutputPath(str)):
    "Runs if `when` answers yes: load > 2."
    return container(run, "run-step", "inner", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def when_2(run: str, taken: dsl.OutputPath(str)):
    "Runs if `when` answers yes: load > 2. Asks: inner > 100."
    return container(run, "ask", "when_2", f"--to={taken}")


@dsl.container_component
def high(run: str, refs: dsl.OutputPath(str)):
    "Runs if `when_2` answers yes: inner > 100."
    return container(run, "run-step", "high", f"--to={refs}")


@dsl.container_component
def low(run: str, refs: dsl.OutputPath(str)):
    "Runs if `when_2` answers no: inner > 100."
    return container(run, "run-step", "low", f"--to={refs}")


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


@dsl.pipeline(name="branch-inner")
def branch_inner(taken: str, load: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "true", name="when"):
        configured(inner(load=load, **given))


@dsl.pipeline(name="branch-high")
def branch_high(taken: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "true", name="when_2"):
        configured(high(**given))


@dsl.pipeline(name="branch-low")
def branch_low(taken: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "false", name="not when_2"):
        configured(low(**given))


@dsl.pipeline(name="branch-no")
def branch_no(taken: str, load: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "false", name="not when"):
        configured(no(load=load, **given))


@dsl.pipeline(name="uses-nested-condition")
def uses_nested_condition():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        load_task = configured(load(**given))
        when_task = configured(when(load=load_task.outputs["refs"], **given))
        branch_inner_task = branch_inner(taken=when_task.outputs["taken"], load=load_task.outputs["refs"])
        when_2_task = configured(when_2(**given))
        when_2_task.after(branch_inner_task, when_task)
        branch_high_task = branch_high(taken=when_2_task.outputs["taken"])
        branch_high_task.after(branch_inner_task)
        branch_low_task = branch_low(taken=when_2_task.outputs["taken"])
        branch_low_task.after(branch_inner_task)
        branch_no_task = branch_no(taken=when_task.outputs["taken"], load=load_task.outputs["refs"])
        after_task = configured(after(**given))
        after_task.after(branch_high_task, branch_low_task, branch_no_task)


if __name__ == "__main__":
    compiler.Compiler().compile(uses_nested_condition, str(Path(__file__).with_suffix(".yaml")))
