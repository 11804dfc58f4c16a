"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: ordering_only
IR: sha256:76ca97140c9f54c302de5fcaad4db95444cd0e772ee43abdb93dfef40b4e419e
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:76ca97140c9f54c302de5fcaad4db95444cd0e772ee43abdb93dfef40b4e419e"
# What Zen hands from task to task are small refs, and whether work is done again is decided in the task.
STEP = {"cache_policy": NO_CACHE, "persist_result": False, "log_prints": False}


def run_step(step, /, **upstream):
    from zen_prefect import runtime  # inside the task only: loading this file needs nothing but Prefect

    return runtime.run_step(__file__, IR, step, upstream)


def start_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.start_run()


def end_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.end_run(__file__, IR, flow_run, state)


def _results(futures):
    wait(futures)  # for all of them: a step that fails does not stop those that do not depend on it
    return [future.result() for future in futures]


@task(name="first", task_run_name="first", retries=0, **STEP)
def first():
    return run_step("first")


@task(name="second", task_run_name="second", retries=0, **STEP)
def second():
    return run_step("second")


@task(name="other", task_run_name="other", retries=0, **STEP)
def other():
    return run_step("other")


@task(name="last", task_run_name="last", retries=0, **STEP)
def last(second_refs):
    return run_step("last", second=second_refs)


@flow(
    name="ordering_only",
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
def ordering_only():
    first_refs = first.submit()
    second_refs = second.submit(wait_for=[first_refs])
    other_refs = other.submit()
    last_refs = last.submit(second_refs, wait_for=[first_refs, other_refs])
    return _results([first_refs, second_refs, other_refs, last_refs])
