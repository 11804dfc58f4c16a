"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: parameters
IR: sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098"
JOB = "parameters"


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


@dg.resource(
    config_schema={
        "whole": dg.Field(dg.Any, default_value=4, is_required=False),
        "share": dg.Field(dg.Any, default_value=0.25, is_required=False),
        "switch": dg.Field(dg.Any, default_value=False, is_required=False),
        "word": dg.Field(dg.Any, default_value="abc", is_required=False),
        "needed": dg.Field(dg.Any, is_required=True),
        "day": dg.Field(dg.Any, default_value="2026-01-31", is_required=False),
        "moment": dg.Field(dg.Any, default_value="2026-01-31T06:00:00+01:00", is_required=False),
        "file": dg.Field(dg.Any, default_value="data/churn.csv", is_required=False),
        "rates": dg.Field(dg.Any, default_value=[0.1, 0.2], is_required=False),
        "words": dg.Field(dg.Any, default_value=["a", "b"], is_required=False),
        "pair": dg.Field(dg.Any, default_value=[1, "a"], is_required=False),
        "table": dg.Field(dg.Any, default_value={"a": 2, "b": 1}, is_required=False),
        "maybe": dg.Field(dg.Noneable(dg.Any), default_value=None, is_required=False),
        "mode": dg.Field(dg.Any, default_value="fast", is_required=False),
        "limit": dg.Field(dg.Any, default_value={"$zen": "float", "value": "inf"}, is_required=False),
        "anything": dg.Field(dg.Noneable(dg.Any), default_value=None, is_required=False),
    },
)
def parameters(context):
    return context.resource_config


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_whole(context):
    run_step(context, "echo_whole")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_share(context):
    run_step(context, "echo_share")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_switch(context):
    run_step(context, "echo_switch")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_word(context):
    run_step(context, "echo_word")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_needed(context):
    run_step(context, "echo_needed")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_day(context):
    run_step(context, "echo_day")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_moment(context):
    run_step(context, "echo_moment")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_file(context):
    run_step(context, "echo_file")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_rates(context):
    run_step(context, "echo_rates")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_words(context):
    run_step(context, "echo_words")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_pair(context):
    run_step(context, "echo_pair")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_table(context):
    run_step(context, "echo_table")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_maybe(context):
    run_step(context, "echo_maybe")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_mode(context):
    run_step(context, "echo_mode")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_limit(context):
    run_step(context, "echo_limit")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_anything(context):
    run_step(context, "echo_anything")


@dg.job(
    name="parameters",
    tags={"zen/pipeline": "parameters"},
    resource_defs={"parameters": parameters},
)
def parameters_():
    echo_whole()
    echo_share()
    echo_switch()
    echo_word()
    echo_needed()
    echo_day()
    echo_moment()
    echo_file()
    echo_rates()
    echo_words()
    echo_pair()
    echo_table()
    echo_maybe()
    echo_mode()
    echo_limit()
    echo_anything()


defs = dg.Definitions(jobs=[parameters_])
