"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: branches
IR: sha256:a30a2ef18086b92a977339c7fa3e6219c12f3c55c5ffe657f83d65e5154f9a30
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:a30a2ef18086b92a977339c7fa3e6219c12f3c55c5ffe657f83d65e5154f9a30"
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


def _decided(future, output):
    """What a task says of how to go on, as soon as it is known; None where the task did not come to it."""
    if future is None:
        return None
    future.wait()
    refs = future.result() if future.state.is_completed() else None
    return refs[output]["value"] if refs else None


def _answer(gate):
    return _decided(gate, "taken")  # True or False; None, and neither branch, where it could not be asked


def _results(futures):
    futures = [future for future in futures if future is not None]  # what is skipped is never submitted
    wait(futures)  # for all of them: a step that fails does not stop those that do not depend on it
    return [future.result() for future in futures]


@task(name="load", task_run_name="load", retries=0, **STEP)
def load():
    return run_step("load")


@task(name="when", task_run_name="when", retries=0, description="Asks: load > 2", **STEP)
def when(load_refs):
    return run_step("when", load=load_refs)


@task(name="yes", task_run_name="yes", retries=0, **STEP)
def yes(load_refs, when_refs):
    return run_step("yes", load=load_refs, when=when_refs)


@task(name="no", task_run_name="no", retries=0, **STEP)
def no(load_refs, when_refs):
    return run_step("no", load=load_refs, when=when_refs)


@task(name="after", task_run_name="after", retries=0, **STEP)
def after(yes_refs, no_refs):
    return run_step("after", yes=yes_refs, no=no_refs)


@flow(
    name="branches",
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
def branches():
    yes_refs = no_refs = after_refs = None
    load_refs = load.submit()
    when_refs = when.submit(load_refs)
    if _answer(when_refs):
        yes_refs = yes.submit(load_refs, when_refs)
    elif _answer(when_refs) is False:
        no_refs = no.submit(load_refs, when_refs)
    if yes_refs or no_refs:
        after_refs = after.submit(yes_refs, no_refs)
    return _results([load_refs, when_refs, yes_refs, no_refs, after_refs])
