"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_map_chain
IR: sha256:accea11612820424fd0369dea7fcc70a5a5d9a7f4c9011f0c99e92df2630a164
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task, task_group
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task, task_group

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:accea11612820424fd0369dea7fcc70a5a5d9a7f4c9011f0c99e92df2630a164"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


def expand(expander, /, **upstream):
    from zen_airflow import runtime

    return runtime.expand(__file__, IR, expander, upstream)  # [0, 1, 2, ...]


def run_part(step, part, /, **upstream):
    from zen_airflow import runtime

    runtime.run_part(__file__, IR, step, part, upstream)


@dag(
    dag_id="uses_map_chain",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def uses_map_chain():
    @task(multiple_outputs=False)
    def load():
        return run_step("load")

    @task(multiple_outputs=False)
    def numbers():
        return run_step("numbers")

    @task(multiple_outputs=False)
    def expand_increase(numbers_refs):
        return expand("expand_increase", numbers=numbers_refs)

    @task(multiple_outputs=False)
    def increase(part):
        return run_part("increase", part)

    @task(multiple_outputs=False)
    def double(part):
        return run_part("double", part)

    @task(multiple_outputs=False, trigger_rule="none_failed")
    def add(part, load_refs):
        return run_part("add", part, load=load_refs)

    @task(multiple_outputs=False, trigger_rule="none_failed")
    def total():
        return run_step("total")

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs = load()
    numbers_refs = numbers()
    expand_increase_refs = expand_increase(numbers_refs)

    @task_group(prefix_group_id=False)
    def map_increase(part):
        increase_refs = increase(part)
        double_refs = double(part)
        add_refs = add(part, load_refs)
        increase_refs >> double_refs
        double_refs >> add_refs
        return [increase_refs, double_refs, add_refs]

    [increase_refs, double_refs, add_refs] = map_increase.expand(part=expand_increase_refs)
    total_refs = total()

    add_refs >> total_refs
    total_refs >> zen_end().as_teardown()


uses_map_chain()
