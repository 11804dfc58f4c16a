from collections import Counter

import pytest

from zen_core.ir.specs import PipelineSpec, RetrySpec
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
from zen_metadata.query.rules import Facts, PipelineRules, StepRule, derive_statuses, facts_from_labels, rules_of
from zen_metadata.query.status import derive_final_statuses, is_over, status_from

CHAIN = PipelineRules({"load": StepRule(), "train": StepRule(needs=("load",)), "score": StepRule(needs=("train",))})


def facts(**status_by_step):
    return Facts({step: {None: status} for step, status in status_by_step.items()})


def absent(rules, known, run_status):
    """What is said of the steps that did not begin."""
    final = derive_final_statuses(rules, known, run_status)
    return {
        step if index is None else f"{step}[{index}]": status
        for step, found in final.items()
        for index, status in found.items()
        if index not in known.statuses.get(step, {})
    }


@pytest.mark.parametrize(
    ("known", "closed", "expected"),
    [
        ({}, None, "running"),
        ({"load": "running"}, None, "running"),
        ({"load": "completed"}, None, "running"),
        ({"load": "completed", "train": "cached", "score": "completed"}, None, "completed"),
        ({"load": "completed", "train": "skipped", "score": "skipped"}, None, "completed"),
        ({"load": "failed"}, None, "failed"),
        ({"load": "failed", "train": "running"}, None, "running"),
        ({"load": "completed", "train": "lost"}, None, "lost"),
        ({"load": "completed", "train": "cancelled"}, None, "cancelled"),
        ({"load": "completed", "train": "cancelled", "score": "lost"}, None, "cancelled"),
        ({"load": "completed"}, "completed", "completed"),
        ({"load": "completed"}, "failed", "failed"),
        ({"load": "running"}, "cancelled", "cancelled"),
        ({"load": "failed"}, "completed", "failed"),
    ],
)
def test_run_status(known, closed, expected):
    assert status_from(CHAIN, facts(**known), closed=closed) == expected


def test_a_run_whose_failed_step_was_run_again_is_completed():
    done = facts(load="completed", train="completed", score="completed")
    assert status_from(CHAIN, done, closed="failed") == "completed"


def test_a_run_that_was_taken_up_again_after_its_closing_call_is_running():
    known = facts(load="completed", train="running")
    assert status_from(CHAIN, known, closed="failed", reopened=True) == "running"


def test_every_step_after_a_broken_one_is_upstream_failed():
    for broken in ("failed", "lost", "cancelled"):
        assert absent(CHAIN, facts(load=broken), "failed") == {"train": "upstream_failed", "score": "upstream_failed"}


def test_a_step_that_was_left_out_is_skipped():
    assert absent(CHAIN, facts(score="completed"), "completed") == {"load": "skipped", "train": "skipped"}


def test_where_a_run_failed_and_no_step_says_why_the_next_step_is_lost():
    assert absent(CHAIN, facts(load="completed"), "failed") == {"train": "lost", "score": "upstream_failed"}


def rules(*steps):
    return rules_of(PipelineSpec(name="p", steps=steps).to_json())


def labels(known, **answers):
    return facts_from_labels(known, answers)


def test_predecessors_come_from_data_and_from_ordering():
    found = rules(
        make_step("load", "load"),
        make_step("train", "total", {"values": graphs.collect(read("load"), read("load"))}),
        make_step("notify", "load", after=("train",), retry=RetrySpec(times=2)),
    ).steps
    assert found["train"] == StepRule(needs=("load",))
    assert found["notify"] == StepRule(needs=("train",), attempts=3)


BRANCHES = rules(*graphs.branches())


def test_a_branch_that_was_not_taken_is_done():
    known = labels({"load": "completed", "when": "completed", "yes": "completed", "after": "completed"}, when=True)
    assert status_from(BRANCHES, known, closed=None) == "completed"
    assert absent(BRANCHES, known, "completed") == {"no": "skipped"}
    assert BRANCHES.optional == {"yes", "no", "after"}


def test_before_the_gate_has_answered_nothing_is_skipped():
    known = labels({"load": "completed"})
    assert status_from(BRANCHES, known, closed=None) == "running"
    assert derive_statuses(BRANCHES, known)["yes"] == {None: None}
    assert not is_over(BRANCHES, known)


def test_a_gate_that_failed_blocks_both_branches():
    known = labels({"load": "completed", "when": "failed"})
    assert status_from(BRANCHES, known, closed=None) == "failed"
    assert is_over(BRANCHES, known)
    assert set(absent(BRANCHES, known, "failed").values()) == {"upstream_failed"}


def test_a_nested_gate_is_skipped_with_all_that_hangs_on_it():
    nested = rules(*graphs.nested_branches())
    known = labels({"load": "completed", "when": "completed", "no": "completed", "after": "completed"}, when=False)
    assert status_from(nested, known, closed=None) == "completed"
    assert absent(nested, known, "completed") == dict.fromkeys(("inner", "when_2", "high", "low"), "skipped")


@pytest.mark.parametrize("earlier", ["completed", "failed"])
def test_what_ran_before_a_condition_answered_the_other_way_round_does_not_count(earlier):
    known = labels({"load": "completed", "when": "completed", "yes": earlier, "no": "completed"}, when=False)
    assert derive_statuses(BRANCHES, known)["yes"] == {None: "skipped"}
    assert derive_statuses(BRANCHES, known)["after"] == {None: None}
    running = labels({"load": "completed", "when": "completed", "yes": "running"}, when=False)
    assert derive_statuses(BRANCHES, running)["yes"] == {None: "running"}


def test_a_condition_within_a_branch_that_is_skipped_by_now_does_not_count():
    nested = rules(*graphs.nested_branches())
    steps = ("load", "when", "inner", "when_2", "high", "no", "after")
    found = derive_statuses(nested, labels(dict.fromkeys(steps, "completed"), when=False, when_2=True))
    assert {name for name, statuses in found.items() if statuses == {None: "skipped"}} == {
        *("inner", "when_2", "high", "low")
    }


def test_elements_of_a_map_that_is_skipped_by_now_do_not_count():
    branch = rules(*graphs.map_in_branch())
    steps = ("load", "numbers", "when", "expand_increase", "increase[0]", "increase[1]", "total")
    found = derive_statuses(branch, labels(dict.fromkeys(steps, "completed"), when=False, expand_increase=2))
    assert found["increase"] == {0: "skipped", 1: "skipped"}
    assert found["total"] == {None: "skipped"}


def test_either_needs_one_that_was_not_skipped_and_none_that_failed():
    one = rules(
        graphs.LOAD,
        make_gate("when", above("load", 2), {"load": read("load")}),
        make_step("yes", "load", when=taken("when")),
        make_step("more", "load", when=taken("when")),
        make_step("no", "load", when=untaken("when")),
        make_step("none", "increase", {"value": either("yes", "more")}),
        make_step("some", "increase", {"value": either("yes", "no")}),
    )
    known = labels({"load": "completed", "when": "completed", "no": "failed"}, when=False)
    assert absent(one, known, "failed") == {
        "yes": "skipped",
        "more": "skipped",
        "none": "skipped",
        "some": "upstream_failed",
    }


MAPPED = rules(*graphs.mapped())
BEGUN = {"numbers": "completed", "expand_increase": "completed"}


def test_a_fan_out_is_done_when_each_element_is():
    known = {**BEGUN, "increase[0]": "completed", "increase[1]": "running", "total": "completed"}
    assert status_from(MAPPED, labels(known, expand_increase=2), closed=None) == "running"
    known["increase[1]"] = "cached"
    assert status_from(MAPPED, labels(known, expand_increase=2), closed=None) == "completed"
    assert status_from(MAPPED, labels(known, expand_increase=3), closed=None) == "running"


def test_an_empty_map_is_completed():
    known = labels({**BEGUN, "total": "completed"}, expand_increase=0)
    assert status_from(MAPPED, known, closed=None) == "completed"
    assert absent(MAPPED, known, "completed") == {"increase": "completed"}


def test_elements_that_never_began_have_their_index_once_the_count_is_known():
    chained = rules(*graphs.chained())
    known = {**BEGUN, "load": "completed", "increase[0]": "completed", "increase[1]": "failed", "double[0]": "failed"}
    assert absent(chained, labels(known, expand_increase=3), "failed") == {
        "increase[2]": "skipped",
        "double[1]": "upstream_failed",
        "double[2]": "skipped",
        "add[0]": "upstream_failed",
        "add[1]": "upstream_failed",
        "add[2]": "skipped",
        "total": "upstream_failed",
    }
    never = labels({"load": "completed", "numbers": "failed"})
    assert absent(chained, never, "failed") == dict.fromkeys(
        ("expand_increase", "increase", "double", "add", "total"), "upstream_failed"
    )


def test_what_a_shorter_list_left_behind_does_not_count():
    known = {**BEGUN, "increase[0]": "completed", "increase[1]": "failed", "total": "completed"}
    assert status_from(MAPPED, labels(known, expand_increase=1), closed=None) == "completed"


def test_a_map_in_a_branch_that_was_not_taken_is_skipped():
    branch = rules(*graphs.map_in_branch())
    known = labels({"load": "completed", "numbers": "completed", "when": "completed"}, when=False)
    assert absent(branch, known, "completed") == dict.fromkeys(("expand_increase", "increase", "total"), "skipped")


def test_long_graphs_and_many_elements_are_no_matter():
    large = rules(
        *graphs.many(900),
        graphs.NUMBERS,
        make_expander("expand", {"value": read("numbers")}),
        *(
            make_step(f"mapped_{place}", "increase", {"value": element(before, port)}, map=mapped_by("expand"))
            for place, (before, port) in enumerate([("expand", "value"), ("mapped_0", "result")])
        ),
    )
    known = labels({"load": "completed", "numbers": "completed", "expand": "completed"}, expand=1_000)
    final = derive_final_statuses(large, known, "cancelled")
    assert Counter(len(found) for found in final.values())[1_000] == 2
