"""The identity of a step's code: a digest that formatting, comments and the Python version do not change.

The function's syntax tree is written in Zen's own form, a flat list of tokens, in which fields that are empty are
left out, so that fields which later Python versions add do not count while they are not used.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from zen_core.codegen.import_roots import ImportRoots, is_installed
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import CodeFingerprint
from zen_core.contract.values import UnserializableError, to_json

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_OWN = frozenset({"zen_core", "zen_metadata"})

Token = str | int | float | bool | None | list[Any]


def fingerprint_step(function: Callable[..., Any], *, roots: ImportRoots) -> CodeFingerprint:
    """The identity of a step's function, and the third-party packages that its own code uses.

    Scope `function`: the function's own source, without the `@step` decorator and without its docstring; what it
    calls does not count. Scope `bytecode`: a function whose source is not at hand.
    """
    return _fingerprint(inspect.unwrap(function), roots, frozenset())


def _fingerprint(inner: FunctionType, roots: ImportRoots, outer: frozenset[int]) -> CodeFingerprint:
    node = _find_node(inner)
    tokens: list[Token] = (
        list(_tokens(node, _counted_parts(node, inner))) if node else list(_code_tokens(inner.__code__))
    )
    tokens += _closure_tokens(inner, roots, outer | {id(inner)})
    scope = "function" if node else "bytecode"
    names = _names_of_node(node) if node else _names_of_code(inner.__code__)
    modules = {*_global_modules(inner, names), *(_imports_of_node(node) if node else ())}
    imports = sorted(name for name in modules if _is_third_party(name, roots))
    return CodeFingerprint(digest_json(f"code:{scope}", tokens), scope, tuple(imports))


# -- finding the syntax tree ------------------------------------------------------------------------------------

_index_by_file: dict[str, tuple[list[str], dict[tuple[str, int], ast.AST]]] = {}


def _find_node(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function's definition in its file; each file is parsed once, which is faster than `inspect.getsource`."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        return None
    known = _index_by_file.get(code.co_filename)
    if known is None or known[0] is not lines:
        known = (lines, _index_functions("".join(lines)))
        _index_by_file[code.co_filename] = known
    node = known[1].get((code.co_name, code.co_firstlineno))
    return node if isinstance(node, _FUNCTIONS) else None


def _index_functions(source: str) -> dict[tuple[str, int], ast.AST]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a notebook's cell with magics: the code object is there nevertheless
        return {}
    found: dict[tuple[str, int], ast.AST] = {}
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            first = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
            found[node.name, first] = node
    return found


# -- the normal form --------------------------------------------------------------------------------------------


def _counted_parts(node: ast.FunctionDef | ast.AsyncFunctionDef, function: FunctionType) -> dict[str, Any]:
    """Body and decorators, without the docstring and without `@step`."""
    return {
        "body": node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body,
        "decorator_list": [item for item in node.decorator_list if not _is_step_decorator(item, function.__globals__)],
    }


def _is_step_decorator(node: ast.expr, names: dict[str, Any]) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    path = _dotted(target)
    found: Any = names.get(path[0]) if path else None
    for name in path[1:]:
        found = getattr(found, name, None)
    if found is None:
        return bool(path) and path[-1] == "step"
    return getattr(found, "__name__", "") == "step" and str(getattr(found, "__module__", "")).startswith("zen_core.")


def _dotted(node: ast.expr) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _tokens(tree: ast.AST, parts: Mapping[str, Any]) -> Iterator[Token]:
    """The tree in prefix order, with `parts` for these fields of its root.

    An explicit stack: generated code may be nested deeper than Python recurses.
    """
    waiting: list[Any] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, ast.Constant):
            yield ["constant", *_constant(item.value)]
        elif isinstance(item, ast.AST):
            yield f"({type(item).__name__}"
            waiting.append(")")
            for name in reversed(item._fields):
                value = getattr(item, name, None)
                if item is tree:
                    value = parts.get(name, value)
                elif isinstance(item, ast.JoinedStr):
                    value = _merged(item.values)
                if name not in _SKIPPED_FIELDS and value is not None and value != []:
                    waiting += (value, f".{name}")
        elif isinstance(item, list):
            yield "["
            waiting.append("]")
            waiting.extend(reversed(item))
        elif item is None:  # a gap within a list: a dict display's `**x`, a keyword-only argument without default
            yield None
        else:
            yield item if isinstance(item, (str, int)) else repr(item)


def _merged(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts joined; Python versions cut them differently."""
    merged: list[ast.expr] = []
    for value in values:
        last = merged[-1] if merged else None
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(value=str(last.value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            merged.append(value)
    return merged


def _constant(value: object) -> tuple[str, Token]:
    if value is None or isinstance(value, (bool, str, int, float)):
        return type(value).__name__, value
    if isinstance(value, bytes):
        return "bytes", value.hex()
    return type(value).__name__, repr(value)


def _code_tokens(code: CodeType) -> Iterator[Token]:
    yield from ("code", code.co_name, code.co_code.hex(), [*code.co_names], [*code.co_varnames])
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_tokens(constant)
        else:
            yield ["constant", *_constant(constant)]


def _closure_tokens(function: FunctionType, roots: ImportRoots, seen: frozenset[int]) -> list[Token]:
    """What a function closes over: with a decorator that hides the step's function, that function is found here."""
    tokens: list[Token] = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        if isinstance(value, FunctionType):
            tokens += [name, None if id(value) in seen else _fingerprint(value, roots, seen).digest]
            continue
        try:
            tokens += [name, digest_json("value", to_json(value))]
        except UnserializableError:
            tokens += [name, f"{type(value).__module__}.{type(value).__qualname__}"]
    return tokens


# -- third-party packages ---------------------------------------------------------------------------------------


def _names_of_node(node: ast.AST) -> set[str]:
    """Every name that the definition reads, in annotations and defaults too, also where they are written as text."""
    names = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
    for item in ast.walk(node):
        annotation = getattr(item, "annotation", None) or getattr(item, "returns", None)
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                names |= _names_of_node(ast.parse(annotation.value, mode="eval"))
            except SyntaxError:
                continue
    return names


def _names_of_code(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_of_code(constant)
    return names


def _global_modules(function: FunctionType, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value = function.__globals__.get(name)
        if value is None:
            continue
        if isinstance(value, ModuleType):
            home = value.__name__
        else:
            home = getattr(value, "__module__", None) or type(value).__module__
        yield str(home).partition(".")[0]


def _imports_of_node(node: ast.AST) -> Iterator[str]:
    for item in ast.walk(node):
        if isinstance(item, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in item.names)
        elif isinstance(item, ast.ImportFrom) and item.module and not item.level:
            yield item.module.partition(".")[0]


def _is_third_party(name: str, roots: ImportRoots) -> bool:
    if name in sys.stdlib_module_names or name in _OWN or name == "__main__":
        return False
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    path = Path(file).resolve() if file else roots.find_module(name)
    if path is None or is_installed(path):
        return True  # not there where the pipeline is compiled: a package of the worker's
    return not any(path.is_relative_to(folder) for folder in roots.folders)
