"""The code behind the project's classes and functions, as a part of the digest of the values that carry them.

A fitted model of a class of the project's own does what `predict` says. When only `predict` is edited, training gives
equal attributes; yet the value is another one for everything that calls it. So the code of the class counts, with all
of the project that it reaches, wherever an object is told by its class: in pickles, dataclasses, models and enums.
Classes of installed packages count by their name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zen_core.contract.canonical import digest_bytes, digest_json
from zen_core.contract.values import TAG

if TYPE_CHECKING:
    pass

_OWN = ("zen_core", "zen_metadata", "zen_local", "zen_airflow", "zen_prefect", "zen_kfp", "zen_dagster")
_WHOLE = "*"
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STANDARD = os.path.dirname(os.__file__)

_State = tuple[tuple[str, int, int], ...]
_known: dict[tuple[str, str], tuple[str, _State]] = {}
"""Digests by file and name, each with the state of the files that it was taken of."""


def code_digest(module: str, qualname: str) -> str:
    """The digest of what the project says of a class or function; "" for what a package or Python itself brings.

    `*` in place of a name stands for the whole module.
    """
    file = _file_of(module)
    if not file or not _is_of_project(module, file):
        return ""
    key = (file, qualname.partition(".")[0])
    known = _known.get(key)
    if known is not None and known[1] == _state_of(path for path, _, _ in known[1]):
        return known[0]
    path = Path(file).resolve()
    digest, files = _take(path, *_origin_of(module, path), key[1])
    _known[key] = digest, _state_of(files)
    return digest


def digest_with_code(digest: str, form: Any) -> str:
    """The digest of a value in JSON form, with the code of the classes that it names; as it is where it names none."""
    codes = {name: code for name in set(_classes_in(form)) if (code := code_digest(*name.split(":", 1)))}
    return digest_json("value-with-code", [digest, codes]) if codes else digest


def digest_with_class(digest: str, kind: type) -> str:
    """The digest of a value with the code of its class; as it is where the class is not the project's."""
    code = code_digest(kind.__module__, kind.__qualname__)
    return digest_json("value-with-code", [digest, code]) if code else digest


def _classes_in(form: Any) -> Iterator[str]:
    if isinstance(form, list):
        for item in form:
            yield from _classes_in(item)
    elif isinstance(form, dict):
        if TAG in form and "class" in form:
            yield str(form["class"])
        for item in form.values():
            yield from _classes_in(item)


def _file_of(module: str) -> str | None:
    """Where a module lies, also where it is not imported yet: the digest must not depend on that."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__file__", None)
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None else None


def _is_of_project(module: str, file: str) -> bool:
    top = module.partition(".")[0]
    if top in _OWN or top in sys.stdlib_module_names or file.startswith(_STANDARD + os.sep):
        return False
    return _INSTALLED.isdisjoint(Path(file).parts)


def _state_of(files: Iterable[str]) -> _State:
    found = []
    for file in files:
        try:
            facts = os.stat(file)
        except OSError:
            continue
        found.append((file, facts.st_mtime_ns, facts.st_size))
    return tuple(found)


def _origin_of(module: str, file: Path) -> tuple[Path, str]:
    """The folder that a module is imported from, and its name from there; a script's own name is that of its file."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    name = spec.name if spec is not None else module
    parts = name.split(".")
    location = file.parent if file.name == "__init__.py" else file.with_suffix("")
    if location.parts[-len(parts) :] == tuple(parts):
        return location.parents[len(parts) - 1], name
    return file.parent, file.stem


def _other_roots(root: Path) -> Iterator[Path]:
    """The folders besides that Python imports from, without those of packages, of Python itself and of Zen."""
    for entry in dict.fromkeys(sys.path):
        path = Path(entry).resolve()
        is_foreign = f"{path}{os.sep}".startswith(_STANDARD + os.sep) or not _INSTALLED.isdisjoint(path.parts)
        if path != root and path.is_dir() and not is_foreign and not any((path / name).is_dir() for name in _OWN):
            yield path


def _take(file: Path, root: Path, module: str, name: str) -> tuple[str, list[str]]:
    """The digest of a definition and of all that it reaches, with the files that were read."""
    from zen_core.codegen.import_roots import ImportRoots
    from zen_core.compiler.code.effects import ImportEffects
    from zen_core.compiler.code.project import WHOLE, Place, Project
    from zen_core.compiler.code.walk import Walk

    project = Project(ImportRoots((root, *_other_roots(root))))
    found = project.module(module)
    if found is None:  # no source: an extension module, say
        return digest_bytes(file.read_bytes()), [str(file)]
    walk = Walk(ImportEffects(project), module)
    walk.add(Place(module, name if name in found.index.bound else WHOLE))
    reached = walk.finish("value")
    modules = {definition.name.partition(":")[0] for definition in reached.definitions} | {module}
    files = (project.roots.find_module(each) for each in modules)
    return reached.digest, sorted(str(each) for each in files if each is not None)
