"""Python's rules of scope: what the names that a piece of code uses stand for outside of it.

That is known at the end of a scope, since a function may assign a name below where it reads it. So each scope gathers
how names are used, and then hands on what it does not bind.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from zen_core.compiler.code.names import ALTERS, CALLS, HANDS, LOOKS, READS, TYPES, Names, Use
from zen_core.compiler.code.syntax import dotted, is_own_class

HANDED, LOOKED, CALLED, TYPED = (READS | use for use in (HANDS, LOOKS, CALLS, TYPES))

Unfollowed = tuple[str, str, int, str]
"""What cannot be followed: the name that it goes by; what it is, its line, and the name that it looks into, or ""."""


class Scope:
    """How names are used in a function, a class or a comprehension.

    Attributes:
        uses: by dotted name.
        unfollowed: what cannot be followed.
        bound: the names that it binds.
        imports: of those, what its imports make them stand for; several in several branches.
        outside: names that a `global` statement sends to the module.
        around: names that a `nonlocal` statement sends to the functions around it.
        seen_within: of a class, the scope that its methods see instead of it.
        binder: of a comprehension, the scope in which a walrus binds.
    """

    __slots__ = ("around", "binder", "bound", "imports", "outside", "seen_within", "unfollowed", "uses")

    def __init__(self, bound: Iterable[str] = ()) -> None:
        self.uses: dict[str, Use] = {}
        self.unfollowed: list[Unfollowed] = []
        self.bound = {*bound}
        self.imports: dict[str, list[str]] = {}
        self.outside: set[str] = set()
        self.around: set[str] = set()
        self.seen_within: Scope | None = None  # not itself: that is no garbage until the collector comes
        self.binder: Scope | None = None

    def use(self, path: str, use: Use) -> None:
        """Enter how a name is used."""
        self.uses[path] = self.uses.get(path, 0) | use


class ModuleScope(Scope):
    """How names are used at a module's top level, in all that stands there.

    Attributes:
        own_class: the class that methods in it may name by `cls` or `type(self)`; or "".
        imported: modules that the code imports itself, as (level, module).
        global_names: names of the module that `global` statements in functions and classes assign.
    """

    __slots__ = ("global_names", "imported", "own_class")

    def __init__(self, own_class: str = "") -> None:
        super().__init__()
        self.own_class = own_class
        self.imported: set[tuple[int, str]] = set()
        self.global_names: set[str] = set()

    def alter(self, target: Any, scope: Scope) -> None:
        """Enter that a scope within the module assigns to an attribute, or into what a name stands for."""
        while isinstance(target, ast.Subscript):
            target = target.value
        if path := dotted(target):
            scope.use(path, ALTERS)
        if self.own_class and isinstance(target, ast.Attribute) and is_own_class(target.value):
            self.use(self.own_class, ALTERS)

    def close(self, scope: Scope, around: Scope) -> None:
        """End a scope within the module: hand on what it does not bind to the one around it."""
        bound, imports, outside, uses = scope.bound, scope.imports, scope.outside, scope.uses
        for name in outside & bound:
            self.use(name, ALTERS)
            self.global_names.add(name)
        bound -= outside
        bound -= scope.around
        around = around.seen_within or around
        # Most names are a function's own.
        for path in uses if imports else uses.keys() - bound:
            root, _, rest = path.partition(".")
            if root not in bound:
                (self if root in outside else around).use(path, uses[path])
            else:
                for base in imports.get(root, ()):
                    self.use(_joined(base, rest), uses[path])
        for name, what, line, inside in scope.unfollowed:
            root, _, rest = name.partition(".")
            if root not in bound:
                around.unfollowed.append((name, what, line, inside))
            elif inside:
                for base in imports.get(root, ()):
                    self.unfollowed.append(("", what, line, _joined(base, rest)))

    def names(self) -> Names:
        """What was used so far."""
        return Names(self.uses, self.imported, [(what, line, inside) for _, what, line, inside in self.unfollowed])


def _joined(base: str, attributes: str) -> str:
    """Attributes of what an import stands for."""
    if not attributes:
        return base
    return f"{base}{attributes}" if base.endswith(":") else f"{base}.{attributes}"
