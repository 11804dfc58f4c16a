"""Random small projects, and random edits: where a step gives something else afterwards, its fingerprint is another.

What steps give is found out by running them, before and after, in processes that see the project for the first time.
Edits that can change nothing (comments, blank lines, unrelated definitions and imports) must leave every fingerprint.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

Ask = Callable[[Path, dict[str, bytes]], dict[str, Any]]
# A module imports from those before it, and from itself.
MODULES = ("alpha", "beta", "pack", "pack.gamma", "pack.delta", "flow")

# What may bind NAME to a function of one number, from two others and a number.
FORMS = (
    """
def NAME(n):
    return ONE(n) + NUMBER
""",
    """
def NAME(n, extra=NUMBER):
    return TWO(n) * 2 - extra
""",
    """
def NAME(n, *, how=ONE):
    return how(n) + NUMBER
""",
    """
NAME = lambda n: ONE(n) - NUMBER
""",
    """
NAME = functools.partial(lambda by, n: ONE(n) + by, NUMBER)
""",
    """
def make_NAME(by):
    def inner(n):
        return ONE(n) + by
    return inner
NAME = make_NAME(NUMBER)
""",
    """
class Of_NAME:
    weight = NUMBER
    def of(self, n):
        return ONE(n) + self.weight
NAME = Of_NAME().of
""",
    """
class Base_NAME:
    def __call__(self, n):
        return self.add(ONE(n))
class Of_NAME(Base_NAME):
    def add(self, n):
        return TWO(n) + NUMBER
NAME = Of_NAME()
""",
    """
def wrap_NAME(by):
    def wrap(function):
        @functools.wraps(function)
        def inner(n):
            return function(n) + by
        return inner
    return wrap
@wrap_NAME(NUMBER)
def NAME(n):
    return ONE(n)
""",
    """
TABLE_NAME = {"a": ONE, "b": TWO}
TABLE_NAME["c"] = lambda n: n + NUMBER
def NAME(n):
    return sum(TABLE_NAME[key](n) for key in sorted(TABLE_NAME))
""",
    """
LIST_NAME = []
def register_NAME(function):
    LIST_NAME.append(function)
    return function
@register_NAME
def first_NAME(n):
    return ONE(n) + NUMBER
def NAME(n):
    return LIST_NAME[0](n)
""",
    """
CONSTANT_NAME = NUMBER
def NAME(n):
    return TWO(n) + CONSTANT_NAME
""",
    """
VALUES_NAME = [i * NUMBER for i in range(3)]
for number_NAME in range(2):
    VALUES_NAME.append(number_NAME + NUMBER)
def NAME(n):
    return ONE(n) + VALUES_NAME[n % 5]
""",
    """
@dataclasses.dataclass
class Data_NAME:
    n: int
    more: int = NUMBER
    @property
    def all(self):
        return ONE(self.n) + self.more
def NAME(n):
    return Data_NAME(n).all
""",
    """
class Kind_NAME(enum.Enum):
    ONLY = NUMBER
def NAME(n):
    return TWO(n) + Kind_NAME.ONLY.value
""",
    """
def NAME(n):
    match n % 3:
        case 0:
            return ONE(n)
        case _:
            return TWO(n) + NUMBER
""",
    """
if NUMBER > 4:
    def NAME(n):
        return ONE(n)
else:
    def NAME(n):
        return TWO(n) + 1
""",
    """
try:
    NAME = {0: ONE}[NUMBER % 2]
except KeyError:
    NAME = TWO
""",
    """
class Meta_NAME(type):
    def __getitem__(cls, n):
        return ONE(n) + NUMBER
class Of_NAME(metaclass=Meta_NAME):
    pass
def NAME(n):
    return Of_NAME[n]
""",
    """
class Parts_NAME:
    known = []
    def __init_subclass__(cls, **options):
        Parts_NAME.known.append(cls)
class Part_NAME(Parts_NAME):
    def __add__(self, n):
        return TWO(n) + NUMBER
def NAME(n):
    return Parts_NAME.known[-1]() + n
""",
    """
async def waits_NAME(n):
    return ONE(n) + NUMBER
def NAME(n):
    try:
        waits_NAME(n).send(None)
    except StopIteration as end:
        return end.value
""",
    """
state_NAME = {}
def set_NAME():
    global state_NAME
    state_NAME = {"by": NUMBER}
set_NAME()
def NAME(n):
    return ONE(n) + state_NAME["by"]
""",
    """
def NAME(n, depth=2):
    return NAME(n, depth - 1) + NUMBER if depth else TWO(n)
""",
    """
class Holder_NAME:
    pass
Holder_NAME.by = NUMBER
Holder_NAME.of = staticmethod(ONE)
def NAME(n):
    return Holder_NAME.of(n) + Holder_NAME.by
""",
)
NOISE = (
    "# a comment\n",
    "\n\n\n",
    '"""Words."""\n',
    "def unused_NUMBER(n):\n    return n + NUMBER\n",
    "unused_NUMBER = NUMBER\n",
)


@dataclass(frozen=True)
class Definition:
    """One name of a module. `imports` are the lines that it needs; `ways` how it writes ONE and TWO."""

    module: str
    name: str
    form: str
    number: int
    imports: tuple[str, ...]
    ways: tuple[str, str]

    @property
    def text(self) -> str:
        one, two = self.ways
        text = self.form.replace("NAME", self.name).replace("NUMBER", str(self.number))
        return text.replace("ONE", one).replace("TWO", two)


class Draft:
    """A project, made of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.definitions: list[Definition] = []
        places = sorted(self.random.randrange(len(MODULES) - 1) for _ in range(self.random.randint(3, 9)))
        for number, place in enumerate(places):
            self.definitions.append(self.define(MODULES[place], f"f{number}"))
        self.steps = [self.reach("flow", self.definitions) for _ in range(2)]

    def define(self, module: str, name: str) -> Definition:
        """A definition that uses some of those that are there already."""
        earlier = list(self.definitions)
        imports, ways = zip(*(self.reach(module, earlier) for _ in range(2)), strict=True)
        return Definition(module, name, self.random.choice(FORMS), self.random.randint(0, 9), imports, ways)

    def reach(self, module: str, definitions: list[Definition]) -> tuple[str, str]:
        """A line that imports one of these definitions, and how it is then called."""
        if not definitions:
            return "", "abs"
        found = self.random.choice(definitions)
        home, name = found.module, found.name
        if home == module:
            return "", name
        last = home.rpartition(".")[2]
        ways = [
            (f"import {home} as m_{last}", f"m_{last}.{name}"),
            (f"import {home}", f"{home}.{name}"),
            (f"from {home} import {name} as g_{name}", f"g_{name}"),
            (f"from {home} import *", name),
        ]
        if module.startswith("pack.") and home.startswith("pack."):
            ways += [(f"from . import {last}", f"{last}.{name}"), (f"from .{last} import {name}", name)]
        return self.random.choice(ways)

    def edited(self) -> list[Definition]:
        """The definitions with one of them changed."""
        index = self.random.randrange(len(self.definitions))
        chosen = self.definitions[index]
        changed = self.random.choice(
            [
                replace(chosen, number=chosen.number + self.random.choice([-3, -1, 1, 4])),
                replace(chosen, form=self.random.choice(FORMS)),
                replace(chosen, ways=(chosen.ways[1], "abs")),
                replace(chosen, form=f"{chosen.form}\nNAME = abs\n"),
                replace(chosen, form=f"{chosen.form}\nkept_NAME = NAME\nNAME = lambda n: kept_NAME(n) + 1\n"),
            ]
        )
        return [*self.definitions[:index], changed, *self.definitions[index + 1 :]]

    def write(self, folder: Path, definitions: list[Definition], *, noise: bool = False) -> None:
        """The project's files; with `noise`, with what changes nothing between the definitions."""
        (folder / "pack").mkdir(parents=True)
        (folder / "zen.toml").write_text('project = "random"\n')
        for module in MODULES:
            own = [item for item in definitions if item.module == module]
            lines = ["import dataclasses", "import enum", "import functools", *(["import json"] if noise else [])]
            lines += [line for item in own for line in item.imports if line]
            texts = [item.text for item in own]
            if module == "flow":
                lines += ["from zen_core import pipeline, step", *(line for line, _ in self.steps if line)]
                texts += [
                    f"@step\ndef s{number}(n: int) -> int:\n    return {way}(n)\n"
                    for number, (_, way) in enumerate(self.steps)
                ]
                texts.append("@pipeline\ndef everything(n: int = 1):\n    s0(n)\n    s1(n)\n")
            if noise:
                texts = [
                    self.random.choice(NOISE).replace("NUMBER", str(index)) + text for index, text in enumerate(texts)
                ]
            file = "pack/__init__.py" if module == "pack" else f"{module.replace('.', '/')}.py"
            (folder / file).write_text("\n".join(dict.fromkeys(lines)) + "\n\n" + "\n".join(texts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("random")


@given(seed=st.integers(0, 2**32))
def test_other_results_have_other_fingerprints(fingerprints: Ask, folder: Path, seed: int) -> None:
    draft = Draft(seed)
    own = folder / f"{seed}-{len(list(folder.iterdir()))}"
    draft.write(own / "before", draft.definitions)
    draft.write(own / "noise", draft.definitions, noise=True)
    draft.write(own / "after", draft.edited())
    before, noise, after = (fingerprints(own / name, {}) for name in ("before", "noise", "after"))
    assert noise == before, "what changes nothing counts"
    for step, answers in before["answers"].items():
        if answers != after["answers"][step]:
            assert before["digests"][step] != after["digests"][step], f"{step} gives something else: {own}"
