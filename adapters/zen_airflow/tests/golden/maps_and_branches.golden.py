"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: maps_and_branches
IR: sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


def choose(gate, yes, no, /, **upstream):
    from zen_airflow import runtime

    return yes if runtime.ask(__file__, IR, gate, upstream) else no


def expand(expander, /, **upstream):
    from zen_airflow import runtime

    return runtime.expand(__file__, IR, expander, upstream)  # [0, 1, 2, ...]


def run_part(step, part, /, **upstream):
    from zen_airflow import runtime

    runtime.run_part(__file__, IR, step, part, upstream)


@dag(
    dag_id="maps_and_branches",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def maps_and_branches():
    @task(multiple_outputs=False)
    def numbers():
        return run_step("numbers")

    @task(multiple_outputs=False)
    def expand_increase(numbers_refs):
        return expand("expand_increase", numbers=numbers_refs)

    @task(multiple_outputs=False)
    def increase(part):
        return run_part("increase", part)

    @task(multiple_outputs=False, trigger_rule="none_failed")
    def total():
        return run_step("total")

    @task.branch(multiple_outputs=False)
    def when(total_refs):
        return choose("when", ["expand_double", "sum_doubled"], ["small"], total=total_refs)

    @task(multiple_outputs=False)
    def expand_double(numbers_refs):
        return expand("expand_double", numbers=numbers_refs)

    @task(multiple_outputs=False)
    def double(part):
        return run_part("double", part)

    @task(multiple_outputs=False, trigger_rule="none_failed")
    def sum_doubled():
        return run_step("sum_doubled")

    @task(multiple_outputs=False)
    def small(total_refs):
        return run_step("small", total=total_refs)

    @task(multiple_outputs=False, trigger_rule="none_failed_min_one_success")
    def chosen(sum_doubled_refs, small_refs):
        return run_step("chosen", sum_doubled=sum_doubled_refs, small=small_refs)

    @task(multiple_outputs=False, trigger_rule="none_failed")
    def last():
        return run_step("last")

    @task(multiple_outputs=False)
    def in_list(chosen_refs, total_refs):
        return run_step("in_list", chosen=chosen_refs, total=total_refs)

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR, fail=True)

    numbers_refs = numbers()
    expand_increase_refs = expand_increase(numbers_refs)
    increase_refs = increase.expand(part=expand_increase_refs)
    total_refs = total()
    when_refs = when(total_refs)
    expand_double_refs = expand_double(numbers_refs)
    double_refs = double.expand(part=expand_double_refs)
    sum_doubled_refs = sum_doubled()
    small_refs = small(total_refs)
    chosen_refs = chosen(sum_doubled_refs, small_refs)
    last_refs = last()
    in_list_refs = in_list(chosen_refs, total_refs)

    when_refs >> [expand_double_refs, sum_doubled_refs, small_refs]
    increase_refs >> total_refs
    double_refs >> sum_doubled_refs
    increase_refs >> last_refs
    [last_refs, in_list_refs] >> zen_end().as_teardown(on_failure_fail_dagrun=True)


maps_and_branches()
