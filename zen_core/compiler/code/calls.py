"""Calls that reach what their syntax does not show: `getattr(settings, "RATE")`, `import_module`, `exec`."""

from __future__ import annotations

import ast

from zen_core.compiler.code.names import ALTERS, OWN_MODULE, READS, RUNS_TEXT
from zen_core.compiler.code.scopes import HANDED, ModuleScope, Scope
from zen_core.compiler.code.syntax import dotted, text_of

_IMPORTERS = frozenset({"import_module", "__import__"})
_NAMESPACES = frozenset({"globals", "vars"})
_LOOKING_UP = frozenset({"getattr", "hasattr"})
_SETTING = frozenset({"__delattr__", "__setattr__", "delattr", "setattr", "vars"})
REACHING_FURTHER = frozenset(
    {*_IMPORTERS, *_LOOKING_UP, *_SETTING, "locals", *(path.rpartition(".")[2] for path in RUNS_TEXT)}
)
"""The last parts of their names."""


def follow_call(node: ast.Call, path: str, scope: Scope, module: ModuleScope) -> None:
    """Enter what such a call reaches.

    Args:
        path: the dotted name of what is called.
        scope: in which it stands.
        module: around that.
    """
    called = path.rpartition(".")[2]
    first = node.args[0] if node.args else None
    literal = text_of(first)
    if called in _IMPORTERS:
        if literal is not None and not literal.startswith("."):
            module.use(f"@0:{literal}:", READS | ALTERS)  # whatever is done to it then
            module.imported.add((0, literal))
        else:
            module.unfollowed.append(("", f"{called} with a computed name", node.lineno, ""))
    elif path in RUNS_TEXT and (called not in _NAMESPACES or not (node.args or node.keywords)):
        scope.unfollowed.append((path, path, node.lineno, ""))
        if not _is_given_a_namespace(node):
            module.use(OWN_MODULE, ALTERS)
    elif path == "locals" and scope is module:
        module.use(OWN_MODULE, ALTERS)
    elif called in _LOOKING_UP and len(node.args) > 1:
        inside, name = dotted(node.args[0]), text_of(node.args[1])
        if inside and name is not None:
            scope.use(f"{inside}.{name}" if name else inside, HANDED)
        elif inside and called == "getattr":
            scope.unfollowed.append((inside, "getattr with a computed name", node.lineno, inside))
    elif called in _SETTING:
        for altered in (first, getattr(node.func, "value", None)):  # `object.__setattr__(settings, …)`
            if altered is not None:
                module.alter(altered, scope)


def _is_given_a_namespace(node: ast.Call) -> bool:
    """Whether text runs in a namespace of its own: `exec(text, {})`, but not `exec(text, None)`."""
    given = [*node.args[1:2], *(item.value for item in node.keywords if item.arg == "globals")]
    return any(not (isinstance(item, ast.Constant) and item.value is None) for item in given)
