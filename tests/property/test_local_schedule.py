"""The local engine's schedule, against the rules by which every reader derives what became of a run."""

from __future__ import annotations

from collections import deque
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_local.scheduling import Schedule, Settled, Task
from zen_metadata.query.rules import Facts, PipelineRules, derive_statuses, outcome_of, rules_of

SEEDS = st.integers(0, 10_000)


class Simulation:
    """Runs a pipeline of any shape whose tasks end in any order, and fail now and then; remembers all that it hears."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        document = random_pipeline(seed, size=12).to_json()
        self.rules: PipelineRules = rules_of(document)
        self.chunks = {step["name"]: (step.get("map") or {}).get("chunk", 1) for step in document["steps"]}
        self.failing = self.random.choice([0.0, 0.1, 0.4])
        self.statuses: dict[str, dict[int | None, str]] = {}
        self.answers: dict[str, object] = {}
        self.reasons: list[tuple[str, str]] = []
        self.schedule = Schedule(self.rules, self.chunks, self.rules.steps)

    def run(self) -> None:
        ready: deque[Task] = deque()
        self.hear(self.schedule.begin({}, {}), ready)
        while ready:
            ready.rotate(self.random.randrange(len(ready)))
            task = ready.popleft()
            indexes: list[int | None] = [None] if task.part is None else [*self.schedule.elements(task)]
            failed = {index for index in indexes if self.random.random() < self.failing}
            for index in indexes:
                self.note(task.step, index, "failed" if index in failed else "completed")
            refs = self.answer(task.step) if task.part is None and not failed else {}
            self.hear(self.schedule.settle(task, failed=failed, refs=refs), ready)

    def answer(self, step: str) -> dict[str, dict[str, object]]:
        kind = self.rules.steps[step].kind
        if kind == "gate":
            self.answers[step] = self.random.random() < 0.5
            return {"taken": {"value": self.answers[step]}}
        if kind == "expander":
            self.answers[step] = self.random.choice([0, 1, 2, 3, 5])
            return {"count": {"value": self.answers[step]}}
        return {}

    def hear(self, settled: Settled, ready: deque[Task]) -> None:
        for step, count in settled.maps:
            assert count == self.answers[self.rules.steps[step].expander]
            if count == 0:
                self.note(step, None, "completed")
        for item in settled.never:
            self.note(item.step, item.index, item.status)
            self.reasons.append((item.step, item.because))
        ready.extend(settled.ready)

    def note(self, step: str, index: int | None, status: str) -> None:
        known = self.statuses.setdefault(step, {})
        assert index not in known, f"{step}[{index}] is told twice"
        known[index] = status


@given(SEEDS)
def test_every_step_run_is_told_once_and_as_the_rules_say(seed: int) -> None:
    simulation = Simulation(seed)
    simulation.run()
    started = {
        step: {index: status for index, status in found.items() if status in ("failed", "completed")}
        for step, found in simulation.statuses.items()
    }
    for step, found in started.items():  # a map of nothing has no step run
        if simulation.rules.steps[step].expander:
            found.pop(None, None)
    facts = Facts({step: found for step, found in started.items() if found}, simulation.answers)
    assert simulation.statuses == derive_statuses(simulation.rules, facts)


@given(SEEDS)
def test_what_does_not_start_names_a_step_that_decided_it(seed: int) -> None:
    simulation = Simulation(seed)
    simulation.run()
    for step, because in simulation.reasons:
        rule = simulation.rules.steps[step]
        gate_said_no = because == rule.gate and simulation.answers.get(because) is (not rule.taken)
        assert gate_said_no or outcome_of(simulation.statuses[because].values()) in ("broken", "skipped")
