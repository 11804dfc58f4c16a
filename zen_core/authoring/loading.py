"""Finds a pipeline by what people type: `path/to/file.py:name` or `package.module:name`.

The module is imported by its dotted name from the project's import roots, so that its code has one identity however
it was named.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from zen_core.authoring.code_location import import_roots, module_name_of, place_of
from zen_core.authoring.decorators import Pipeline, Step
from zen_core.authoring.problems import did_you_mean
from zen_core.authoring.scanning import find_pipelines, python_files, split_reference
from zen_core.codegen.bytecode import check_bytecode_below
from zen_core.contract.settings import Settings
from zen_core.errors import LoadError, ZenError

_PIPELINES_SHOWN = 5


def load_pipeline(reference: str, settings: Settings) -> Pipeline[Any]:
    """The pipeline that a reference names; the name may be left out where the module defines exactly one.

    A relative path is one from the current folder. The project's import roots come first on sys.path afterwards.

    Raises:
        LoadError: there is no such file, module or pipeline, or importing it fails.
        DefinitionError: an option in the module has a value that cannot be.
    """
    target, name = split_reference(reference)
    roots = import_roots(settings)
    file = _file_of(target, roots[0]) if is_file_reference(target) else None
    module_name = _module_of(file, roots) if file else target
    _put_first(roots)
    check_bytecode_below(roots)
    module = _import(module_name, file, roots)
    return _find_pipeline(module, name, reference, roots[0])


def is_file_reference(target: str) -> bool:
    """Whether a reference's first part is a path, not the name of a module."""
    return target.endswith(".py") or "/" in target or os.sep in target


def _file_of(target: str, root: Path) -> Path:
    file = Path(target)
    if file.is_file():
        return file.resolve()
    known = {path.as_posix(): path for path in python_files(root)}
    near = did_you_mean(Path(os.path.relpath(target, root)).as_posix(), known) or did_you_mean(target, known)
    same_name = [shown for shown, path in known.items() if path.name == file.name]
    hint = f"did you mean {same_name[0]!r}?" if same_name else near
    what = "a folder" if file.is_dir() else "not there"
    hint = hint or _pipelines_hint(root) or "a path begins in the current folder"
    raise LoadError(f"the file {target} is {what}", code="ZEN-D201", hint=hint)


def _pipelines_hint(root: Path) -> str:
    found = [f"{item.file.as_posix()}:{item.name}" for item in find_pipelines(root)]
    return f"the project's pipelines: {', '.join(found[:_PIPELINES_SHOWN])}" if found else ""


def _module_of(file: Path, roots: tuple[Path, ...]) -> str:
    name = module_name_of(file, roots)
    if name is not None:
        return name
    root = roots[0]
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
    if not file.is_relative_to(root):
        why, hint = f"it lies outside the project, whose root is {root}", "run the command in the file's own project"
    elif file.suffix != ".py" or not file.stem.isidentifier():
        why, hint = "a module's name is a Python identifier", "rename the file: letters, digits and underscores, .py"
    else:
        why = "its folder's name is no Python identifier"
        hint = f'write paths = ["{Path(shown).parent.as_posix()}"] in zen.toml'
    raise LoadError(f"{shown} cannot be imported by name", where=shown, code="ZEN-D202", why=why, hint=hint)


def _put_first(roots: tuple[Path, ...]) -> None:
    first = [str(root) for root in roots]
    sys.path[:] = [*first, *(entry for entry in sys.path if entry not in first)]


def _import(module_name: str, file: Path | None, roots: tuple[Path, ...]) -> ModuleType:
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ZenError:
        raise  # it says already what is wrong, and where
    except ModuleNotFoundError as error:
        if file is None and f"{module_name}.".startswith(f"{error.name}."):
            known = [name for path in python_files(roots[0]) if (name := module_name_of(roots[0] / path, roots))]
            hint = did_you_mean(module_name, known) or _pipelines_hint(roots[0]) or "name a file: path/to/file.py:name"
            raise LoadError(f"there is no module {module_name!r}", code="ZEN-D201", why=str(error), hint=hint) from None
        raise _import_failed(module_name, error, roots[0]) from error
    except (Exception, SystemExit) as error:  # the user's code: whatever it raises is told with its traceback
        raise _import_failed(module_name, error, roots[0]) from error
    origin = getattr(module, "__file__", None)
    if file is not None and (origin is None or Path(origin).resolve() != file):
        raise LoadError(
            f"importing {module_name!r} gives another file",
            where=place_of(str(file), 1, roots[0]),
            code="ZEN-D202",
            why=f"a module of this name was imported from {origin}",
            hint="rename one of them",
        )
    return module


def _import_failed(module_name: str, error: BaseException, root: Path) -> LoadError:
    """The error of a module that cannot be imported, with the user's own part of the traceback."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and Path(__file__).parent not in Path(frame.filename).parents
    ]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)] if frames else []
    text = "".join([*lines, *traceback.format_exception_only(error)]).rstrip("\n")
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = place_of(error.filename, error.lineno or 1, root)
    elif frames:
        where = place_of(frames[-1].filename, frames[-1].lineno or 1, root)
    what = "it ends the process" if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"
    hint = ""
    if isinstance(error, ModuleNotFoundError):
        hint = f"install the package that has {error.name!r}, or list the folder it lies in in `paths` of zen.toml"
    elif isinstance(error, SystemExit):
        hint = 'put what the script does under `if __name__ == "__main__":`'
    return LoadError(f"importing {module_name!r} fails: {what}", where=where, code="ZEN-D203", why=text, hint=hint)


def _find_pipeline(module: ModuleType, name: str, reference: str, root: Path) -> Pipeline[Any]:
    pipelines = {key: value for key, value in vars(module).items() if isinstance(value, Pipeline)}
    where = place_of(module.__file__, 1, root).rpartition(":")[0] if module.__file__ else module.__name__
    if name in pipelines:
        return pipelines[name]
    own = {key: value for key, value in pipelines.items() if value.__module__ == module.__name__} or pipelines
    if not name and len(own) == 1:
        return next(iter(own.values()))
    listed = f"its pipelines: {', '.join(own)}" if own else "decorate a function with @pipeline"
    if not own and (elsewhere := _pipelines_hint(root)):
        listed += f"; {elsewhere}"
    if not name:
        what = f"{reference} defines {len(own) or 'no'} pipelines"
        hint = f"name one: {reference}:{next(iter(own))}; {listed}" if own else listed
        raise LoadError(what, where=where, code="ZEN-D204", hint=hint)
    found = getattr(module, name, None)
    if found is None:
        what, hint = f"{where} has no pipeline {name!r}", did_you_mean(name, own) or listed
    else:
        kind = "a step" if isinstance(found, Step) else f"a {type(found).__name__}"
        what, hint = f"{name!r} in {where} is {kind}, not a pipeline", listed
    raise LoadError(what, where=where, code="ZEN-D204", hint=hint)
