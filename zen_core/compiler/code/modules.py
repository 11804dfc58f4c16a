"""A module of the project as its source shows it: what it defines, imports, and does when it is imported."""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zen_core.compiler.code.names import Names, dotted
from zen_core.compiler.code.statements import FUNCTIONS, Decorator, Statement, lines_of, merged, read_statement
from zen_core.contract.canonical import digest_json

if TYPE_CHECKING:
    from zen_core.compiler.code.index_memo import IndexMemo

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
        statements: all but imports.
        imports: what a name is imported from: (module, attribute); "" for the module itself.
        stars: modules of `from … import *`.
        bare: modules of `import …`, which may be imported for what they do.
        bound: the statements that bind a name, in their order.
        effects: statements that do something, besides binding names.
        decorated: functions and classes that are decorated, or derived from something.
    """

    statements: list[Statement] = field(default_factory=list)
    imports: dict[str, dict[tuple[str, str], None]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    bare: dict[str, str] = field(default_factory=dict)
    bound: dict[str, list[Statement]] = field(default_factory=dict)
    effects: list[Statement] = field(default_factory=list)
    decorated: list[Statement] = field(default_factory=list)

    def add(self, statement: Statement) -> None:
        """Enter a statement."""
        self.statements.append(statement)
        for name in statement.bound:
            self.bound.setdefault(name, []).append(statement)
        if statement.does_more:
            self.effects.append(statement)
        if statement.decorators or statement.bases:
            self.decorated.append(statement)


@contextmanager
def _without_collection() -> Iterator[None]:
    """A tree has no cycles, but many nodes: to look for cycles among them takes a fifth of the time to read it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Module:
    """One module.

    Args:
        name: its dotted name from its import root.
        file: its path as it may be shown; "" for a namespace package.
        text: its source.
        is_package: whether it has submodules.
        memo: knows the top levels that were read before.
    """

    def __init__(self, name: str, file: str, text: str, *, is_package: bool, memo: IndexMemo | None = None) -> None:
        self.name = name
        self.file = file
        self.text = text
        self.package = name if is_package else name.rpartition(".")[0]
        self._memo = memo
        self._definitions: dict[str, Definition] = {}

    def _parse(self) -> ast.Module:
        """The syntax tree; empty for what cannot be parsed: whoever imports it gets Python's own message."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module([], [])

    @cached_property
    def index(self) -> Index:
        """The module's top level."""
        if self._memo is None:
            return self._read()
        # All that it depends on.
        return self._memo.find_or_read(self.name, digest_json("module", [self.package, self.text]), self._read)

    @_without_collection()
    def _read(self) -> Index:
        index = Index()
        body = self._parse().body
        first = body[0] if body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
            body = body[1:]
            index.add(replace(read_statement(0, first, ()), bound=("__doc__",)))
        for position, (node, guards) in enumerate(self._statements(body, ()), 1):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._add_import(index, node)
            elif not isinstance(node, ast.Pass):
                index.add(read_statement(position, node, guards))
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
            digests = [statement.digest for statement in statements]
            digest = digests[0] if len(digests) == 1 else digest_json("definition", digests)
            names = merged(statement.names for statement in statements)
            found = self._definitions[name] = _define(statements, digest, names)
        return found

    def root_definition(self, name: str, dropped: Collection[Decorator]) -> Definition:
        """A function as a step: without its own docstring and without these decorators."""
        *before, last = statements = self.index.bound[name]
        kept = [item for item in last.decorators if item not in dropped]
        content = [last.code, [item.digest for item in kept], [statement.digest for statement in before]]
        names = [last.own_names, *(item.names for item in kept), *(statement.names for statement in before)]
        return _define(statements, digest_json("step", content), merged(names))

    def segment(self, statement: Statement) -> str:
        """The lines of a statement, decorators included."""
        first, last = statement.lines
        return "\n".join(self.lines[first - 1 : last])

    @cached_property
    def imported_for_effect(self) -> tuple[str, ...]:
        """Modules that it imports without using their names: for what their import does."""
        counts = {bound: self.text.count(bound) for bound in set(self.index.bare.values())}
        return tuple(name for name, bound in self.index.bare.items() if counts[bound] <= 1)

    @cached_property
    def bodies_by_word(self) -> Mapping[str, list[str]]:
        """The names of functions, classes and blocks of the top level, by each word that stands in them."""
        found: dict[str, list[str]] = {}
        for name, statements in self.index.bound.items():
            bodies = [statement for statement in statements if statement.has_body]
            for word in {word for body in bodies for word in _IDENTIFIER.findall(self.segment(body))}:
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
        for node in ast.walk(self._parse()):
            if isinstance(node, (*FUNCTIONS, ast.Lambda)):
                found.setdefault((getattr(node, "name", "<lambda>"), lines_of(node)[0]), []).append(node)
        return found

    # -- the top level -----------------------------------------------------------------------------------------------

    def _statements(
        self, body: Iterable[ast.stmt], guards: tuple[ast.AST, ...]
    ) -> Iterator[tuple[ast.stmt, tuple[ast.AST, ...]]]:
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
                yield node, guards

    def _add_import(self, index: Index, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = alias.name if alias.asname else alias.name.partition(".")[0]
                index.imports.setdefault(alias.asname or target, {})[target, ""] = None
                index.bare[alias.name] = alias.asname or target
            return
        base = self.absolute(node.level, node.module or "")
        for alias in node.names:
            if alias.name == "*":
                index.stars.append(base)
            else:
                index.imports.setdefault(alias.asname or alias.name, {})[base, alias.name] = None


def _define(statements: Sequence[Statement], digest: str, names: Names) -> Definition:
    lines = (min(item.lines[0] for item in statements), max(item.lines[1] for item in statements))
    return Definition(digest, names, statements[-1].kind, lines)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
