"""The project's modules together: what a name stands for, and what a definition refers to."""

from __future__ import annotations

import builtins
import os
import sys
import time
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.util import decode_source, find_spec
from pathlib import Path
from typing import NamedTuple

from zen_core.codegen.bytecode import is_checked, stale_bytecode
from zen_core.codegen.import_roots import ImportRoots, is_installed
from zen_core.compiler.code.forms import digest_tokens
from zen_core.compiler.code.index_memo import IndexMemo
from zen_core.compiler.code.modules import Definition, Module
from zen_core.compiler.code.names import OWN_MODULE, READS, TYPES
from zen_core.compiler.code.read_ahead import Unread
from zen_core.compiler.code.statements import Statement
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import CodeDefinition, Unfollowed

_OWN = frozenset({"zen_core", "zen_metadata"})
_NAMESPACES = frozenset({"azure", "backports", "google", "jaraco", "nvidia", "opentelemetry", "ruamel", "zope"})
"""By name, since what is installed where a pipeline is compiled must not count."""
_DECORATORS_OF_ZEN = ("zen_core.step", "zen_core.pipeline", "zen_core.authoring.")
WHOLE = OWN_MODULE
_REACHING_ANYWHERE = ("sys.modules", "sys._getframe", "pkgutil.resolve_name", "runpy.", "inspect.currentframe")
_SET_BY_IMPORT = frozenset(
    {"__name__", "__file__", "__doc__", "__path__", "__package__", "__spec__", "__loader__", "__cached__"}
)


class Place(NamedTuple):
    """A name of a module of the project; `*` stands for the module as a whole."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


class Reached(NamedTuple):
    """One definition with all that its names stand for.

    Attributes:
        record: as it goes into the fingerprint.
        places: the project's definitions that it refers to.
        typed: those of them that stand in its annotations.
        externals: dotted names of what is not the project's.
        imported: modules of the project that it imports itself.
        unfollowed: where it reaches further than can be read.
    """

    record: CodeDefinition
    places: tuple[Place, ...]
    typed: frozenset[Place]
    externals: tuple[str, ...]
    imported: tuple[str, ...]
    unfollowed: tuple[Unfollowed, ...]


_modules: dict[tuple[str, str], tuple[Module, object]] = {}
"""What was read before, by name and file: nothing is parsed again that did not change. And as what it was loaded."""


class Project:
    """The modules below the import roots, each read when it is first asked for.

    One object sees each file once, so that all fingerprints of a pipeline are of one state of the project.

    Args:
        memo: knows what was read of the modules before, in other processes.

    Attributes:
        unreadable: modules whose files this user cannot read.
    """

    def __init__(self, roots: ImportRoots, memo: IndexMemo | None = None) -> None:
        self.roots = roots
        self._memo = memo
        self.unreadable: set[str] = set()
        self._outdated: set[str] = set()
        self._changed_at: dict[str, int] = {}
        self._found: dict[str, Module | None] = {}
        self._by_file: dict[str, Module | None] = {}
        self._reached: dict[tuple[Place, int], Reached] = {}
        self._resolved: dict[tuple[str, str], tuple[Place | str, ...]] = {}
        self._compiled_in: dict[str, set[str]] = {}
        self._closures: dict[str, tuple[Module, ...]] = {}
        self._counted: dict[tuple[str, tuple[int, ...]], Reached] = {}
        self._main: Module | None = None
        self._main_is_known = False

    # -- modules -----------------------------------------------------------------------------------------------------

    def module(self, name: str) -> Module | None:
        """A module of the project, or None for one that is not."""
        if name not in self._found:
            self._found[name] = self._read(name)
        return self._found[name]

    def module_of(self, file: str) -> Module | None:
        """The module that a file is."""
        if file not in self._by_file:
            path = Path(file).resolve()
            name = None if is_installed(path) else self.roots.module_of(path)
            found = self.module(name) if name else None
            is_it = found is not None and found.file == self._shown(path)
            self._by_file[file] = found if is_it else None
        return self._by_file[file]

    @property
    def main(self) -> Module | None:
        """The module that this process was started with, if it is the project's."""
        if not self._main_is_known:
            file = getattr(sys.modules.get("__main__"), "__file__", None)
            self._main, self._main_is_known = self.module_of(file) if file else None, True
        return self._main

    def _read(self, name: str) -> Module | None:
        above = name.rpartition(".")[0]
        package = self.module(above) if above else None
        if above and (package is None or not package.is_package):  # most such names are those of functions
            return None
        path = self.roots.find_module(name) if name else None
        if path is None or is_installed(path) or (path.is_dir() and _is_installed_module(name.partition(".")[0])):
            return None
        if path.is_dir():
            return Module(name, "", "", is_package=True)
        try:
            self._changed_at[name] = path.stat().st_mtime_ns
            text = decode_source(path.read_bytes())
        except (OSError, SyntaxError, UnicodeDecodeError):
            self.unreadable.add(name)
            text = ""
        known, loaded_before = _modules.get((name, str(path)), (None, None))
        if known is not None and known.text == text:
            return known
        is_package = path.name == "__init__.py"
        module = Module(name, self._shown(path), text, is_package=is_package, memo=self._memo)
        if self._memo is not None:
            self._memo.offer(Unread(len(text), name, is_package, path))
        loaded = getattr(sys.modules.get(name), "__spec__", None)  # another one after a reload
        if known is not None and loaded is not None and loaded is loaded_before:
            self._outdated.add(name)
        else:
            _modules[name, str(path)] = module, loaded
        return module

    def is_compiled(self, name: str) -> bool:
        """Whether an extension module of this name lies in the project, for whichever platform."""
        above, _, own = name.rpartition(".")
        found = self._compiled_in.get(above)
        if found is None:
            found = self._compiled_in[above] = set()
            for folder in self.roots.folders:
                with suppress(OSError):
                    files = os.listdir(folder.joinpath(*above.split(".")))
                    found.update(file.partition(".")[0] for file in files if file.endswith((".so", ".pyd")))
        return own in found

    def why_outdated(self, module: Module, loaded_at: int | None) -> str:
        """Why this process runs other code than the module's file holds by now; "" if it does not.

        Args:
            loaded_at: a time at which what is in memory had been loaded, in nanoseconds since 1970; None: not known.
        """
        loaded = sys.modules.get(module.name)
        now = time.time_ns()
        is_newer = (loaded_at or now) < self._changed_at.get(module.name, 0) <= now  # later: another machine's clock
        # Or the text is not that of an earlier run of this process.
        if module.name in self._outdated or (is_newer and (loaded is not None or self.main is module)):
            return "the file changed since it was imported; start the process again"
        file = getattr(loaded, "__file__", None)
        if file and not is_checked(getattr(loaded, "__loader__", None)) and stale_bytecode(file):
            return "Python imported older bytecode of it; remove its __pycache__ folder and start the process again"
        return ""

    def _shown(self, path: Path) -> str:
        for folder in self.roots.folders:
            if path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return path.name

    def closure(self, start: str) -> tuple[Module, ...]:
        """All modules of the project that importing this one may import, itself included, by name."""
        found = self._closures.get(start)
        if found is None:
            reached: dict[str, Module] = {}
            waiting = [start]
            while waiting:
                name = waiting.pop()
                module = None if name in reached else self.module(name)
                if module is None:
                    continue
                reached[name] = module
                waiting += [name.rpartition(".")[0], *sorted(module.imported)]
            found = self._closures[start] = tuple(reached[name] for name in sorted(reached))
        return found

    # -- names -------------------------------------------------------------------------------------------------------

    def resolve(self, module: Module, path: str) -> tuple[Place | str, ...]:
        """What a dotted name stands for at a module's top level: places in the project, dotted names elsewhere.

        Several where the module may bind it in several ways; none for builtins and what is unknown.
        """
        key = (module.name, path)
        found = self._resolved.get(key)
        if found is None:
            if path == OWN_MODULE:
                listed: list[Place | str] = [Place(module.name, WHOLE)]
            elif path.startswith("@"):
                level, base, attributes = path[1:].split(":", 2)
                names = attributes.split(".") if attributes else []
                listed = self._walk(module.absolute(int(level), base), names, frozenset())
            else:
                name, *names = path.split(".")
                listed = self._in_module(module, name, names, frozenset())
            found = self._resolved[key] = tuple(dict.fromkeys(listed))
        return found

    def _in_module(
        self, module: Module, name: str, rest: list[str], seen: frozenset[tuple[str, str]]
    ) -> list[Place | str]:
        if (module.name, name) in seen:
            return []
        seen |= {(module.name, name)}
        found: list[Place | str] = [Place(module.name, name)] if name in module.index.bound else []
        for base, attribute in module.index.imports.get(name, ()):
            found += self._walk(base, [*([attribute] if attribute else []), *rest], seen)
        for star in () if found else module.index.stars:
            starred = self.module(star)
            if starred is not None:
                found += self._in_module(starred, name, rest, seen)
            elif not hasattr(builtins, name):
                found.append(f"{star}.{name}")
        return found

    def _walk(self, base: str, names: list[str], seen: frozenset[tuple[str, str]]) -> list[Place | str]:
        module = self.module(base)
        if module is None:
            return [".".join((base, *names))]
        if not names:
            return [Place(base, WHOLE)]
        name, *rest = names
        found = self._in_module(module, name, rest, seen)
        if found:
            return found
        if self.module(f"{base}.{name}") is not None:
            return self._walk(f"{base}.{name}", rest, seen)
        # What is neither there nor set by importing is made in another way: elsewhere, or such that it cannot be read.
        return [] if name in _SET_BY_IMPORT else [Place(base, WHOLE), Place(base, name)]

    def is_of_zen(self, module: Module, path: str) -> bool:
        """Whether a decorator of this dotted name is `@step` or `@pipeline` of Zen's."""
        return bool(path) and any(
            isinstance(found, str) and found.startswith(_DECORATORS_OF_ZEN) for found in self.resolve(module, path)
        )

    # -- definitions -------------------------------------------------------------------------------------------------

    def reach(self, place: Place, *, as_step: bool = False) -> Reached:
        """A definition, and what it refers to. `as_step`: the form in which a step's own function counts."""
        key = (place, as_step)
        found = self._reached.get(key)
        if found is None:
            module = self.module(place.module)
            assert module is not None
            if as_step:
                decorators = module.index.bound[place.name][-1].decorators
                dropped = [item for item in decorators if self.is_of_zen(module, item.path)]
                definition = module.root_definition(place.name, dropped)
            else:
                definition = module.definition(place.name)
            found = self._reached[key] = self.link(module, str(place), definition)
        return found

    def link(self, module: Module, name: str, definition: Definition, *, around: Set[str] | None = None) -> Reached:
        """A definition with what its names stand for.

        Args:
            around: of a function within another one, the names that it takes from there.
        """
        places: dict[Place, None] = {}
        externals: dict[str, None] = {}
        links: list[list[str]] = []
        names = definition.names
        for path in sorted(names.of(READS)):
            root = path.partition(".")[0]
            if around is not None and root in around:
                continue
            targets = self.resolve(module, path)
            if targets:
                links.append([path, *sorted(map(str, targets))])
            elif around is None and names.uses[path] & ~(READS | TYPES) and self._is_unbound(module, root):
                places |= dict.fromkeys((Place(module.name, WHOLE), Place(module.name, root)))
            for target in targets:
                if isinstance(target, Place):
                    places[target] = None
                else:
                    externals[target] = None
        # Of a class that is asked which derive from it, those count as they do of one in an annotation.
        typing = [path for path, how in names.uses.items() if how & TYPES or path.endswith(".__subclasses__")]
        typed = {item for path in typing for item in self.resolve(module, path) if isinstance(item, Place)}
        unfollowed = []
        for target in externals:
            if target.startswith(_REACHING_ANYWHERE):
                places[Place(module.name, WHOLE)] = None
                unfollowed.append(Unfollowed(target, module.file, definition.lines[0]))
        for what, line, inside in names.unfollowed:
            if not inside:
                places[Place(module.name, WHOLE)] = None
            looked_in = self.places(module, [inside] if inside else [])
            if not inside or any(place.name == WHOLE for place in looked_in):
                unfollowed.append(Unfollowed(what, module.file, line))
        imported = []
        for level, written in sorted(names.imported):
            base, is_from, attribute = written.partition(":")
            other = module.absolute(level, base) + (f".{attribute}" if is_from else "")
            if self.module(other) is not None:
                imported.append(other)
            elif not is_from or self.is_compiled(other):
                externals[other] = None
        record = CodeDefinition(
            name,
            digest_tokens([definition.digest, ascii(links)]),
            definition.kind,
            module.file,
            definition.lines,
        )
        return Reached(record, tuple(places), frozenset(typed), tuple(externals), tuple(imported), tuple(unfollowed))

    def _is_unbound(self, module: Module, name: str) -> bool:
        """Whether nothing that can be read binds a name, neither in a module nor in Python: it is made otherwise."""
        if name in module.index.bound or name in module.index.imports or name.startswith("@"):
            return False
        return name not in _SET_BY_IMPORT and name != "__class__" and not hasattr(builtins, name)

    def whole(self, module: Module) -> list[Place]:
        """Every definition of a module."""
        return [Place(module.name, name) for name in sorted(module.index.bound)]

    def statements(self, module: Module, name: str, statements: Sequence[Statement]) -> Reached:
        """Several statements of a module's top level, as one definition."""
        key = (module.name, tuple(item.position for item in statements))
        found = self._counted.get(key)
        if found is None:
            parts = [self.link(module, "", Definition("", item.all_names(), "", (0, 0))) for item in statements]
            lines = (min(item.lines[0] for item in statements), max(item.lines[1] for item in statements))
            content = [[item.whole_digest() for item in statements], [part.record.digest for part in parts]]
            digest = digest_json("statements", content)
            found = self._counted[key] = Reached(
                CodeDefinition("", digest, "variable", module.file, lines),
                tuple(place for part in parts for place in part.places),
                frozenset(),
                tuple(item for part in parts for item in part.externals),
                (),
                (),
            )
        return found._replace(record=replace(found.record, name=name))

    def places(self, module: Module, paths: Iterable[str]) -> list[Place]:
        """What dotted names stand for in the project."""
        return [item for path in paths for item in self.resolve(module, path) if isinstance(item, Place)]

    def kind_of(self, place: Place) -> str:
        """`function`, `class` or `variable`; "" for a whole module."""
        module = self.module(place.module)
        if module is None or place.name not in module.index.bound:
            return ""
        return module.index.bound[place.name][-1].kind_of(place.name)


def third_party(externals: Iterable[str]) -> set[str]:
    """The import names that are neither the standard library's nor Zen's own.

    Top-level ones, but for namespaces that many distributions share: there up to three parts.
    """
    found = set()
    for name in externals:
        top = name.partition(".")[0]
        if top and top not in sys.stdlib_module_names and top not in _OWN and top != "__main__":
            found.add(".".join(name.split(".")[:3]) if top in _NAMESPACES else top)
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)}


@cache
def _is_installed_module(name: str) -> bool:
    """Whether Python would import an installed module of this name before a folder of the project's."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return bool(getattr(loaded, "__file__", None))
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None
