"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: diamond
IR: sha256:061fc9d63ab15a4dc506ad7fe149577b316b111e17539e94a0affea5bfb1026f
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:061fc9d63ab15a4dc506ad7fe149577b316b111e17539e94a0affea5bfb1026f"
JOB = "diamond"


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
def left(context):
    run_step(context, "left")


@op(ins=after("load"), out=dg.Out(dg.Nothing))
def right(context):
    run_step(context, "right")


@op(ins=after("left", "right"), out=dg.Out(dg.Nothing))
def join(context):
    run_step(context, "join")


@dg.job(
    name="diamond",
    tags={"zen/pipeline": "diamond"},
)
def diamond():
    load_done = load()
    left_done = left(after_load=load_done)
    right_done = right(after_load=load_done)
    join(after_left=left_done, after_right=right_done)


defs = dg.Definitions(jobs=[diamond])
