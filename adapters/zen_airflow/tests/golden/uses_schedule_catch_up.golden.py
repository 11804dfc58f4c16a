"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_schedule_catch_up
IR: sha256:47dd2e5e4bf8de243536de7399d65ee103fb240d6f22b10050d6a95e2deb09b2
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import CronTriggerTimetable, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.timetables.trigger import CronTriggerTimetable

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:47dd2e5e4bf8de243536de7399d65ee103fb240d6f22b10050d6a95e2deb09b2"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="uses_schedule_catch_up",
    schedule=CronTriggerTimetable("0 6 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 31, tz="UTC"),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 0},
)
def uses_schedule_catch_up():
    @task(multiple_outputs=False)
    def load():
        return run_step("load")

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()

    load_refs >> zen_end().as_teardown()


uses_schedule_catch_up()
