"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: hostile
IR: sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5"
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
def echo_0(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_0",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_1(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_1",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_2(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_2",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_3(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_3",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_4(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_4",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_5(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_5",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_6(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_6",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_7(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_7",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_8(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_8",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_9(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_9",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_10(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_10",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_11(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_11",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_12(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_12",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_13(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_13",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_0(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_0",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_1(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_1",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_2(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_2",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_3(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_3",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_4(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_4",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_5(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_5",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_6(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_6",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_7(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_7",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_8(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_8",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_9(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_9",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_10(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_10",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_11(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_11",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_12(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_12",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def constant_13(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "constant_13",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def echo_nested(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "echo_nested",
        f"--to={refs}",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.container_component
def zen_end(
    run: str,
    text_0: str,
    text_1: str,
    text_2: str,
    text_3: str,
    text_4: str,
    text_5: str,
    text_6: str,
    text_7: str,
    text_8: str,
    text_9: str,
    text_10: str,
    text_11: str,
    text_12: str,
    text_13: str,
    nested: str,
):
    return container(
        run,
        "end-run",
        parameters={
            "text_0": text_0,
            "text_1": text_1,
            "text_2": text_2,
            "text_3": text_3,
            "text_4": text_4,
            "text_5": text_5,
            "text_6": text_6,
            "text_7": text_7,
            "text_8": text_8,
            "text_9": text_9,
            "text_10": text_10,
            "text_11": text_11,
            "text_12": text_12,
            "text_13": text_13,
            "nested": nested,
        },
    )


@dsl.pipeline(
    name="hostile",
    description='"""{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f\'{x}\'\n\nTags: ["it\'s \\"quoted\\"", "\\"\\"\\"", "back\\\\slash \\\\n and a trailing \\\\", "line\\nbreak\\r\\tand\\u0000null", "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f\'{x}\'", "\'); import os; os.system(\'true\') #", "gr\\u00f6\\u00dfe \\u65e5\\u672c\\u8a9e \\u202eright to left\\u202c \\ufeff \\ud83d\\ude80 e\\u0301", "\\ud800", "report.md", "", " ", "None", "0123"]',  # noqa: E501
)
def hostile(
    text_0: str = '"it\'s \\"quoted\\""',
    text_1: str = '"\\"\\"\\""',
    text_2: str = '"back\\\\slash \\\\n and a trailing \\\\"',
    text_3: str = '"line\\nbreak\\r\\tand\\u0000null"',
    text_4: str = "\"\\u007b\\u007b ds \\u007d\\u007d \\u007b% raw %\\u007d \\u007b# no #\\u007d $\\u007bHOME\\u007d %s \\u007b0\\u007d f'\\u007bx\\u007d'\"",  # noqa: E501
    text_5: str = "\"'); import os; os.system('true') #\"",
    text_6: str = '"gr\\u00f6\\u00dfe \\u65e5\\u672c\\u8a9e \\u202eright to left\\u202c \\ufeff \\ud83d\\ude80 e\\u0301"',  # noqa: E501
    text_7: str = '"\\ud800"',
    text_8: str = '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"',  # noqa: E501
    text_9: str = '"report.md"',
    text_10: str = '""',
    text_11: str = '" "',
    text_12: str = '"None"',
    text_13: str = '"0123"',
    nested: str = '{"":[""]," ":[" "],"\\"\\"\\"":["\\"\\"\\""],"\'); import os; os.system(\'true\') #":["\'); import os; os.system(\'true\') #"],"0123":["0123"],"None":["None"],"back\\\\slash \\\\n and a trailing \\\\":["back\\\\slash \\\\n and a trailing \\\\"],"gr\\u00f6\\u00dfe \\u65e5\\u672c\\u8a9e \\u202eright to left\\u202c \\ufeff \\ud83d\\ude80 e\\u0301":["gr\\u00f6\\u00dfe \\u65e5\\u672c\\u8a9e \\u202eright to left\\u202c \\ufeff \\ud83d\\ude80 e\\u0301"],"it\'s \\"quoted\\"":["it\'s \\"quoted\\""],"line\\nbreak\\r\\tand\\u0000null":["line\\nbreak\\r\\tand\\u0000null"],"report.md":["report.md"],"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx":["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"],"\\u007b\\u007b ds \\u007d\\u007d \\u007b% raw %\\u007d \\u007b# no #\\u007d $\\u007bHOME\\u007d %s \\u007b0\\u007d f\'\\u007bx\\u007d\'":["\\u007b\\u007b ds \\u007d\\u007d \\u007b% raw %\\u007d \\u007b# no #\\u007d $\\u007bHOME\\u007d %s \\u007b0\\u007d f\'\\u007bx\\u007d\'"],"\\ud800":["\\ud800"]}',  # noqa: E501
):
    given = {
        "run": dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        "text_0": text_0,
        "text_1": text_1,
        "text_2": text_2,
        "text_3": text_3,
        "text_4": text_4,
        "text_5": text_5,
        "text_6": text_6,
        "text_7": text_7,
        "text_8": text_8,
        "text_9": text_9,
        "text_10": text_10,
        "text_11": text_11,
        "text_12": text_12,
        "text_13": text_13,
        "nested": nested,
    }
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        configured(echo_0(**given))
        configured(echo_1(**given))
        configured(echo_2(**given))
        configured(echo_3(**given))
        configured(echo_4(**given))
        configured(echo_5(**given))
        configured(echo_6(**given))
        configured(echo_7(**given))
        configured(echo_8(**given))
        configured(echo_9(**given))
        configured(echo_10(**given))
        configured(echo_11(**given))
        configured(echo_12(**given))
        configured(echo_13(**given))
        configured(constant_0(**given))
        configured(constant_1(**given))
        configured(constant_2(**given))
        configured(constant_3(**given))
        configured(constant_4(**given))
        configured(constant_5(**given))
        configured(constant_6(**given))
        configured(constant_7(**given))
        configured(constant_8(**given))
        configured(constant_9(**given))
        configured(constant_10(**given))
        configured(constant_11(**given))
        configured(constant_12(**given))
        configured(constant_13(**given))
        configured(echo_nested(**given))


if __name__ == "__main__":
    compiler.Compiler().compile(hostile, str(Path(__file__).with_suffix(".yaml")))
