"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_timeout
IR: sha256:28e9344a512141c73b5528f2f01f18b6618a7f1c74c3bc7592d407ff1e32277e
"""

from datetime import timedelta

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:28e9344a512141c73b5528f2f01f18b6618a7f1c74c3bc7592d407ff1e32277e"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="uses_timeout",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def uses_timeout():
    @task(multiple_outputs=False, execution_timeout=timedelta(minutes=2, seconds=31))
    def load():
        return run_step("load")

    @task(multiple_outputs=False, execution_timeout=timedelta(hours=1, minutes=11))
    def increase(load_refs):
        return run_step("increase", load=load_refs)

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()
    increase_refs = increase(load_refs)

    increase_refs >> zen_end().as_teardown()


uses_timeout()
