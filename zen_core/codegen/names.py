"""From names of the IR to identifiers of the emitted text."""

from __future__ import annotations

import keyword
from collections.abc import Iterable

from zen_core.diagnostics import Diagnostic
from zen_core.errors import NameCollisionError

# fmt: off
# Written out, since what `builtins` holds depends on the Python version and on how it was started.
_BUILTINS = frozenset(
    [
    "abs", "aiter", "all", "anext", "any", "ascii", "bin", "bool", "breakpoint", "bytearray", "bytes",
    "callable", "chr", "classmethod", "compile", "complex", "copyright", "credits", "delattr", "dict",
    "dir", "divmod", "enumerate", "eval", "exec", "exit", "filter", "float", "format", "frozenset",
    "getattr", "globals", "hasattr", "hash", "help", "hex", "id", "input", "int", "isinstance",
    "issubclass", "iter", "len", "license", "list", "locals", "map", "max", "memoryview", "min", "next",
    "object", "oct", "open", "ord", "pow", "print", "property", "quit", "range", "repr", "reversed",
    "round", "set", "setattr", "slice", "sorted", "staticmethod", "str", "sum", "super", "tuple", "type",
    "vars", "zip",
    ]
)
# fmt: on
_NEVER = frozenset(keyword.kwlist) | _BUILTINS


def target_identifiers(names: Iterable[str], *, reserved: frozenset[str] = frozenset()) -> dict[str, str]:
    """An identifier for each name: the name itself, with `_` behind it where Python or the emitted file needs it.

    Args:
        names: names of the IR.
        reserved: identifiers that the emitted file uses itself.

    Raises:
        NameCollisionError: two names become one identifier; all such pairs.
    """
    owner: dict[str, str] = {}
    found: dict[str, str] = {}
    problems = []
    for name in names:
        identifier = name + "_" if name in _NEVER or name in reserved else name
        if identifier in owner:
            problems.append(_collision(owner[identifier], name, identifier))
        owner.setdefault(identifier, name)
        found[name] = identifier
    if problems:
        raise NameCollisionError(diagnostics=problems)
    return found


def free_identifier(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, with as many `_` behind it as it takes to be free. For names that nobody outside the text sees."""
    used = taken if isinstance(taken, (set, frozenset, dict)) else set(taken)
    while wanted in used or wanted in _NEVER:
        wanted += "_"
    return wanted


def refuse_name(name: str, *, purpose: str, where: str = "") -> NameCollisionError:
    """The error for a name that the target keeps for itself."""
    return NameCollisionError(
        f"a step cannot be called {name!r} here", where=where, why=purpose, hint=_RENAME.format(name=name)
    )


_RENAME = 'give the step another name: `.with_options(name="{name}_step")`'


def _collision(first: str, second: str, identifier: str) -> Diagnostic:
    return Diagnostic(
        NameCollisionError.code,
        f"the steps {first!r} and {second!r} are both {identifier!r} in the emitted code",
        why=f"{identifier[:-1]!r} is a name of Python or of the emitted file, so `_` is put behind it",
        hint=_RENAME.format(name=second.rstrip("_")),
        context={"steps": [first, second], "identifier": identifier},
    )
