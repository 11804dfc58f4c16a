"""The project's own modules: where they are found, and which of them a module imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zen_core.contract.settings import Settings
from zen_core.contract.source_code import parse_source

_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class ImportRoots:
    """The folders that the project's modules are imported from, in the order of look-up."""

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, settings: Settings) -> ImportRoots:
        """The project's root, and the `paths` of its settings; none where there is no project."""
        if settings.root is None:
            return cls(())
        root = settings.root.resolve()
        return cls(tuple(dict.fromkeys((root, *((root / path).resolve() for path in settings.paths)))))

    def find_module(self, name: str) -> Path | None:
        """The file of a module, the folder of a namespace package, or None where the project has none of this name."""
        parts = name.split(".")
        for folder in self.folders:
            base = folder.joinpath(*parts)
            for candidate in (base / "__init__.py", base.with_name(base.name + ".py")):
                if candidate.is_file():
                    return candidate
        for folder in self.folders:
            base = folder.joinpath(*parts)
            if base.is_dir():
                return base
        return None

    def module_of(self, file: Path) -> str | None:
        """The dotted name of a Python file below one of the folders; the innermost folder counts."""
        inside = [folder for folder in self.folders if file.is_relative_to(folder)]
        if not inside or file.suffix != ".py":
            return None
        parts = file.relative_to(max(inside, key=lambda folder: len(folder.parts))).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None

    def follow_imports(
        self, modules: Iterable[str], imports: Callable[[Path, str], Iterable[str]] | None = None
    ) -> dict[str, Path]:
        """The project's modules that these reach by imports, themselves included: file or folder by name, sorted.

        Args:
            imports: says what a file of a package imports, where that is known already.
        """
        imports = imports or imported_names
        reached: dict[str, Path] = {}
        found: dict[str, Path | None] = {}
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            path = None if name in reached else self._find_within(name, found)
            if path is None:
                continue
            reached[name] = path
            if "." in name:
                waiting.append(name.rpartition(".")[0])
            if path.suffix == ".py":
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                waiting.extend(imported for imported in imports(path, package) if imported not in reached)
        return dict(sorted(reached.items()))

    def _find_within(self, name: str, found: dict[str, Path | None]) -> Path | None:
        """As `find_module`, remembering; most names are those of functions, and a module holds no modules."""
        if name not in found:
            parent = name.rpartition(".")[0]
            home = self._find_within(parent, found) if parent else None
            is_possible = not parent or (home is not None and (home.name == "__init__.py" or home.suffix != ".py"))
            found[name] = self.find_module(name) if is_possible else None
        return found[name]


def is_installed(path: Path) -> bool:
    """Whether a path lies where packages are installed, also when that is a virtual environment in the project."""
    return not _INSTALLED.isdisjoint(path.parts)


def imported_names(path: Path, package: str) -> Iterator[str]:
    """Every name that the module may import, also inside functions and by `import_module("a literal")`."""
    try:
        source = path.read_bytes()
    except OSError:
        return
    tree = parse_source(source)
    if tree is None:
        return  # it cannot be imported here either: whoever imports it gets Python's own message
    # Python takes a name in full-width letters for the same one.
    may_call = not source.isascii() or b"import_module" in source or b"__import__" in source
    for node in ast.walk(tree) if may_call else _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call):
            yield from _dynamic_import(node)


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement of a module, also inside functions: a tenth of its nodes."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in ("body", "orelse", "handlers", "finalbody", "cases"):
            found = getattr(node, field, ())
            waiting += found if isinstance(found, list) else ()


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - node.level + 1]
    return ".".join((*kept, node.module) if node.module else kept)


def _dynamic_import(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in ("import_module", "__import__") and node.args:
        literal = node.args[0]
        if isinstance(literal, ast.Constant) and isinstance(literal.value, str) and not literal.value.startswith("."):
            yield literal.value
