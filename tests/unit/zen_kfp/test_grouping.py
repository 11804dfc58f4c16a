from zen_core.ir.graph import waits_of
from zen_core.testing.cases import find_case, graphs
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
from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_kfp.grouping import Branch, Group, Loop, group_steps

LOAD = make_step("load", "load")
GATE = make_gate("when", above("load", 2), {"load": read("load")})


def groups(steps):
    """The steps of each group; single ones by their name."""
    return [
        tuple(step.name for step in item.steps) if isinstance(item, Group) else item.name for item in group_steps(steps)
    ]


def test_steps_that_nothing_tells_apart_are_together():
    steps = (
        LOAD,
        GATE,
        make_step("first", "increase", {"value": read("load")}, when=taken("when")),
        make_step("second", "double", {"value": read("first")}, when=taken("when")),
    )
    assert groups(steps) == ["load", "when", ("first", "second")]
    assert group_steps(steps)[-1].kind == Branch("when", True)


def test_the_two_answers_of_a_condition_are_apart():
    assert groups(graphs.branches()) == ["load", "when", ("yes",), ("no",), "after"]
    assert groups((LOAD, GATE, make_step("no", "double", {"value": read("load")}, when=untaken("when")))) == [
        "load",
        "when",
        ("no",),
    ]


def test_a_step_that_waits_for_more_is_by_itself():
    steps = (
        LOAD,
        make_step("slow", "load"),
        GATE,
        make_step("first", "increase", {"value": read("load")}, when=taken("when")),
        make_step("second", "add", {"left": read("first"), "right": read("slow")}, when=taken("when")),
    )
    assert groups(steps) == ["load", "slow", "when", ("first",), ("second",)]


def test_a_step_that_is_waited_for_alone_is_by_itself():
    steps = (
        *graphs.branches()[:4],
        make_step("aside", "double", {"value": read("yes")}, when=taken("when")),
        make_step("after", "increase", {"value": either("yes", "no")}),
    )
    assert groups(steps) == ["load", "when", ("yes",), ("no",), ("aside",), "after"]


def test_gates_and_expanders_of_branches_are_by_themselves():
    assert groups(graphs.nested_branches())[:4] == ["load", "when", ("inner",), "when_2"]
    assert groups(graphs.map_in_branch()) == [
        *("load", "numbers", "when", "expand_increase"),
        ("increase",),
        ("total",),
    ]
    (loop,) = (
        item.kind for item in group_steps(graphs.map_in_branch()) if isinstance(item, Group) and item.steps[0].map
    )
    assert loop == Loop("expand_increase", 1, None, Branch("when", True))


def test_a_chain_is_one_loop_where_its_steps_wait_for_the_same():
    chain = graphs.chained()
    assert groups(chain)[3:] == [("increase", "double"), ("add",), "total"]
    same = make_step("add", "add", {"left": element("double"), "right": element("increase")}, map=chain[-2].map)
    assert groups((*chain[:-2], same, chain[-1]))[3:] == [("increase", "double", "add"), "total"]


def test_different_limits_are_different_loops():
    steps = (
        make_step("numbers", "numbers", type="list[int]"),
        make_expander("expand", {"value": read("numbers")}),
        make_step("a", "increase", {"value": element("expand", "value")}, map=mapped_by("expand", max_parallel=2)),
        make_step("b", "increase", {"value": element("a")}, map=mapped_by("expand")),
    )
    assert groups(steps) == ["numbers", "expand", ("a",), ("b",)]


def test_without_branches_and_maps_nothing_changes():
    steps = find_case("diamond").spec.steps
    assert group_steps(steps) == steps


def test_groups_wait_for_nothing_that_one_of_their_steps_would_not_wait_for():
    for seed in range(60):
        steps = random_pipeline(seed, size=20).steps
        before = {}
        for step in steps:
            before[step.name] = set(waits_of(step)).union(*(before[name] for name in waits_of(step)))
        seen = set()
        for item in group_steps(steps):
            members = {step.name for step in item.steps} if isinstance(item, Group) else {item.name}
            outside = set().union(*(waits_of(step) for step in steps if step.name in members)) - members
            assert outside <= seen  # in order
            assert all(outside <= before[name] for name in members)
            for step in steps:
                if step.name not in members and members & set(waits_of(step)):
                    assert members <= before[step.name]
            seen |= members
        assert seen == {step.name for step in steps}
