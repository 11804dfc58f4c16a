"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_resources
IR: sha256:cebefc5f34e7e5b15748c3ac5a188c071824e0e568a992907ad1881513673b2d
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:cebefc5f34e7e5b15748c3ac5a188c071824e0e568a992907ad1881513673b2d"
JOB = "uses_resources"


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
    tags={
        "dagster-k8s/config": {
            "container_config": {
                "resources": {
                    "limits": {"memory": "4294967296"},
                    "requests": {"cpu": "500m", "memory": "4294967296"},
                },
            },
        },
    },
)
def load(context):
    run_step(context, "load")


@dg.job(
    name="uses_resources",
    tags={"zen/pipeline": "uses_resources"},
)
def uses_resources():
    load()


defs = dg.Definitions(jobs=[uses_resources])
