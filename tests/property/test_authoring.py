"""Whatever a pipeline's body does with maps, branches and other pipelines: it becomes a sound IR, or is refused."""

from __future__ import annotations

from random import Random
from typing import Annotated, Any

from hypothesis import given
from hypothesis import strategies as st

from zen_core import broadcast, either, pipeline, step, when
from zen_core.authoring.problems import PROBLEMS
from zen_core.errors import DefinitionError
from zen_core.ir.specs import PipelineSpec
from zen_core.ir.validation import validate


@step
def numbers(first: Any = 1) -> list[int]:
    return [1]


@step
def grow(value: int, by: Any = 1) -> int:
    return value


@step
def halves(value: int) -> tuple[Annotated[int, "low"], Annotated[bool, "high"]]:
    return value, True


@step
def total(values: list[int]) -> int:
    return 1


@pipeline
def inner(value: int, limit: int = 3) -> Any:
    with when((grow(value) > limit) | (limit == 4)) as good:
        high = grow(value, by=limit)
    with good.otherwise():
        low = total(grow.map(numbers(value), by=broadcast(limit)))
    return either(high, low)


class Body:
    """A pipeline's body that does anything at all. With `careful`, nothing that is refused."""

    def __init__(self, seed: int, *, careful: bool) -> None:
        self.random = Random(seed)
        self.careful = careful
        self.scalars: list[Any] = []
        self.lists: list[Any] = []

    def __call__(self, depth: int = 3) -> None:
        self.scalars.append(depth)
        self.lists.append(numbers(depth))
        self.block(0)

    def block(self, level: int) -> None:
        actions = [self.call, self.collect, self.map, self.map, self.inner] + [self.branch] * (level < 3)
        for _ in range(self.random.randint(1, 5)):
            action = self.random.choice(actions)
            action(level) if action == self.branch else action()  # type: ignore[call-arg]

    def call(self) -> None:
        called = grow if self.random.random() < 0.5 else grow.after(self.lists[0])
        self.scalars.append(called(self.scalar(), by=[self.scalar(), {"a": self.scalar()}]))
        self.scalars += list(halves(self.scalar()))[:1]

    def collect(self) -> None:
        self.scalars.append(total(self.random.choice([self.list(), [self.scalar(), 1]])))
        self.lists.append(numbers())

    def map(self) -> None:
        by = self.random.choice([1, broadcast(self.list()), self.list(), self.scalars[0]])
        self.lists.append(grow.map(self.list(), by=by, max_parallel=self.random.choice([None, 2])))
        self.lists.append(halves.map(self.lists[-1]).low)

    def inner(self) -> None:
        self.scalars.append(inner(self.scalar(), self.random.choice([4, self.scalar()])))

    def branch(self, level: int) -> None:
        condition = (self.scalars[0] < self.scalar()) & ~(
            (self.scalars[0] == self.scalar()) | halves(self.scalars[0]).high
        )
        before = list(self.scalars), list(self.lists)
        made = []
        with when(condition) as good:
            made.append(self.arm(level, before))
        if self.random.random() < 0.6:
            with good.otherwise():
                made.append(self.arm(level, before))
        for pool, options in zip((self.scalars, self.lists), zip(*made, strict=True), strict=True):
            pool.append(either(*options))

    def arm(self, level: int, before: tuple[list[Any], list[Any]]) -> tuple[Any, Any]:
        self.block(level + 1)
        made = grow(1), numbers()
        if self.careful:
            self.scalars, self.lists = list(before[0]), list(before[1])
        return made

    def scalar(self) -> Any:
        return self.random.choice(self.scalars if self.careful else [*self.scalars, *self.lists[:1], "text"])

    def list(self) -> Any:
        return self.random.choice(self.lists if self.careful else [*self.lists, *self.scalars[:1]])


def _build(seed: int, *, careful: bool) -> PipelineSpec:
    body = Body(seed, careful=careful)
    return pipeline(name="p")(lambda depth=3: body(depth)).build().spec


@given(st.integers(0, 2**32))
def test_a_sound_body_becomes_a_sound_pipeline(seed: int) -> None:
    spec = _build(seed, careful=True)
    assert validate(spec) == []
    assert PipelineSpec.from_json(spec.to_json()) == spec
    assert _build(seed, careful=True).digest == spec.digest
    gates = {item.name for item in spec.steps if item.kind == "gate"}
    assert gates == {item.when.gate for item in spec.steps if item.when}


@given(st.integers(0, 2**32))
def test_any_other_body_is_refused_with_a_place_and_a_way_out(seed: int) -> None:
    try:
        spec = _build(seed, careful=False)
    except DefinitionError as error:
        for problem in error.diagnostics:
            assert problem.code in PROBLEMS
            assert problem.where.startswith("tests/property/test_authoring.py:")
            assert problem.hint
    else:
        assert validate(spec) == []
