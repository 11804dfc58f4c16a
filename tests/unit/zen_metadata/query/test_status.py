"""The status of a run is worked out from its step runs; no closing call is needed, and none can lie."""

import pytest

from zen_metadata.query.status import derive_absent_statuses, predecessors_by_step, status_from

CHAIN = {"load": frozenset(), "train": frozenset({"load"}), "score": frozenset({"train"})}


def statuses(**status_by_step):
    return {step: [status] for step, status in status_by_step.items()}


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
    assert status_from(CHAIN, statuses(**known), closed=closed) == expected


def test_a_run_whose_failed_step_was_run_again_is_completed():
    done = statuses(load="completed", train="completed", score="completed")
    assert status_from(CHAIN, done, closed="failed") == "completed"


def test_a_run_that_was_taken_up_again_after_its_closing_call_is_running():
    known = statuses(load="completed", train="running")
    assert status_from(CHAIN, known, closed="failed", reopened=True) == "running"


def test_a_fan_out_is_done_when_each_element_is():
    known = {**statuses(load="completed", score="completed"), "train": ["completed", "running"]}
    assert status_from(CHAIN, known, closed=None) == "running"
    assert status_from(CHAIN, {**known, "train": ["completed", "cached"]}, closed=None) == "completed"


def test_while_a_run_goes_on_nothing_is_said_of_steps_that_did_not_begin():
    assert derive_absent_statuses(CHAIN, statuses(load="failed"), "running") == {}


@pytest.mark.parametrize("broken", ["failed", "lost", "cancelled"])
def test_every_step_after_a_broken_one_is_upstream_failed(broken):
    absent = derive_absent_statuses(CHAIN, statuses(load=broken), "failed")
    assert absent == {"train": "upstream_failed", "score": "upstream_failed"}


def test_a_step_that_was_left_out_is_skipped():
    assert derive_absent_statuses(CHAIN, statuses(score="completed"), "completed") == {
        "load": "skipped",
        "train": "skipped",
    }


def test_where_a_run_failed_and_no_step_says_why_the_next_step_is_lost():
    absent = derive_absent_statuses(CHAIN, statuses(load="completed"), "failed")
    assert absent == {"train": "lost", "score": "upstream_failed"}


def test_predecessors_come_from_data_and_from_ordering():
    ir = {
        "steps": [
            {"name": "load", "inputs": [{"name": "n", "binding": {"kind": "constant", "value": 1}}]},
            {"name": "clean", "inputs": [{"name": "x", "binding": _output("load")}], "after": []},
            {
                "name": "train",
                "inputs": [
                    {"name": "parts", "binding": {"kind": "list", "items": [_output("load"), _output("clean")]}}
                ],
            },
            {"name": "notify", "inputs": [], "after": ["train"]},
        ]
    }
    assert predecessors_by_step(ir) == {
        "load": frozenset(),
        "clean": {"load"},
        "train": {"load", "clean"},
        "notify": {"train"},
    }


def _output(step):
    return {"kind": "output", "step": step, "output": "result"}
