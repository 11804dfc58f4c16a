"""Source texts out of code bundles: where a definition stands in the code that a run was made with."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from zen_core.contract.code_bundle import code_digest
from zen_core.contract.source_code import parse_source
from zen_core.errors import ZenError
from zen_metadata.query.differences.unified import Line
from zen_metadata.query.stores import ReadStores

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)


@dataclass(frozen=True)
class SourceFile:
    """A Python file of a bundle. `name` is its path there, below the import root."""

    name: str
    text: str

    def find_lines(self, qualname: str, recorded: tuple[int, int]) -> list[Line]:
        """The lines of a definition: by its name; else those that were recorded.

        The name comes first, since what was recorded holds for the file as it was when the definition was first
        seen: a comment above it moves it, and does not change it.
        """
        spans = list(_find_spans(self._tree, qualname)) if self._tree is not None and qualname else []
        if not spans and recorded[0]:
            spans = [recorded]
        texts = self._lines
        numbers = sorted({number for first, last in spans for number in range(first, min(last, len(texts)) + 1)})
        return [(number, texts[number - 1]) for number in numbers]

    @cached_property
    def _lines(self) -> list[str]:
        # As Python counts them: splitlines() would also split at a form feed.
        return self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @cached_property
    def _tree(self) -> ast.Module | None:
        return parse_source(self.text)  # None: written for a newer Python than this one


@dataclass(frozen=True)
class Sources:
    """The code bundles in the artifact store, each read once."""

    stores: ReadStores
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Why texts are not at hand, in words, by the bundle's digest."""
    _bundles: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _files: dict[tuple[str, str], SourceFile] = field(default_factory=dict)

    def find_file(self, bundle: str, module: str, file: str) -> SourceFile | None:
        """The file of a module in a bundle; None where there is none, and `problems` then says why.

        Args:
            module: its dotted name.
            file: its path as the fingerprint tells it, for one that is not found by its name.
        """
        content = self._open(bundle)
        path = module.replace(".", "/")
        for name in (f"{path}.py", f"{path}/__init__.py", file):
            if name in content:
                known = self._files.get((bundle, name))
                if known is None:
                    known = self._files[bundle, name] = SourceFile(name, content[name].decode("utf-8", "replace"))
                return known
        if content:
            reason = self._left_out(bundle).get(file)
            self._problem(bundle, f"it lacks {file or module}" + (f" ({reason})" if reason else ""))
        return None

    def _left_out(self, bundle: str) -> dict[str, str]:
        found = self.stores.lineage.find_left_out(self.stores.settings.project, bundle)
        return {item["file"]: item["reason"] for item in found}

    def _open(self, bundle: str) -> dict[str, bytes]:
        if bundle not in self._bundles:
            self._bundles[bundle] = {}
            try:
                self._bundles[bundle] = self._read(bundle)
            except ZenError as error:
                self._problem(bundle, error.message)
        return self._bundles[bundle]

    def _read(self, bundle: str) -> dict[str, bytes]:
        from zen_metadata.shim.code import bundle_location

        location = bundle_location(bundle)
        if not self.stores.artifacts.exists(location):
            self._problem(bundle, f"it is not in the artifact store ({location})")
            return {}
        try:
            with zipfile.ZipFile(io.BytesIO(self.stores.artifacts.read_bytes(location))) as archive:
                content = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
        except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            self._problem(bundle, f"it is damaged ({location}: {error})")
            return {}
        if code_digest(content) != bundle:
            self._problem(bundle, f"it is not what was stored ({location})")
            return {}
        return content

    def _problem(self, bundle: str, text: str) -> None:
        known = self.problems.setdefault(bundle, [])
        if text not in known:
            known.append(text)


def _find_spans(tree: ast.Module, qualname: str) -> Iterator[tuple[int, int]]:
    """First and last line of all statements that make the name: several for a variable that is altered."""
    *outer, last = [part for part in qualname.split(".") if part != "<locals>"]
    body: Sequence[ast.stmt] = tree.body
    for name in outer:
        found = [
            node for node in _statements(body) if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and node.name == name
        ]
        if not found:
            return
        body = found[-1].body
    for node in _statements(body):
        if last in _names_of(node):
            decorators = getattr(node, "decorator_list", ())
            yield min([node.lineno, *(item.lineno for item in decorators)]), node.end_lineno or node.lineno


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of one scope, those in `if`, `try`, `with` and loops too."""
    waiting = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            inner = [part for name in ("body", "orelse", "finalbody") for part in getattr(node, name, ())]
            handled = [part for handler in getattr(node, "handlers", ()) for part in handler.body]
            waiting.extend(reversed([*inner, *handled]))


def _names_of(node: ast.stmt) -> set[str]:
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return {node.name}
    if isinstance(node, _ASSIGNMENTS):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return set()
