"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_tags
IR: sha256:b6d301147462f33fbef9cec7181fb44333581720e832b7fe713b757e463fe523
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:b6d301147462f33fbef9cec7181fb44333581720e832b7fe713b757e463fe523"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="uses_tags",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    tags=["churn", 'a "b"'],
    default_args={"retries": 0},
)
def uses_tags():
    @task(multiple_outputs=False)
    def load():
        return run_step("load")

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()

    load_refs >> zen_end().as_teardown()


uses_tags()
