"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_max_parallel
IR: sha256:71e7fd078e0e6d37f770731fdd8ca89d33e9cd7bb8d861a6e5239fba1da18b64
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:71e7fd078e0e6d37f770731fdd8ca89d33e9cd7bb8d861a6e5239fba1da18b64"
# What Zen hands from task to task are small refs, and whether work is done again is decided in the task.
STEP = {"cache_policy": NO_CACHE, "persist_result": False, "log_prints": False}


def run_step(step, /, **upstream):
    from zen_prefect import runtime  # inside the task only: loading this file needs nothing but Prefect

    # A task that waits for another one holds a thread, so each has its own; at_once says how many work.
    return runtime.run_step(__file__, IR, step, upstream, at_once=2)


def start_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.start_run()


def end_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.end_run(__file__, IR, flow_run, state)


def _results(futures):
    wait(futures)  # for all of them: a step that fails does not stop those that do not depend on it
    return [future.result() for future in futures]


@task(name="step_0", task_run_name="step_0", retries=0, **STEP)
def step_0():
    return run_step("step_0")


@task(name="step_1", task_run_name="step_1", retries=0, **STEP)
def step_1(step_0_refs):
    return run_step("step_1", step_0=step_0_refs)


@task(name="step_2", task_run_name="step_2", retries=0, **STEP)
def step_2(step_1_refs):
    return run_step("step_2", step_1=step_1_refs)


@flow(
    name="uses_max_parallel",
    task_runner=ThreadPoolTaskRunner(max_workers=8),
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
def uses_max_parallel():
    step_0_refs = step_0.submit()
    step_1_refs = step_1.submit(step_0_refs)
    step_2_refs = step_2.submit(step_1_refs)
    return _results([step_0_refs, step_1_refs, step_2_refs])
