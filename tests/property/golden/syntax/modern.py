"""What Python 3.12 added."""

from collections.abc import Callable

type Pair[T] = tuple[T, T]
type Table[*Ts, **P] = Callable[P, tuple[*Ts]]


class Box[T: (int, str)]:
    item: T

    def get[U: int](self, other: U) -> Pair[T] | U:
        return other


def texts[S: str](name: S) -> str:
    return f"{name!r:>{len(f"{name}")}} {"same quotes"} {'\n'.join([name])} {
        name  # a comment within
    }" f"{f"{f"{1 + 1}"}"}"


def uses(box: Box[int]) -> Table[int]:
    return box.get(1), texts("a")
