"""The names that a piece of code refers to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

RUNS_TEXT = frozenset({"exec", "eval", "compile", "__import__", "globals", "vars", "builtins.exec", "builtins.eval"})
LOOKING = frozenset(
    {
        *("all", "any", "bool", "dict", "enumerate", "float", "frozenset", "int", "isinstance", "len", "list", "max"),
        *("min", "print", "range", "repr", "reversed", "set", "sorted", "str", "sum", "tuple", "zip"),
    }
)
"""Functions of Python's that only look at such arguments."""


LOOKING_METHODS = frozenset(
    {
        *("copy", "count", "get", "index", "isdisjoint", "issubset", "issuperset", "items", "keys", "values"),
        *("difference", "intersection", "symmetric_difference", "union"),
    }
)
"""Methods of dicts, lists and sets that only look at them."""
ALTERING = (
    *("add", "append", "appendleft", "clear", "connect", "discard", "extend", "insert", "pop", "push", "put"),
    *("register", "remove", "set", "setdefault", "sort", "subscribe", "update", "__setitem__"),
)
"""Methods that alter what they are called on, also as the beginning of a longer name: `register_handler`."""
OWN_MODULE = "*"
"""The name that stands for the module in which it is used."""

Use = int
"""How a name is used, as bits: see `Names`."""
READS, HANDS, LOOKS, CALLS, TYPES, ALTERS, FILLS = (1 << bit for bit in range(7))


@dataclass(slots=True)
class Names:
    """What a piece of code refers to outside itself. Names are dotted, as they are written from a module's top level.

    Attributes:
        uses: how each name is used, as bits. A name that begins with `@` stands for an import of the code's own:
            `@LEVEL:MODULE` and, behind another colon, the attributes.

            - `READS`: in any way but by being assigned.
            - `TYPES`: it stands in an annotation.
            - `ALTERS`: it is assigned to, also by `setattr` and the like.
            - `FILLS`: a method is called on it whose name says that it alters: `add`, `update`.
            - `LOOKS`: it is looked at, outside of annotations: `TABLE["a"]`, `x in TABLE`, `TABLE.get("a")`.
            - `CALLS`: it is called.
            - `HANDS`: it is used in any other way: handed on, assigned. A dict may be altered by that.
        imported: modules that the code imports itself, as (level, module); and `module:name` for a name that it imports
            from one, which may be a module too.
        unfollowed: what reaches further than can be read, with its line; and the name it looks into, or "".
    """

    uses: dict[str, Use] = field(default_factory=dict)
    imported: set[tuple[int, str]] = field(default_factory=set)
    unfollowed: list[tuple[str, int, str]] = field(default_factory=list)

    def of(self, use: Use) -> list[str]:
        """The names that are used so, or in one of several ways."""
        return [path for path, how in self.uses.items() if how & use]

    def words(self, use: Use) -> set[str]:
        """The parts of the names that are used so."""
        return {*" ".join(self.of(use)).replace(".", " ").replace(":", " ").split()}


def merged(found: Iterable[Names]) -> Names:
    """The names of several pieces of code together."""
    first, *others = found
    if not others:
        return first
    together = Names({**first.uses}, {*first.imported}, [*first.unfollowed])
    for names in others:
        for path, how in names.uses.items():
            together.uses[path] = together.uses.get(path, 0) | how
        together.imported |= names.imported
        together.unfollowed += names.unfollowed
    return together
