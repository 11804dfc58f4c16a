"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: maps_and_branches
IR: sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362
"""

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362"
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


def _answer(gate):
    return _decided(gate, "taken")  # True or False; None, and neither branch, where it could not be asked


def _parts(expander, chunk=1):
    count = _decided(expander, "count") or 0
    return range((count + chunk - 1) // chunk)  # a task for each element, or for each `chunk` of them


def _results(futures):
    futures = [future for future in futures if future is not None]  # what is skipped is never submitted
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


@task(name="when", task_run_name="when", retries=0, description="Asks: total > 10", **STEP)
def when(total_refs):
    return run_step("when", total=total_refs)


@task(name="expand_double", task_run_name="expand_double", retries=0, **STEP)
def expand_double(numbers_refs, when_refs):
    return run_step("expand_double", numbers=numbers_refs, when=when_refs)


@task(name="double", task_run_name="double[{part}]", retries=0, **STEP)
def double(part, expand_double_refs):
    return run_part("double", part, expand_double=expand_double_refs)


@task(name="sum_doubled", task_run_name="sum_doubled", retries=0, **STEP)
def sum_doubled(expand_double_refs, when_refs):
    return run_step("sum_doubled", expand_double=expand_double_refs, when=when_refs)


@task(name="small", task_run_name="small", retries=0, **STEP)
def small(total_refs, when_refs):
    return run_step("small", total=total_refs, when=when_refs)


@task(name="chosen", task_run_name="chosen", retries=0, **STEP)
def chosen(sum_doubled_refs, small_refs):
    return run_step("chosen", sum_doubled=sum_doubled_refs, small=small_refs)


@task(name="last", task_run_name="last", retries=0, **STEP)
def last():
    return run_step("last")


@task(name="in_list", task_run_name="in_list", retries=0, **STEP)
def in_list(chosen_refs, total_refs):
    return run_step("in_list", chosen=chosen_refs, total=total_refs)


@flow(
    name="maps_and_branches",
    task_runner=ThreadPoolTaskRunner(max_workers=18),
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
def maps_and_branches():
    expand_double_refs = small_refs = double_refs = sum_doubled_refs = chosen_refs = in_list_refs = None
    numbers_refs = numbers.submit()
    expand_increase_refs = expand_increase.submit(numbers_refs)
    increase_refs = increase.map(_parts(expand_increase_refs), unmapped(expand_increase_refs))
    total_refs = total.submit(expand_increase_refs, wait_for=increase_refs)
    when_refs = when.submit(total_refs)
    last_refs = last.submit(wait_for=[expand_increase_refs, *increase_refs])
    if _answer(when_refs):
        expand_double_refs = expand_double.submit(numbers_refs, when_refs)
    elif _answer(when_refs) is False:
        small_refs = small.submit(total_refs, when_refs)
    if _answer(when_refs):
        double_refs = double.map(_parts(expand_double_refs), unmapped(expand_double_refs))
        sum_doubled_refs = sum_doubled.submit(expand_double_refs, when_refs, wait_for=double_refs)
    if sum_doubled_refs or small_refs:
        chosen_refs = chosen.submit(sum_doubled_refs, small_refs)
    if chosen_refs:
        in_list_refs = in_list.submit(chosen_refs, total_refs)
    return _results(
        [
            numbers_refs,
            expand_increase_refs,
            *increase_refs,
            total_refs,
            when_refs,
            expand_double_refs,
            *(double_refs or []),
            sum_doubled_refs,
            small_refs,
            chosen_refs,
            last_refs,
            in_list_refs,
        ],
    )
