"""A value of a class of the project's own does what its methods say: an edit of one is another value."""

from __future__ import annotations

import json
from typing import Any

FLOW = """
from dataclasses import dataclass

from zen_core import pipeline, step


class Model:
    def __init__(self, factor):
        self.factor = factor

    def predict(self, value):
        return value * self.factor


@dataclass
class Rule:
    least: int

    def holds(self, value):
        return value >= self.least


@step
def judge(rule, value: int = 3) -> bool:
    return rule.holds(value)


@step
def train(factor: int):
    return Model(factor)


@step
def hand_on(model):
    return model


@step
def score(model, value: int = 3) -> int:
    return model.predict(value)


@pipeline
def scoring(factor: int = 2):
    score(hand_on(train(factor)))
    judge(Rule(3))
"""


def run(bench: Any) -> dict[str, tuple[str, Any]]:
    process = bench.command("run", "flow.py:scoring", "--json")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    steps = json.loads(output)["steps"]
    return {step["name"]: (step["status"], step["outputs"]["result"].get("value")) for step in steps}


def test_an_edited_method_is_no_hit_for_a_step_that_only_calls_it(bench: Any) -> None:
    flow = bench.folder / "flow.py"
    flow.write_text(FLOW)
    first = run(bench)
    assert (first["score"], first["judge"]) == (("completed", 6), ("completed", True))

    flow.write_text(FLOW.replace("value * self.factor", "value + self.factor"))
    edited = run(bench)
    assert edited["score"] == ("completed", 5), "training gave equal attributes, and the model is another one"
    assert edited["judge"] == ("cached", True)

    flow.write_text(FLOW.replace("value >= self.least", "value > self.least"))
    edited = run(bench)
    assert (edited["score"], edited["judge"]) == (("cached", 6), ("completed", False)), (
        "a constant carries its class too"
    )
