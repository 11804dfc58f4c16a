"""Where code lies: `module:qualname` from its import root, and `path:line` below the project's root.

A step's identity must be the same whether its file was started as a script, given by path, or imported by name; so
`__main__` is read as the module that its file would be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zen_core.contract.settings import Settings

NOT_IMPORTABLE = "__main__"
"""The module of an entry point that is good for a run in this process only."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """What a task imports a function by; `problem` says why it could not, and `hint` how that is mended."""

    entry_point: str
    problem: str = ""
    hint: str = ""


def import_roots(settings: Settings) -> tuple[Path, ...]:
    """The folders that a project's modules are imported from: its root, and `paths` below it; absolute."""
    root = (settings.root or Path.cwd()).resolve()
    return (root, *((root / path).resolve() for path in settings.paths))


def module_name_of(file: Path, roots: Sequence[Path]) -> str | None:
    """The dotted name by which a file is imported from the innermost root above it.

    None when it lies below no root, or has a path whose parts are no identifiers (as in an environment's folder).
    """
    from zen_core.codegen.import_roots import ImportRoots

    return ImportRoots(tuple(roots)).module_of(file)


def entry_point_of(function: Callable[..., Any], roots: Sequence[Path]) -> CodeLocation:
    """The entry point of a step's function.

    For code that no task could import (a notebook's, a nested function) it still answers with a name that is good
    for a run in this process, and with the problem.
    """
    qualname = function.__qualname__
    module = sys.modules.get(function.__module__)
    if module is None or not getattr(module, "__file__", None):
        name, problem = "", "it is defined in a notebook or an interactive session, which a task cannot import"
        hint = "move it into a file of the project, and import it from there"
    elif "<" in qualname:
        name, problem = "", "it is defined inside another function, where a task cannot import it"
        hint = "define it at the top level of a module"
    elif not _is_found_again(function, module):
        name, problem = "", f"the name {qualname!r} in its module stands for something else"
        hint = "give the step's function a name of its own at the top level of its module"
    else:
        name, problem, hint = _importable_name(module, roots)
    if problem:
        qualname = qualname.replace("<locals>", "locals").replace("<lambda>", "lambda")
        return CodeLocation(f"{NOT_IMPORTABLE}:{qualname}", problem, hint)
    return CodeLocation(f"{name}:{qualname}")


def public_module_name(module_name: str, roots: Sequence[Path]) -> str:
    """The module's name; for `__main__` the name that its file has when it is imported."""
    module = sys.modules.get(module_name) if module_name == "__main__" else None
    file = getattr(module, "__file__", None)
    return (file and module_name_of(Path(file).resolve(), roots)) or module_name


def place_of(file: str, line: int, root: Path) -> str:
    """`path:line`, the path relative to the root; for a file outside it, its name alone."""
    return f"{_shown_path(file, root)}:{line}"


def place_of_function(function: Callable[..., Any], root: Path) -> str:
    """`path:line` of a function's definition, or "" for one without Python source."""
    import inspect

    code = getattr(inspect.unwrap(function), "__code__", None)
    return place_of(code.co_filename, code.co_firstlineno, root) if code else ""


def user_frame(frame: FrameType | None, root: Path) -> FrameType | None:
    """The innermost frame, from `frame` outward, that is the project's own code; else the first that is not Zen's."""
    first: FrameType | None = None
    while frame is not None:
        if not str(frame.f_globals.get("__name__", "")).startswith("zen_core."):
            first = first or frame
            if _is_own_file(frame.f_code.co_filename, root):
                return frame
        frame = frame.f_back
    return first


def caller_place() -> str:
    """`path:line` of the user's line that is being executed, for problems found while a module is imported."""
    from zen_core.contract.settings import find_root

    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("zen_core."):
        frame = frame.f_back
    file = frame.f_code.co_filename
    return place_of(file, frame.f_lineno, find_root(Path(file).parent))


@lru_cache(maxsize=1024)
def _shown_path(file: str, root: Path) -> str:
    path = Path(file).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


@lru_cache(maxsize=1024)
def _is_own_file(file: str, root: Path) -> bool:
    path = Path(file).resolve()
    return path.is_relative_to(root) and _INSTALLED.isdisjoint(path.parts)


def _importable_name(module: ModuleType, roots: Sequence[Path]) -> tuple[str, str, str]:
    """A module's name for an entry point; or why a task could not import it by name, with a hint."""
    file = Path(module.__file__ or "").resolve()
    by_path = module_name_of(file, roots)
    is_script = module.__name__ == "__main__"
    if by_path is not None and (is_script or by_path == module.__name__):
        return by_path, "", ""
    if not file.is_relative_to(roots[0]):
        if is_script:
            return "", f"its file {file.name} lies outside the project", "move it into the project"
        return module.__name__, "", ""
    if not is_script and not _INSTALLED.isdisjoint(file.parts):
        return module.__name__, "", ""
    if not file.stem.isidentifier():
        return "", f"its file {file.name} has no name that a module can have", "rename it to a Python identifier"
    depth = 1 if is_script else module.__name__.count(".") + 1 + (file.name == "__init__.py")
    folder = file.parents[depth - 1].relative_to(roots[0]).as_posix()
    problem = f"its file is imported from the folder {folder}, which is no import root of the project"
    return "", problem, f'write paths = ["{folder}"] in zen.toml'


def _is_found_again(function: Callable[..., Any], module: ModuleType) -> bool:
    found: Any = module
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function or getattr(found, "function", None) is function
