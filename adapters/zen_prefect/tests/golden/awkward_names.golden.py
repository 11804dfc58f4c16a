"""A Prefect flow, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: awkward_names
IR: sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913
"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913"
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


@task(name="load", task_run_name="load", retries=0, **STEP)
def load():
    return run_step("load")


@task(name="class", task_run_name="class", retries=0, **STEP)
def class_(load_refs_):
    return run_step("class", load=load_refs_)


@task(name="lambda", task_run_name="lambda", retries=0, **STEP)
def lambda_(load_refs_):
    return run_step("lambda", load=load_refs_)


@task(name="match", task_run_name="match", retries=0, **STEP)
def match(load_refs_):
    return run_step("match", load=load_refs_)


@task(name="filter", task_run_name="filter", retries=0, **STEP)
def filter_(load_refs_):
    return run_step("filter", load=load_refs_)


@task(name="print", task_run_name="print", retries=0, **STEP)
def print_(load_refs_):
    return run_step("print", load=load_refs_)


@task(name="self", task_run_name="self", retries=0, **STEP)
def self(load_refs_):
    return run_step("self", load=load_refs_)


@task(name="step", task_run_name="step", retries=0, **STEP)
def step(load_refs_):
    return run_step("step", load=load_refs_)


@task(name="result", task_run_name="result", retries=0, **STEP)
def result(load_refs_):
    return run_step("result", load=load_refs_)


@task(name="task", task_run_name="task", retries=0, **STEP)
def task_(load_refs_):
    return run_step("task", load=load_refs_)


@task(name="dag", task_run_name="dag", retries=0, **STEP)
def dag(load_refs_):
    return run_step("dag", load=load_refs_)


@task(name="params", task_run_name="params", retries=0, **STEP)
def params(load_refs_):
    return run_step("params", load=load_refs_)


@task(name="ti", task_run_name="ti", retries=0, **STEP)
def ti(load_refs_):
    return run_step("ti", load=load_refs_)


@task(name="reason", task_run_name="reason", retries=0, **STEP)
def reason(load_refs_):
    return run_step("reason", load=load_refs_)


@task(name="run_id", task_run_name="run_id", retries=0, **STEP)
def run_id(load_refs_):
    return run_step("run_id", load=load_refs_)


@task(name="pod", task_run_name="pod", retries=0, **STEP)
def pod(load_refs_):
    return run_step("pod", load=load_refs_)


@task(name="pendulum", task_run_name="pendulum", retries=0, **STEP)
def pendulum(load_refs_):
    return run_step("pendulum", load=load_refs_)


@task(name="run_step", task_run_name="run_step", retries=0, **STEP)
def run_step_(load_refs_):
    return run_step("run_step", load=load_refs_)


@task(name="kwargs", task_run_name="kwargs", retries=0, **STEP)
def kwargs(load_refs_):
    return run_step("kwargs", load=load_refs_)


@task(name="context", task_run_name="context", retries=0, **STEP)
def context(load_refs_):
    return run_step("context", load=load_refs_)


@task(name="flow", task_run_name="flow", retries=0, **STEP)
def flow_(load_refs_):
    return run_step("flow", load=load_refs_)


@task(name="parameters", task_run_name="parameters", retries=0, **STEP)
def parameters(load_refs_):
    return run_step("parameters", load=load_refs_)


@task(name="logger", task_run_name="logger", retries=0, **STEP)
def logger(load_refs_):
    return run_step("logger", load=load_refs_)


@task(name="op", task_run_name="op", retries=0, **STEP)
def op(load_refs_):
    return run_step("op", load=load_refs_)


@task(name="job", task_run_name="job", retries=0, **STEP)
def job(load_refs_):
    return run_step("job", load=load_refs_)


@task(name="config", task_run_name="config", retries=0, **STEP)
def config(load_refs_):
    return run_step("config", load=load_refs_)


@task(name="dsl", task_run_name="dsl", retries=0, **STEP)
def dsl(load_refs_):
    return run_step("dsl", load=load_refs_)


@task(name="output", task_run_name="output", retries=0, **STEP)
def output(load_refs_):
    return run_step("output", load=load_refs_)


@task(name="name", task_run_name="name", retries=0, **STEP)
def name(load_refs_):
    return run_step("name", load=load_refs_)


@task(name="load_refs", task_run_name="load_refs", retries=0, **STEP)
def load_refs(
    class_refs,
    lambda_refs,
    match_refs,
    filter_refs,
    print_refs,
    self_refs,
    step_refs,
    result_refs,
    task_refs,
    dag_refs,
    params_refs,
    ti_refs,
    reason_refs,
    run_id_refs,
    pod_refs,
    pendulum_refs,
    run_step_refs,
    kwargs_refs,
    context_refs,
    flow_refs,
    parameters_refs,
    logger_refs,
    op_refs,
    job_refs,
    config_refs,
    dsl_refs,
    output_refs,
    name_refs,
):
    return run_step(
        "load_refs",
        match=match_refs,
        filter=filter_refs,
        print=print_refs,
        self=self_refs,
        step=step_refs,
        result=result_refs,
        task=task_refs,
        dag=dag_refs,
        params=params_refs,
        ti=ti_refs,
        reason=reason_refs,
        run_id=run_id_refs,
        pod=pod_refs,
        pendulum=pendulum_refs,
        run_step=run_step_refs,
        kwargs=kwargs_refs,
        context=context_refs,
        flow=flow_refs,
        parameters=parameters_refs,
        logger=logger_refs,
        op=op_refs,
        job=job_refs,
        config=config_refs,
        dsl=dsl_refs,
        output=output_refs,
        name=name_refs,
        **{"class": class_refs, "lambda": lambda_refs},
    )


@flow(
    name="awkward_names",
    task_runner=ThreadPoolTaskRunner(max_workers=30),
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
def awkward_names():
    load_refs_ = load.submit()
    class_refs = class_.submit(load_refs_)
    lambda_refs = lambda_.submit(load_refs_)
    match_refs = match.submit(load_refs_)
    filter_refs = filter_.submit(load_refs_)
    print_refs = print_.submit(load_refs_)
    self_refs = self.submit(load_refs_)
    step_refs = step.submit(load_refs_)
    result_refs = result.submit(load_refs_)
    task_refs = task_.submit(load_refs_)
    dag_refs = dag.submit(load_refs_)
    params_refs = params.submit(load_refs_)
    ti_refs = ti.submit(load_refs_)
    reason_refs = reason.submit(load_refs_)
    run_id_refs = run_id.submit(load_refs_)
    pod_refs = pod.submit(load_refs_)
    pendulum_refs = pendulum.submit(load_refs_)
    run_step_refs = run_step_.submit(load_refs_)
    kwargs_refs = kwargs.submit(load_refs_)
    context_refs = context.submit(load_refs_)
    flow_refs = flow_.submit(load_refs_)
    parameters_refs = parameters.submit(load_refs_)
    logger_refs = logger.submit(load_refs_)
    op_refs = op.submit(load_refs_)
    job_refs = job.submit(load_refs_)
    config_refs = config.submit(load_refs_)
    dsl_refs = dsl.submit(load_refs_)
    output_refs = output.submit(load_refs_)
    name_refs = name.submit(load_refs_)
    load_refs_refs = load_refs.submit(
        class_refs,
        lambda_refs,
        match_refs,
        filter_refs,
        print_refs,
        self_refs,
        step_refs,
        result_refs,
        task_refs,
        dag_refs,
        params_refs,
        ti_refs,
        reason_refs,
        run_id_refs,
        pod_refs,
        pendulum_refs,
        run_step_refs,
        kwargs_refs,
        context_refs,
        flow_refs,
        parameters_refs,
        logger_refs,
        op_refs,
        job_refs,
        config_refs,
        dsl_refs,
        output_refs,
        name_refs,
    )
    return _results(
        [
            load_refs_,
            class_refs,
            lambda_refs,
            match_refs,
            filter_refs,
            print_refs,
            self_refs,
            step_refs,
            result_refs,
            task_refs,
            dag_refs,
            params_refs,
            ti_refs,
            reason_refs,
            run_id_refs,
            pod_refs,
            pendulum_refs,
            run_step_refs,
            kwargs_refs,
            context_refs,
            flow_refs,
            parameters_refs,
            logger_refs,
            op_refs,
            job_refs,
            config_refs,
            dsl_refs,
            output_refs,
            name_refs,
            load_refs_refs,
        ],
    )
