"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: two_outputs
IR: sha256:ca68b385ea59f7a3d3241f976375edbbf136d1ed21c444db541304600e786bb5
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:ca68b385ea59f7a3d3241f976375edbbf136d1ed21c444db541304600e786bb5"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="two_outputs",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def two_outputs():
    @task(multiple_outputs=False)
    def load():
        return run_step("load")

    @task(multiple_outputs=False)
    def split(load_refs):
        return run_step("split", load=load_refs)

    @task(multiple_outputs=False)
    def join(split_refs):
        return run_step("join", split=split_refs)

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()
    split_refs = split(load_refs)
    join_refs = join(split_refs)

    join_refs >> zen_end().as_teardown()


two_outputs()
