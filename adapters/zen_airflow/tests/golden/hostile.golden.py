"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: hostile
IR: sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5
"""

# ruff: noqa: AIR311 (ruff sees only the import for Airflow 2)
import pendulum

try:  # Airflow 3
    from airflow.sdk import Param, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models.param import Param

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:053b56b2c3f6c61614bf3d18fb3b660550e35b616528ac311c03dc190444fdc5"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="hostile",
    description='"""{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f\'{x}\'',
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "text_0": Param('it\'s "quoted"', type="string"),
        "text_1": Param('"""', type="string"),
        "text_2": Param("back\\slash \\n and a trailing \\", type="string"),
        "text_3": Param("line\nbreak\r\tand\x00null", type="string"),
        "text_4": Param("{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'", type="string"),
        "text_5": Param("'); import os; os.system('true') #", type="string"),
        "text_6": Param("größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301", type="string"),
        "text_7": Param("\ud800", type="string"),
        "text_8": Param(
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",  # noqa: E501
            type="string",
        ),
        "text_9": Param("report.md", type="string"),
        "text_10": Param("", type="string"),
        "text_11": Param(" ", type="string"),
        "text_12": Param("None", type="string"),
        "text_13": Param("0123", type="string"),
        "nested": Param(
            {
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
            type="object",
        ),
    },
    tags=[
        'it\'s "quoted"',
        '"""',
        "back\\slash \\n and a trailing \\",
        "line\nbreak\r\tand\x00null",
        "{{ ds }} {% raw %} {# no #} ${HOME} %s {0} f'{x}'",
        "'); import os; os.system('true') #",
        "größe 日本語 \u202eright to left\u202c \ufeff \U0001f680 e\u0301",
        "\ud800",
        "report.md",
        "",
        " ",
        "None",
        "0123",
    ],
    default_args={"retries": 0},
)
def hostile():
    @task(multiple_outputs=False)
    def echo_0():
        return run_step("echo_0")

    @task(multiple_outputs=False)
    def echo_1():
        return run_step("echo_1")

    @task(multiple_outputs=False)
    def echo_2():
        return run_step("echo_2")

    @task(multiple_outputs=False)
    def echo_3():
        return run_step("echo_3")

    @task(multiple_outputs=False)
    def echo_4():
        return run_step("echo_4")

    @task(multiple_outputs=False)
    def echo_5():
        return run_step("echo_5")

    @task(multiple_outputs=False)
    def echo_6():
        return run_step("echo_6")

    @task(multiple_outputs=False)
    def echo_7():
        return run_step("echo_7")

    @task(multiple_outputs=False)
    def echo_8():
        return run_step("echo_8")

    @task(multiple_outputs=False)
    def echo_9():
        return run_step("echo_9")

    @task(multiple_outputs=False)
    def echo_10():
        return run_step("echo_10")

    @task(multiple_outputs=False)
    def echo_11():
        return run_step("echo_11")

    @task(multiple_outputs=False)
    def echo_12():
        return run_step("echo_12")

    @task(multiple_outputs=False)
    def echo_13():
        return run_step("echo_13")

    @task(multiple_outputs=False)
    def constant_0():
        return run_step("constant_0")

    @task(multiple_outputs=False)
    def constant_1():
        return run_step("constant_1")

    @task(multiple_outputs=False)
    def constant_2():
        return run_step("constant_2")

    @task(multiple_outputs=False)
    def constant_3():
        return run_step("constant_3")

    @task(multiple_outputs=False)
    def constant_4():
        return run_step("constant_4")

    @task(multiple_outputs=False)
    def constant_5():
        return run_step("constant_5")

    @task(multiple_outputs=False)
    def constant_6():
        return run_step("constant_6")

    @task(multiple_outputs=False)
    def constant_7():
        return run_step("constant_7")

    @task(multiple_outputs=False)
    def constant_8():
        return run_step("constant_8")

    @task(multiple_outputs=False)
    def constant_9():
        return run_step("constant_9")

    @task(multiple_outputs=False)
    def constant_10():
        return run_step("constant_10")

    @task(multiple_outputs=False)
    def constant_11():
        return run_step("constant_11")

    @task(multiple_outputs=False)
    def constant_12():
        return run_step("constant_12")

    @task(multiple_outputs=False)
    def constant_13():
        return run_step("constant_13")

    @task(multiple_outputs=False)
    def echo_nested():
        return run_step("echo_nested")

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    echo_0_refs = echo_0()
    echo_1_refs = echo_1()
    echo_2_refs = echo_2()
    echo_3_refs = echo_3()
    echo_4_refs = echo_4()
    echo_5_refs = echo_5()
    echo_6_refs = echo_6()
    echo_7_refs = echo_7()
    echo_8_refs = echo_8()
    echo_9_refs = echo_9()
    echo_10_refs = echo_10()
    echo_11_refs = echo_11()
    echo_12_refs = echo_12()
    echo_13_refs = echo_13()
    constant_0_refs = constant_0()
    constant_1_refs = constant_1()
    constant_2_refs = constant_2()
    constant_3_refs = constant_3()
    constant_4_refs = constant_4()
    constant_5_refs = constant_5()
    constant_6_refs = constant_6()
    constant_7_refs = constant_7()
    constant_8_refs = constant_8()
    constant_9_refs = constant_9()
    constant_10_refs = constant_10()
    constant_11_refs = constant_11()
    constant_12_refs = constant_12()
    constant_13_refs = constant_13()
    echo_nested_refs = echo_nested()

    [
        echo_0_refs,
        echo_1_refs,
        echo_2_refs,
        echo_3_refs,
        echo_4_refs,
        echo_5_refs,
        echo_6_refs,
        echo_7_refs,
        echo_8_refs,
        echo_9_refs,
        echo_10_refs,
        echo_11_refs,
        echo_12_refs,
        echo_13_refs,
        constant_0_refs,
        constant_1_refs,
        constant_2_refs,
        constant_3_refs,
        constant_4_refs,
        constant_5_refs,
        constant_6_refs,
        constant_7_refs,
        constant_8_refs,
        constant_9_refs,
        constant_10_refs,
        constant_11_refs,
        constant_12_refs,
        constant_13_refs,
        echo_nested_refs,
    ] >> zen_end().as_teardown()


hostile()
