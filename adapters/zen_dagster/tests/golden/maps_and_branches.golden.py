"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: maps_and_branches
IR: sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:c0918c3a3a4007d065b07c68da37ba098a5a5e4ed129d80d93a1c45bc300a362"
JOB = "maps_and_branches"


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


@op(ins=after("expand_increase"), out=dg.Out(dg.Nothing))
def increase(context):
    run_part(context, "increase")


@op(ins=after("increase"), out=dg.Out(dg.Nothing))
def total(context):
    run_step(context, "total")


@op(
    ins=after("total"),
    out={"yes": dg.Out(dg.Nothing, is_required=False), "no": dg.Out(dg.Nothing, is_required=False)},
)
def when(context):
    return ask(context, "when")


@op(
    description="Runs if 'when' answers yes: total > 10",
    ins=after("when", "numbers"),
    out=dg.DynamicOut(dg.Nothing),
)
def expand_double(context):
    return expand(context, "expand_double")


@op(description="Runs if 'when' answers yes: total > 10", ins=after("expand_double"), out=dg.Out(dg.Nothing))
def double(context):
    run_part(context, "double")


@op(description="Runs if 'when' answers yes: total > 10", ins=after("when", "double"), out=dg.Out(dg.Nothing))
def sum_doubled(context):
    run_step(context, "sum_doubled")


@op(description="Runs if 'when' answers no: total > 10", ins=after("when", "total"), out=dg.Out(dg.Nothing))
def small(context):
    run_step(context, "small")


@op(ins={"any_of_1": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def chosen(context):
    run_step(context, "chosen")


@op(ins=after("increase"), out=dg.Out(dg.Nothing))
def last(context):
    run_step(context, "last")


@op(ins=after("chosen", "total"), out=dg.Out(dg.Nothing))
def in_list(context):
    run_step(context, "in_list")


@dg.job(
    name="maps_and_branches",
    tags={"zen/pipeline": "maps_and_branches"},
)
def maps_and_branches():
    numbers_done = numbers()
    expand_increase_done = expand_increase(after_numbers=numbers_done)

    def map_increase(part):
        increase_done = increase(after_expand_increase=part)
        return increase_done

    increase_done = expand_increase_done.map(map_increase)
    total_done = total(after_increase=increase_done.collect())
    when_done_yes, when_done_no = when(after_total=total_done)
    expand_double_done = expand_double(after_when=when_done_yes, after_numbers=numbers_done)

    def map_double(part):
        double_done = double(after_expand_double=part)
        return double_done

    double_done = expand_double_done.map(map_double)
    sum_doubled_done = sum_doubled(after_when=when_done_yes, after_double=double_done.collect())
    small_done = small(after_when=when_done_no, after_total=total_done)
    chosen_done = chosen(any_of_1=[sum_doubled_done, small_done])
    last(after_increase=increase_done.collect())
    in_list(after_chosen=chosen_done, after_total=total_done)


defs = dg.Definitions(jobs=[maps_and_branches])
