"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_tags
IR: sha256:b6d301147462f33fbef9cec7181fb44333581720e832b7fe713b757e463fe523
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:b6d301147462f33fbef9cec7181fb44333581720e832b7fe713b757e463fe523"
JOB = "uses_tags"


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


@op(out=dg.Out(dg.Nothing), tags={"zen/tags": '["slow"]'})
def load(context):
    run_step(context, "load")


@dg.job(
    name="uses_tags",
    tags={"zen/pipeline": "uses_tags", "zen/tags": '["churn", "a \\"b\\""]'},
)
def uses_tags():
    load()


defs = dg.Definitions(jobs=[uses_tags])
