"""What Python 3.11 can write; its parsers and its values differ between versions, and the fingerprints must not."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import re
import typing
import uuid
from collections import OrderedDict, defaultdict
from typing import Annotated, Generic, Literal, NamedTuple, ParamSpec, Protocol, TypedDict, TypeVar

from package import *
from package import inner as renamed

T = TypeVar("T", bound="Node")
P = ParamSpec("P")
Alias = dict[str, list[tuple[int, ...]]] | None


class Colour(enum.Enum):
    RED = enum.auto()
    BLUE = "blue"

    @property
    def shade(self) -> str:
        return f"{self.name.lower()!s:>10}"


class Flags(enum.IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node(Generic[T]):
    """A docstring
        that is indented in its own way,

    and goes on.\tWith a tab and an é.
    """

    name: str = "node"
    children: list[Node[T]] = dataclasses.field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or "?")


class Row(TypedDict, total=False):
    key: typing.Required[str]
    value: Literal[1, "one", b"one", None, True]


class Shape(Protocol):
    def area(self, /, scale: float = 1.0) -> float: ...


class Point(NamedTuple):
    x: float
    y: float = -0.0


class Meta(type):
    def __new__(mcs, name, bases, namespace, **keywords):
        return super().__new__(mcs, name, bases, namespace)


class Made(Node, metaclass=Meta):
    __slots__ = ()
    table: typing.ClassVar[dict[str, object]] = {**dict(a=1), "b": [*range(3)], "c": {1, 2, 3}, **{}}

    @classmethod
    def build(cls, *items: int, **options: str) -> Made:
        return cls(name=" ".join(map(str, items)))

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def cached(item: int) -> int:
        return item

    def __class_getitem__(cls, item: object) -> object:
        return item


def texts(name: str, width: int = 10, *, values: tuple[float, ...] = (1e300 * 1e10, -0.0, 1j, 1_000)) -> str:
    """Two lines,
    the second indented."""
    plain = f"{name}" f" and {width}" " and no more" rf"\d{name}\n" "{not} a field"
    nested = f"{name!r:>{width}} {width:0{width}d} {name=} {width = !r:^{width}} {{}} {'quoted'}"
    parts = f"{'a' if name else f'{width:>{width}}'}{name.upper()[::-1]:{'>'}{width}}{ {'k': 1}['k'] }"
    lambdas = f"{(lambda x: x + 1)(width)} {[item for item in values if item]!s}"
    return plain + nested + parts + lambdas + "\N{SNOWMAN} \x00 \ud800 \\ \
continued" + """triple "quoted"
text""" + "é" + b"\xff\x00".hex() + str(10**30) + str(0xFF) + str(...)


def flow(items: list[object], *rest: int, key: str | None = None, **options: object) -> object:
    global COUNTER
    COUNTER = 0
    total = 0
    for index, (first, *others) in enumerate(zip(items, rest)):
        if (size := len(others)) > 3 and not index or first is not None is not True:
            continue
        elif size in {1, 2} and 1 < size <= 3 != 4:
            break
        total += -size**2 // 3 % 5 << 1 >> 1 & 7 | 8 ^ ~1
        total @= 1
    else:
        total -= 1
    while total:
        total -= 1
        del items[1:2, ::3, ...], options["key"]
    try:
        assert items, f"no {items}"
    except (ValueError, KeyError) as error:
        raise RuntimeError("why") from error
    except Exception:
        pass
    else:
        total = 1
    finally:
        total = 2
    try:
        total = 3
    except* ValueError as group:
        print(group.exceptions, sep="", end="")
    with (contextlib.suppress(OSError), open("/dev/null") as file):
        file.read()
    with contextlib.suppress(OSError), open("/dev/null") as file, contextlib.nullcontext((1, 2)) as (a, b):
        file.read()

    def inside(x, /, y=1, *z, w, v=2, **u):
        nonlocal total
        total = x if y else z
        yield from z
        return (yield)

    return {
        **options,
        "a set's": {x for x in items},
        "comprehension": [x for row in items for x in row if x if not None],
        "generator": (x async for x in a) if False else {*rest} or {k: v for k, v in options.items()},
        "star": [*items, *rest],
        "call": flow(*items, *rest, key="a", **options, **{}),
        "slice": items[1:], "step": items[::-1], "lambda": lambda *a, b=1, **c: (a, b, c),
        "inside": inside, "tuple": (1,), "empty": (), "neg": -1, "not": not 1,
    }


async def waits(source: typing.AsyncIterator[int]) -> list[int]:
    async with asyncio.timeout(1) as timeout:
        async for item in source:
            await asyncio.sleep(item)
    return [item async for item in source if await asyncio.sleep(0, True)] + [timeout.when() or 0]


def matches(value: object) -> object:
    match value:
        case None | True | -1 | 1.5 | 2 + 3j | "te" "xt" | b"" if value:
            return 0
        case [1, Point(x=0, y=other), *_] | (1, Point(0, other)):
            return other
        case {"key": [str() as text, *rest], **others} if rest:
            return text, others
        case Colour.RED | dataclasses.MISSING:
            return 1
        case int(number) | float(number):
            return number
        case _:
            return renamed.deep(value), starred(value)


def typed(
    row: Row, node: "Node[Node]", shape: Annotated[Shape, "drawn", {"k": 1}] = None, alias: Alias = None
) -> typing.Callable[P, T]:
    local: Literal["a", 'b'] | None = None
    other: "list[Point]"
    return typing.cast("typing.Callable[P, T]", (row, node, shape, alias, local, Made.build(), Flags.A | Flags.B))


@functools.wraps(texts, assigned=("__name__",))
@(lambda function: function)
def decorated(ﬁrst: int) -> int:  # an identifier that Python itself normalises
    return ﬁrst


def make(value: object):
    def closes_over():
        return value

    return closes_over


def helper(item: int = COLUMNS) -> int:
    return item


def other_helper(item: int) -> int:
    return item


class Holder:
    def __init__(self, item: object) -> None:
        self.item = item

    def get(self) -> object:
        return self.item


CLOSED = {
    "int": make(1), "float": make(1.0), "nan": make(float("nan")), "minus zero": make(-0.0), "zero": make(0.0),
    "true": make(True), "digit": make("1"), "text": make("é\ud800"), "bytes": make(b"\xff"), "none": make(None),
    "tuple": make((1, "a", (2.5,))), "list": make([1, [2]]), "list of a tuple": make([1, (2,)]),
    "set": make({"a", "b", "c"}), "another set": make({"a", "b", "d"}), "frozenset": make(frozenset({"x", "y", "z"})),
    "dict": make({"b": 1, "a": 2}), "ordered": make(OrderedDict(b=1, a=3)), "default": make(defaultdict(list, a=[1])),
    "enum": make(Colour.RED), "another enum": make(Colour.BLUE), "flag": make(Flags.A | Flags.B),
    "regex": make(re.compile("a+", re.I)), "another regex": make(re.compile("b+", re.I)),
    "path": make(pathlib.PurePosixPath("a/b")), "another path": make(pathlib.PurePosixPath("a/c")),
    "date": make(datetime.date(2024, 2, 29)), "span": make(datetime.timedelta(days=1, microseconds=5)),
    "moment": make(datetime.datetime(2024, 2, 29, 1, 2, 3, 4, datetime.UTC)),
    "decimal": make(decimal.Decimal("1.10")), "another decimal": make(decimal.Decimal("1.1")),
    "fraction": make(fractions.Fraction(1, 3)), "another fraction": make(fractions.Fraction(2, 3)),
    "uuid": make(uuid.UUID(int=1)), "range": make(range(1, 10, 2)), "another range": make(range(1, 10, 3)),
    "slice": make(slice(1, None, 2)), "complex": make(1 - 2j), "another complex": make(1 - 3j), "ellipsis": make(...),
    "class": make(Node), "builtin": make(len), "another builtin": make(max), "type": make(dict[str, int]),
    "another type": make(dict[str, str]), "union": make(int | None), "another union": make(int | str),
    "function": make(helper), "another function": make(other_helper), "module": make(renamed), "itself": make(make),
    "lambda": make(lambda x: x + 1),
    "another lambda": make(lambda x: x + 2),
    "partial": make(functools.partial(helper, 3)), "another partial": make(functools.partial(helper, 4)),
    "partial of another": make(functools.partial(other_helper, 3)), "method": make(Holder(1).get),
    "method of another": make(Holder(2).get), "object": make(Holder(3)), "another object": make(Holder(4)),
    "dataclass": make(Node(name="n")), "another dataclass": make(Node(name="m")), "named tuple": make(Point(1.0)),
    "another named tuple": make(Point(2.0)), "functions": make([helper, other_helper]),
    "other functions": make([other_helper, helper]), "table": make({"a": helper}),
    "another table": make({"a": other_helper}), "closure": make(make(1)), "another closure": make(make(2)),
}
