"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: two_maps
IR: sha256:871be87cdeffb05291cf19bfe59e41f6193a62bc123e0ee37c675e42a2dacaf6
"""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from prefect import allow_failure, flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:871be87cdeffb05291cf19bfe59e41f6193a62bc123e0ee37c675e42a2dacaf6"
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


def _side_by_side(*lanes):
    """Call these functions at the same time: what waits for one decision does not wait for another."""
    with ThreadPoolExecutor(len(lanes)) as threads:
        calls = [threads.submit(copy_context().run, lane) for lane in lanes]
    for made in calls:
        made.result()


def _results(futures):
    wait(futures)  # for all of them: a step that fails does not stop those that do not depend on it
    return [future.result() for future in futures]


@task(name="left", task_run_name="left", retries=0, **STEP)
def left():
    return run_step("left")


@task(name="expand_left", task_run_name="expand_left", retries=0, **STEP)
def expand_left(left_refs):
    return run_step("expand_left", left=left_refs)


@task(name="left_more", task_run_name="left_more[{part}]", retries=0, **STEP)
def left_more(part, expand_left_refs):
    return run_part("left_more", part, expand_left=expand_left_refs)


@task(name="left_sum", task_run_name="left_sum", retries=0, **STEP)
def left_sum(expand_left_refs):
    return run_step("left_sum", expand_left=expand_left_refs)


@task(name="right", task_run_name="right", retries=0, **STEP)
def right():
    return run_step("right")


@task(name="expand_right", task_run_name="expand_right", retries=0, **STEP)
def expand_right(right_refs):
    return run_step("expand_right", right=right_refs)


@task(name="right_more", task_run_name="right_more[{part}]", retries=0, **STEP)
def right_more(part, expand_right_refs):
    return run_part("right_more", part, expand_right=expand_right_refs)


@task(name="right_sum", task_run_name="right_sum", retries=0, **STEP)
def right_sum(expand_right_refs):
    return run_step("right_sum", expand_right=expand_right_refs)


@task(name="right_most", task_run_name="right_most[{part}]", retries=0, **STEP)
def right_most(part, right_more_refs, expand_right_refs):
    return run_part("right_most", part, expand_right=expand_right_refs)


@task(name="join", task_run_name="join", retries=0, **STEP)
def join(left_sum_refs, right_sum_refs):
    return run_step("join", left_sum=left_sum_refs, right_sum=right_sum_refs)


@flow(
    name="two_maps",
    task_runner=ThreadPoolTaskRunner(max_workers=15),
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
def two_maps():
    # Elements that wait hold threads of their own, and keep nothing else waiting.
    with (
        ThreadPoolTaskRunner(max_workers=2) as right_more_limited,
        ThreadPoolTaskRunner(max_workers=8) as right_most_apart,
    ):
        left_more_refs = left_sum_refs = right_more_refs = right_sum_refs = right_most_refs = None
        left_refs = left.submit()
        expand_left_refs = expand_left.submit(left_refs)
        right_refs = right.submit()
        expand_right_refs = expand_right.submit(right_refs)

        def after_expand_left():
            nonlocal left_more_refs, left_sum_refs
            left_more_refs = left_more.map(_parts(expand_left_refs), unmapped(expand_left_refs))
            left_sum_refs = left_sum.submit(expand_left_refs, wait_for=left_more_refs)

        def after_expand_right():
            nonlocal right_more_refs, right_sum_refs, right_most_refs
            right_more_refs = right_more_limited.map(
                right_more,
                {"part": _parts(expand_right_refs, 3), "expand_right_refs": unmapped(expand_right_refs)},
            )
            right_sum_refs = right_sum.submit(expand_right_refs, wait_for=right_more_refs)
            right_most_refs = right_most_apart.map(
                right_most,
                {
                    "part": _parts(expand_right_refs, 3),
                    "right_more_refs": allow_failure(right_more_refs),
                    "expand_right_refs": unmapped(expand_right_refs),
                },
            )

        _side_by_side(after_expand_left, after_expand_right)
        join_refs = join.submit(left_sum_refs, right_sum_refs)
        return _results(
            [
                left_refs,
                expand_left_refs,
                *left_more_refs,
                left_sum_refs,
                right_refs,
                expand_right_refs,
                *right_more_refs,
                right_sum_refs,
                *right_most_refs,
                join_refs,
            ],
        )
