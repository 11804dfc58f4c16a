"""Reads code in one walk over its syntax tree: Zen's form of it, and the names of its module that it reads and alters.

The form is a flat list of tokens: formatting, comments, places and the Python version do not change it. Fields that are
empty are left out, so that fields which later Python versions add do not count while they are not used.

Each function, class and comprehension opens a scope, which gathers how names are used in it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from zen_core.compiler.code.forms import Token, constant_token
from zen_core.compiler.code.names import ALTERS, FILLS, LOOKING, READS, RUNS_TEXT, Names, Use, dotted
from zen_core.compiler.code.scopes import CALLED, HANDED, LOOKED, TYPED, ModuleScope, Scope

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
_LOOKING_METHODS = frozenset(
    {
        *("copy", "count", "get", "index", "isdisjoint", "issubset", "issuperset", "items", "keys", "values"),
        *("difference", "intersection", "symmetric_difference", "union"),
    }
)
"""Methods of such values that only look at them."""
_ALTERING = (
    *("add", "append", "appendleft", "clear", "connect", "discard", "extend", "insert", "pop", "push", "put"),
    *("register", "remove", "set", "setdefault", "sort", "subscribe", "update", "__setitem__"),
)
"""Methods that alter what they are called on, also as the beginning of a longer name: `register_handler`."""
_REACHES_FURTHER = frozenset(
    {*_IMPORTERS, *(path.rpartition(".")[2] for path in RUNS_TEXT), "delattr", "getattr", "hasattr", "setattr"}
)
_SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_DEEPEST = 50_000


class Code(NamedTuple):
    """What was read of code.

    Attributes:
        form: its tokens.
        names: what it refers to.
        bound: the names that it binds where it stands, in no function or class within it.
        made: the names that functions and classes within it bind there, by `global`.
    """

    form: list[Token]
    names: Names
    bound: set[str]
    made: set[str]


def read_code(nodes: Iterable[ast.AST], *, conditions: Iterable[ast.AST] = (), own_class: str = "") -> Code:
    """What stands at a module's top level.

    Args:
        conditions: under which it stands. They count with it, but for the names that they bind.
        own_class: the class that methods in it may name by `cls` or `type(self)`.
    """
    nodes, conditions = [*nodes], [*conditions]
    try:
        return _read(nodes, conditions, own_class)
    except RecursionError:  # generated code may be nested deeper than Python recurses
        with _recursion_limit(_DEEPEST):
            return _read(nodes, conditions, own_class)


def _read(nodes: Iterable[ast.AST], conditions: Iterable[ast.AST], own_class: str) -> Code:
    reader = _Reader(own_class)
    reader.read(conditions)
    reader.module.bound.clear()
    reader.read(nodes)
    return Code(reader.tokens, reader.module.names(), reader.module.bound, reader.module.made)


@contextmanager
def _recursion_limit(limit: int) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, before))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class _Reader:
    def __init__(self, own_class: str) -> None:
        self.tokens: list[Token] = []
        self._emit = self.tokens.append
        self.module = ModuleScope()
        self._own_class = own_class

    def read(self, nodes: Iterable[ast.AST]) -> None:
        """Read what stands at the top level of a module."""
        self._visit_all(nodes, HANDED, self.module)

    # -- nodes -------------------------------------------------------------------------------------------------------

    def _visit(self, node: Any, use: Use, scope: Scope) -> None:
        """Read a node. This meets each name and each operator of a project: the most frequent kinds come first.

        Args:
            use: how it is used, if it is a name; nothing is said of names within it. But `TYPED` for what stands in an
                annotation, with all that is within it.
        """
        kind = type(node)
        if kind is _Name:
            name = node.id
            self._emit(name)
            if type(node.ctx) is _Load:
                scope.uses[name] = scope.uses.get(name, 0) | use
            else:
                scope.bound.add(name)
        elif kind is _Attribute:
            self._attribute(node, use, scope)
        elif kind is _Constant:
            self._emit(constant_token(node.value))
            if use == TYPED and type(node.value) is str:
                self._text(node.value, scope)
        elif (reader := _READERS.get(kind)) is not None:
            reader(self, node, use, scope)
        else:
            self._parts(node, use, scope)

    def _visit_all(self, nodes: Iterable[ast.AST], use: Use, scope: Scope) -> None:
        for node in nodes:
            self._visit(node, use, scope)

    def _parts(self, node: Any, use: Use, scope: Scope) -> None:
        """A node with those of its fields that are not empty."""
        emit, visit = self._emit, self._visit
        kind, fields = _LAYOUTS[type(node)]
        emit(kind)
        for name, label, own_use in fields:
            value = getattr(node, name, None)
            if value is None:
                continue
            used = TYPED if use == TYPED else own_use
            if isinstance(value, _AST):
                emit(label)
                visit(value, used, scope)
            elif type(value) is not list:
                emit(label)
                emit(str(value))
            elif value:
                emit(label)
                emit("[")
                for item in value:
                    visit(item, used, scope) if isinstance(item, _AST) else emit(str(item))
                emit("]")
        emit(")")

    def _attribute(self, node: Any, use: Use, scope: Scope) -> None:
        parts, inner = [node.attr], node.value
        while type(inner) is _Attribute:
            parts.append(inner.attr)
            inner = inner.value
        if type(node.ctx) is not _Load:
            self._alters(node, scope)
        if type(inner) is not _Name:
            parts.append("(")
            self._emit(".".join(reversed(parts)))
            self._visit(inner, HANDED, scope)
            return
        parts.append(inner.id)
        parts.reverse()
        path = ".".join(parts)
        self._emit(path)
        if "__dict__" in parts and use != TYPED:
            scope.use(path.partition(".__dict__")[0], ALTERS)
            use = READS
        scope.uses[path] = scope.uses.get(path, 0) | use

    def _alters(self, target: Any, scope: Scope) -> None:
        while isinstance(target, ast.Subscript):
            target = target.value
        if path := dotted(target):
            scope.use(path, ALTERS)
        if self._own_class and type(target) is _Attribute and _is_own_class(target.value):
            self.module.use(self._own_class, ALTERS)

    def _subscript(self, node: Any, use: Use, scope: Scope) -> None:
        self._emit("(Subscript")
        value, inner = node.value, node.slice
        if (named := _text_of(inner)) and dotted(value).endswith("modules"):  # `sys.modules["settings"]`
            self.module.use(f"@0:{named}:", READS | ALTERS)
        if type(node.ctx) is not _Load:
            self._alters(value, scope)
            self._visit(value, HANDED, scope)
            self._visit(inner, HANDED, scope)
        elif use != TYPED:
            self._visit(value, LOOKED, scope)
            self._visit(inner, HANDED, scope)
        else:
            self._visit(value, TYPED, scope)
            named = dotted(value).rpartition(".")[2]
            if named == "Annotated" and isinstance(inner, ast.Tuple) and inner.elts:
                self._emit("(Annotated")
                self._visit(inner.elts[0], TYPED, scope)
                self._visit_all(inner.elts[1:], HANDED, scope)
                self._emit(")")
            else:
                self._visit(inner, HANDED if named in _NOT_TYPES else TYPED, scope)

    def _text(self, text: str, scope: Scope) -> None:
        """An annotation that is written as text."""
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError):
            return
        self._visit(tree.body, TYPED, scope)

    def _annotated(self, node: Any, use: Use, scope: Scope) -> None:
        self._emit("(AnnAssign")
        self._visit(node.target, HANDED, scope)
        self._visit(node.annotation, TYPED, scope)
        if not node.simple:
            self._emit("()")
        if node.value is not None:
            self._emit("=")
            self._visit(node.value, HANDED, scope)
        self._emit(")")

    def _joined_text(self, node: Any, use: Use, scope: Scope) -> None:
        self._emit("(JoinedStr")
        self._visit_all(_without_cuts(node.values), use, scope)
        self._emit(")")

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: Any, use: Use, scope: Scope) -> None:
        function: Any = node.func
        kind, used, handed = type(function), CALLED, HANDED
        if kind is _Name:
            called = function.id
            if called in LOOKING:
                handed = LOOKED
            if called in _REACHES_FURTHER:
                self._reach_further(node, called, called, scope)
        elif kind is _Attribute:
            called = function.attr
            if called in _LOOKING_METHODS:
                used = LOOKED
            fills, further = called.startswith(_ALTERING), called in _REACHES_FURTHER
            if (fills or further) and (path := dotted(function)):
                if fills:
                    scope.use(path.rpartition(".")[0], FILLS)
                if further:
                    self._reach_further(node, path, called, scope)
        if use == TYPED:
            used = handed = TYPED
        self._emit("(Call")
        self._visit(function, used, scope)
        for item in node.args:
            self._visit(item, handed, scope)
        if node.keywords:
            self._keywords(node.keywords, use, scope)
        self._emit(")")

    def _keywords(self, keywords: Iterable[ast.keyword], use: Use, scope: Scope) -> None:
        for keyword in keywords:
            self._emit(f"{keyword.arg or '**'}=")
            self._visit(keyword.value, TYPED if use == TYPED else HANDED, scope)

    def _reach_further(self, node: ast.Call, path: str, called: str, scope: Scope) -> None:
        """A call that reaches what its syntax does not show."""
        first = node.args[0] if node.args else None
        literal = _text_of(first)
        if called in _IMPORTERS:
            if literal is not None and not literal.startswith("."):
                self.module.use(f"@0:{literal}:", READS | ALTERS)  # whatever is done to it then
                self.module.imported.add((0, literal))
            else:
                self.module.unfollowed.append(("", f"{called} with a computed name", node.lineno, ""))
        elif path in RUNS_TEXT and not (called in ("globals", "vars") and (node.args or node.keywords)):
            scope.unfollowed.append((path, path, node.lineno, ""))
        elif called in ("getattr", "hasattr") and len(node.args) > 1:
            inside, name = dotted(node.args[0]), _text_of(node.args[1])
            if inside and name is not None:
                scope.use(f"{inside}.{name}" if name else inside, HANDED)
            elif inside and called == "getattr":
                scope.unfollowed.append((inside, "getattr with a computed name", node.lineno, inside))
        elif called in ("setattr", "delattr", "vars") and first is not None:
            self._alters(first, scope)

    # -- what opens a scope ------------------------------------------------------------------------------------------

    def _function(self, node: Any, use: Use, scope: Scope) -> None:
        scope.bound.add(node.name)
        self._emit(f"({type(node).__name__}")
        self._emit(node.name)
        with_types = self._type_parameters(node, scope)
        inner = self._arguments(node.args, scope, with_types)
        self._emit("[")
        self._visit_all(node.body, HANDED, inner)
        self._emit("]")
        self.module.close(inner, with_types)
        if node.returns is not None:
            self._emit("->")
            self._visit(node.returns, TYPED, with_types)
        self._decorators(node.decorator_list, scope)
        if with_types is not scope:
            self.module.close(with_types, scope)
        self._emit(")")

    def _lambda(self, node: Any, use: Use, scope: Scope) -> None:
        self._emit("(Lambda")
        inner = self._arguments(node.args, scope, scope)
        self._visit(node.body, HANDED, inner)
        self.module.close(inner, scope)

    def _arguments(self, arguments: ast.arguments, scope: Scope, with_types: Scope) -> Scope:
        """The arguments of a function; answers with the scope of its body."""
        inner = Scope()
        emit = self._emit
        for mark, several in (
            ("", arguments.args),
            ("/", arguments.posonlyargs),
            ("*", [arguments.vararg] if arguments.vararg else ()),
            ("-", arguments.kwonlyargs),
            ("**", [arguments.kwarg] if arguments.kwarg else ()),
        ):
            if several and mark:
                emit(mark)
            for item in several:
                inner.bound.add(item.arg)
                emit(item.arg)
                if item.annotation is not None:
                    emit(":")
                    self._visit(item.annotation, TYPED, with_types)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            emit("=")
            if default is not None:  # a keyword-only argument without one
                self._visit(default, HANDED, scope)
        emit(")")
        return inner

    def _class(self, node: Any, use: Use, scope: Scope) -> None:
        scope.bound.add(node.name)
        self._emit("(ClassDef")
        self._emit(node.name)
        with_types = self._type_parameters(node, scope)
        self._visit_all(node.bases, HANDED, with_types)
        self._keywords(node.keywords, HANDED, with_types)
        inner = Scope()
        inner.seen_within = with_types.seen_within or with_types
        self._emit("[")
        self._visit_all(node.body, HANDED, inner)
        self._emit("]")
        self.module.close(inner, with_types)
        self._decorators(node.decorator_list, scope)
        if with_types is not scope:
            self.module.close(with_types, scope)
        self._emit(")")

    def _decorators(self, decorators: Iterable[ast.expr], scope: Scope) -> None:
        for decorator in decorators:
            self._emit("@")
            self._visit(decorator, HANDED, scope)

    def _type_parameters(self, node: Any, scope: Scope) -> Scope:
        """The scope of what a function or class is generic in; the scope around it where it is not."""
        parameters = getattr(node, "type_params", ())
        if not parameters:
            return scope
        inner = Scope(parameter.name for parameter in parameters)
        self._emit(".type_params")
        self._visit_all(parameters, TYPED, inner)
        return inner

    def _comprehension(self, node: Any, use: Use, scope: Scope) -> None:
        self._emit(f"({type(node).__name__}")
        inner = Scope()
        inner.binder = scope.binder or scope
        outer: Scope = scope
        for generator in node.generators:
            self._emit("async for" if generator.is_async else "for")
            self._visit(generator.iter, LOOKED, outer)
            self._visit(generator.target, HANDED, inner)
            for condition in generator.ifs:
                self._emit("if")
                self._visit(condition, HANDED, inner)
            outer = inner
        self._emit(":")
        self._visit_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], HANDED, inner)
        self.module.close(inner, scope)

    # -- what binds names --------------------------------------------------------------------------------------------

    def _walrus(self, node: Any, use: Use, scope: Scope) -> None:
        (scope.binder or scope).bound.add(node.target.id)
        self._emit("(NamedExpr")
        self._emit(node.target.id)
        self._visit(node.value, TYPED if use == TYPED else HANDED, scope)

    def _named(self, node: Any, use: Use, scope: Scope) -> None:
        """An exception, or part of a pattern, that may be given a name."""
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            scope.bound.add(name)
        self._parts(node, use, scope)

    def _import(self, node: Any, use: Use, scope: Scope) -> None:
        self._parts(node, use, scope)
        for alias in node.names:
            target = alias.name if alias.asname else alias.name.partition(".")[0]
            self._bind_import(alias.asname or target, f"@0:{target}:", (0, alias.name), scope)

    def _import_from(self, node: Any, use: Use, scope: Scope) -> None:
        self._parts(node, use, scope)
        module = node.module or ""
        for alias in node.names:
            name = alias.name.replace("*", "")
            self._bind_import(alias.asname or name, f"@{node.level}:{module}:{name}", (node.level, module), scope)

    def _bind_import(self, name: str, path: str, module: tuple[int, str], scope: Scope) -> None:
        self.module.imported.add(module)
        scope.bound.add(name)
        scope.imports.setdefault(name, []).append(path)

    def _outside(self, node: Any, use: Use, scope: Scope) -> None:
        self._parts(node, use, scope)
        (scope.outside if isinstance(node, ast.Global) else scope.around).update(node.names)


_AST, _Attribute, _Constant, _Load, _Name = ast.AST, ast.Attribute, ast.Constant, ast.Load, ast.Name
_READERS: dict[type, Callable[[_Reader, Any, Use, Scope], None]] = {
    ast.AnnAssign: _Reader._annotated,
    ast.AsyncFunctionDef: _Reader._function,
    ast.Call: _Reader._call,
    ast.ClassDef: _Reader._class,
    ast.DictComp: _Reader._comprehension,
    ast.ExceptHandler: _Reader._named,
    ast.FunctionDef: _Reader._function,
    ast.GeneratorExp: _Reader._comprehension,
    ast.Global: _Reader._outside,
    ast.Import: _Reader._import,
    ast.ImportFrom: _Reader._import_from,
    ast.JoinedStr: _Reader._joined_text,
    ast.Lambda: _Reader._lambda,
    ast.ListComp: _Reader._comprehension,
    ast.MatchAs: _Reader._named,
    ast.MatchMapping: _Reader._named,
    ast.MatchStar: _Reader._named,
    ast.NamedExpr: _Reader._walrus,
    ast.Nonlocal: _Reader._outside,
    ast.SetComp: _Reader._comprehension,
    ast.Subscript: _Reader._subscript,
}


class _Layouts(dict[type, tuple[str, tuple[tuple[str, str, Use], ...]]]):
    """Of each kind of node its token, and its fields that count: each with its token, and how a name in it is used."""

    def __missing__(self, kind: Any) -> tuple[str, tuple[tuple[str, str, Use], ...]]:
        looked_at = _LOOKED_AT.get(kind, ())
        fields = [name for name in kind._fields if name not in _SKIPPED_FIELDS]
        self[kind] = (
            f"({kind.__name__}",
            tuple((name, f".{name}", LOOKED if name in looked_at else HANDED) for name in fields),
        )
        return self[kind]


_LAYOUTS = _Layouts()


def _without_cuts(values: Iterable[ast.expr]) -> Sequence[ast.expr]:
    """The parts of an f-string with neighbouring texts joined; Python versions cut them differently."""
    merged: list[ast.expr] = []
    for value in values:
        last = merged[-1] if merged else None
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(value=str(last.value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            merged.append(value)
    return merged


def _text_of(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_own_class(node: ast.AST) -> bool:
    """Whether a method names its class so: `cls`, `type(self)`, `self.__class__`."""
    if isinstance(node, ast.Name):
        return node.id == "cls"
    if isinstance(node, ast.Attribute):
        return node.attr == "__class__"
    return isinstance(node, ast.Call) and dotted(node.func) == "type"
