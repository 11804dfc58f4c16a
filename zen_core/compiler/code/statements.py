"""One statement of a module's top level as plain data: what it binds and does, and what counts of it.

Nothing of the syntax tree is kept, so that what was read once can be kept from process to process.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Content:
    """What counts of a statement, and of the conditions that it stands under, apart from decorators.

    Attributes:
        code: digest of Zen's form of it; a function's without its own docstring.
        documentation: digest of a function's own docstring; "" without one.
        names: what it refers to.
    """

    code: str
    documentation: str
    names: Names


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, as far as its content need not be read for it.

    Attributes:
        position: its number within the module.
        kind: `function`, `class`, or `variable` for every other statement.
        bound: the names that it binds.
        does_more: whether it may do something besides binding them.
        lines: the first line, decorators included, and the last.
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
    decorators: tuple[Decorator, ...] = ()
    bases: tuple[str, ...] = ()
    learns_of_subclasses: bool = False
    assigns: bool = False
    has_body: bool = False
    value: str = ""
    made_by: str = ""


def read_statement(position: int, node: ast.stmt) -> Statement:
    """A statement, from its syntax tree."""
    is_function, is_class = isinstance(node, FUNCTIONS), isinstance(node, ast.ClassDef)
    value = getattr(node, "value", None) or ast.Pass()
    bound = (node.name,) if is_function or is_class else tuple(dict.fromkeys(bound_names([node])))  # type: ignore[attr-defined]
    return Statement(
        position=position,
        kind="function" if is_function else "class" if is_class else "variable",
        bound=bound,
        does_more=not (is_function or is_class) and _may_do_more(node, bool(bound)),
        lines=lines_of(node),
        decorators=tuple(map(_read_decorator, _decorators_of(node))),
        bases=tuple(map(dotted, node.bases)) if isinstance(node, ast.ClassDef) else (),
        learns_of_subclasses=isinstance(node, ast.ClassDef) and _learns_of_subclasses(node),
        assigns=hasattr(node, "targets") or hasattr(node, "target"),
        has_body=hasattr(node, "body"),
        value=dotted(value),
        made_by=dotted(getattr(value, "func", value)) if isinstance(value, ast.Call) else "",
    )


def read_content(node: ast.stmt, guards: Sequence[ast.AST]) -> Content:
    """What counts of a statement, from its syntax tree and those of its conditions."""
    parts: dict[str, Any] = {"decorator_list": []} if _decorators_of(node) else {}
    documentation = ""
    if isinstance(node, FUNCTIONS) and (text := ast.get_docstring(node, clean=False)) is not None:
        documentation = digest_json("documentation", text)
        parts["body"] = node.body[1:]
    tokens: list[Token] = []
    for guard in guards:
        tokens += ["guard", *tokens_of(guard, {})]
    tokens += tokens_of(node, parts)
    names = [names_in(node, parts)]
    names += [names_in(ast.Expression(guard), {}) for guard in guards if isinstance(guard, ast.expr)]
    return Content(digest_tokens(tokens), documentation, merged(names))


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


def _decorators_of(node: ast.stmt) -> Sequence[ast.expr]:
    return getattr(node, "decorator_list", ())


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
