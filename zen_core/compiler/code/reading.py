"""Reads code in one walk over its syntax tree: Zen's form of it, and the names of its module that it reads and alters.

The form is a flat list of tokens: formatting, comments, places and the Python version do not change it. Fields that are
empty are left out, so that fields which later Python versions add do not count while they are not used.

Each function, class and comprehension opens a scope, which gathers how names are used in it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from zen_core.compiler.code.calls import REACHING_FURTHER, follow_call
from zen_core.compiler.code.forms import Token, constant_token
from zen_core.compiler.code.layouts import LAYOUTS
from zen_core.compiler.code.names import (
    ALTERING,
    ALTERS,
    CALLS,
    FILLS,
    HANDS,
    LOOKING,
    LOOKING_METHODS,
    OWN_MODULE,
    READS,
    TYPES,
    Names,
    Use,
)
from zen_core.compiler.code.scopes import CALLED, HANDED, LOOKED, TYPED, ModuleScope, Scope
from zen_core.compiler.code.syntax import deep_recursion, dotted, text_of, what_runs, without_cuts
from zen_core.contract.source_code import parse_expression

_NOT_TYPES = frozenset({"Annotated", "Literal"})


class Code(NamedTuple):
    """What was read of code.

    Attributes:
        form: its tokens.
        names: what it refers to.
        bound: the names that it binds where it stands, in no function or class within it.
        global_names: the names that functions and classes within it bind there, by `global`.
        running: what runs of functions and classes when they are defined: see `what_runs`.
        texts: its texts, but for documentation, and the names of keyword arguments and of attributes that it assigns.
        attributes: the names of attributes that it reads.
    """

    form: list[Token]
    names: Names
    bound: set[str]
    global_names: set[str]
    texts: list[str]
    attributes: list[str]
    running: list[ast.expr]


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
        with deep_recursion():
            return _read(nodes, conditions, own_class)


def _read(nodes: Iterable[ast.AST], conditions: Iterable[ast.AST], own_class: str) -> Code:
    reader = _Reader(own_class)
    reader.read(conditions)
    reader.module.bound.clear()
    reader.read(nodes)
    module, names = reader.module, reader.module.names()
    return Code(
        reader.tokens, names, module.bound, module.global_names, reader.texts, reader.attributes, reader.running
    )


class _Reader:
    def __init__(self, own_class: str) -> None:
        self.tokens: list[Token] = []
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self.running: list[ast.expr] = []
        self._calls = 0
        self._emit = self.tokens.append
        self.module = ModuleScope(own_class)

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
                uses = scope.uses
                uses[name] = uses.get(name, 0) | use
            else:
                scope.bound.add(name)
        elif kind is _Attribute:
            self._attribute(node, use, scope)
        elif kind is _Constant:
            value = node.value
            self._emit(constant_token(value))
            if type(value) is str:
                self.texts.append(value)
                if use & TYPES:
                    self._annotation(value, scope)
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
        kind, fields = LAYOUTS[type(node)]
        emit(kind)
        for name, label, own_use in fields:
            value = getattr(node, name, None)
            if value is None:
                continue
            used = use if use & TYPES else own_use
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
        if type(node.ctx) is _Load:
            self.attributes += parts
        else:
            self.texts += parts
            self.module.alter(node, scope)
        if type(inner) is not _Name:
            parts.append("(")
            self._emit(".".join(reversed(parts)))
            self._visit(inner, HANDED, scope)
            return
        parts.append(inner.id)
        parts.reverse()
        path = ".".join(parts)
        self._emit(path)
        if "__dict__" in parts and not use & TYPES:
            scope.use(path.partition(".__dict__")[0], ALTERS)
            use = READS
        scope.uses[path] = scope.uses.get(path, 0) | use

    def _subscript(self, node: Any, use: Use, scope: Scope) -> None:
        self._emit("(Subscript")
        value, inner = node.value, node.slice
        if dotted(value).endswith("modules"):  # `sys.modules["settings"]`
            if named := text_of(inner):
                self.module.use(f"@0:{named}:", READS | ALTERS)
            elif dotted(inner) == "__name__":
                self.module.use(OWN_MODULE, ALTERS)
        if type(node.ctx) is not _Load:
            self.module.alter(value, scope)
            self._visit(value, HANDED, scope)
            self._visit(inner, HANDED, scope)
        elif not use & TYPES:
            self._visit(value, LOOKED, scope)
            self._visit(inner, HANDED, scope)
        else:
            self._visit(value, use, scope)
            named = dotted(value).rpartition(".")[2]
            if named == "Annotated" and isinstance(inner, ast.Tuple) and inner.elts:
                self._emit("(Annotated")
                self._visit(inner.elts[0], use, scope)
                self._visit_all(inner.elts[1:], HANDED, scope)
                self._emit(")")
            else:
                self._visit(inner, HANDED if named in _NOT_TYPES else use, scope)

    def _annotation(self, text: str, scope: Scope) -> None:
        """An annotation that is written as text."""
        expression = parse_expression(text.strip())
        if expression is not None:
            self._visit(expression, TYPED, scope)

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

    def _expression(self, node: Any, use: Use, scope: Scope) -> None:
        text = text_of(node.value)
        self._emit("(Expr")
        self._emit(".value")
        if text is not None:  # documentation
            self._emit(constant_token(text))
        else:
            self._visit(node.value, HANDED, scope)
        self._emit(")")

    def _joined_text(self, node: Any, use: Use, scope: Scope) -> None:
        self._emit("(JoinedStr")
        self._visit_all(without_cuts(node.values), use, scope)
        self._emit(")")

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: Any, use: Use, scope: Scope) -> None:
        function: Any = node.func
        kind, used, handed = type(function), CALLED, HANDED
        if kind is _Name:
            called = function.id
            if called in LOOKING:
                handed = LOOKED
            if called in REACHING_FURTHER:
                follow_call(node, called, scope, self.module)
        elif kind is _Attribute:
            called = function.attr
            if called in LOOKING_METHODS:
                used = LOOKED
            fills, further = called.startswith(ALTERING), called in REACHING_FURTHER
            if (fills or further) and (path := dotted(function)):
                if fills:
                    scope.use(path.rpartition(".")[0], FILLS)
                if further:
                    follow_call(node, path, scope, self.module)
        if use & TYPES:  # it is called when the module is imported
            used, handed = TYPED | CALLS, TYPED | HANDS
        self._calls += 1
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
            self.texts.append(keyword.arg or "")
            self._visit(keyword.value, use if use & TYPES else HANDED, scope)

    # -- what opens a scope ------------------------------------------------------------------------------------------

    def _function(self, node: Any, use: Use, scope: Scope) -> None:
        scope.bound.add(node.name)
        self._emit(f"({type(node).__name__}")
        self._emit(node.name)
        with_types = self._type_parameters(node, scope)
        before = self._calls
        inner = self._arguments(node.args, scope, with_types)
        calls = self._calls - before
        self._emit("[")
        self._visit_all(node.body, HANDED, inner)
        self._emit("]")
        self.module.close(inner, with_types)
        if node.returns is not None:
            self._emit("->")
            before = self._calls
            self._visit(node.returns, TYPED, with_types)
            calls += self._calls - before
        if calls:
            self._runs(node, scope)
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
        before = self._calls
        self._visit_all(node.bases, HANDED, with_types)
        if self._calls > before:
            self._runs(node, scope)
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

    def _runs(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> None:
        """Note what runs of a definition in a module, or in a class of it."""
        if scope is self.module or scope.seen_within is not None:
            self.running += what_runs(node)

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

    def _type_alias(self, node: Any, use: Use, scope: Scope) -> None:
        scope.bound.add(node.name.id)
        inner = Scope(parameter.name for parameter in node.type_params)
        self._parts(node, use, inner)
        self.module.close(inner, scope)

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
        self._visit(node.value, use if use & TYPES else HANDED, scope)

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
            self.module.imported.add((node.level, f"{module}:{name}"))
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
    ast.Expr: _Reader._expression,
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
if sys.version_info >= (3, 12):
    _READERS[ast.TypeAlias] = _Reader._type_alias
