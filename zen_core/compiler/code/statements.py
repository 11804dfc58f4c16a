"""One statement of a module's top level as plain data: what counts of it, and what it refers to.

Nothing of the syntax tree is kept, so that what was read once can be kept from process to process.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zen_core.compiler.code.forms import Token, digest_tokens, tokens_of
from zen_core.compiler.code.names import Names, bound_names, dotted, names_in
from zen_core.contract.canonical import digest_json

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_UNITS = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Match)


@dataclass(frozen=True, slots=True)
class Decorator:
    """A decorator of a function or class.

    Attributes:
        path: the dotted name of what decorates, `registry.add` also for `@registry.add("x")`; "" for anything else.
        digest: of Zen's form of it.
        names: what it refers to.
    """

    path: str
    digest: str
    names: Names


@dataclass(frozen=True)
class Statement:
    """A statement, with the conditions that it stands under.

    Attributes:
        position: its number within the module.
        kind: `function`, `class`, or `variable` for every other statement.
        bound: the names that it binds.
        does_more: whether it may do something besides binding them.
        lines: the first line, decorators included, and the last.
        code: digest of Zen's form of it and its conditions; a function's without its own docstring. No decorators.
        documentation: digest of a function's own docstring; "" without one.
        own_names: what it and its conditions refer to, apart from decorators.
        decorators: in the order in which they are written.
        bases: dotted names of a class's bases; "" for one that is no name.
        learns_of_subclasses: whether a class has a metaclass, or `__init_subclass__`.
        assigns: whether it is an assignment, or a loop, which assigns.
        has_body: whether statements stand within it.
        value: the dotted name of what it assigns, or "".
        made_by: the dotted name of what is called for what it assigns, or "".
    """

    position: int
    kind: str
    bound: tuple[str, ...]
    does_more: bool
    lines: tuple[int, int]
    code: str
    documentation: str
    own_names: Names
    decorators: tuple[Decorator, ...] = ()
    bases: tuple[str, ...] = ()
    learns_of_subclasses: bool = False
    assigns: bool = False
    has_body: bool = False
    value: str = ""
    made_by: str = ""

    @cached_property
    def digest(self) -> str:
        """Of all that counts of it."""
        if not self.documentation and not self.decorators:
            return self.code
        return digest_json("statement", [self.code, self.documentation, [item.digest for item in self.decorators]])

    @cached_property
    def names(self) -> Names:
        """What it refers to."""
        return merged([self.own_names, *(item.names for item in self.decorators)])


def read_statement(position: int, node: ast.stmt, guards: Sequence[ast.AST]) -> Statement:
    """A statement, from its syntax tree and those of its conditions."""
    is_function, is_class = isinstance(node, FUNCTIONS), isinstance(node, ast.ClassDef)
    decorators = getattr(node, "decorator_list", ()) if is_function or is_class else ()
    parts: dict[str, Any] = {"decorator_list": []} if decorators else {}
    documentation = ""
    if is_function and (text := ast.get_docstring(node, clean=False)) is not None:  # type: ignore[arg-type]
        documentation = digest_json("documentation", text)
        parts["body"] = node.body[1:]  # type: ignore[attr-defined]
    tokens: list[Token] = []
    for guard in guards:
        tokens += ["guard", *tokens_of(guard, {})]
    tokens += tokens_of(node, parts)
    names = [names_in(node, parts)]
    names += [names_in(ast.Expression(guard), {}) for guard in guards if isinstance(guard, ast.expr)]
    value = getattr(node, "value", None) or ast.Pass()
    bound = (node.name,) if is_function or is_class else tuple(dict.fromkeys(bound_names([node])))  # type: ignore[attr-defined]
    return Statement(
        position=position,
        kind="function" if is_function else "class" if is_class else "variable",
        bound=bound,
        does_more=not (is_function or is_class) and _may_do_more(node, bool(bound)),
        lines=lines_of(node),
        code=digest_tokens(tokens),
        documentation=documentation,
        own_names=merged(names),
        decorators=tuple(map(_read_decorator, decorators)),
        bases=tuple(map(dotted, node.bases)) if isinstance(node, ast.ClassDef) else (),
        learns_of_subclasses=isinstance(node, ast.ClassDef) and _learns_of_subclasses(node),
        assigns=hasattr(node, "targets") or hasattr(node, "target"),
        has_body=hasattr(node, "body"),
        value=dotted(value),
        made_by=dotted(getattr(value, "func", value)) if isinstance(value, ast.Call) else "",
    )


def decorator_path(decorator: ast.expr) -> str:
    """The dotted name of what decorates; "" for anything but a name or a call of one."""
    return dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)


def lines_of(node: Any) -> tuple[int, int]:
    """The first line of a statement, decorators included, and its last."""
    first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
    return first, node.end_lineno or node.lineno


def merged(found: Iterable[Names]) -> Names:
    """The names of several pieces of code together."""
    first, *others = found
    if not others:
        return first
    all_names = Names()
    for names in (first, *others):
        all_names.reads.update(names.reads)
        all_names.annotations |= names.annotations
        all_names.alters |= names.alters
        all_names.calls_methods_of |= names.calls_methods_of
        all_names.imported |= names.imported
        all_names.unfollowed += names.unfollowed
    return all_names


def _read_decorator(node: ast.expr) -> Decorator:
    return Decorator(decorator_path(node), digest_tokens(tokens_of(node, {})), names_in(ast.Expression(node), {}))


def _learns_of_subclasses(node: ast.ClassDef) -> bool:
    return any(getattr(inner, "name", "") == "__init_subclass__" for inner in node.body) or any(
        keyword.arg == "metaclass" for keyword in node.keywords
    )


def _may_do_more(node: ast.stmt, binds: bool) -> bool:
    """Whether a statement does something besides binding names."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if not binds or isinstance(node, _UNITS):
        return True
    return any(
        isinstance(inner, ast.Call)
        or (isinstance(getattr(inner, "ctx", None), ast.Store) and not isinstance(inner, ast.Name))
        for inner in ast.walk(node)
    )
