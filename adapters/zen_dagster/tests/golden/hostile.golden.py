"""A Dagster job, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: hostile
IR: sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5
"""

import dagster as dg

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5"
JOB = "hostile"


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
        "text_0": dg.Field(dg.Any, default_value='it\'s "quoted"', is_required=False),
        "text_1": dg.Field(dg.Any, default_value='"""', is_required=False),
        "text_2": dg.Field(dg.Any, default_value="back\\slash \\n and a trailing \\", is_required=False),
        "text_3": dg.Field(dg.Any, default_value="line\nbreak\r\tand\x00null", is_required=False),
        "text_4": dg.Field(
            dg.Any,
            default_value="{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'",
            is_required=False,
        ),
        "text_5": dg.Field(dg.Any, default_value="'); import os; os.system('true') #", is_required=False),
        "text_6": dg.Field(
            dg.Any,
            default_value="größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301",
            is_required=False,
        ),
        "text_7": dg.Field(dg.Any, default_value="\ud800", is_required=False),
        "text_8": dg.Field(
            dg.Any,
            default_value="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",  # noqa: E501
            is_required=False,
        ),
        "text_9": dg.Field(dg.Any, default_value="report.md", is_required=False),
        "text_10": dg.Field(dg.Any, default_value="", is_required=False),
        "text_11": dg.Field(dg.Any, default_value=" ", is_required=False),
        "text_12": dg.Field(dg.Any, default_value="None", is_required=False),
        "text_13": dg.Field(dg.Any, default_value="0123", is_required=False),
        "nested": dg.Field(
            dg.Any,
            default_value={
                "": [""],
                " ": [" "],
                '"""': ['"""'],
                "'); import os; os.system('true') #": ["'); import os; os.system('true') #"],
                "0123": ["0123"],
                "None": ["None"],
                "back\\slash \\n and a trailing \\": ["back\\slash \\n and a trailing \\"],
                "größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301": [
                    "größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301",
                ],
                'it\'s "quoted"': ['it\'s "quoted"'],
                "line\nbreak\r\tand\x00null": ["line\nbreak\r\tand\x00null"],
                "report.md": ["report.md"],
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": [  # noqa: E501
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",  # noqa: E501
                ],
                "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'": [
                    "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'",
                ],
                "\ud800": ["\ud800"],
            },
            is_required=False,
        ),
    },
)
def parameters(context):
    return context.resource_config


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_0(context):
    run_step(context, "echo_0")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_1(context):
    run_step(context, "echo_1")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_2(context):
    run_step(context, "echo_2")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_3(context):
    run_step(context, "echo_3")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_4(context):
    run_step(context, "echo_4")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_5(context):
    run_step(context, "echo_5")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_6(context):
    run_step(context, "echo_6")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_7(context):
    run_step(context, "echo_7")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_8(context):
    run_step(context, "echo_8")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_9(context):
    run_step(context, "echo_9")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_10(context):
    run_step(context, "echo_10")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_11(context):
    run_step(context, "echo_11")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_12(context):
    run_step(context, "echo_12")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_13(context):
    run_step(context, "echo_13")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_0(context):
    run_step(context, "constant_0")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_1(context):
    run_step(context, "constant_1")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_2(context):
    run_step(context, "constant_2")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_3(context):
    run_step(context, "constant_3")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_4(context):
    run_step(context, "constant_4")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_5(context):
    run_step(context, "constant_5")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_6(context):
    run_step(context, "constant_6")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_7(context):
    run_step(context, "constant_7")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_8(context):
    run_step(context, "constant_8")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_9(context):
    run_step(context, "constant_9")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_10(context):
    run_step(context, "constant_10")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_11(context):
    run_step(context, "constant_11")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_12(context):
    run_step(context, "constant_12")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def constant_13(context):
    run_step(context, "constant_13")


@op(out=dg.Out(dg.Nothing), required_resource_keys={"parameters"})
def echo_nested(context):
    run_step(context, "echo_nested")


@dg.job(
    name="hostile",
    description='"""{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f\'{x}\'',
    tags={
        "zen/pipeline": "hostile",
        "zen/tags": '["it\'s \\"quoted\\"", "\\"\\"\\"", "back\\\\slash \\\\n and a trailing \\\\", "line\\nbreak\\r\\tand\\u0000null", "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f\'{x}\'", "\'); import os; os.system(\'true\') #", "gr\\u00f6\\u00dfe \\u65e5\\u672c\\u8a9e \\u202eright to left\\u202c \\ufeff \\ud83d\\ude80 e\\u0301", "\\ud800", "report.md", "", " ", "None", "0123"]',  # noqa: E501
    },
    resource_defs={"parameters": parameters},
)
def hostile():
    echo_0()
    echo_1()
    echo_2()
    echo_3()
    echo_4()
    echo_5()
    echo_6()
    echo_7()
    echo_8()
    echo_9()
    echo_10()
    echo_11()
    echo_12()
    echo_13()
    constant_0()
    constant_1()
    constant_2()
    constant_3()
    constant_4()
    constant_5()
    constant_6()
    constant_7()
    constant_8()
    constant_9()
    constant_10()
    constant_11()
    constant_12()
    constant_13()
    echo_nested()


defs = dg.Definitions(jobs=[hostile])
