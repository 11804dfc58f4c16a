"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: parameters
IR: sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098
"""

# ruff: noqa: AIR311 (ruff sees only the import for Airflow 2)
import pendulum

try:  # Airflow 3
    from airflow.sdk import Param, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models.param import Param

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:33bc8d122520d098aa201e61e7a4959a340b13743f64ec2c54a981739df59098"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="parameters",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "whole": Param(4, type="integer"),
        "share": Param(0.25, type="number"),
        "switch": Param(False, type="boolean"),
        "word": Param("abc", type="string"),
        "needed": Param(type="integer"),
        "day": Param("2026-01-31", type="string", format="date"),
        "moment": Param("2026-01-31T06:00:00+01:00", type="string", format="date-time"),
        "file": Param("data/churn.csv", type="string"),
        "rates": Param([0.1, 0.2], type="array", items={"type": "number"}),
        "words": Param(["a", "b"], type="array"),
        "pair": Param([1, "a"], type="array"),
        "table": Param({"a": 2, "b": 1}, type="object"),
        "maybe": Param(None, type=["null", "integer"]),
        "mode": Param("fast", enum=["fast", "exact"]),
        "limit": Param({"$zen": "float", "value": "inf"}, type=["number", "object"]),
        "anything": Param(None),
    },
    default_args={"retries": 0},
)
def parameters():
    @task(multiple_outputs=False)
    def echo_whole():
        return run_step("echo_whole")

    @task(multiple_outputs=False)
    def echo_share():
        return run_step("echo_share")

    @task(multiple_outputs=False)
    def echo_switch():
        return run_step("echo_switch")

    @task(multiple_outputs=False)
    def echo_word():
        return run_step("echo_word")

    @task(multiple_outputs=False)
    def echo_needed():
        return run_step("echo_needed")

    @task(multiple_outputs=False)
    def echo_day():
        return run_step("echo_day")

    @task(multiple_outputs=False)
    def echo_moment():
        return run_step("echo_moment")

    @task(multiple_outputs=False)
    def echo_file():
        return run_step("echo_file")

    @task(multiple_outputs=False)
    def echo_rates():
        return run_step("echo_rates")

    @task(multiple_outputs=False)
    def echo_words():
        return run_step("echo_words")

    @task(multiple_outputs=False)
    def echo_pair():
        return run_step("echo_pair")

    @task(multiple_outputs=False)
    def echo_table():
        return run_step("echo_table")

    @task(multiple_outputs=False)
    def echo_maybe():
        return run_step("echo_maybe")

    @task(multiple_outputs=False)
    def echo_mode():
        return run_step("echo_mode")

    @task(multiple_outputs=False)
    def echo_limit():
        return run_step("echo_limit")

    @task(multiple_outputs=False)
    def echo_anything():
        return run_step("echo_anything")

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    echo_whole_refs = echo_whole()
    echo_share_refs = echo_share()
    echo_switch_refs = echo_switch()
    echo_word_refs = echo_word()
    echo_needed_refs = echo_needed()
    echo_day_refs = echo_day()
    echo_moment_refs = echo_moment()
    echo_file_refs = echo_file()
    echo_rates_refs = echo_rates()
    echo_words_refs = echo_words()
    echo_pair_refs = echo_pair()
    echo_table_refs = echo_table()
    echo_maybe_refs = echo_maybe()
    echo_mode_refs = echo_mode()
    echo_limit_refs = echo_limit()
    echo_anything_refs = echo_anything()

    [
        echo_whole_refs,
        echo_share_refs,
        echo_switch_refs,
        echo_word_refs,
        echo_needed_refs,
        echo_day_refs,
        echo_moment_refs,
        echo_file_refs,
        echo_rates_refs,
        echo_words_refs,
        echo_pair_refs,
        echo_table_refs,
        echo_maybe_refs,
        echo_mode_refs,
        echo_limit_refs,
        echo_anything_refs,
    ] >> zen_end().as_teardown()


parameters()
