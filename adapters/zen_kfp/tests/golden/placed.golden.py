"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: placed
IR: sha256:dfc65f03c2939dce8112166b77faaf38cab4c55437881921ca677b680b31ae53
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl, kubernetes

IMAGE = "registry.example.com/churn:1"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:dfc65f03c2939dce8112166b77faaf38cab4c55437881921ca677b680b31ae53"
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
            "--secrets=AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,ZEN_LINEAGE_URL",
            *(f"--refs={step}={refs}" for step, refs in (upstream or {}).items()),
            *(f"--parameter={name}={value}" for name, value in (parameters or {}).items()),
        ],
    )


def configured(task):
    # Zen decides in the container whether work is done again.
    # A task that KFP takes from its own cache runs no container, and would be missing in the lineage.
    task.set_caching_options(False)
    task.set_env_variable("ZEN_ARTIFACT_URL", "s3://zen/artifacts")
    task.set_env_variable("ZEN_DEPLOYMENT", "kfp-prod")
    task.set_env_variable("ZEN_KFP_URL", "https://kubeflow.example.com/pipeline")
    kubernetes.use_secret_as_env(task, "s3", {"id": "AWS_ACCESS_KEY_ID", "key": "AWS_SECRET_ACCESS_KEY"})
    kubernetes.use_secret_as_env(task, "zen", {"lineage-url": "ZEN_LINEAGE_URL"})
    kubernetes.add_node_selector(task, "pool", "ml")
    return task


@dsl.container_component
def load(run: str, depth: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "load", f"--to={refs}", parameters={"depth": depth})


@dsl.container_component
def train(run: str, load: str, depth: str, refs: dsl.OutputPath(str)):
    return container(
        run,
        "run-step",
        "train",
        f"--to={refs}",
        upstream={"load": load},
        parameters={"depth": depth},
        image="registry.example.com/train:2",
    )


@dsl.container_component
def zen_end(run: str, depth: str):
    return container(run, "end-run", parameters={"depth": depth})


@dsl.pipeline(name="placed")
def placed(depth: str = "4"):
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "depth": depth}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        load_task = configured(load(**given))
        train_task = configured(train(load=load_task.outputs["refs"], **given))
        train_task.set_cpu_request("500m")
        train_task.set_memory_request("1Gi")
        train_task.set_memory_limit("1Gi")
        train_task.set_accelerator_type("amd.com/gpu")
        train_task.set_accelerator_limit(2)
        kubernetes.add_node_selector(train_task, "cloud.google.com/gke-accelerator", "a100")
        kubernetes.add_node_selector(train_task, "pool", "gpu")


if __name__ == "__main__":
    compiler.Compiler().compile(placed, str(Path(__file__).with_suffix(".yaml")))
