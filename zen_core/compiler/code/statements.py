"""One statement of a module's top level as plain data: what it binds and does, and what counts of it.

Nothing of the syntax tree is kept, so that what was read once can be kept from process to process.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from zen_core.compiler.code.forms import constant_token, digest_tokens
from zen_core.compiler.code.names import Names, merged
from zen_core.compiler.code.reading import Code, read_code
from zen_core.compiler.code.syntax import dotted

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OF_METHODS = frozenset(
    {
        *("abstractmethod", "cached_property", "classmethod", "deleter", "getter", "overload", "override", "property"),
        *("setter", "staticmethod"),
    }
)
"""Decorators that only make another kind of method."""
_WORD = re.compile(r"\w+")
UNITS = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Match)
"""What counts as a whole, with all statements within it."""


class Decorator(NamedTuple):
    """A decorator of a function or class.

    Attributes:
        path: the dotted name of what decorates, `registry.add` also for `@registry.add("x")`; "" for anything else.
        digest: of Zen's form of it.
        names: what it refers to.
    """

    path: str
    digest: str
    names: Names


class Statement(NamedTuple):
    """A statement.

    Attributes:
        position: its number within the module.
        kind: `function`, `class`, or `variable` for every other statement.
        bound: the names that it binds, a function's or class's own one first.
        global_names: the names that functions and classes within it bind, by `global`.
        does_more: whether it may do something besides binding them.
        lines: the first line, decorators included, and the last.
        code: digest of Zen's form of it and of the conditions that it stands under, apart from decorators; a function's
            without its own docstring.
        documentation: digest of a function's own docstring; "" without one.
        names: what it refers to, apart from decorators.
        words: those in its texts, and the names of keyword arguments and of attributes that it assigns, decorators
            included.
        attributes: the names of attributes that it reads, decorators included.
        decorators: in the order in which they are written.
        bases: dotted names of a class's bases; "" for one that is no name.
        learns_of_subclasses: whether a class has a metaclass, or `__init_subclass__`.
        acts: whether a class has keywords, or more in its body than functions and values.
        runs: what a function, or a class and its methods, refer to in defaults, annotations and bases that call
            something; None where none does.
        holds: whether a class has attributes that can be altered, such as a dict, or a function such defaults.
        assigns: whether it is an assignment, or a loop, which assigns.
        made_by: the dotted name of what is called for what it assigns, or "".
        kept: what it assigns: `constant` for a value that nothing can alter, `plain` for a dict, list or set of such;
            "" for others.
        kept_if: dotted names that must stand for constants so that this holds; with `()` behind them for what makes
            constants, with `[]` for generic types.
    """

    position: int
    kind: str
    bound: tuple[str, ...]
    global_names: tuple[str, ...]
    does_more: bool
    lines: tuple[int, int]
    code: str
    documentation: str
    names: Names
    words: frozenset[str]
    attributes: frozenset[str]
    decorators: tuple[Decorator, ...] = ()
    bases: tuple[str, ...] = ()
    learns_of_subclasses: bool = False
    acts: bool = False
    runs: Names | None = None
    holds: bool = False
    assigns: bool = False
    made_by: str = ""
    kept: str = ""
    kept_if: tuple[str, ...] = ()

    def kind_of(self, name: str) -> str:
        """What it makes a name: `function`, `class` or `variable`."""
        return self.kind if name in self.bound[:1] else "variable"

    def whole_digest(self) -> str:
        """The digest of all that counts of it."""
        if not self.documentation and not self.decorators:
            return self.code
        return digest_tokens([self.code, self.documentation, *(item.digest for item in self.decorators)])

    def all_names(self) -> Names:
        """What it refers to, decorators included."""
        return merged([self.names, *(item.names for item in self.decorators)])


def read_statement(position: int, node: ast.stmt, conditions: Sequence[ast.AST]) -> Statement:
    """A statement, from its syntax tree and those of the conditions that it stands under."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return _read_definition(position, node, conditions)
    value = getattr(node, "value", None)
    kept, kept_if = _kept(value) if isinstance(node, (ast.Assign, ast.AnnAssign)) else ("", ())
    read = read_code([node], conditions=conditions)
    return Statement(
        position=position,
        kind="variable",
        bound=tuple(sorted(read.bound)),
        global_names=tuple(sorted(read.global_names)),
        does_more=_may_do_more(node, bool(read.bound)),
        lines=lines_of(node),
        code=digest_tokens(read.form),
        documentation="",
        names=read.names,
        words=_words_in(read),
        attributes=frozenset(read.attributes),
        assigns=hasattr(node, "targets") or hasattr(node, "target"),
        made_by=dotted(value.func) if isinstance(value, ast.Call) else "",
        kept=kept,
        kept_if=kept_if,
    )


def _read_definition(
    position: int, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, conditions: Sequence[ast.AST]
) -> Statement:
    is_class = isinstance(node, ast.ClassDef)
    parts: dict[str, Any] = {"decorator_list": []} if node.decorator_list else {}
    documentation = ""
    if not is_class and (text := ast.get_docstring(node, clean=False)) is not None:
        documentation = digest_tokens([constant_token(text)])
        parts["body"] = node.body[1:]
    read = read_code([with_parts(node, **parts)], conditions=conditions, own_class=node.name if is_class else "")
    decorators = [(decorator_path(item), read_code([item])) for item in node.decorator_list]
    bound = read.bound.union(*(item.bound for _, item in decorators)) - {node.name}
    return Statement(
        position=position,
        kind="class" if is_class else "function",
        bound=(node.name, *sorted(bound)),
        global_names=tuple(sorted(read.global_names)),
        does_more=False,
        lines=lines_of(node),
        code=digest_tokens(read.form),
        documentation=documentation,
        names=read.names,
        words=_words_in(read, *(item for _, item in decorators)),
        attributes=frozenset(read.attributes).union(*(item.attributes for _, item in decorators)),
        decorators=tuple(Decorator(path, digest_tokens(item.form), item.names) for path, item in decorators),
        bases=tuple(map(dotted, node.bases)) if isinstance(node, ast.ClassDef) else (),
        learns_of_subclasses=isinstance(node, ast.ClassDef) and _learns_of_subclasses(node),
        acts=isinstance(node, ast.ClassDef) and (bool(node.keywords) or any(map(_acts, node.body))),
        runs=read_code(read.running).names if read.running else None,
        holds=any(map(_holds, node.body)) if isinstance(node, ast.ClassDef) else _holds(node),
    )


def _words_in(*read: Code) -> frozenset[str]:
    return frozenset(_WORD.findall(" ".join(text for code in read for text in code.texts)))


def with_parts(node: Any, **parts: Any) -> Any:
    """A copy of a node with other parts."""
    return type(node)(**{**vars(node), **parts}) if parts else node


def decorator_path(decorator: ast.expr) -> str:
    """The dotted name of what decorates; "" for anything but a name or a call of one."""
    return dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)


def lines_of(node: Any) -> tuple[int, int]:
    """The first line of a statement, decorators included, and its last."""
    first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
    return first, node.end_lineno or node.lineno


def _learns_of_subclasses(node: ast.ClassDef) -> bool:
    return any(getattr(inner, "name", "") == "__init_subclass__" for inner in node.body) or any(
        keyword.arg == "metaclass" for keyword in node.keywords
    )


def _acts(node: ast.stmt) -> bool:
    """Whether a statement in the body of a class may do something besides binding a name to a plain value."""
    if isinstance(node, ast.Global):
        return True
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        decorators = {decorator_path(item).rpartition(".")[2] for item in node.decorator_list}
        return not decorators <= _OF_METHODS or (isinstance(node, ast.ClassDef) and any(map(_acts, node.body)))
    return _may_do_more(node, binds=True)


def _holds(node: ast.stmt) -> bool:
    """Whether a function has a default that can be altered, or a statement in a class gives it such an attribute."""
    if isinstance(node, FUNCTIONS):
        defaults = (*node.args.defaults, *node.args.kw_defaults)
        return any(isinstance(item, (ast.List, ast.Dict, ast.Set)) for item in defaults)
    if isinstance(node, ast.AnnAssign):  # a field's default is no attribute
        return node.value is not None and not isinstance(node.value, ast.Call) and _constant_if(node.value) is None
    return isinstance(node, ast.Assign) and (isinstance(node.value, ast.Call) or _constant_if(node.value) is None)


def _kept(value: ast.expr | None) -> tuple[str, tuple[str, ...]]:
    """What becomes of a value: see `Statement.kept` and `Statement.kept_if`."""
    if isinstance(value, (ast.List, ast.Set, ast.Dict)):
        found = _constant_if(*value.keys, *value.values) if isinstance(value, ast.Dict) else _constant_if(*value.elts)
        return ("", ()) if found is None else ("plain", found)
    found = _constant_if(value)
    return ("", ()) if found is None else ("constant", found)


def _constant_if(*values: ast.expr | None) -> tuple[str, ...] | None:
    """The names that must stand for constants, or for what makes constants, so that all are such; None for others."""
    found: list[str] = []
    waiting: list[Any] = [*values]
    while waiting:  # a sum may have more terms than Python recurses
        value = waiting.pop()
        if isinstance(value, (ast.Name, ast.Attribute)) and (path := dotted(value)):
            found.append(path)
        elif isinstance(value, ast.Attribute):
            waiting.append(value.value)  # a constant's: `Path(...).parent`
        elif isinstance(value, ast.Call) and (path := dotted(value.func)):
            found.append(f"{path}()")
        elif isinstance(value, ast.Call):
            waiting.append(getattr(value.func, "value", None))
        elif isinstance(value, ast.Subscript) and (path := dotted(value.value)):
            found.append(f"{path}[]")  # of a type: `list[int]`, `Union[A, B]`
        elif isinstance(value, ast.BinOp):
            waiting += (value.left, value.right)
        elif isinstance(value, ast.UnaryOp):
            waiting.append(value.operand)
        elif isinstance(value, ast.Tuple):
            waiting += value.elts
        elif not isinstance(value, (ast.Constant, ast.JoinedStr, ast.Lambda, ast.Compare)):
            return None
    return tuple(found)


def _may_do_more(node: ast.stmt, binds: bool) -> bool:
    """Whether a statement does something besides binding names."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if not binds or isinstance(node, (*UNITS, ast.AugAssign)):
        return True
    return any(
        isinstance(inner, ast.Call)
        or (isinstance(getattr(inner, "ctx", None), ast.Store) and not isinstance(inner, ast.Name))
        for inner in ast.walk(node)
    )
