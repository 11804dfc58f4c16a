"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_schedule_overlap_skip
IR: sha256:5e2a74535d9dc86bb1b05bffef30c24ef90bcef3b543adfa4d6144e150d1601e
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:5e2a74535d9dc86bb1b05bffef30c24ef90bcef3b543adfa4d6144e150d1601e"
JOB = "uses_schedule_overlap_skip"


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
    name="uses_schedule_overlap_skip",
    tags={"zen/pipeline": "uses_schedule_overlap_skip"},
)
def uses_schedule_overlap_skip():
    load()


@dg.schedule(
    name="uses_schedule_overlap_skip",
    job=uses_schedule_overlap_skip,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def schedule(context):
    going_on = dg.RunsFilter(
        job_name="uses_schedule_overlap_skip",
        statuses=[
            dg.DagsterRunStatus.QUEUED,
            dg.DagsterRunStatus.NOT_STARTED,
            dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.STARTED,
            dg.DagsterRunStatus.CANCELING,
        ],
    )
    if context.instance.get_runs_count(going_on):
        return dg.SkipReason("an earlier run is going on")
    return dg.RunRequest()


defs = dg.Definitions(jobs=[uses_schedule_overlap_skip], schedules=[schedule])
