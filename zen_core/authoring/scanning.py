"""The pipelines of a project as they stand in its files, read without importing any of them.

For messages and for completion in the shell: fast, and no user code runs. What is made dynamically is not seen.
Standard library only.
"""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zen_core.contract.source_code import parse_source

FILES_LOOKED_AT = 2000
"""How many files of a project are read through."""
_NO_FOLDERS = ("venv", "node_modules", "build", "dist")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class FoundPipeline:
    """A function with `@pipeline` at the top level of a file.

    Attributes:
        file: the file, relative to the root that was searched.
        name: the function's name, which a reference names after the colon.
        steps: the names of the steps that its body calls by name, in that order.
    """

    file: Path
    name: str
    steps: tuple[str, ...]


def split_reference(reference: str) -> tuple[str, str]:
    """What stands before and after the last colon: a file or module, and a pipeline's name or ""."""
    target, colon, name = reference.rpartition(":")
    if not colon or "/" in name or "\\" in name or name.endswith(".py"):  # C:\project\churn.py
        return reference, ""
    return target, name


def python_files(root: Path) -> Iterator[Path]:
    """The project's Python files, relative to its root; hidden folders, environments and other projects left out."""
    count = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(item for item in folders if item.isidentifier() and item not in _NO_FOLDERS)
        if "zen.toml" in files and Path(folder) != root:
            folders.clear()
            continue
        for name in sorted(files):
            if name.endswith(".py"):
                count += 1
                yield Path(folder, name).relative_to(root)
        if count > FILES_LOOKED_AT:
            return


def find_pipelines(root: Path, *, seconds: float = 2.0) -> list[FoundPipeline]:
    """The pipelines in the files below a folder, file by file.

    Args:
        root: the folder.
        seconds: files that are not read when this time is over are left out.
    """
    until = time.monotonic() + seconds
    found: list[FoundPipeline] = []
    for path in python_files(root):
        found += pipelines_in(root / path, shown=path)
        if time.monotonic() > until:
            break
    return found


def pipelines_in(file: Path, *, shown: Path | None = None) -> list[FoundPipeline]:
    """The pipelines of one file; none where it cannot be read.

    Args:
        file: the file.
        shown: what `FoundPipeline.file` is to be; default: `file`.
    """
    try:
        text = file.read_bytes()
        if b"zen_core" not in text or b"pipeline" not in text:
            return []
    except OSError:
        return []
    tree = parse_source(text)
    if tree is None:
        return []
    names = _Names(tree)
    return [
        FoundPipeline(shown or file, node.name, names.steps_of(node))
        for node in tree.body
        if isinstance(node, _Function) and names.is_decorated(node, "pipeline")
    ]


class _Names:
    """What the names at the top level of a module stand for."""

    def __init__(self, tree: ast.Module) -> None:
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        self.own = {
            alias.asname or alias.name: alias.name
            for node in imports
            if node.module == "zen_core"
            for alias in node.names
        }
        self.modules = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name == "zen_core"
        }
        functions = [node for node in tree.body if isinstance(node, _Function) and self.is_decorated(node, "step")]
        # A function of another module that a pipeline calls is taken for a step: its file is not read.
        imported = {alias.asname or alias.name for node in imports for alias in node.names if node.module != "zen_core"}
        self.steps = {name: name for name in imported if name.islower()}
        self.steps |= {node.name: _given_name(node.decorator_list) or node.name for node in functions}

    def is_decorated(self, node: _Function, decorator: str) -> bool:
        """Whether a function has this decorator of Zen's, called or not."""
        return any(
            self._is_own(item.func if isinstance(item, ast.Call) else item, decorator) for item in node.decorator_list
        )

    def _is_own(self, node: ast.expr, name: str) -> bool:
        if isinstance(node, ast.Name):
            return self.own.get(node.id) == name
        return (
            isinstance(node, ast.Attribute)
            and node.attr == name
            and isinstance(node.value, ast.Name)
            and node.value.id in self.modules
        )

    def steps_of(self, pipeline: _Function) -> tuple[str, ...]:
        """The names of the steps that a pipeline's body calls; from the second call on, with its number."""
        calls = [node for statement in pipeline.body for node in ast.walk(statement) if isinstance(node, ast.Call)]
        calls.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
        names: list[str] = []
        count: dict[str, int] = {}
        for base, given in filter(None, (self._step_called(node.func) for node in calls)):
            count[base] = count.get(base, 0) + (not given)
            names.append(base if given or count[base] == 1 else f"{base}_{count[base]}")
        return tuple(dict.fromkeys(names))

    def _step_called(self, function: ast.expr) -> tuple[str, bool] | None:
        """The name of the step that a call's function stands for, and whether `with_options` gave it."""
        if isinstance(function, ast.Name):
            return (self.steps[function.id], False) if function.id in self.steps else None
        if isinstance(function, ast.Attribute) and function.attr == "map":
            return self._step_called(function.value)
        if not isinstance(function, ast.Call) or not isinstance(function.func, ast.Attribute):
            return None
        if function.func.attr == "with_options" and (name := _given_name([function])):
            return name, True
        return self._step_called(function.func.value) if function.func.attr in ("after", "with_options") else None


def _given_name(calls: list[ast.expr]) -> str:
    """The text that one of these calls is given as `name=`, or ""."""
    keywords = [keyword for call in calls if isinstance(call, ast.Call) for keyword in call.keywords]
    values = [
        keyword.value.value for keyword in keywords if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    ]
    return next((value for value in values if isinstance(value, str)), "")
