"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: ordering_only
IR: sha256:76ca97140c9f54c302de5fcaad4db95444cd0e772ee43abdb93dfef40b4e419e
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:76ca97140c9f54c302de5fcaad4db95444cd0e772ee43abdb93dfef40b4e419e"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="ordering_only",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def ordering_only():
    @task(multiple_outputs=False)
    def first():
        return run_step("first")

    @task(multiple_outputs=False)
    def second():
        return run_step("second")

    @task(multiple_outputs=False)
    def other():
        return run_step("other")

    @task(multiple_outputs=False)
    def last(second_refs):
        return run_step("last", second=second_refs)

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    first_refs = first()
    second_refs = second()
    other_refs = other()
    last_refs = last(second_refs)

    first_refs >> second_refs
    [first_refs, other_refs] >> last_refs
    last_refs >> zen_end().as_teardown()


ordering_only()
