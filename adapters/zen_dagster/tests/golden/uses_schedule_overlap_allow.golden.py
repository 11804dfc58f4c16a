"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_schedule_overlap_allow
IR: sha256:8e33132911ec0e08a6a8c5734569c213bc1451e4dc81687af788383ccf4c17dc
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:8e33132911ec0e08a6a8c5734569c213bc1451e4dc81687af788383ccf4c17dc"
JOB = "uses_schedule_overlap_allow"


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


@dg.job(
    name="uses_schedule_overlap_allow",
    tags={"zen/pipeline": "uses_schedule_overlap_allow"},
)
def uses_schedule_overlap_allow():
    load()


schedule = dg.ScheduleDefinition(
    name="uses_schedule_overlap_allow",
    job=uses_schedule_overlap_allow,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


defs = dg.Definitions(jobs=[uses_schedule_overlap_allow], schedules=[schedule])
