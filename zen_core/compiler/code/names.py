"""Which names of its module a piece of code reads and alters, by Python's own rules of scope."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OPENS_SCOPE = (*_FUNCTIONS, ast.ClassDef, ast.Lambda, *_COMPREHENSIONS)
# What binds names by a field of its own, or keeps those within it to itself.
_BINDS = frozenset(
    {*_OPENS_SCOPE, ast.Import, ast.ImportFrom, ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping}
)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_WITHOUT_NAMES = frozenset({"ctx", "op", "ops", "type_comment", "kind"})
RUNS_TEXT = frozenset({"exec", "eval", "compile", "__import__", "globals", "vars", "builtins.exec", "builtins.eval"})
_IMPORTERS = frozenset({"import_module", "__import__"})
_NOT_TYPES = frozenset({"Annotated", "Literal"})
_LOOKED_AT: dict[type, tuple[str, ...]] = {
    ast.Subscript: ("value",),
    ast.Compare: ("left", "comparators"),
    ast.BinOp: ("left", "right"),
    ast.UnaryOp: ("operand",),
    ast.For: ("iter",),
    ast.AsyncFor: ("iter",),
    ast.comprehension: ("iter",),
    ast.FormattedValue: ("value",),
    ast.If: ("test",),
    ast.While: ("test",),
    ast.Assert: ("test",),
    ast.IfExp: ("test",),
    ast.Starred: ("value",),
}
"""Where a dict, list or set of plain values stands, it is read there and nothing else."""
LOOKING = frozenset(
    {
        *("all", "any", "bool", "dict", "enumerate", "float", "frozenset", "int", "isinstance", "len", "list", "max"),
        *("min", "print", "range", "repr", "reversed", "set", "sorted", "str", "sum", "tuple", "zip"),
    }
)
"""Functions of Python's that only look at such arguments."""
_LOOKING_METHODS = frozenset(
    {
        *("copy", "count", "get", "index", "isdisjoint", "issubset", "issuperset", "items", "keys", "values"),
        *("difference", "intersection", "symmetric_difference", "union"),
    }
)
"""Methods of such values that only look at them."""
_ALTERING = (
    "add",
    "append",
    "appendleft",
    "clear",
    "connect",
    "discard",
    "extend",
    "insert",
    "pop",
    "push",
    "put",
    "register",
    "remove",
    "set",
    "setdefault",
    "sort",
    "subscribe",
    "update",
    "__setitem__",
)
"""Methods that alter what they are called on, also as the beginning of a longer name: `register_handler`."""


@dataclass(slots=True)
class Names:
    """What a piece of code refers to outside itself. Names are dotted, as they are written from a module's top level.

    Attributes:
        reads: every name, in the order of first use. One that begins with `@` stands for an import of the code's own:
            `@LEVEL:MODULE` and, behind another colon, the attributes.
        annotations: those of them that stand in annotations.
        alters: what is assigned to, also by `setattr` and the like.
        fills: on what a method is called whose name says that it alters: `add`, `update`.
        looks: what is looked at, outside of annotations: `TABLE["a"]`, `x in TABLE`, `TABLE.get("a")`.
        calls: what is called.
        hands: what is used in any other way: handed on, assigned. A dict may be altered by that.
        imported: modules that the code imports itself, as (level, module).
        unfollowed: what reaches further than can be read, with its line; and the name it looks into, or "".
    """

    reads: dict[str, None] = field(default_factory=dict)
    annotations: set[str] = field(default_factory=set)
    alters: set[str] = field(default_factory=set)
    fills: set[str] = field(default_factory=set)
    looks: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    hands: set[str] = field(default_factory=set)
    imported: set[tuple[int, str]] = field(default_factory=set)
    unfollowed: list[tuple[str, int, str]] = field(default_factory=list)


def names_in(node: ast.AST, parts: Mapping[str, Any]) -> Names:
    """The names of a statement or expression that stands at a module's top level.

    Args:
        parts: stand for these fields of the node.
    """
    collector = _Collector(Names())
    collector.run(node, parts)
    return collector.found


def dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, else ""."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def bound_names(statements: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements bind where they stand, in no function or class within them."""
    waiting = list(statements)
    while waiting:
        node: Any = waiting.pop()
        kind = type(node)
        if kind is ast.Name:
            if type(node.ctx) is not ast.Load:
                yield node.id
        elif kind not in _BINDS:
            waiting += _parts_of(node)
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield node.name
            waiting += node.decorator_list
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler):
            yield from [node.name] if node.name else []
            waiting += node.body
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)):
            yield from [node.name] if node.name else []
            waiting += _parts_of(node)
        elif isinstance(node, ast.MatchMapping):
            yield from [node.rest] if node.rest else []
            waiting += _parts_of(node)
        elif isinstance(node, _COMPREHENSIONS):
            # a walrus in it binds outside of it
            waiting += (inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
        # and a lambda binds nothing


def _parts_of(node: ast.AST) -> list[ast.AST]:
    """What stands within a node and may refer to something: no operators, no contexts."""
    found: list[ast.AST] = []
    kind: Any = type(node)
    for name in _fields_of(kind):
        value = getattr(node, name, None)
        if type(value) is list:
            found += (item for item in value if isinstance(item, ast.AST))
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


@cache
def _fields_of(kind: Any) -> tuple[str, ...]:
    return tuple(name for name in kind._fields if name not in _WITHOUT_NAMES)


@dataclass(frozen=True, slots=True)
class _Scope:
    bound: frozenset[str]
    imports: Mapping[str, str]
    outside: frozenset[str]
    """Names that a `global` statement sends to the module."""
    is_class: bool
    parent: _Scope | None


class _Collector:
    """Walks over code with an explicit stack: generated code may be nested deeper than Python recurses."""

    def __init__(self, found: Names) -> None:
        self.found = found
        self._waiting: list[tuple[Any, _Scope | None, bool]] = []

    def run(self, root: ast.AST, parts: Mapping[str, Any]) -> None:
        self._class = root.name if isinstance(root, ast.ClassDef) else ""
        self._open(root, None, parts) if isinstance(root, _OPENS_SCOPE) else self._children(root, None, False, parts)
        while self._waiting:
            node, scope, typed = self._waiting.pop()
            kind: Any = type(node)
            if kind is list:
                self._waiting += [(item, scope, typed) for item in reversed(node)]
            elif kind is ast.Name or kind is ast.Attribute:
                self._name(node, scope, typed)
            elif kind in _OPENS_SCOPE:
                self._open(node, scope, {})
            elif isinstance(node, ast.AST):
                self._visit(node, scope, typed)

    # -- scopes ------------------------------------------------------------------------------------------------------

    def _open(self, node: Any, scope: _Scope | None, parts: Mapping[str, Any]) -> None:
        push = self._waiting.append
        if isinstance(node, ast.ClassDef):
            push((node.body, self._scope(node.body, (), scope, is_class=True), False))
            push(([*node.bases, *node.keywords, *parts.get("decorator_list", node.decorator_list)], scope, False))
        elif isinstance(node, _COMPREHENSIONS):
            targets = [generator.target for generator in node.generators]
            inner = self._scope(targets, (), scope)
            first, *others = node.generators
            self._part(first.iter, scope, False, self.found.looks)
            push(([first.target, *first.ifs, *others], inner, False))
            push(([node.key, node.value] if isinstance(node, ast.DictComp) else node.elt, inner, False))
        else:
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
            generic = [parameter.name for parameter in getattr(node, "type_params", ())]
            outer = _Scope(frozenset(generic), {}, frozenset(), False, scope) if generic else scope
            body = parts.get("body", node.body)
            body = body if isinstance(body, list) else [body]
            push((body, self._scope(body, [item.arg for item in every], outer), False))
            push(([*arguments.defaults, *[item for item in arguments.kw_defaults if item is not None]], scope, False))
            push(([item.annotation for item in every if item.annotation is not None], outer, True))
            if isinstance(node, _FUNCTIONS):
                push((node.returns, outer, True))
                push((parts.get("decorator_list", node.decorator_list), scope, False))

    def _scope(
        self, body: list[Any], arguments: Iterable[str], parent: _Scope | None, *, is_class: bool = False
    ) -> _Scope:
        bound = {*arguments, *bound_names(body)}
        outside: set[str] = set()
        imports: dict[str, str] = {}
        for node in _own_statements(body):
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                bound.difference_update(node.names)
                outside.update(node.names if isinstance(node, ast.Global) else ())
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self.found.imported.add((0, alias.name))
                    target = alias.name if alias.asname else alias.name.partition(".")[0]
                    imports[alias.asname or target] = f"@0:{target}:"
            elif isinstance(node, ast.ImportFrom):
                self.found.imported.add((node.level, node.module or ""))
                for alias in node.names:
                    imports[alias.asname or alias.name] = f"@{node.level}:{node.module or ''}:{alias.name}"
        return _Scope(frozenset(bound), imports, frozenset(outside), is_class, parent)

    def _find(self, name: str, scope: _Scope | None) -> str:
        """What a name stands for: itself at the top level, an import of the code's own, or "" for a local value."""
        at: _Scope | None = scope
        while at is not None:
            if name in at.outside:
                return name
            if name in at.bound and (at is scope or not at.is_class):
                return at.imports.get(name, "")
            at = at.parent
        return name

    # -- nodes -------------------------------------------------------------------------------------------------------

    def _visit(self, node: ast.AST, scope: _Scope | None, typed: bool) -> None:
        if isinstance(node, ast.Call):
            self._call(node, scope)
            self._called(node, scope, typed)
        elif isinstance(node, ast.Constant):
            if typed and isinstance(node.value, str):
                self._text(node.value, scope)
        elif isinstance(node, ast.Subscript):
            if not isinstance(node.ctx, ast.Load):
                self._alters(node.value, scope)
                self._waiting += [(node.value, scope, False), (node.slice, scope, False)]
                return
            named = dotted(node.value).rpartition(".")[2]
            inner = node.slice
            if typed and named in _NOT_TYPES:
                self._waiting.append((node.value, scope, True))
                is_typed = named == "Annotated" and isinstance(inner, ast.Tuple)
                first, rest = (inner.elts[:1], inner.elts[1:]) if is_typed else ([], [inner])  # type: ignore[attr-defined]
                self._waiting += [(first, scope, True), (list(rest), scope, False)]
            else:
                self._children(node, scope, typed, {})
        elif isinstance(node, ast.AnnAssign):
            self._waiting += [(node.annotation, scope, True), (node.target, scope, False)]
            self._waiting += [(node.value, scope, False)] if node.value is not None else []
        elif isinstance(node, (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)):
            return
        else:
            self._children(node, scope, typed, {})

    def _children(self, node: ast.AST, scope: _Scope | None, typed: bool, parts: Mapping[str, Any]) -> None:
        kind: Any = type(node)
        looked_at = _LOOKED_AT.get(kind, ())
        for name in reversed(_fields_of(kind)):
            value = getattr(node, name, None)
            if parts:
                value = parts.get(name, value)
            if name in looked_at:
                for item in value if type(value) is list else (value,):
                    self._part(item, scope, typed, self.found.looks)
            elif isinstance(value, (list, ast.AST)) and (typed or type(value) is not ast.Constant):
                self._waiting.append((value, scope, typed))

    def _part(self, node: Any, scope: _Scope | None, typed: bool, use: set[str]) -> None:
        """What stands where it is used so."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            self._name(node, scope, typed, use)
        else:
            self._waiting.append((node, scope, typed))

    def _name(
        self, node: ast.Name | ast.Attribute, scope: _Scope | None, typed: bool, use: set[str] | None = None
    ) -> None:
        inner, rest = node, []
        while isinstance(inner, ast.Attribute):
            rest.append(inner.attr)
            inner = inner.value  # type: ignore[assignment]
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            self._alters(node, scope)
        if not isinstance(inner, ast.Name):
            self._waiting.append((inner, scope, False))
            return
        base = self._find(inner.id, scope)
        if not base:
            return
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            if scope is not None and inner.id in scope.outside:
                self.found.alters.add(base)
            return
        read = _joined(base, reversed(rest))
        self.found.reads[read] = None
        if typed:
            self.found.annotations.add(read)
        elif ".__dict__" in read:
            self.found.alters.add(read.partition(".__dict__")[0])
        else:
            (self.found.hands if use is None else use).add(read)

    def _alters(self, target: ast.AST, scope: _Scope | None) -> None:
        while isinstance(target, ast.Subscript):
            target = target.value
        if (path := dotted(target)) and (full := self._global(path, scope)):
            self.found.alters.add(full)
        elif self._class and isinstance(target, ast.Attribute) and _is_own_class(target.value):
            self.found.alters.add(self._class)

    def _global(self, path: str, scope: _Scope | None) -> str:
        first, _, rest = path.partition(".")
        base = self._find(first, scope)
        return _joined(base, rest.split(".") if rest else ()) if base else ""

    def _call(self, node: ast.Call, scope: _Scope | None) -> None:
        path = dotted(node.func)
        full = self._global(path, scope) if path else ""
        called = path.rpartition(".")[2]
        first = node.args[0] if node.args else None
        literal = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        if called in _IMPORTERS:
            if literal is not None and not literal.startswith("."):
                self.found.reads[f"@0:{literal}:"] = None
                self.found.imported.add((0, literal))
                self.found.alters.add(f"@0:{literal}:")  # whatever is done to it then
            else:
                self.found.unfollowed.append((f"{called} with a computed name", node.lineno, ""))
        elif full == path and path in RUNS_TEXT and not (path in ("globals", "vars") and not self._is_bare(node)):
            self.found.unfollowed.append((path, node.lineno, ""))
        elif called in ("getattr", "hasattr") and full == path and first is not None and len(node.args) > 1:
            looked_in, name = dotted(first), node.args[1]
            inside = self._global(looked_in, scope) if looked_in else ""
            if inside and isinstance(name, ast.Constant) and isinstance(name.value, str):
                self.found.reads[_joined(inside, [name.value])] = None
                self.found.hands.add(_joined(inside, [name.value]))
            elif inside and called == "getattr":
                self.found.unfollowed.append(("getattr with a computed name", node.lineno, inside))
        elif called in ("setattr", "delattr", "vars") and full == path and first is not None:
            self._alters(first, scope)
        if isinstance(node.func, ast.Attribute) and full and called.startswith(_ALTERING):
            owner = full.rpartition(".")[0] if not full.startswith("@") else _owner(full)
            self.found.fills.update([owner] if owner else [])

    def _called(self, node: ast.Call, scope: _Scope | None, typed: bool) -> None:
        """The parts of a call."""
        function: Any = node.func
        looks = self.found.looks
        only_looks = isinstance(function, ast.Attribute) and function.attr in _LOOKING_METHODS
        self._part(function, scope, typed, looks if only_looks else self.found.calls)
        self._waiting.append((node.keywords, scope, typed))
        if isinstance(function, ast.Name) and function.id in LOOKING:
            for item in node.args:
                self._part(item, scope, typed, looks)
        else:
            self._waiting.append((node.args, scope, typed))

    @staticmethod
    def _is_bare(node: ast.Call) -> bool:
        return not node.args and not node.keywords

    def _text(self, text: str, scope: _Scope | None) -> None:
        """An annotation that is written as text."""
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError):
            return
        self._waiting.append((tree.body, scope, True))


def _own_statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements of a body but those of functions and classes within it."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)) and type(node) not in _OPENS_SCOPE:
            for name in _BLOCKS:
                waiting += getattr(node, name, ())


def _is_own_class(node: ast.AST) -> bool:
    """Whether a method names its class so: `cls`, `type(self)`, `self.__class__`."""
    if isinstance(node, ast.Name):
        return node.id == "cls"
    if isinstance(node, ast.Attribute):
        return node.attr == "__class__"
    return isinstance(node, ast.Call) and dotted(node.func) == "type"


def _joined(base: str, attributes: Iterable[str]) -> str:
    rest = ".".join(attributes)
    if not base.startswith("@"):
        return f"{base}.{rest}" if rest else base
    if not rest:
        return base
    return f"{base}{rest}" if base.endswith(":") else f"{base}.{rest}"


def _owner(full: str) -> str:
    head, _, attributes = full.rpartition(":")
    return f"{head}:{attributes.rpartition('.')[0]}"
