"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_nested_condition
IR: sha256:27799562772cc6882157885850dfe173437a0a08943535b1d085d3fcfb1cf707
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:27799562772cc6882157885850dfe173437a0a08943535b1d085d3fcfb1cf707"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


def choose(gate, yes, no, /, **upstream):
    from zen_airflow import runtime

    return yes if runtime.ask(__file__, IR, gate, upstream) else no


@dag(
    dag_id="uses_nested_condition",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def uses_nested_condition():
    @task(multiple_outputs=False)
    def load():
        return run_step("load")

    @task.branch(multiple_outputs=False)
    def when(load_refs):
        return choose("when", ["inner", "when_2"], ["no"], load=load_refs)

    @task(multiple_outputs=False)
    def inner(load_refs):
        return run_step("inner", load=load_refs)

    @task.branch(multiple_outputs=False)
    def when_2(inner_refs):
        return choose("when_2", ["high"], ["low"], inner=inner_refs)

    @task(multiple_outputs=False)
    def high(inner_refs):
        return run_step("high", inner=inner_refs)

    @task(multiple_outputs=False)
    def low(inner_refs):
        return run_step("low", inner=inner_refs)

    @task(multiple_outputs=False)
    def no(load_refs):
        return run_step("no", load=load_refs)

    @task(multiple_outputs=False, trigger_rule="none_failed_min_one_success")
    def after(high_refs, low_refs, no_refs):
        return run_step("after", high=high_refs, low=low_refs, no=no_refs)

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR, fail=True)

    load_refs = load()
    when_refs = when(load_refs)
    inner_refs = inner(load_refs)
    when_2_refs = when_2(inner_refs)
    high_refs = high(inner_refs)
    low_refs = low(inner_refs)
    no_refs = no(load_refs)
    after_refs = after(high_refs, low_refs, no_refs)

    when_refs >> [inner_refs, when_2_refs, no_refs]
    when_2_refs >> [high_refs, low_refs]
    after_refs >> zen_end().as_teardown(on_failure_fail_dagrun=True)


uses_nested_condition()
