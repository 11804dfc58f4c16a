"""A module of the project as its source shows it: what it defines, imports, and does when it is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from zen_core.compiler.code.forms import Token, digest_tokens, tokens_of
from zen_core.compiler.code.names import Names, bound_names, dotted, names_in

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_UNITS = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Match)
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<base>[.\w]+)[ \t]+import[ \t]+(?:\((?P<many>[^)]*)\)|(?P<few>[^\n]*))"
    r"|import[ \t]+(?P<whole>[^\n]*))",
    re.MULTILINE,
)
_DYNAMIC_IMPORT = re.compile(r"(?:import_module|__import__)\(\s*[\"']([\w.]+)[\"']")
_IDENTIFIER = re.compile(r"\w+")
_TOP_BLOCK = re.compile(
    r"^(?!def\b|class\b|async\b|import\b|from\b|[\s#)\]}])[^\n]*(?:\n(?:[ \t)\]}][^\n]*)?(?=\n|\Z))*", re.MULTILINE
)
_SETS_ATTRIBUTE = re.compile(r"^[ \t]*[A-Za-z_][\w.]*\.\w+[ \t]*(?::[^\n=]*)?=(?!=)", re.MULTILINE)
_WORD = re.compile(r"[\w.]+")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a module's top level, with the conditions that it stands under."""

    node: ast.stmt
    guards: tuple[ast.AST, ...] = ()


@dataclass(slots=True)
class Definition:
    """What binds one name of a module.

    Attributes:
        digest: of Zen's form of it.
        names: what it refers to.
        kind: `function`, `class` or `variable`.
        lines: the first and the last line.
    """

    digest: str
    names: Names
    kind: str
    lines: tuple[int, int]


@dataclass(slots=True)
class Index:
    """A module's top level.

    Attributes:
        bound: the statements that bind a name, in their order.
        imports: what a name is imported from: (module, attribute); "" for the module itself.
        stars: modules of `from … import *`.
        bare: modules of `import …`, which may be imported for what they do.
        effects: statements that do something, besides binding names.
        decorated: functions and classes that are decorated, or derived from something.
    """

    bound: dict[str, list[Statement]] = field(default_factory=dict)
    imports: dict[str, dict[tuple[str, str], None]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    bare: dict[str, str] = field(default_factory=dict)
    effects: list[Statement] = field(default_factory=list)
    decorated: list[Statement] = field(default_factory=list)


class Module:
    """One module.

    Args:
        name: its dotted name from its import root.
        file: its path as it may be shown; "" for a namespace package.
        text: its source.
        is_package: whether it has submodules.
    """

    def __init__(self, name: str, file: str, text: str, *, is_package: bool) -> None:
        self.name = name
        self.file = file
        self.text = text
        self.package = name if is_package else name.rpartition(".")[0]
        self._definitions: dict[str, Definition] = {}
        self._effects: dict[int, Names] = {}

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; empty for what cannot be parsed: whoever imports it gets Python's own message."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module([], [])

    @cached_property
    def index(self) -> Index:
        """The module's top level."""
        index = Index()
        first = self.tree.body[0] if self.tree.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
            index.bound["__doc__"] = [Statement(first)]
        for statement in self._statements(self.tree.body, ()):
            self._add(index, statement)
        return index

    @cached_property
    def imported(self) -> frozenset[str]:
        """Every name that it may import, also within functions: modules, and names in them. Read without parsing."""
        found: set[str] = set(_DYNAMIC_IMPORT.findall(self.text))
        for match in _IMPORT.finditer(self.text):
            if match["whole"] is not None:
                found.update(part.split()[0] for part in match["whole"].split(",") if part.split())
                continue
            level = len(match["base"]) - len(match["base"].lstrip("."))
            base = self.absolute(level, match["base"][level:])
            found.add(base)
            found.update(f"{base}.{name}" for name in _WORD.findall(match["many"] or match["few"] or ""))
        return frozenset(found)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word in the source."""
        return frozenset(_IDENTIFIER.findall(self.text))

    @cached_property
    def top_words(self) -> frozenset[str]:
        """Every word in what the top level does: not in functions, classes and imports. Read without parsing."""
        return frozenset(_IDENTIFIER.findall(self._top))

    @cached_property
    def sets_attributes(self) -> bool:
        """Whether the top level may set attributes of other modules."""
        return "setattr" in self.top_words or _SETS_ATTRIBUTE.search(self._top) is not None

    @cached_property
    def _top(self) -> str:
        return "\n".join(block[0] for block in _TOP_BLOCK.finditer(self.text))

    def absolute(self, level: int, module: str) -> str:
        """The full name of a module that is imported here."""
        if not level:
            return module
        parts = self.package.split(".") if self.package else []
        kept = parts[: len(parts) - level + 1]
        return ".".join((*kept, module) if module else kept)

    def definition(self, name: str) -> Definition:
        """What binds a name. Raises KeyError."""
        found = self._definitions.get(name)
        if found is None:
            statements = self.index.bound[name]
            found = self._definitions[name] = _define(statements, {})
        return found

    def root_definition(self, name: str, dropped: Sequence[ast.expr]) -> Definition:
        """A function as a step: without its own docstring and without these decorators."""
        *before, last = self.index.bound[name]
        assert isinstance(last.node, _FUNCTIONS)
        return _define([*before, last], {last.node: step_parts(last.node, dropped)})

    def names_of(self, statement: Statement) -> Names:
        """What a statement of the top level refers to."""
        found = self._effects.get(id(statement.node))
        if found is None:
            found = self._effects[id(statement.node)] = _names([statement], {})
        return found

    def segment(self, node: Any) -> str:
        """The lines of a node, decorators included."""
        first, last = lines_of(node)
        return "\n".join(self.lines[first - 1 : last])

    @cached_property
    def imported_for_effect(self) -> tuple[str, ...]:
        """Modules that it imports without using their names: for what their import does."""
        return tuple(name for name, bound in self.index.bare.items() if len(self.text.split(bound)) <= 2)

    @cached_property
    def bodies_by_word(self) -> Mapping[str, list[str]]:
        """The names of functions, classes and blocks of the top level, by each word that stands in them."""
        found: dict[str, list[str]] = {}
        for name, statements in self.index.bound.items():
            bodies = [statement.node for statement in statements if hasattr(statement.node, "body")]
            for word in {word for node in bodies for word in _IDENTIFIER.findall(self.segment(node))}:
                found.setdefault(word, []).append(name)
        return found

    @cached_property
    def lines(self) -> list[str]:
        """The source's lines, as the parser counts them."""
        return self.text.split("\n")

    @cached_property
    def functions(self) -> Mapping[tuple[str, int], list[Any]]:
        """Every function by name and first line, decorators included; lambdas by the name that Python gives them."""
        found: dict[tuple[str, int], list[Any]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
                found.setdefault((getattr(node, "name", "<lambda>"), lines_of(node)[0]), []).append(node)
        return found

    # -- the top level -----------------------------------------------------------------------------------------------

    def _statements(self, body: Iterable[ast.stmt], guards: tuple[ast.AST, ...]) -> Iterator[Statement]:
        for node in body:
            if isinstance(node, ast.If):
                if _is_main_guard(node.test):
                    yield from self._statements(node.orelse, guards)
                    continue
                typing = dotted(node.test).endswith("TYPE_CHECKING")
                yield from self._statements(node.body, guards if typing else (*guards, node.test))
                yield from self._statements(node.orelse, (*guards, ast.Not(), node.test))
            elif isinstance(node, ast.With) and all(item.optional_vars is None for item in node.items):
                yield from self._statements(node.body, (*guards, *(item.context_expr for item in node.items)))
            elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
                yield from self._statements(node.body, guards)  # type: ignore[attr-defined]
                for handler in node.handlers:  # type: ignore[attr-defined]
                    caught = handler.type if handler.type is not None else ast.Constant(value=None)
                    yield from self._statements(handler.body, (*guards, caught))
                yield from self._statements(node.orelse, guards)  # type: ignore[attr-defined]
                yield from self._statements(node.finalbody, guards)  # type: ignore[attr-defined]
            else:
                yield Statement(node, guards)

    def _add(self, index: Index, statement: Statement) -> None:
        node = statement.node
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = alias.name if alias.asname else alias.name.partition(".")[0]
                index.imports.setdefault(alias.asname or target, {})[target, ""] = None
                index.bare[alias.name] = alias.asname or target
        elif isinstance(node, ast.ImportFrom):
            base = self.absolute(node.level, node.module or "")
            for alias in node.names:
                if alias.name == "*":
                    index.stars.append(base)
                else:
                    index.imports.setdefault(alias.asname or alias.name, {})[base, alias.name] = None
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            index.bound.setdefault(node.name, []).append(statement)
            if node.decorator_list or (isinstance(node, ast.ClassDef) and (node.bases or node.keywords)):
                index.decorated.append(statement)
        elif not isinstance(node, ast.Pass):
            names = dict.fromkeys(bound_names([node]))
            for name in names:
                index.bound.setdefault(name, []).append(statement)
            if _may_do_more(node, bool(names)):
                index.effects.append(statement)


def step_parts(node: Any, dropped: Sequence[ast.expr]) -> dict[str, Any]:
    """The fields of a step's function that count in another form: no docstring of its own, not `@step`."""
    is_documented = ast.get_docstring(node, clean=False) is not None
    return {
        "body": node.body[1:] if is_documented else node.body,
        "decorator_list": [item for item in node.decorator_list if item not in dropped],
    }


def lines_of(node: Any) -> tuple[int, int]:
    """The first line of a statement, decorators included, and its last."""
    first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
    return first, node.end_lineno or node.lineno


def _define(statements: Sequence[Statement], parts: Mapping[ast.AST, Mapping[str, Any]]) -> Definition:
    tokens: list[Token] = []
    for statement in statements:
        for guard in statement.guards:
            tokens += ["guard", *tokens_of(guard, {})]
        tokens += tokens_of(statement.node, parts.get(statement.node, {}))
    last = statements[-1].node
    kind = "function" if isinstance(last, _FUNCTIONS) else "class" if isinstance(last, ast.ClassDef) else "variable"
    spans = [lines_of(statement.node) for statement in statements]
    lines = (min(first for first, _ in spans), max(end for _, end in spans))
    return Definition(digest_tokens(tokens), _names(statements, parts), kind, lines)


def _names(statements: Sequence[Statement], parts: Mapping[ast.AST, Mapping[str, Any]]) -> Names:
    merged = Names()
    for statement in statements:
        found = [names_in(statement.node, parts.get(statement.node, {}))]
        found += [names_in(ast.Expression(guard), {}) for guard in statement.guards if isinstance(guard, ast.expr)]
        for names in found:
            merged.reads.update(names.reads)
            merged.annotations |= names.annotations
            merged.alters |= names.alters
            merged.calls_methods_of |= names.calls_methods_of
            merged.imported |= names.imported
            merged.unfollowed += names.unfollowed
    return merged


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


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
