"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: parameters
IR: sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098"
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


@task(name="echo_whole", task_run_name="echo_whole", retries=0, **STEP)
def echo_whole():
    return run_step("echo_whole")


@task(name="echo_share", task_run_name="echo_share", retries=0, **STEP)
def echo_share():
    return run_step("echo_share")


@task(name="echo_switch", task_run_name="echo_switch", retries=0, **STEP)
def echo_switch():
    return run_step("echo_switch")


@task(name="echo_word", task_run_name="echo_word", retries=0, **STEP)
def echo_word():
    return run_step("echo_word")


@task(name="echo_needed", task_run_name="echo_needed", retries=0, **STEP)
def echo_needed():
    return run_step("echo_needed")


@task(name="echo_day", task_run_name="echo_day", retries=0, **STEP)
def echo_day():
    return run_step("echo_day")


@task(name="echo_moment", task_run_name="echo_moment", retries=0, **STEP)
def echo_moment():
    return run_step("echo_moment")


@task(name="echo_file", task_run_name="echo_file", retries=0, **STEP)
def echo_file():
    return run_step("echo_file")


@task(name="echo_rates", task_run_name="echo_rates", retries=0, **STEP)
def echo_rates():
    return run_step("echo_rates")


@task(name="echo_words", task_run_name="echo_words", retries=0, **STEP)
def echo_words():
    return run_step("echo_words")


@task(name="echo_pair", task_run_name="echo_pair", retries=0, **STEP)
def echo_pair():
    return run_step("echo_pair")


@task(name="echo_table", task_run_name="echo_table", retries=0, **STEP)
def echo_table():
    return run_step("echo_table")


@task(name="echo_maybe", task_run_name="echo_maybe", retries=0, **STEP)
def echo_maybe():
    return run_step("echo_maybe")


@task(name="echo_mode", task_run_name="echo_mode", retries=0, **STEP)
def echo_mode():
    return run_step("echo_mode")


@task(name="echo_limit", task_run_name="echo_limit", retries=0, **STEP)
def echo_limit():
    return run_step("echo_limit")


@task(name="echo_anything", task_run_name="echo_anything", retries=0, **STEP)
def echo_anything():
    return run_step("echo_anything")


@flow(
    name="parameters",
    task_runner=ThreadPoolTaskRunner(max_workers=16),
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
def parameters(
    needed: int,
    whole: int = 4,
    share: float = 0.25,
    switch: bool = False,
    word: str = "abc",
    day: str = "2026-01-31",
    moment: str = "2026-01-31T06:00:00+01:00",
    file: str = "data/churn.csv",
    rates: list = [0.1, 0.2],
    words: list = ["a", "b"],
    pair: list = [1, "a"],
    table: dict = {"a": 2, "b": 1},
    maybe: int | None = None,
    mode="fast",
    limit={"$zen": "float", "value": "inf"},
    anything=None,
):
    echo_whole_refs = echo_whole.submit()
    echo_share_refs = echo_share.submit()
    echo_switch_refs = echo_switch.submit()
    echo_word_refs = echo_word.submit()
    echo_needed_refs = echo_needed.submit()
    echo_day_refs = echo_day.submit()
    echo_moment_refs = echo_moment.submit()
    echo_file_refs = echo_file.submit()
    echo_rates_refs = echo_rates.submit()
    echo_words_refs = echo_words.submit()
    echo_pair_refs = echo_pair.submit()
    echo_table_refs = echo_table.submit()
    echo_maybe_refs = echo_maybe.submit()
    echo_mode_refs = echo_mode.submit()
    echo_limit_refs = echo_limit.submit()
    echo_anything_refs = echo_anything.submit()
    return _results(
        [
            echo_whole_refs,
            echo_share_refs,
            echo_switch_refs,
            echo_word_refs,
            echo_needed_refs,
            echo_day_refs,
            echo_moment_refs,
            echo_file_refs,
            echo_rates_refs,
            echo_words_refs,
            echo_pair_refs,
            echo_table_refs,
            echo_maybe_refs,
            echo_mode_refs,
            echo_limit_refs,
            echo_anything_refs,
        ],
    )
