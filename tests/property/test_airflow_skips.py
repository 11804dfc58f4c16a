"""What an emitted DAG starts, by Airflow's own rules and in any order, is what the pipeline's rules say."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from zen_airflow.lowering import AirflowDag, lower_pipeline
from zen_airflow.options import AirflowOptions
from zen_core.ir.graph import read_steps
from zen_core.ir.specs import PipelineSpec, StepSpec
from zen_core.testing.cases.build import read
from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_metadata.query.rules import Facts, derive_statuses, rules_of

SEEDS = st.integers(0, 100_000)
BROKEN = {"failed", "upstream_failed"}
DONE = BROKEN | {"success", "skipped"}
UNEXPANDED = -1
Instance = tuple[str, int]
"""A task instance: the task, and the part of a mapped one."""


class Fate:
    """What each step comes to if it runs; the same whoever runs it."""

    def __init__(self, pipeline: PipelineSpec, random: Random) -> None:
        self.pipeline = pipeline
        self.rules = rules_of(pipeline.to_json())
        failing = random.choice([0.0, 0.1, 0.2])
        self._failed = {(step.name, i): random.random() < failing for step in pipeline.steps for i in (None, *range(5))}
        self._answers: dict[str, Any] = {
            step.name: random.random() < 0.5 if step.kind == "gate" else random.choice([0, 1, 2, 3, 5])
            for step in pipeline.steps
        }
        self.statuses: dict[str, dict[int | None, Any]] = {}
        self.answers: dict[str, Any] = {}

    @property
    def has_failed(self) -> bool:
        return any("failed" in found.values() for found in self.statuses.values())

    def has_chain_without_elements_after_failure(self) -> bool:
        """Whether by the rules a step of a map without elements does not share the fate of the one before it.

        To Airflow a task that waits for another is the same with elements and without.
        """
        found = {name: self.open(name).get(None) for name in self.rules.steps}
        return any(
            found[name] in ("completed", "skipped") and found[before] in {"upstream_failed", "skipped"} - {found[name]}
            for name, rule in self.rules.steps.items()
            for before in rule.elements
        )

    def open(self, step: str) -> dict[int | None, Any]:
        """The statuses of a step by the rules, from what is known now; None for what may run."""
        return derive_statuses(self.rules, Facts(self.statuses, self.answers))[step]

    def run(self, step: str, index: int | None) -> str:
        """Run it; remembers what came of it."""
        status = "failed" if self._failed[step, index] else "completed"
        assert index not in self.statuses.get(step, {}), f"{step} ran twice"
        self.statuses.setdefault(step, {})[index] = status
        if self.rules.steps[step].kind in ("gate", "expander") and status == "completed":
            self.answers[step] = self._answers[step]
        return status


class Scheduler:
    """Airflow's: looks at task instances and lets them run, one by one in any order; some tasks take long."""

    def __init__(self, dag: AirflowDag, fate: Fate, random: Random) -> None:
        self.dag, self.fate, self.random = dag, fate, random
        self.tasks = {task.step: task for task in dag.tasks}
        self.chunks = {step.name: step.map.chunk for step in fate.pipeline.steps if step.map}
        self.map_of = {step: found for found in dag.maps for step in found.steps}
        self.before: dict[str, set[str]] = {task.step: set(task.upstream) for task in dag.tasks}
        for upstream, step in (*dag.orderings, *(chain for found in dag.maps for chain in found.chains)):
            self.before[step].update(upstream)
        for gate, arms in dag.branches:
            for step in arms:
                self.before[step].add(gate)
        for step, found in self.map_of.items():
            self.before[step].add(found.expander)
        self.states: dict[Instance, str] = {(step, UNEXPANDED): "none" for step in self.tasks}
        self.slowness = {
            (running, step): random.choice([2, 2, 100]) if running else 1
            for running in (False, True)
            for step in self.tasks
        }

    def run(self) -> None:
        """Until nothing changes."""
        while True:
            pending = [found for found, state in self.states.items() if state in ("none", "running")]
            pending.sort(
                key=lambda found: self.random.random() * self.slowness[self.states[found] == "running", found[0]]
            )
            if not any(self.advance(found) for found in pending):
                return

    def advance(self, found: Instance) -> bool:
        """Take one instance a step on, if it can; a running one ends."""
        if self.states[found] == "running":
            self.states[found] = self.execute(*found)
            return True
        state = self.judge(found)
        if state == "run" and found[0] in self.map_of and found[1] == UNEXPANDED:
            del self.states[found]
            size = self.chunks[found[0]]
            parts = math.ceil(self.fate.answers[self.map_of[found[0]].expander] / size)
            self.states.update({(found[0], part): "none" for part in range(parts)} or {found: "skipped"})
        elif state:
            self.states[found] = "running" if state == "run" else state
        return bool(state)

    def judge(self, found: Instance) -> str:
        """Airflow's dependencies: `run`, a state that it is given without running, or ""."""
        if found[0] in self.map_of:
            expander = self.states[self.map_of[found[0]].expander, UNEXPANDED]
            if expander in DONE and expander != "success":
                return "skipped" if expander == "skipped" else "upstream_failed"
        states = [self.states[other] for other in self.relevant(found)]
        rule = self.tasks[found[0]].trigger_rule or "all_success"
        if rule != "all_done" and not BROKEN.isdisjoint(states):
            return "upstream_failed"
        if rule == "all_success" and "skipped" in states:
            return "skipped"
        if not set(states) <= DONE:
            return ""
        return "skipped" if rule == "none_failed_min_one_success" and set(states) == {"skipped"} else "run"

    def relevant(self, found: Instance) -> list[Instance]:
        """The instances that it depends on: in a mapped task group those of its own index."""
        step, part = found
        own = self.map_of.get(step)
        return [
            other
            for other in self.states
            if other[0] in self.before[step]
            and (self.map_of.get(other[0]) is not own or own is None or other[1] in (part, UNEXPANDED))
        ]

    def execute(self, step: str, part: int) -> str:
        """What a task does: the shim runs its step, or refuses to."""
        if part == UNEXPANDED:
            indexes: list[int | None] = [None]
        else:
            size = self.chunks[step]
            count = self.fate.answers[self.map_of[step].expander]
            indexes = [*range(part * size, min(count, (part + 1) * size))]
        ended = []
        for index in indexes:
            standing = self.fate.open(step)
            state = standing.get(index, standing.get(None))
            if state is None and not self.has_elements(step, index):
                state = "upstream_failed"  # the shim finds nothing to read
            ended.append(self.fate.run(step, index) if state is None else state)
        if not BROKEN.isdisjoint(ended):
            return "failed"
        if "skipped" in ended:
            return "skipped"
        self.branch(step)
        return "success"

    def has_elements(self, step: str, index: int | None) -> bool:
        """Whether the earlier steps of its map have made what it reads."""
        made = self.fate.statuses
        return all(made.get(name, {}).get(index) == "completed" for name in self.fate.rules.steps[step].elements)

    def branch(self, step: str) -> None:
        """Skip what is directly after a gate and not in the branch that is taken, as Airflow's branch operator does."""
        if self.tasks[step].kind == "gate":
            taken = self.tasks[step].arms[0 if self.fate.answers[step] else 1]
            for other, state in list(self.states.items()):
                if step in self.before[other[0]] and state == "none" and other[0] not in taken:
                    self.states[other] = "skipped"

    def run_state(self) -> str:
        """The DAG run's: by its last tasks, or by the closing task where it has the say."""
        if self.dag.may_hide_failure:
            return "failed" if self.fate.has_failed else "success"
        last = {state for (step, _), state in self.states.items() if step in self.dag.leaves}
        return "success" if BROKEN.isdisjoint(last) else "failed"


def varied(pipeline: PipelineSpec, random: Random) -> PipelineSpec:
    """The same with what a random pipeline has not: chunks in chains, lists from elsewhere, steps after a map."""
    chunks = {step.name: random.choice([1, 1, 2]) for step in pipeline.steps}
    steps: list[StepSpec] = []
    for step in pipeline.steps:
        outer = [other for other in steps if other.when is None and other.kind == "step"]
        plain = [other.name for other in outer if other.map is None]
        maps = {other.name for other in outer if other.map} - {*read_steps(step), *step.after}
        change: dict[str, Any] = {}
        if step.map:
            change["map"] = step.map.model_copy(update={"chunk": chunks[step.map.expander]})
        elif step.kind == "expander" and plain and random.random() < 0.4:
            item = step.inputs[0]
            change["inputs"] = (item.model_copy(update={"binding": read(random.choice(plain))}),)
        elif step.kind == "step" and maps and random.random() < 0.2:
            change["after"] = (*step.after, random.choice(sorted(maps)))
        steps.append(step.model_copy(update=change))
    return pipeline.model_copy(update={"steps": tuple(steps)})


@given(SEEDS)
def test_airflow_starts_what_the_rules_say_and_fails_when_something_failed(seed: int) -> None:
    random = Random(seed)
    pipeline = varied(random_pipeline(seed, size=20), random)
    dag = lower_pipeline(pipeline, AirflowOptions())
    fate = random.random()
    expected = Fate(pipeline, Random(fate))
    for step in expected.rules.steps:  # each after all that it waits for
        for index, status in expected.open(step).items():
            if status is None:
                expected.run(step, index)
    assume(not expected.has_chain_without_elements_after_failure())
    for _ in range(4):
        scheduler = Scheduler(dag, Fate(pipeline, Random(fate)), random)
        scheduler.run()
        assert scheduler.fate.statuses == expected.statuses
        assert not {"none", "running"}.intersection(scheduler.states.values())
        assert scheduler.run_state() == ("failed" if expected.has_failed else "success")
