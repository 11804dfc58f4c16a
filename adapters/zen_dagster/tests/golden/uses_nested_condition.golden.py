"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_nested_condition
IR: sha256:27799562772cc6882157885850dfe173437a0a08943535b1d085d3fcfb1cf707
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:27799562772cc6882157885850dfe173437a0a08943535b1d085d3fcfb1cf707"
JOB = "uses_nested_condition"


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


@op(out=dg.Out(dg.Nothing))
def load(context):
    run_step(context, "load")


@op(
    ins=after("load"),
    out={"yes": dg.Out(dg.Nothing, is_required=False), "no": dg.Out(dg.Nothing, is_required=False)},
)
def when(context):
    return ask(context, "when")


@op(description="Runs if 'when' answers yes: load > 2", ins=after("when", "load"), out=dg.Out(dg.Nothing))
def inner(context):
    run_step(context, "inner")


@op(
    description="Runs if 'when' answers yes: load > 2",
    ins=after("when", "inner"),
    out={"yes": dg.Out(dg.Nothing, is_required=False), "no": dg.Out(dg.Nothing, is_required=False)},
)
def when_2(context):
    return ask(context, "when_2")


@op(
    description="Runs if 'when_2' answers yes: inner > 100",
    ins=after("when_2", "inner"),
    out=dg.Out(dg.Nothing),
)
def high(context):
    run_step(context, "high")


@op(
    description="Runs if 'when_2' answers no: inner > 100",
    ins=after("when_2", "inner"),
    out=dg.Out(dg.Nothing),
)
def low(context):
    run_step(context, "low")


@op(description="Runs if 'when' answers no: load > 2", ins=after("when", "load"), out=dg.Out(dg.Nothing))
def no(context):
    run_step(context, "no")


@op(ins={"any_of_1": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def after_(context):
    run_step(context, "after")


@dg.job(
    name="uses_nested_condition",
    tags={"zen/pipeline": "uses_nested_condition"},
)
def uses_nested_condition():
    load_done = load()
    when_done_yes, when_done_no = when(after_load=load_done)
    inner_done = inner(after_when=when_done_yes, after_load=load_done)
    when_2_done_yes, when_2_done_no = when_2(after_when=when_done_yes, after_inner=inner_done)
    high_done = high(after_when_2=when_2_done_yes, after_inner=inner_done)
    low_done = low(after_when_2=when_2_done_no, after_inner=inner_done)
    no_done = no(after_when=when_done_no, after_load=load_done)
    after_(any_of_1=[high_done, low_done, no_done])


defs = dg.Definitions(jobs=[uses_nested_condition])
