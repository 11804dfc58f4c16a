"""What each pipeline of `pipelines.py` comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zen_core.adapter.features import Feature

PIPELINES = Path(__file__).with_name("pipelines.py")
"""The file with the pipelines; it stands alone."""


@dataclass(frozen=True)
class Meaning:
    """One rule.

    Attributes:
        name: the pipeline's.
        status: the run's.
        steps: for each step run, by `NAME` or `NAME[INDEX]`, its status, or the value of its one output if it is done.
        gates: the answers of the conditions; None where there is none.
        hooks: the values that hooks handed over.
        attempts: where it is more than one.
        errors: for each step run that failed, a part of the error's text.
        needs: features beyond those that every pipeline uses; a target without them leaves the case out.
    """

    name: str
    steps: Mapping[str, Any]
    status: str = "completed"
    gates: Mapping[str, bool | None] = field(default_factory=dict)
    hooks: Mapping[str, Any] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[Feature] = frozenset()

    @property
    def label(self) -> str:
        """The pipeline's name, with the parameters that differ from its defaults."""
        given = ",".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.name}({given})" if given else self.name


SKIPPED, BLOCKED, FAILED, DONE = "skipped", "upstream_failed", "failed", "completed"
MEANINGS: tuple[Meaning, ...] = (
    Meaning(
        "failure_stops_what_follows",
        {"start": 1, "broken": FAILED, "by_data": BLOCKED, "by_order": BLOCKED, "beside": 2},
        status="failed",
        errors={"broken": "1 is wrong"},
    ),
    Meaning(
        "branch_taken",
        {"start": 4, "yes": 8, "yes_then": 9, "no": SKIPPED, "no_then": SKIPPED, "chosen": 9},
        gates={"when": True},
    ),
    Meaning(
        "branch_taken",
        {"start": 4, "yes": SKIPPED, "yes_then": SKIPPED, "no": 104, "no_then": 208, "chosen": 105},
        gates={"when": False},
        parameters={"limit": 4},
    ),
    Meaning(
        "branch_untaken",
        {"start": 4, "yes": SKIPPED, "no": 104, "chosen": 105, "by_order": SKIPPED},
        gates={"when": False},
    ),
    Meaning(
        "nothing_to_choose",
        {"start": 4, "only": SKIPPED, "chosen": SKIPPED, "then": SKIPPED},
        gates={"when": False},
    ),
    Meaning(
        "branch_in_branch",
        {"start": 4, "middle": 8, "high": SKIPPED, "low": 10, "none": SKIPPED, "chosen": 20},
        gates={"when": True, "when_2": False},
    ),
    Meaning(
        "branch_in_branch",
        {"start": 4, "middle": SKIPPED, "high": SKIPPED, "low": SKIPPED, "none": 5, "chosen": 10},
        gates={"when": False, "when_2": None},
        parameters={"outer": 50},
    ),
    Meaning(
        "failure_wins_over_skip",
        {"start": 4, "broken": FAILED, "skipped": SKIPPED, "both": BLOCKED},
        status="failed",
        gates={"when": False},
        errors={"broken": "4 is wrong"},
    ),
    Meaning(
        "gate_after_failure",
        {"broken": FAILED, "yes": BLOCKED, "no": BLOCKED, "chosen": BLOCKED},
        status="failed",
        gates={"when": None},
    ),
    Meaning("nan_is_false", {"score": DONE, "yes": SKIPPED, "no": 4, "chosen": 5}, gates={"when": False}),
    Meaning(
        "missing_is_an_error",
        {"score": None, "yes": BLOCKED},
        status="failed",
        gates={"when": None},
        errors={"when": "missing"},
    ),
    Meaning(
        "condition_needs_a_scalar",
        {"score": DONE, "yes": BLOCKED},
        status="failed",
        gates={"when": None},
        errors={"when": "scalar"},
    ),
    Meaning(
        "map_collects",
        {
            "values": DONE,
            "offset": 10,
            "sum": 72,
            "added[0]": 11,
            "added[1]": 12,
            "added[2]": 13,
            "doubled[0]": 22,
            "doubled[1]": 24,
            "doubled[2]": 26,
        },
    ),
    Meaning("map_of_nothing", {"values": DONE, "doubled": DONE, "again": DONE, "sum": 0}),
    Meaning(
        "map_zips",
        {
            "left": DONE,
            "right": DONE,
            "sum": 72,
            "sums[0]": 11,
            "sums[1]": 22,
            "sums[2]": 33,
            "more[0]": 12,
            "more[1]": 24,
            "more[2]": 36,
        },
    ),
    Meaning(
        "map_of_unequal_lists",
        {"left": DONE, "right": DONE, "sums": BLOCKED, "sum": BLOCKED},
        status="failed",
        errors={"expand_sums": "length"},
    ),
    Meaning(
        "map_of_no_list",
        {"text": "abc", "doubled": BLOCKED, "sum": BLOCKED},
        status="failed",
        errors={"expand_doubled": "list"},
    ),
    Meaning(
        "element_fails",
        {
            "values": DONE,
            "sum": BLOCKED,
            "beside": DONE,
            "checked[0]": 1,
            "checked[1]": 2,
            "checked[2]": FAILED,
            "checked[3]": 4,
            "doubled[0]": 2,
            "doubled[1]": 4,
            "doubled[2]": BLOCKED,
            "doubled[3]": 8,
        },
        status="failed",
        errors={"checked[2]": "three is wrong"},
    ),
    Meaning(
        "map_in_untaken_branch",
        {
            "values": DONE,
            "count": 6,
            "doubled": SKIPPED,
            "high": SKIPPED,
            "low": 9,
            "chosen": 10,
            "added[0]": 2,
            "added[1]": 3,
            "added[2]": 4,
        },
        gates={"when": False},
    ),
    Meaning(
        "map_in_chunks",
        {"values": DONE, "sum": 30, **{f"doubled[{index}]": 2 * index + 2 for index in range(5)}},
    ),
    Meaning(
        "chain_in_chunks",
        {
            "values": DONE,
            "sum": BLOCKED,
            "checked[0]": 1,
            "checked[1]": 2,
            "checked[2]": FAILED,
            "checked[3]": 4,
            "checked[4]": 5,
            "doubled[0]": 2,
            "doubled[1]": 4,
            "doubled[2]": BLOCKED,
            "doubled[3]": 8,
            "doubled[4]": 10,
        },
        status="failed",
        errors={"checked[2]": "three is wrong"},
        needs=frozenset({Feature.MAP_CHUNK_CHAIN}),
    ),
    Meaning(
        "tries_again",
        {"flaky": 4, "then": 5, "slow": FAILED},
        status="failed",
        attempts={"flaky": 3},
        needs=frozenset({Feature.RETRY, Feature.TIMEOUT}),
    ),
    Meaning(
        "inputs_of_all_kinds", {"value": 8, "split": DONE, "listed": DONE, "sum": 31, "nothing": DONE, "last": DONE}
    ),
    Meaning(
        "inputs_of_all_kinds",
        {"value": 1, "split": DONE, "listed": DONE, "sum": 3, "nothing": DONE, "last": DONE},
        parameters={"number": 0, "text": "\"; {% raw %}' \\", "ratio": 0.5},
    ),
    Meaning(
        "pipeline_in_pipeline",
        {
            "doubled_sum_values": DONE,
            "doubled_sum_sum": 12,
            "doubled_sum_2_values": DONE,
            "doubled_sum_2_sum": 2,
            **{f"doubled_sum_doubled[{index}]": 2 * index + 2 for index in range(3)},
            "doubled_sum_2_doubled[0]": 2,
            "both": 14,
        },
    ),
    Meaning(
        "hooks_after_failure",
        {"broken": FAILED, "never": BLOCKED},
        status="failed",
        hooks={"tell_failures": ["broken"]},
    ),
    Meaning("hooks_after_success", {"start": 2}, hooks={"tell_end": "done"}),
)


def find_differences(meaning: Meaning, document: Mapping[str, Any]) -> list[str]:
    """Where the document of `zen show --json` of a run is not what the pipeline means, in words."""
    runs = {_label(step): step for step in document["steps"]}
    found = [] if document["status"] == meaning.status else [f"the run is {document['status']}, not {meaning.status}"]
    steps = {label: step for label, step in runs.items() if step["kind"] == "step"}
    for label in sorted({*steps, *meaning.steps}):
        expected, step = meaning.steps.get(label, "absent"), steps.get(label)
        got = "absent" if step is None else _outcome(step, expected)
        if got != expected:
            found.append(f"{label} is {got!r}, not {expected!r}")
    for label, answer in meaning.gates.items():
        gate = runs.get(label, {})
        got = gate.get("outputs", {}).get("taken", {}).get("value")
        if got is not answer:
            found.append(f"gate {label} says {got!r}, not {answer!r}")
    found += _find_wrong_details(meaning, runs)
    return found


def _find_wrong_details(meaning: Meaning, runs: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    hooks = {label: step for label, step in runs.items() if step["kind"] == "hook"}
    if hooks.keys() != meaning.hooks.keys():
        yield f"the hooks {sorted(hooks)} ran, not {sorted(meaning.hooks)}"
    for label, step in runs.items():
        wanted = meaning.attempts.get(label)
        if wanted and step["attempts"] != wanted:
            yield f"{label} took {step['attempts']} attempts, not {wanted}"
    for label, text in meaning.errors.items():
        error = runs.get(label, {}).get("error")
        if not error or text not in error["message"]:
            yield f"{label} failed with {error and error['message']!r}, which does not say {text!r}"


def _outcome(step: Mapping[str, Any], expected: Any) -> Any:
    """The status of a step run; or the value of its one output, when it is done and a value is expected."""
    status = "completed" if step["status"] == "cached" else step["status"]
    if status != "completed" or expected == DONE:
        return status
    outputs = list(step["outputs"].values())
    return outputs[0].get("value", "no value") if len(outputs) == 1 else status


def _label(step: Mapping[str, Any]) -> str:
    return step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]"
