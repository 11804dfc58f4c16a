"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: uses_map_max_parallel
IR: sha256:cd627a9668176a4c99ed75acfeaa1b100b3b2e8f96f540f10fd8e3e5e2dfdc48
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:cd627a9668176a4c99ed75acfeaa1b100b3b2e8f96f540f10fd8e3e5e2dfdc48"
JOB = "uses_map_max_parallel"


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


def expand(context, expander):
    from zen_dagster import runtime

    for part in runtime.expand(__file__, IR, context, expander):  # "0", "1", ...; "none" for an empty list
        yield dg.DynamicOutput(None, mapping_key=part)


def run_part(context, step):
    from zen_dagster import runtime

    runtime.run_part(__file__, IR, context, step)


@op(out=dg.Out(dg.Nothing))
def numbers(context):
    run_step(context, "numbers")


@op(ins=after("numbers"), out=dg.DynamicOut(dg.Nothing))
def expand_increase(context):
    return expand(context, "expand_increase")


@op(ins=after("expand_increase"), out=dg.Out(dg.Nothing), tags={"zen/map": "increase"})
def increase(context):
    run_part(context, "increase")


@op(ins=after("increase"), out=dg.Out(dg.Nothing))
def total(context):
    run_step(context, "total")


@dg.job(
    name="uses_map_max_parallel",
    tags={"zen/pipeline": "uses_map_max_parallel"},
    executor_def=dg.multiprocess_executor.configured(
        {"tag_concurrency_limits": [{"key": "zen/map", "limit": 2, "value": "increase"}]},
    ),
)
def uses_map_max_parallel():
    numbers_done = numbers()
    expand_increase_done = expand_increase(after_numbers=numbers_done)

    def map_increase(part):
        increase_done = increase(after_expand_increase=part)
        return increase_done

    increase_done = expand_increase_done.map(map_increase)
    total(after_increase=increase_done.collect())


defs = dg.Definitions(jobs=[uses_map_max_parallel])
