import pytest

from zen_core.ir.graph import waits_of
from zen_core.testing.cases import all_cases, graphs
from zen_core.testing.cases.build import (
    above,
    collect,
    either,
    element,
    make_expander,
    make_gate,
    make_step,
    mapped_by,
    read,
    taken,
)
from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_prefect.arranging import Answer, Lanes, Present, Submission, arrange, iter_submissions

SPECS = [*(case.spec for case in all_cases()), *(random_pipeline(seed) for seed in range(60))]
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def decisions_before(steps):
    """For each step all decisions without which it cannot be submitted."""
    found = {}
    for step in steps:
        own = {step.when.gate} if step.when else set()
        own |= {step.map.expander} if step.map else set()
        found[step.name] = own.union(*(found[name] for name in waits_of(step)))
    return found


def walk(entries, known, decided, check):
    """Go through the text; what another lane submits is not known in this one."""
    for entry in entries:
        if isinstance(entry, Submission):
            check(entry.step, known, decided)
            known.add(entry.step)
        else:
            ends = []
            for lane in entry.lanes:
                here, answers = {*known}, {*decided, lane.decision}
                walk(lane.entries, here, answers, check)
                ends.append((here, answers))
            known.update(*(here for here, _ in ends))
            decided.update(*(answers for _, answers in ends))


@every_spec
def test_each_step_is_submitted_once_and_after_all_that_it_needs(spec):
    steps = spec.step_by_name
    seen = []

    def check(name, known, _):
        seen.append(name)
        assert set(waits_of(steps[name])) <= known

    walk(arrange(spec.steps), set(), set(), check)
    assert sorted(seen) == sorted(steps)


@every_spec
def test_what_needs_no_decision_is_submitted_before_the_flow_waits(spec):
    needed = decisions_before(spec.steps)
    order = [item.step for item in iter_submissions(arrange(spec.steps))]
    free = [bool(needed[name]) for name in order]
    assert free == sorted(free)


@every_spec
def test_a_lane_waits_for_nothing_that_another_one_decides(spec):
    needed = decisions_before(spec.steps)

    def look(entries):
        for entry in entries:
            if not isinstance(entry, Lanes):
                continue
            decisions = {lane.decision for lane in entry.lanes}
            assert len(decisions) == len(entry.lanes) > 1
            for lane in entry.lanes:
                for item in iter_submissions(lane.entries):
                    assert needed[item.step] & decisions == {lane.decision}
                look(lane.entries)

    look(arrange(spec.steps))


def increase_each(source):
    expander = f"expand_{source}"
    return (
        make_step(source, "numbers", type="list[int]"),
        make_expander(expander, {"value": read(source)}),
        make_step(f"{source}_more", "increase", {"value": element(expander, "value")}, map=mapped_by(expander)),
        make_step(f"{source}_sum", "total", {"values": read(f"{source}_more")}, type="list[int]"),
    )


def test_two_maps_wait_side_by_side_and_what_reads_both_comes_after():
    steps = (
        *increase_each("left"),
        *increase_each("right"),
        make_step("join", "total", {"values": collect(read("left_sum"), read("right_sum"))}),
        make_step("aside", "load"),
    )
    *before, lanes, join = arrange(steps)
    assert [entry.step for entry in before] == ["left", "expand_left", "right", "expand_right", "aside"]
    assert isinstance(lanes, Lanes)
    assert {lane.decision: [entry.step for entry in lane.entries] for lane in lanes.lanes} == {
        "expand_left": ["left_more", "left_sum"],
        "expand_right": ["right_more", "right_sum"],
    }
    assert join == Submission("join", ())


def test_what_waits_for_one_decision_only_does_not_wait_for_one_that_nobody_else_needs_alone():
    steps = (
        make_step("load", "load"),
        make_gate("slow", above("load", 1), {"load": read("load")}),
        make_gate("fast", above("load", 2), {"load": read("load")}),
        make_step("alone", "load", when=taken("fast")),
        make_step("inside", "load", when=taken("slow")),
        make_step("both", "increase", {"value": either("alone", "inside")}),
    )
    first = arrange(steps)[3]
    assert isinstance(first, Lanes)
    assert {lane.decision for lane in first.lanes} == {"slow", "fast"}


def test_one_decision_after_another_makes_no_lanes():
    assert not any(isinstance(entry, Lanes) for entry in arrange(graphs.many(300)))


def test_the_conditions_are_the_answer_of_the_gate_and_what_may_be_missing():
    conditions = {item.step: item.conditions for item in arrange(graphs.maps_and_branches())}
    assert conditions["total"] == ()
    assert conditions["double"] == (Answer("when", True),)
    assert conditions["small"] == (Answer("when", False),)
    assert conditions["chosen"] == (Present(("sum_doubled", "small")),)
    assert conditions["in_list"] == (Present(("chosen",)),)
    nested = {item.step: item.conditions for item in arrange(graphs.nested_branches())}
    assert nested["when_2"] == (Answer("when", True),)
    assert nested["high"] == (Answer("when_2", True),)


def test_a_step_that_is_ordered_after_one_in_a_branch_needs_it_to_be_there():
    steps = (*graphs.branches()[:3], make_step("last", "load", after=("yes",)))
    assert arrange(steps)[-1] == Submission("last", (Present(("yes",)),))
