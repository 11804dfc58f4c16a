"""Pipelines of any shape, made from a seed: for properties that must hold whatever a person writes."""

from __future__ import annotations

from random import Random

from zen_core.contract.bindings import Binding, OutputBinding
from zen_core.ir.specs import BranchSpec, MapSpec, PipelineSpec, RetrySpec, StepSpec
from zen_core.testing.cases.build import (
    above,
    collect,
    constant,
    either,
    element,
    make_expander,
    make_gate,
    make_step,
    read,
    taken,
    untaken,
)


def random_pipeline(seed: int, *, size: int = 12) -> PipelineSpec:
    """A sound pipeline of about `size` steps with maps, chains, branches within branches, and orderings."""
    builder = _Builder(Random(seed), size)
    builder.block(None, [])
    return PipelineSpec(name=f"random_{seed}", steps=tuple(builder.steps))


class _Builder:
    """Adds one construct after another, until there are enough steps."""

    def __init__(self, random: Random, size: int) -> None:
        self.random = random
        self.size = size
        self.steps: list[StepSpec] = []

    def block(self, when: BranchSpec | None, values: list[OutputBinding], depth: int = 0) -> list[OutputBinding]:
        """Some constructs in one branch; answers with the results that can be read there, its own last."""
        values = list(values)
        for _ in range(self.random.randint(1, 3) if depth else self.size):
            if len(self.steps) >= self.size * (depth + 1):
                break
            kind = self.random.choice(["step", "step", "collect", "map", "branch" if depth < 2 else "step"])
            if not values or kind == "step":
                values.append(self.step(when, values))
            elif kind == "collect":
                values.append(self.collect(when, values))
            elif kind == "map":
                values += self.map(when, values)
            else:
                values += self.branch(when, values, depth)
        return values

    def step(self, when: BranchSpec | None, values: list[OutputBinding]) -> OutputBinding:
        """A plain step, that may be ordered after others and tried again."""
        name = self.name("plain")
        after = {value.step for value in values if self.random.random() < 0.15}
        retry = RetrySpec(times=self.random.randint(1, 3), delay_seconds=1) if self.random.random() < 0.2 else None
        inputs: dict[str, Binding] = {"left": self.value(values), "right": self.value(values)}
        reads = {value.step for value in inputs.values() if isinstance(value, OutputBinding)}
        self.steps.append(make_step(name, "add", inputs, when=when, after=tuple(sorted(after - reads)), retry=retry))
        return read(name)

    def collect(self, when: BranchSpec | None, values: list[OutputBinding]) -> OutputBinding:
        """A step over a list of results."""
        name = self.name("listed")
        items = [self.value(values) for _ in range(self.random.randint(1, 3))]
        self.steps.append(make_step(name, "total", {"values": collect(*items)}, type="list[int]", when=when))
        return read(name)

    def map(self, when: BranchSpec | None, values: list[OutputBinding]) -> list[OutputBinding]:
        """A list, a map of one to three steps over it, and perhaps a collector."""
        source, expander = self.name("numbers"), self.name("expand")
        length = self.random.randint(1, 3)
        fan_out = MapSpec(expander=expander, chunk=self.random.choice([1, 1, 2]) if length == 1 else 1)
        self.steps += [
            make_step(source, "numbers", type="list[int]", when=when),
            make_expander(expander, {"left": read(source)}, when=when),
        ]
        item = element(expander, "left")
        for _ in range(length):
            name = self.name("mapped")
            self.steps.append(
                make_step(name, "add", {"left": item, "right": self.value(values)}, map=fan_out, when=when)
            )
            item = element(name)
        if self.random.random() < 0.7:
            collector = self.name("sum")
            self.steps.append(make_step(collector, "total", {"values": read(name)}, type="list[int]", when=when))
            return [read(collector)]
        return []

    def branch(self, when: BranchSpec | None, values: list[OutputBinding], depth: int) -> list[OutputBinding]:
        """A condition with one branch or two; what they made can be chosen from afterwards."""
        gate = self.name("when")
        asked = self.random.choice(values)
        self.steps.append(make_gate(gate, above("value", self.random.randint(-5, 5)), {"value": asked}, when=when))
        last = [self.block(taken(gate), values, depth + 1)[-1]]
        if self.random.random() < 0.6:
            last.append(self.block(untaken(gate), values, depth + 1)[-1])
        made_inside = [value.step for value in last if value not in values]
        if not made_inside:
            return []
        name = self.name("chosen")
        self.steps.append(make_step(name, "increase", {"value": either(*made_inside)}, when=when))
        return [read(name)]

    def value(self, values: list[OutputBinding]) -> Binding:
        """Something to read."""
        return self.random.choice(values) if values and self.random.random() < 0.9 else constant(1)

    def name(self, prefix: str) -> str:
        """A name that is not taken."""
        return f"{prefix}_{len(self.steps)}_{self.random.randrange(10)}"
