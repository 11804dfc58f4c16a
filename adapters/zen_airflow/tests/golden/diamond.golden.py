"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: diamond
IR: sha256:061fc9d63ab15a4dc506ad7fe149577b316b111e17539e94a0affea5bfb1026f
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:061fc9d63ab15a4dc506ad7fe149577b316b111e17539e94a0affea5bfb1026f"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="diamond",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def diamond():
    @task(multiple_outputs=False)
    def load():
        return run_step("load")

    @task(multiple_outputs=False)
    def left(load_refs):
        return run_step("left", load=load_refs)

    @task(multiple_outputs=False)
    def right(load_refs):
        return run_step("right", load=load_refs)

    @task(multiple_outputs=False)
    def join(left_refs, right_refs):
        return run_step("join", left=left_refs, right=right_refs)

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()
    left_refs = left(load_refs)
    right_refs = right(load_refs)
    join_refs = join(left_refs, right_refs)

    join_refs >> zen_end().as_teardown()


diamond()
