"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: awkward_names
IR: sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913"
JOB = "awkward_names"


# What a step made is in Zen's stores, where the next one finds it: Dagster keeps the order, moves no data.
def after(*steps):
    return {f"after_{step}": dg.In(dg.Nothing) for step in steps}


# All jobs of a code location share the names of definitions. In the job, an op is called like its function.
def op(**options):
    def define(function):
        return dg.op(name=f"{JOB}__{function.__name__}", **options)(function).alias(function.__name__)

    return define


def run_step(context, step):
    from zen_dagster import runtime  # inside the op only: loading this file needs nothing but Dagster

    runtime.run_step(__file__, IR, context, step)


@op(out=dg.Out(dg.Nothing))
def load(context):
    run_step(context, "load")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def class_(context):
    run_step(context, "class")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def lambda_(context):
    run_step(context, "lambda")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def match(context):
    run_step(context, "match")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def filter_(context):
    run_step(context, "filter")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def print_(context):
    run_step(context, "print")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def self(context):
    run_step(context, "self")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def step(context):
    run_step(context, "step")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def result(context):
    run_step(context, "result")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def task(context):
    run_step(context, "task")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def dag(context):
    run_step(context, "dag")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def params(context):
    run_step(context, "params")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def ti(context):
    run_step(context, "ti")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def reason(context):
    run_step(context, "reason")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def run_id(context):
    run_step(context, "run_id")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def pod(context):
    run_step(context, "pod")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def pendulum(context):
    run_step(context, "pendulum")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def run_step_(context):
    run_step(context, "run_step")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def kwargs(context):
    run_step(context, "kwargs")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def context_(context):
    run_step(context, "context")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def flow(context):
    run_step(context, "flow")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def parameters_(context):
    run_step(context, "parameters")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def logger(context):
    run_step(context, "logger")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def op_(context):
    run_step(context, "op")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def job(context):
    run_step(context, "job")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def config_(context):
    run_step(context, "config")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def dsl(context):
    run_step(context, "dsl")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def output_(context):
    run_step(context, "output")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def name(context):
    run_step(context, "name")


@op(
    ins=after(
        "class",
        "lambda",
        "match",
        "filter",
        "print",
        "self",
        "step",
        "result",
        "task",
        "dag",
        "params",
        "ti",
        "reason",
        "run_id",
        "pod",
        "pendulum",
        "run_step",
        "kwargs",
        "context",
        "flow",
        "parameters",
        "logger",
        "op",
        "job",
        "config",
        "dsl",
        "output",
        "name",
    ),
    out=dg.Out(dg.Nothing),
)
def load_refs(context):
    run_step(context, "load_refs")


@dg.job(
    name="awkward_names",
    tags={"zen/pipeline": "awkward_names"},
)
def awkward_names():
    load_done = load()
    class_done = class_(after_load=load_done)
    lambda_done = lambda_(after_load=load_done)
    match_done = match(after_load=load_done)
    filter_done = filter_(after_load=load_done)
    print_done = print_(after_load=load_done)
    self_done = self(after_load=load_done)
    step_done = step(after_load=load_done)
    result_done = result(after_load=load_done)
    task_done = task(after_load=load_done)
    dag_done = dag(after_load=load_done)
    params_done = params(after_load=load_done)
    ti_done = ti(after_load=load_done)
    reason_done = reason(after_load=load_done)
    run_id_done = run_id(after_load=load_done)
    pod_done = pod(after_load=load_done)
    pendulum_done = pendulum(after_load=load_done)
    run_step_done = run_step_(after_load=load_done)
    kwargs_done = kwargs(after_load=load_done)
    context_done = context_(after_load=load_done)
    flow_done = flow(after_load=load_done)
    parameters_done = parameters_(after_load=load_done)
    logger_done = logger(after_load=load_done)
    op_done = op_(after_load=load_done)
    job_done = job(after_load=load_done)
    config_done = config_(after_load=load_done)
    dsl_done = dsl(after_load=load_done)
    output_done = output_(after_load=load_done)
    name_done = name(after_load=load_done)
    load_refs(
        after_class=class_done,
        after_lambda=lambda_done,
        after_match=match_done,
        after_filter=filter_done,
        after_print=print_done,
        after_self=self_done,
        after_step=step_done,
        after_result=result_done,
        after_task=task_done,
        after_dag=dag_done,
        after_params=params_done,
        after_ti=ti_done,
        after_reason=reason_done,
        after_run_id=run_id_done,
        after_pod=pod_done,
        after_pendulum=pendulum_done,
        after_run_step=run_step_done,
        after_kwargs=kwargs_done,
        after_context=context_done,
        after_flow=flow_done,
        after_parameters=parameters_done,
        after_logger=logger_done,
        after_op=op_done,
        after_job=job_done,
        after_config=config_done,
        after_dsl=dsl_done,
        after_output=output_done,
        after_name=name_done,
    )


defs = dg.Definitions(jobs=[awkward_names])
