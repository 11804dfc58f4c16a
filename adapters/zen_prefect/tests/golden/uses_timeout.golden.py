"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_timeout
IR: sha256:28e9344a512141c73b5528f2f01f18b6618a7f1c74c3bc7592d407ff1e32277e
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:28e9344a512141c73b5528f2f01f18b6618a7f1c74c3bc7592d407ff1e32277e"
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


@task(name="load", task_run_name="load", retries=0, **STEP)
def load():
    return run_step("load")


@task(name="increase", task_run_name="increase", retries=0, **STEP)
def increase(load_refs):
    return run_step("increase", load=load_refs)


@flow(
    name="uses_timeout",
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
def uses_timeout():
    load_refs = load.submit()
    increase_refs = increase.submit(load_refs)
    return _results([load_refs, increase_refs])
