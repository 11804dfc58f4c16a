"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: one_branch
IR: sha256:75d9d05f1a4551c7b5ebfe127d586fa2d022b0edd3064388da00d3b1fc5062e1
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:75d9d05f1a4551c7b5ebfe127d586fa2d022b0edd3064388da00d3b1fc5062e1"
JOB = "one_branch"


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


def ask(context, gate):
    from zen_dagster import runtime

    yield dg.Output(None, "yes" if runtime.ask(__file__, IR, context, gate) else "no")


@dg.resource(
    config_schema={"depth": dg.Field(dg.Any, default_value=4, is_required=False)},
)
def parameters(context):
    return context.resource_config


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def load(context):
    run_step(context, "load")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def other(context):
    run_step(context, "other")


@op(
    ins=after("load", "other"),
    out={"yes": dg.Out(dg.Nothing, is_required=False), "no": dg.Out(dg.Nothing, is_required=False)},
    required_resource_keys={"parameters"},
)
def when(context):
    return ask(context, "when")


@op(
    description="Runs if 'when' answers yes: (load > 2) & ((depth == 4) | (~(other <= 1e+300)))",
    ins=after("when", "load"),
    out=dg.Out(dg.Nothing),
    required_resource_keys={"parameters"},
)
def first(context):
    run_step(context, "first")


@op(
    description="Runs if 'when' answers yes: (load > 2) & ((depth == 4) | (~(other <= 1e+300)))",
    ins=after("when", "first"),
    out=dg.Out(dg.Nothing),
    required_resource_keys={"parameters"},
)
def second(context):
    run_step(context, "second")


@op(ins=after("other"), out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def aside(context):
    run_step(context, "aside")


@dg.job(
    name="one_branch",
    tags={"zen/pipeline": "one_branch"},
    resource_defs={"parameters": parameters},
)
def one_branch():
    load_done = load()
    other_done = other()
    when_done_yes, when_done_no = when(after_load=load_done, after_other=other_done)
    first_done = first(after_when=when_done_yes, after_load=load_done)
    second(after_when=when_done_yes, after_first=first_done)
    aside(after_other=other_done)


defs = dg.Definitions(jobs=[one_branch])
