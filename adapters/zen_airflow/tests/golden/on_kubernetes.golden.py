"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: on_kubernetes
IR: sha256:26fb1c6876e9b9ad625dc1452c2b709fc1b2bb9cf7fd4a8da6d99a0db5626a75
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:26fb1c6876e9b9ad625dc1452c2b709fc1b2bb9cf7fd4a8da6d99a0db5626a75"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


def pod(requests, limits, node_selector=None, image=None):
    from kubernetes.client import models as k8s

    resources = k8s.V1ResourceRequirements(requests=requests, limits=limits)
    container = k8s.V1Container(name="base", image=image, resources=resources)
    spec = k8s.V1PodSpec(containers=[container], node_selector=node_selector)
    return {"pod_override": k8s.V1Pod(spec=spec)}


@dag(
    dag_id="on_kubernetes",
    description="Two steps that ask for a machine of their own.",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "ml-team", "retries": 0},
)
def on_kubernetes():
    @task(
        multiple_outputs=False,
        executor_config=pod(requests={"cpu": "500m", "memory": "1Gi"}, limits={"memory": "1Gi"}),
    )
    def load():
        return run_step("load")

    @task(
        multiple_outputs=False,
        pool="gpu",
        pool_slots=2,
        priority_weight=10,
        executor_config=pod(
            requests={},
            limits={"nvidia.com/gpu": "1"},
            node_selector={"cloud.google.com/gke-accelerator": "a100"},
        ),
    )
    def train(load_refs):
        return run_step("train", load=load_refs)

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()
    train_refs = train(load_refs)

    train_refs >> zen_end().as_teardown()


on_kubernetes()
