"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: many_leaves
IR: sha256:bf657b3db20be8549d5c33d31275cd3719e89d638b1e4dafd63dc5c7f627330a
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:bf657b3db20be8549d5c33d31275cd3719e89d638b1e4dafd63dc5c7f627330a"
# What Zen hands from task to task are small refs, and whether work is done again is decided in the task.
STEP = {"cache_policy": NO_CACHE, "persist_result": False, "log_prints": False}


def run_step(step, /, **upstream):
    from zen_prefect import runtime  # inside the task only: loading this file needs nothing but Prefect

    # A task that waits for another one holds a thread, so each has its own; at_once says how many work.
    return runtime.run_step(__file__, IR, step, upstream, at_once=8)


def start_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.start_run()


def end_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.end_run(__file__, IR, flow_run, state)


def _results(futures):
    wait(futures)  # for all of them: a step that fails does not stop those that do not depend on it
    return [future.result() for future in futures]


@task(name="a_step_with_a_long_name_0", task_run_name="a_step_with_a_long_name_0", retries=0, **STEP)
def a_step_with_a_long_name_0():
    return run_step("a_step_with_a_long_name_0")


@task(name="a_step_with_a_long_name_1", task_run_name="a_step_with_a_long_name_1", retries=0, **STEP)
def a_step_with_a_long_name_1():
    return run_step("a_step_with_a_long_name_1")


@task(name="a_step_with_a_long_name_2", task_run_name="a_step_with_a_long_name_2", retries=0, **STEP)
def a_step_with_a_long_name_2():
    return run_step("a_step_with_a_long_name_2")


@task(name="a_step_with_a_long_name_3", task_run_name="a_step_with_a_long_name_3", retries=0, **STEP)
def a_step_with_a_long_name_3():
    return run_step("a_step_with_a_long_name_3")


@task(name="a_step_with_a_long_name_4", task_run_name="a_step_with_a_long_name_4", retries=0, **STEP)
def a_step_with_a_long_name_4():
    return run_step("a_step_with_a_long_name_4")


@task(name="a_step_with_a_long_name_5", task_run_name="a_step_with_a_long_name_5", retries=0, **STEP)
def a_step_with_a_long_name_5():
    return run_step("a_step_with_a_long_name_5")


@task(name="a_step_with_a_long_name_6", task_run_name="a_step_with_a_long_name_6", retries=0, **STEP)
def a_step_with_a_long_name_6():
    return run_step("a_step_with_a_long_name_6")


@task(name="a_step_with_a_long_name_7", task_run_name="a_step_with_a_long_name_7", retries=0, **STEP)
def a_step_with_a_long_name_7():
    return run_step("a_step_with_a_long_name_7")


@task(name="a_step_with_a_long_name_8", task_run_name="a_step_with_a_long_name_8", retries=0, **STEP)
def a_step_with_a_long_name_8():
    return run_step("a_step_with_a_long_name_8")


@task(name="a_step_with_a_long_name_9", task_run_name="a_step_with_a_long_name_9", retries=0, **STEP)
def a_step_with_a_long_name_9():
    return run_step("a_step_with_a_long_name_9")


@task(name="a_step_with_a_long_name_10", task_run_name="a_step_with_a_long_name_10", retries=0, **STEP)
def a_step_with_a_long_name_10():
    return run_step("a_step_with_a_long_name_10")


@task(name="a_step_with_a_long_name_11", task_run_name="a_step_with_a_long_name_11", retries=0, **STEP)
def a_step_with_a_long_name_11():
    return run_step("a_step_with_a_long_name_11")


@flow(
    name="many_leaves",
    task_runner=ThreadPoolTaskRunner(max_workers=12),
    retries=0,
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
    on_running=[start_run],
    on_completion=[end_run],
    on_failure=[end_run],
    on_cancellation=[end_run],
    on_crashed=[end_run],
)
def many_leaves():
    a_step_with_a_long_name_0_refs = a_step_with_a_long_name_0.submit()
    a_step_with_a_long_name_1_refs = a_step_with_a_long_name_1.submit()
    a_step_with_a_long_name_2_refs = a_step_with_a_long_name_2.submit()
    a_step_with_a_long_name_3_refs = a_step_with_a_long_name_3.submit()
    a_step_with_a_long_name_4_refs = a_step_with_a_long_name_4.submit()
    a_step_with_a_long_name_5_refs = a_step_with_a_long_name_5.submit()
    a_step_with_a_long_name_6_refs = a_step_with_a_long_name_6.submit()
    a_step_with_a_long_name_7_refs = a_step_with_a_long_name_7.submit()
    a_step_with_a_long_name_8_refs = a_step_with_a_long_name_8.submit()
    a_step_with_a_long_name_9_refs = a_step_with_a_long_name_9.submit()
    a_step_with_a_long_name_10_refs = a_step_with_a_long_name_10.submit()
    a_step_with_a_long_name_11_refs = a_step_with_a_long_name_11.submit()
    return _results(
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
        ],
    )
