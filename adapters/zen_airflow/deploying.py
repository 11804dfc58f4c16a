"""Hands a DAG over: its file and what lies beside it go into the DAGs folder, and what belongs to others stays.

Airflow may start a task at any moment of it. The DAG's file is replaced last, by one move, and names the IR that its
manifest must be of; manifest and code of the IR before are kept in a folder of their own, for a task that has read
the older file already.
"""

from __future__ import annotations

import ast
import os
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from zen_airflow.options import AirflowOptions
from zen_core.adapter.protocol import Adapter, Check, Deployment, DeployRequest
from zen_core.adapter.upgrading import kept_of_before, project_of
from zen_core.adapter.versions import find_untested
from zen_core.codegen.bundle import EMITTED_BY, SIDECAR_SUFFIX
from zen_core.codegen.output import write_files
from zen_core.contract.manifest import BEFORE_FOLDER, MANIFEST_FILE
from zen_core.contract.settings import Settings
from zen_core.contract.source_code import parse_source
from zen_core.diagnostics import Diagnostic
from zen_core.errors import CompilationError, DeploymentError

_OPTION = "[adapters.airflow] dags_folder"
_DISTRIBUTIONS = ("apache-airflow-core", "apache-airflow")  # of Airflow 3, of both


def find_problems(request: DeployRequest) -> tuple[Diagnostic, ...]:
    """All that keeps the DAG from being put into the folder."""
    assert isinstance(request.options, AirflowOptions)
    folder = _folder(request.options, request.settings)
    if isinstance(folder, Diagnostic):
        return (folder,)
    dag_id = request.pipeline.name
    own = folder / f"{dag_id}.py"
    problems = [*_find_foreign_file(own, request), *_find_unwritable(own)]
    for path in _python_files(folder):
        if path != own and dag_id in _dag_ids(path, dag_id):
            problems.append(_duplicate(dag_id, path))
    return tuple(problems)


def deploy(adapter: Adapter, request: DeployRequest) -> Deployment:
    """Write the files into the DAGs folder, the DAG's own file last. Raises DeploymentError."""
    assert isinstance(request.options, AirflowOptions)
    folder = _folder(request.options, request.settings)
    if isinstance(folder, Diagnostic):
        raise DeploymentError(diagnostics=[folder])
    dag_id = request.pipeline.name
    files = {file.path: file.content for file in request.files}
    try:
        changed = write_files(folder, {**kept_of_before(folder, request.pipeline), **files})
    except CompilationError as error:
        why = f"{error.message} ({error.diagnostics[0].where})"
        hint = "deploy as a user who may write there"
        raise DeploymentError("the DAG cannot be written", where=str(folder), why=why, hint=hint) from error
    found = _installed_version()
    warning = find_untested(adapter, "Airflow", found) if found else None
    return Deployment(
        dag_id,
        str(folder),
        changed,
        start=f"airflow dags trigger {dag_id}",
        warnings=(warning,) if warning else (),
    )


def examine(adapter: Adapter, options: AirflowOptions, settings: Settings) -> Iterator[Check]:
    """The DAGs folder by writing to it, and the installed version."""
    found = _installed_version()
    if found is None:
        yield Check("airflow", "not installed here, which compiling and deploying do not need")
    else:
        yield Check("airflow", found, find_untested(adapter, "Airflow", found), is_warning=True)
    component = "airflow: DAGs folder"
    if options.dags_folder is None:
        yield Check(component, "not set, so `zen deploy` has nowhere to write")
        return
    folder = _folder(options, settings)
    problem = folder if isinstance(folder, Diagnostic) else _try_to_write(folder)
    if isinstance(folder, Diagnostic) or problem is not None:
        yield Check(component, options.dags_folder, problem)
    else:
        count = sum(1 for _ in _python_files(folder))
        yield Check(component, f"{folder}: written and removed a file, {count} others that Airflow may read")


def _installed_version() -> str | None:
    for distribution in _DISTRIBUTIONS:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


# -- the folder -------------------------------------------------------------------------------------------------


def _folder(options: AirflowOptions, settings: Settings) -> Path | Diagnostic:
    """The DAGs folder, or why it cannot be used."""
    if options.dags_folder is None:
        return Diagnostic(
            "ZEN-A104",
            "where the DAG is to go is not known",
            where=_OPTION,
            hint="write the path of Airflow's DAGs folder there ('airflow config get-value core dags_folder' says it)",
        )
    folder = (settings.root or Path.cwd()) / Path(options.dags_folder).expanduser()
    if not folder.is_dir():
        return Diagnostic(
            "ZEN-A104",
            f"the DAGs folder {folder} is not there",
            where=_OPTION,
            hint="correct the path, or make the folder where Airflow looks for DAGs",
        )
    return folder if os.access(folder, os.W_OK | os.X_OK) else _unwritable(folder)


def _find_unwritable(own: Path) -> Iterator[Diagnostic]:
    beside = own.with_suffix(SIDECAR_SUFFIX)
    for folder in (own.parent, beside, beside / BEFORE_FOLDER):
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            yield _unwritable(folder)


def _try_to_write(folder: Path) -> Diagnostic | None:
    probe = folder / f".zen-doctor.{os.getpid()}.tmp"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError:
        return _unwritable(folder)
    return None


def _unwritable(folder: Path) -> Diagnostic:
    message, hint = f"the folder {folder} cannot be written", "deploy as a user who may write there"
    return Diagnostic("ZEN-A104", message, where=_OPTION, hint=hint)


# -- what is there already --------------------------------------------------------------------------------------


def _find_foreign_file(own: Path, request: DeployRequest) -> Iterator[Diagnostic]:
    """The file that would be replaced, where it is not this pipeline's of this project."""
    text = _read(own)
    if text is None:
        return
    if EMITTED_BY not in text.partition("\n")[0]:
        why, hint = "it was not emitted by Zen", "rename the pipeline, or move that file away"
    else:
        owner = project_of(own)
        if owner == request.settings.project:
            return
        if owner:
            why, hint = f"it belongs to the project {owner!r}", "rename one of the two pipelines"
        else:
            why = f"whose it is cannot be told: its {own.stem}{SIDECAR_SUFFIX}/{MANIFEST_FILE} is missing or damaged"
            hint = "put that back; or remove the file, if it is this project's or nobody's"
    yield Diagnostic("ZEN-A105", f"{own.name} in the DAGs folder would be replaced", str(own), why=why, hint=hint)


def _duplicate(dag_id: str, path: Path) -> Diagnostic:
    return Diagnostic(
        "ZEN-A105",
        f"the DAGs folder has a DAG {dag_id!r} already, which is not this pipeline's",
        where=str(path),
        why="Airflow keeps one DAG of a name, and which one is a matter of chance",
        hint="rename the pipeline, or remove that DAG",
        context={"dag_id": dag_id, "path": str(path)},
    )


def _python_files(folder: Path) -> Iterator[Path]:
    """Python files and packaged DAGs, also behind links, as Airflow reads them; not what Zen puts beside its own."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.endswith(SIDECAR_SUFFIX) and name != "__pycache__")
        yield from (Path(place, name) for name in sorted(names) if name.endswith((".py", ".zip")))


def _dag_ids(path: Path, wanted: str) -> set[str]:
    """The ids of the DAGs that a file defines, as far as its text says: nothing of it is run.

    Args:
        wanted: an id that must stand in the text, for it to be parsed at all.
    """
    if path.suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".py")]
                texts = [archive.read(name).decode("utf-8", "replace") for name in names]
        except (OSError, zipfile.BadZipFile):
            return set()
    else:
        texts = [_read(path) or ""]
    return {found for text in texts if wanted in text for found in _ids_in(text)}


def _ids_in(text: str) -> Iterator[str]:
    tree = parse_source(text)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and _last_name(node.func) == "DAG":
            yield from _given_id(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if _last_name(call.func if call else decorator) == "dag":
                    yield next(_given_id(call), node.name) if call else node.name


def _given_id(call: ast.Call) -> Iterator[str]:
    values = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "dag_id")]
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
