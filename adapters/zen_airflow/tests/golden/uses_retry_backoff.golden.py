"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_retry_backoff
IR: sha256:141512bd60999dae4d17a084a909a2a8cf2f136cdaaef9f328e86f99c737b92e
"""

from datetime import timedelta

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task

    DOUBLING = 2.0
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

    DOUBLING = True

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:141512bd60999dae4d17a084a909a2a8cf2f136cdaaef9f328e86f99c737b92e"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="uses_retry_backoff",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def uses_retry_backoff():
    @task(
        multiple_outputs=False,
        retries=3,
        retry_delay=timedelta(seconds=30),
        retry_exponential_backoff=DOUBLING,
        max_retry_delay=timedelta(days=1),
    )
    def load():
        return run_step("load")

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()

    load_refs >> zen_end().as_teardown()


uses_retry_backoff()
