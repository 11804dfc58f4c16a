"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: many_leaves
IR: sha256:bf657b3db20be8549d5c33d31275cd3719e89d638b1e4dafd63dc5c7f627330a
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:bf657b3db20be8549d5c33d31275cd3719e89d638b1e4dafd63dc5c7f627330a"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="many_leaves",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def many_leaves():
    @task(multiple_outputs=False)
    def a_step_with_a_long_name_0():
        return run_step("a_step_with_a_long_name_0")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_1():
        return run_step("a_step_with_a_long_name_1")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_2():
        return run_step("a_step_with_a_long_name_2")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_3():
        return run_step("a_step_with_a_long_name_3")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_4():
        return run_step("a_step_with_a_long_name_4")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_5():
        return run_step("a_step_with_a_long_name_5")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_6():
        return run_step("a_step_with_a_long_name_6")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_7():
        return run_step("a_step_with_a_long_name_7")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_8():
        return run_step("a_step_with_a_long_name_8")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_9():
        return run_step("a_step_with_a_long_name_9")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_10():
        return run_step("a_step_with_a_long_name_10")

    @task(multiple_outputs=False)
    def a_step_with_a_long_name_11():
        return run_step("a_step_with_a_long_name_11")

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    a_step_with_a_long_name_0_refs = a_step_with_a_long_name_0()
    a_step_with_a_long_name_1_refs = a_step_with_a_long_name_1()
    a_step_with_a_long_name_2_refs = a_step_with_a_long_name_2()
    a_step_with_a_long_name_3_refs = a_step_with_a_long_name_3()
    a_step_with_a_long_name_4_refs = a_step_with_a_long_name_4()
    a_step_with_a_long_name_5_refs = a_step_with_a_long_name_5()
    a_step_with_a_long_name_6_refs = a_step_with_a_long_name_6()
    a_step_with_a_long_name_7_refs = a_step_with_a_long_name_7()
    a_step_with_a_long_name_8_refs = a_step_with_a_long_name_8()
    a_step_with_a_long_name_9_refs = a_step_with_a_long_name_9()
    a_step_with_a_long_name_10_refs = a_step_with_a_long_name_10()
    a_step_with_a_long_name_11_refs = a_step_with_a_long_name_11()

    [
        a_step_with_a_long_name_0_refs,
        a_step_with_a_long_name_1_refs,
        a_step_with_a_long_name_2_refs,
        a_step_with_a_long_name_3_refs,
        a_step_with_a_long_name_4_refs,
        a_step_with_a_long_name_5_refs,
        a_step_with_a_long_name_6_refs,
        a_step_with_a_long_name_7_refs,
        a_step_with_a_long_name_8_refs,
        a_step_with_a_long_name_9_refs,
        a_step_with_a_long_name_10_refs,
        a_step_with_a_long_name_11_refs,
    ] >> zen_end().as_teardown()


many_leaves()
