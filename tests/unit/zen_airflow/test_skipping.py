"""Trigger rules, and what a task must wait for because Airflow may skip what lies between."""

import pytest

from zen_airflow.lowering import lower_pipeline
from zen_airflow.options import AirflowOptions
from zen_airflow.skipping import SkipRules
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.cases import graphs
from zen_core.testing.cases.build import (
    above,
    either,
    element,
    make_expander,
    make_gate,
    make_step,
    mapped_by,
    read,
    taken,
    untaken,
)

LOAD = make_step("load", "load")
OTHER = make_step("other", "load")
WHEN = make_gate("when", above("load", 2), {"load": read("load")})
NO = make_step("no", "double", {"value": read("load")}, when=untaken("when"))
CHOSEN = make_step("chosen", "increase", {"value": either("yes", "no")})


def yes(reads, **fields):
    return make_step("yes", "increase", {"value": read(reads)}, when=taken("when"), **fields)


def rules_of(*steps):
    rules = SkipRules(steps)
    return {step.name: rules.trigger_rule(step) for step in steps if rules.trigger_rule(step)}


def guards_of(*steps):
    rules = SkipRules(steps)
    return {step.name: rules.guards(step) for step in steps if rules.guards(step)}


def test_a_collector_runs_over_nothing_too():
    assert rules_of(*graphs.mapped()) == {"total": "none_failed"}
    assert rules_of(*graphs.map_of_map())["expand_add"] == "none_failed"


def test_a_reader_of_either_runs_when_one_branch_ran():
    assert rules_of(*graphs.branches()) == {"after": "none_failed_min_one_success"}


def test_a_chained_step_waits_for_what_else_it_needs_before_it_is_skipped_over_nothing():
    # `add` reads `load`, which may fail after the empty list has skipped the steps before.
    assert rules_of(*graphs.chained()) == {"add": "none_failed", "total": "none_failed"}


def test_a_map_is_not_skipped_before_its_expander_has_run():
    chosen = make_step("chosen", "increase", {"value": either("yes")})
    expand = make_expander("expand", {"left": read("numbers")})
    inputs = {"left": element("expand", "left"), "right": read("chosen")}
    mapped = make_step("mapped", "add", inputs, map=mapped_by("expand"))
    assert rules_of(LOAD, WHEN, yes("load"), chosen, graphs.NUMBERS, expand, mapped)["mapped"] == "none_failed"


def test_the_elements_of_a_task_do_not_share_its_fate():
    assert rules_of(*graphs.chained(chunk=2)) == {"double": "all_done", "add": "all_done", "total": "none_failed"}


def test_what_an_untaken_branch_needs_is_waited_for():
    assert guards_of(LOAD, OTHER, WHEN, yes("other"), NO, CHOSEN) == {"chosen": ("other",)}


def test_what_the_gate_waited_for_is_done_already():
    assert guards_of(*graphs.branches()) == {}
    assert guards_of(*graphs.nested_branches()) == {}
    assert guards_of(*graphs.map_in_branch()) == {}
    assert guards_of(*graphs.maps_and_branches()) == {}


def test_of_several_the_last_is_enough():
    then = make_step("then", "increase", {"value": read("other")})
    both = yes("then", after=("other",))
    assert guards_of(LOAD, OTHER, then, WHEN, both, NO, CHOSEN) == {"chosen": ("then",)}


def test_what_is_behind_a_branch_within_a_branch_is_found_too():
    inner = make_gate("inner", above("other", 1), {"other": read("other")}, when=taken("when"))
    high = make_step("high", "increase", {"value": read("load")}, when=taken("inner"))
    chosen = make_step("chosen", "increase", {"value": either("high", "no")})
    assert guards_of(LOAD, OTHER, WHEN, inner, high, NO, chosen) == {"chosen": ("other",)}


def test_a_step_of_the_outer_branch_may_fail_while_the_inner_one_is_skipped():
    middle = make_step("middle", "increase", {"value": read("load")}, when=taken("when"))
    inner = make_gate("inner", above("load", 1), {"load": read("load")}, when=taken("when"))
    high = make_step("high", "increase", {"value": read("middle")}, when=taken("inner"))
    low = make_step("low", "increase", {"value": read("load")}, when=untaken("inner"))
    chosen = make_step("chosen", "increase", {"value": either("high", "low", "no")})
    assert guards_of(LOAD, WHEN, middle, inner, high, low, NO, chosen) == {"chosen": ("middle",)}


def test_a_list_from_outside_is_waited_for_behind_a_map_in_a_branch():
    branch = taken("when")
    expand = make_expander("expand", {"value": read("numbers")}, when=branch)
    mapped = make_step(
        "mapped", "increase", {"value": element("expand", "value")}, map=mapped_by("expand"), when=branch
    )
    yes_ = make_step("yes", "total", {"values": read("mapped")}, type="list[int]", when=branch)
    assert guards_of(LOAD, graphs.NUMBERS, WHEN, expand, mapped, yes_, NO, CHOSEN) == {"chosen": ("numbers",)}


def test_a_collector_of_chunks_waits_for_what_their_tasks_only_look_at():
    assert guards_of(*graphs.chained(chunk=2)) == {"total": ("load",)}
    assert guards_of(*graphs.chained()) == {}


@pytest.mark.parametrize(
    ("steps", "may"),
    [
        (graphs.chained(), False),
        (graphs.map_of_map(), False),
        (graphs.chained(chunk=2), True),
        (graphs.branches(), True),
    ],
)
def test_the_closing_task_has_the_say_only_where_airflow_could_miss_a_failure(steps, may):
    dag = lower_pipeline(PipelineSpec(name="churn", steps=steps), AirflowOptions())
    assert dag.may_hide_failure is may


def test_many_branches_cost_no_more_than_their_number():
    assert guards_of(*graphs.many(3000)) == {}
