"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_map
IR: sha256:06aed16c9dac7c17f41fc605e976396c4221c5ecc89a291ea4fe30ecf138c7f3
"""

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:06aed16c9dac7c17f41fc605e976396c4221c5ecc89a291ea4fe30ecf138c7f3"
# What Zen hands from task to task are small refs, and whether work is done again is decided in the task.
STEP = {"cache_policy": NO_CACHE, "persist_result": False, "log_prints": False}


def run_step(step, /, **upstream):
    from zen_prefect import runtime  # inside the task only: loading this file needs nothing but Prefect

    # A task that waits for another one holds a thread, so each has its own; at_once says how many work.
    return runtime.run_step(__file__, IR, step, upstream, at_once=8)


def run_part(step, part, /, **upstream):
    from zen_prefect import runtime

    return runtime.run_part(__file__, IR, step, part, upstream, at_once=8)


def start_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.start_run()


def end_run(flow, flow_run, state):
    from zen_prefect import runtime

    runtime.end_run(__file__, IR, flow_run, state)


def _decided(future, output):
    """What a task says of how to go on, as soon as it is known; None where the task did not come to it."""
    if future is None:
        return None
    future.wait()
    refs = future.result() if future.state.is_completed() else None
    return refs[output]["value"] if refs else None


def _parts(expander, chunk=1):
    count = _decided(expander, "count") or 0
    return range((count + chunk - 1) // chunk)  # a task for each element, or for each `chunk` of them


def _results(futures):
    wait(futures)  # for all of them: a step that fails does not stop those that do not depend on it
    return [future.result() for future in futures]


@task(name="numbers", task_run_name="numbers", retries=0, **STEP)
def numbers():
    return run_step("numbers")


@task(name="expand_increase", task_run_name="expand_increase", retries=0, **STEP)
def expand_increase(numbers_refs):
    return run_step("expand_increase", numbers=numbers_refs)


@task(name="increase", task_run_name="increase[{part}]", retries=0, **STEP)
def increase(part, expand_increase_refs):
    return run_part("increase", part, expand_increase=expand_increase_refs)


@task(name="total", task_run_name="total", retries=0, **STEP)
def total(expand_increase_refs):
    return run_step("total", expand_increase=expand_increase_refs)


@flow(
    name="uses_map",
    task_runner=ThreadPoolTaskRunner(max_workers=11),
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
def uses_map():
    numbers_refs = numbers.submit()
    expand_increase_refs = expand_increase.submit(numbers_refs)
    increase_refs = increase.map(_parts(expand_increase_refs), unmapped(expand_increase_refs))
    total_refs = total.submit(expand_increase_refs, wait_for=increase_refs)
    return _results([numbers_refs, expand_increase_refs, *increase_refs, total_refs])
