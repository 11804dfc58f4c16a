"""A module of the project as its source shows it: what it defines, imports, and does when it is imported."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from zen_core.compiler.code.forms import digest_tokens
from zen_core.compiler.code.names import ALTERS, FILLS, READS, Names, Use, merged
from zen_core.compiler.code.statements import FUNCTIONS, UNITS, Decorator, Statement, lines_of, read_statement
from zen_core.compiler.code.syntax import dotted
from zen_core.contract.canonical import digest_json
from zen_core.contract.source_code import parse_source

if TYPE_CHECKING:
    from zen_core.compiler.code.index_memo import IndexMemo

_BEGINNING = re.compile(r"(?:^|[;:])[ \t\f]*(?=from\b|import\b)", re.MULTILINE)
_IMPORT = re.compile(
    r"[;:]?[ \t\f]*(?:from(?P<base>(?:[.\w \t]|\\\n)+?)\bimport\b(?:[ \t]|\\\n)*"
    r"(?:\((?P<many>(?:[^)#]|#[^\n]*+)*+)\)|(?P<few>(?:\\\n|[^\n;#])*))"
    r"|import\b(?P<whole>(?:\\\n|[^\n;#])*))"
)
_RENAMED = re.compile(r"\b(\w+)(?:[\s\\]|#[^\n]*\n)+as[\s\\]+(\w+)")
_BETWEEN = r"(?:[\s\\]|#[^\n]*\n)*+"
_AND_DOT = re.compile(rf"{_BETWEEN}\.")
_SPELT = re.compile(rf"[.\"']{_BETWEEN}(\w+[(\[]?)")
_DYNAMIC_IMPORT = re.compile(r"(?:import_module|__import__)\(\s*[\"']([\w.]+)[\"']")
_IDENTIFIER = re.compile(r"\w+")
_ASCII = bytes(range(128))
_SPACED = bytes(byte if chr(byte).isalnum() or chr(byte) == "_" else 32 for byte in _ASCII).ljust(256)
"""Puts a space for every byte that is no part of a word."""
_WITHIN_STATEMENT = frozenset(" \t\f)]}#\\")
_NOT_OF_TOP = tuple(f"{word}{behind}" for word in ("def", "class", "async", "import", "from") for behind in " \t\\.")
_BY_COMPUTED_NAME = ("setattr", "delattr", "vars", "__dict__")
_SETS_ATTRIBUTE = re.compile(r"^[ \t]*[A-Za-z_][\w.]*\.\w+[ \t]*(?::[^\n=]*)?=(?!=)", re.MULTILINE)
_WITHOUT_SPACE = str.maketrans("", "", " \t\n\\")
_WORD = re.compile(r"[\w.]+")


class Definition(NamedTuple):
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
        decorated: functions and classes that are decorated, or derived from something, or act.
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
        acts = statement.acts or statement.runs is not None or statement.learns_of_subclasses
        if acts or statement.decorators or statement.bases:
            self.decorated.append(statement)

    def complete(self) -> None:
        """Say that all statements are entered: what nothing else binds, a `global` statement does."""
        for statement in self.statements:
            for name in statement.global_names:
                if not any(name in other.bound for other in self.bound.get(name, ())):
                    self.bound.setdefault(name, []).append(statement)


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
        self.is_package = is_package
        self.package = name if is_package else name.rpartition(".")[0]
        self._memo = memo
        self._definitions: dict[str, Definition] = {}
        self._is_broken = False

    def _parse(self) -> ast.Module:
        """The syntax tree; empty for what cannot be parsed: whoever imports it gets Python's own message."""
        tree = parse_source(self.text)
        self._is_broken = tree is None
        return tree or ast.Module([], [])

    @cached_property
    def index(self) -> Index:
        """The module's top level."""
        known = self._memo.find(self.name, self.identity) if self._memo is not None else None
        if known is not None:
            return known
        index = Index()
        for position, (node, conditions) in enumerate(_statements(self._parse().body)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._add_import(index, node)
            elif position == 0 and _is_text(node):
                index.add(read_statement(position, node, ())._replace(bound=("__doc__",)))
            elif not isinstance(node, ast.Pass):
                index.add(read_statement(position, node, conditions))
                if isinstance(node, UNITS):
                    for inner in ast.walk(node):
                        if isinstance(inner, (ast.Import, ast.ImportFrom)):
                            self._add_import(index, inner)
        index.complete()
        if self._memo is not None and not self._is_broken:
            self._memo.keep(self.name, self.identity, index)
        return index

    @property
    def is_broken(self) -> bool:
        """Whether this Python cannot parse it; another one may."""
        _ = self.index  # it is known when this was read
        return self._is_broken

    @cached_property
    def identity(self) -> str:
        """The digest of all that what is read depends on."""
        return digest_json("module", [self.package, self.text])

    @cached_property
    def _imports(self) -> list[re.Match[str]]:
        found: list[re.Match[str]] = []
        text, at = self.text, self.text.find("import")
        while at >= 0:
            start = text.rfind("\n", 0, at) + 1
            while text.endswith("\\\n", 0, start):
                start = text.rfind("\n", 0, start - 1) + 1
            end = at + len("import")
            for beginning in _BEGINNING.finditer(text, start, end + 1):
                match = _IMPORT.match(text, beginning.start())
                if match is not None:
                    found.append(match)
                    end = max(end, match.end())
            at = text.find("import", end)
        return found

    @cached_property
    def imported(self) -> frozenset[str]:
        """Every name that it may import, also within functions: modules, and names in them. Read without parsing."""
        is_dynamic = "import_module" in self.text or "__import__" in self.text
        found: set[str] = set(_DYNAMIC_IMPORT.findall(self.text)) if is_dynamic else set()
        for match in self._imports:
            if match["whole"] is not None:
                whole = match["whole"].replace("\\\n", " ")
                found.update(part.split(None, 1)[0] for part in whole.split(",") if part.split())
                continue
            written = match["base"].translate(_WITHOUT_SPACE)
            level = len(written) - len(written.lstrip("."))
            base = self.absolute(level, written[level:])
            found.add(base)
            found.update(f"{base}.{name}" for name in _WORD.findall(match["many"] or match["few"] or ""))
        return frozenset(found)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word in the source."""
        return _words_of(self.text)

    @cached_property
    def top_words(self) -> frozenset[str]:
        """Every word in what the top level does: not in functions, classes and imports. Read without parsing."""
        return _words_of(self._top)

    @cached_property
    def renamed(self) -> frozenset[tuple[str, str]]:
        """What its imports name otherwise: (name, its name here). Read without parsing."""
        return frozenset(pair for match in self._imports for pair in _RENAMED.findall(match[0]))

    @cached_property
    def foreign_words(self) -> frozenset[str]:
        """The words by which it may name what another module defines. Read without parsing.

        Those in imports, and behind a dot or a quote: what else stands there is a name of its own. But all of them
        behind `import *`, and where names are computed: `vars(settings).update(RATE=2)`.
        """
        if self.computes_names or any("*" in match[0] for match in self._imports):
            return self.words
        return frozenset(word.rstrip("([") for word in self._spelt) | self._imported_words

    @cached_property
    def _spelt(self) -> frozenset[str]:
        """The words behind a dot or a quote, each with the bracket that follows: then it is called, or looked into."""
        return frozenset(_SPELT.findall(self.text))

    @cached_property
    def foreign_top_words(self) -> frozenset[str]:
        """Those of them that stand in what the top level does."""
        return self.top_words & self.foreign_words

    @cached_property
    def _imported_words(self) -> frozenset[str]:
        return _words_of("\n".join(match[0] for match in self._imports))

    def may_alter(self, name: str) -> bool:
        """Whether code in it may assign to what another module defines, or to its attributes. Read without parsing."""
        if self.computes_names or name in self._spelt:
            return True
        return name in self._imported_words and any(
            _AND_DOT.match(self.text, end) is not None for end in _ends_of(name, self.text)
        )

    @cached_property
    def computes_names(self) -> bool:
        """Whether code in it may set attributes by names that it computes. Read without parsing."""
        return any(_stands(word, self.text) for word in _BY_COMPUTED_NAME)

    @cached_property
    def sets_attributes(self) -> bool:
        """Whether the top level may set attributes of other modules."""
        return not self.top_words.isdisjoint(_BY_COMPUTED_NAME) or _SETS_ATTRIBUTE.search(self._top) is not None

    @cached_property
    def _top(self) -> str:
        """The lines of statements that begin at the margin and are no function, class or import."""
        found: list[str] = []
        is_taken = False
        for line in self.lines:
            if line and line[0] not in _WITHIN_STATEMENT:
                is_taken = not line.startswith(_NOT_OF_TOP)
            if is_taken:
                found.append(line)
        return "\n".join(found)

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
            digests = [statement.whole_digest() for statement in statements]
            digest = digests[0] if len(digests) == 1 else digest_tokens(digests)
            names = merged(statement.all_names() for statement in statements)
            found = self._definitions[name] = _define(name, statements, digest, names)
        return found

    def root_definition(self, name: str, dropped: Collection[Decorator]) -> Definition:
        """A function as a step: without its own docstring and without these decorators."""
        *before, last = statements = self.index.bound[name]
        kept = [item for item in last.decorators if item not in dropped]
        counted = [last.code, [item.digest for item in kept], [statement.whole_digest() for statement in before]]
        names = [last.names, *(item.names for item in kept), *(statement.all_names() for statement in before)]
        return _define(name, statements, digest_json("step", counted), merged(names))

    @cached_property
    def imported_for_effect(self) -> tuple[str, ...]:
        """Modules that it imports without using their names: for what their import does.

        What a package imports from its modules, it hands on.
        """
        index = self.index
        used = {path.partition(".")[0] for statement in index.statements for path in statement.all_names().uses}
        used.update(word for statement in index.bound.get("__all__", ()) for word in statement.words)
        found = [name for name, bound in index.bare.items() if bound not in used]
        if not self.is_package:
            unused = [targets for bound, targets in index.imports.items() if bound not in used]
            found += [
                name for targets in unused for base, attribute in targets for name in (base, f"{base}.{attribute}")
            ]
        return tuple(found)

    @cached_property
    def definitions_by_word(self) -> Mapping[str, list[str]]:
        """The names that the top level binds, by each word by which what binds them may name something."""
        return self._by_word(READS | ALTERS | FILLS)

    @cached_property
    def alterers_by_word(self) -> Mapping[str, list[str]]:
        """The names that the top level binds, by each word by which what binds them may alter something."""
        return self._by_word(ALTERS | FILLS)

    def _by_word(self, use: Use) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name, statements in self.index.bound.items():
            words = self.definition(name).names.words(use).union(*(item.words for item in statements))
            for word in words.union(*(item.attributes for item in statements)) if use & READS else words:
                found[word].append(name)
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


_Guarded = tuple[ast.stmt, tuple[ast.AST, ...]]


def _statements(body: Iterable[ast.stmt]) -> Iterator[_Guarded]:
    """The statements of a top level, those of its branches too, each with the conditions that it stands under."""
    waiting: list[_Guarded] = []  # the next one last; a chain of `elif` may be longer than Python recurses

    def below(*branches: tuple[Iterable[ast.stmt], tuple[ast.AST, ...]]) -> None:
        waiting.extend(reversed([(node, guards) for body, guards in branches for node in body]))

    below((body, ()))
    while waiting:
        node, guards = waiting.pop()
        if isinstance(node, ast.If) and _is_main_guard(node.test):
            below((node.orelse, guards))
        elif isinstance(node, ast.If):
            typing = dotted(node.test).endswith("TYPE_CHECKING")
            # A condition counts with what stands below it; and by itself, for what it does: `if fill(TABLE): pass`.
            if _may_act(node.test):
                yield _alone(node.test), guards
            below(
                (node.body, guards if typing else (*guards, node.test)),
                (node.orelse, (*guards, ast.Not(), node.test)),
            )
        elif isinstance(node, ast.With) and all(item.optional_vars is None for item in node.items):
            contexts = [item.context_expr for item in node.items]
            yield from ((_alone(context), guards) for context in contexts)
            below((node.body, (*guards, *contexts)))
        elif isinstance(node, (ast.Try, ast.TryStar)):
            caught = [
                handler.type if handler.type is not None else ast.Constant(value=None) for handler in node.handlers
            ]
            yield from ((_alone(kind), guards) for kind in caught if _may_act(kind))
            handled = [(handler.body, (*guards, kind)) for handler, kind in zip(node.handlers, caught, strict=True)]
            below((node.body, guards), *handled, (node.orelse, guards), (node.finalbody, guards))
        else:
            yield node, guards


def _may_act(expression: ast.expr) -> bool:
    """Whether an expression may do something besides having a value."""
    return any(isinstance(inner, (ast.Call, ast.NamedExpr)) for inner in ast.walk(expression))


def _alone(expression: ast.expr) -> ast.Expr:
    """An expression as a statement of its own."""
    return ast.copy_location(ast.Expr(expression), expression)


def _define(name: str, statements: Sequence[Statement], digest: str, names: Names) -> Definition:
    lines = (min(item.lines[0] for item in statements), max(item.lines[1] for item in statements))
    return Definition(digest, names, statements[-1].kind_of(name), lines)


def _ends_of(word: str, text: str) -> Iterator[int]:
    """Where a word stands: its ends. Much faster than a pattern that begins with `\\b`."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not _is_in_word(text[at - 1 : at]) and not _is_in_word(text[end : end + 1]):
            yield end
        at = text.find(word, end)


def _stands(word: str, text: str) -> bool:
    return next(_ends_of(word, text), 0) > 0


def _is_in_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def _words_of(text: str) -> frozenset[str]:
    """The words of a text. Most are ASCII, where this takes half of the time that a pattern does."""
    data = text.encode(errors="replace")
    if not text.isascii() and _IDENTIFIER.search(data.translate(None, _ASCII).decode()):
        return frozenset(_IDENTIFIER.findall(text))
    return frozenset(data.translate(_SPACED).decode().split())


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and type(node.value.value) is str


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
