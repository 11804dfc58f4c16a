"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: maps_and_branches
IR: sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362"
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
def when(run: str, total: str, taken: dsl.OutputPath(str)):
    "Asks: total > 10."
    return container(run, "ask", "when", f"--to={taken}", upstream={"total": total})


@dsl.container_component
def expand_double(run: str, numbers: str, parts: dsl.OutputPath(list)):
    "Runs if `when` answers yes: total > 10."
    return container(run, "expand", "expand_double", f"--to={parts}", upstream={"numbers": numbers})


@dsl.container_component
def double(run: str, part: str):
    "Runs if `when` answers yes: total > 10."
    return container(run, "run-part", "double", f"--part={part}")


@dsl.container_component
def sum_doubled(run: str, refs: dsl.OutputPath(str)):
    "Runs if `when` answers yes: total > 10."
    return container(run, "run-step", "sum_doubled", f"--to={refs}")


@dsl.container_component
def small(run: str, total: str, refs: dsl.OutputPath(str)):
    "Runs if `when` answers no: total > 10."
    return container(run, "run-step", "small", f"--to={refs}", upstream={"total": total})


@dsl.container_component
def chosen(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "chosen", f"--to={refs}")


@dsl.container_component
def last(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "last", f"--to={refs}")


@dsl.container_component
def in_list(run: str, chosen: str, total: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "in_list", f"--to={refs}", upstream={"chosen": chosen, "total": total})


@dsl.container_component
def zen_end(run: str):
    return container(run, "end-run")


@dsl.pipeline(name="map-increase")
def map_increase(parts: list):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.ParallelFor(parts) as part:
        configured(increase(part=part, **given))


@dsl.pipeline(name="map-double")
def map_double(taken: str, parts: list):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "true", name="when"):
        with dsl.ParallelFor(parts) as part:
            configured(double(part=part, **given))


@dsl.pipeline(name="branch-sum-doubled")
def branch_sum_doubled(taken: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "true", name="when"):
        configured(sum_doubled(**given))


@dsl.pipeline(name="branch-small")
def branch_small(taken: str, total: str):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    with dsl.If(taken == "false", name="not when"):
        configured(small(total=total, **given))


@dsl.pipeline(name="maps-and-branches")
def maps_and_branches():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        numbers_task = configured(numbers(**given))
        expand_increase_task = configured(expand_increase(numbers=numbers_task.outputs["refs"], **given))
        map_increase_task = map_increase(parts=expand_increase_task.outputs["parts"])
        total_task = configured(total(**given))
        total_task.after(map_increase_task)
        when_task = configured(when(total=total_task.outputs["refs"], **given))
        expand_double_task = configured(expand_double(numbers=numbers_task.outputs["refs"], **given))
        expand_double_task.after(when_task)
        map_double_task = map_double(
            taken=when_task.outputs["taken"],
            parts=expand_double_task.outputs["parts"],
        )
        branch_sum_doubled_task = branch_sum_doubled(taken=when_task.outputs["taken"])
        branch_sum_doubled_task.after(map_double_task)
        branch_small_task = branch_small(taken=when_task.outputs["taken"], total=total_task.outputs["refs"])
        chosen_task = configured(chosen(**given))
        chosen_task.after(branch_sum_doubled_task, branch_small_task)
        last_task = configured(last(**given))
        last_task.after(map_increase_task)
        configured(in_list(chosen=chosen_task.outputs["refs"], total=total_task.outputs["refs"], **given))


if __name__ == "__main__":
    compiler.Compiler().compile(maps_and_branches, str(Path(__file__).with_suffix(".yaml")))
