"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_retry_backoff
IR: sha256:141512bd60999dae4d17a084a909a2a8cf2f136cdaaef9f328e86f99c737b92e
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:141512bd60999dae4d17a084a909a2a8cf2f136cdaaef9f328e86f99c737b92e"
JOB = "uses_retry_backoff"


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


@op(
    out=dg.Out(dg.Nothing),
    retry_policy=dg.RetryPolicy(max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL),
)
def load(context):
    run_step(context, "load")


@dg.job(
    name="uses_retry_backoff",
    tags={"zen/pipeline": "uses_retry_backoff"},
)
def uses_retry_backoff():
    load()


defs = dg.Definitions(jobs=[uses_retry_backoff])
