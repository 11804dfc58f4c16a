"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: hostile
IR: sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5"
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


@task(name="echo_0", task_run_name="echo_0", retries=0, **STEP)
def echo_0():
    return run_step("echo_0")


@task(name="echo_1", task_run_name="echo_1", retries=0, **STEP)
def echo_1():
    return run_step("echo_1")


@task(name="echo_2", task_run_name="echo_2", retries=0, **STEP)
def echo_2():
    return run_step("echo_2")


@task(name="echo_3", task_run_name="echo_3", retries=0, **STEP)
def echo_3():
    return run_step("echo_3")


@task(name="echo_4", task_run_name="echo_4", retries=0, **STEP)
def echo_4():
    return run_step("echo_4")


@task(name="echo_5", task_run_name="echo_5", retries=0, **STEP)
def echo_5():
    return run_step("echo_5")


@task(name="echo_6", task_run_name="echo_6", retries=0, **STEP)
def echo_6():
    return run_step("echo_6")


@task(name="echo_7", task_run_name="echo_7", retries=0, **STEP)
def echo_7():
    return run_step("echo_7")


@task(name="echo_8", task_run_name="echo_8", retries=0, **STEP)
def echo_8():
    return run_step("echo_8")


@task(name="echo_9", task_run_name="echo_9", retries=0, **STEP)
def echo_9():
    return run_step("echo_9")


@task(name="echo_10", task_run_name="echo_10", retries=0, **STEP)
def echo_10():
    return run_step("echo_10")


@task(name="echo_11", task_run_name="echo_11", retries=0, **STEP)
def echo_11():
    return run_step("echo_11")


@task(name="echo_12", task_run_name="echo_12", retries=0, **STEP)
def echo_12():
    return run_step("echo_12")


@task(name="echo_13", task_run_name="echo_13", retries=0, **STEP)
def echo_13():
    return run_step("echo_13")


@task(name="constant_0", task_run_name="constant_0", retries=0, **STEP)
def constant_0():
    return run_step("constant_0")


@task(name="constant_1", task_run_name="constant_1", retries=0, **STEP)
def constant_1():
    return run_step("constant_1")


@task(name="constant_2", task_run_name="constant_2", retries=0, **STEP)
def constant_2():
    return run_step("constant_2")


@task(name="constant_3", task_run_name="constant_3", retries=0, **STEP)
def constant_3():
    return run_step("constant_3")


@task(name="constant_4", task_run_name="constant_4", retries=0, **STEP)
def constant_4():
    return run_step("constant_4")


@task(name="constant_5", task_run_name="constant_5", retries=0, **STEP)
def constant_5():
    return run_step("constant_5")


@task(name="constant_6", task_run_name="constant_6", retries=0, **STEP)
def constant_6():
    return run_step("constant_6")


@task(name="constant_7", task_run_name="constant_7", retries=0, **STEP)
def constant_7():
    return run_step("constant_7")


@task(name="constant_8", task_run_name="constant_8", retries=0, **STEP)
def constant_8():
    return run_step("constant_8")


@task(name="constant_9", task_run_name="constant_9", retries=0, **STEP)
def constant_9():
    return run_step("constant_9")


@task(name="constant_10", task_run_name="constant_10", retries=0, **STEP)
def constant_10():
    return run_step("constant_10")


@task(name="constant_11", task_run_name="constant_11", retries=0, **STEP)
def constant_11():
    return run_step("constant_11")


@task(name="constant_12", task_run_name="constant_12", retries=0, **STEP)
def constant_12():
    return run_step("constant_12")


@task(name="constant_13", task_run_name="constant_13", retries=0, **STEP)
def constant_13():
    return run_step("constant_13")


@task(name="echo_nested", task_run_name="echo_nested", retries=0, **STEP)
def echo_nested():
    return run_step("echo_nested")


@flow(
    name="hostile",
    description='"""{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f\'{x}\'',
    task_runner=ThreadPoolTaskRunner(max_workers=29),
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
def hostile(
    text_0: str = 'it\'s "quoted"',
    text_1: str = '"""',
    text_2: str = "back\\slash \\n and a trailing \\",
    text_3: str = "line\nbreak\r\tand\x00null",
    text_4: str = "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'",
    text_5: str = "'); import os; os.system('true') #",
    text_6: str = "größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301",
    text_7: str = "\ud800",
    text_8: str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",  # noqa: E501
    text_9: str = "report.md",
    text_10: str = "",
    text_11: str = " ",
    text_12: str = "None",
    text_13: str = "0123",
    nested: dict = {
        "": [""],
        " ": [" "],
        '"""': ['"""'],
        "'); import os; os.system('true') #": ["'); import os; os.system('true') #"],
        "0123": ["0123"],
        "None": ["None"],
        "back\\slash \\n and a trailing \\": ["back\\slash \\n and a trailing \\"],
        "größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301": [
            "größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301",
        ],
        'it\'s "quoted"': ['it\'s "quoted"'],
        "line\nbreak\r\tand\x00null": ["line\nbreak\r\tand\x00null"],
        "report.md": ["report.md"],
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": [  # noqa: E501
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",  # noqa: E501
        ],
        "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'": [
            "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'",
        ],
        "\ud800": ["\ud800"],
    },
):
    echo_0_refs = echo_0.submit()
    echo_1_refs = echo_1.submit()
    echo_2_refs = echo_2.submit()
    echo_3_refs = echo_3.submit()
    echo_4_refs = echo_4.submit()
    echo_5_refs = echo_5.submit()
    echo_6_refs = echo_6.submit()
    echo_7_refs = echo_7.submit()
    echo_8_refs = echo_8.submit()
    echo_9_refs = echo_9.submit()
    echo_10_refs = echo_10.submit()
    echo_11_refs = echo_11.submit()
    echo_12_refs = echo_12.submit()
    echo_13_refs = echo_13.submit()
    constant_0_refs = constant_0.submit()
    constant_1_refs = constant_1.submit()
    constant_2_refs = constant_2.submit()
    constant_3_refs = constant_3.submit()
    constant_4_refs = constant_4.submit()
    constant_5_refs = constant_5.submit()
    constant_6_refs = constant_6.submit()
    constant_7_refs = constant_7.submit()
    constant_8_refs = constant_8.submit()
    constant_9_refs = constant_9.submit()
    constant_10_refs = constant_10.submit()
    constant_11_refs = constant_11.submit()
    constant_12_refs = constant_12.submit()
    constant_13_refs = constant_13.submit()
    echo_nested_refs = echo_nested.submit()
    return _results(
        [
            echo_0_refs,
            echo_1_refs,
            echo_2_refs,
            echo_3_refs,
            echo_4_refs,
            echo_5_refs,
            echo_6_refs,
            echo_7_refs,
            echo_8_refs,
            echo_9_refs,
            echo_10_refs,
            echo_11_refs,
            echo_12_refs,
            echo_13_refs,
            constant_0_refs,
            constant_1_refs,
            constant_2_refs,
            constant_3_refs,
            constant_4_refs,
            constant_5_refs,
            constant_6_refs,
            constant_7_refs,
            constant_8_refs,
            constant_9_refs,
            constant_10_refs,
            constant_11_refs,
            constant_12_refs,
            constant_13_refs,
            echo_nested_refs,
        ],
    )
