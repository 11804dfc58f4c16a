"""Hands a DAG over: its file and what lies beside it go into the DAGs folder, and what belongs to others stays."""

from __future__ import annotations

import ast
import os
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from zen_airflow.options import AirflowOptions
from zen_core.adapter.protocol import Adapter, Check, Deployment, DeployRequest
from zen_core.adapter.versions import find_untested
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.output import write_files
from zen_core.contract.manifest import read_manifest
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DeploymentError, ZenError

_OPTION = "[adapters.airflow] dags_folder"


def find_problems(request: DeployRequest) -> tuple[Diagnostic, ...]:
    """All that keeps the DAG from being put into the folder."""
    assert isinstance(request.options, AirflowOptions)
    folder = _folder(request.options, request.settings)
    if isinstance(folder, Diagnostic):
        return (folder,)
    dag_id = request.pipeline.name
    own = folder / f"{dag_id}.py"
    problems = list(_find_foreign_file(own, request))
    for path in _python_files(folder):
        if path == own or dag_id not in _dag_ids(path):
            continue
        problems.append(
            Diagnostic(
                "ZEN-A105",
                f"the DAGs folder has a DAG {dag_id!r} already, which is not this pipeline's",
                where=str(path),
                why="Airflow keeps one DAG of a name, and which one is a matter of chance",
                hint="rename the pipeline, or remove that DAG",
                context={"dag_id": dag_id, "path": str(path)},
            )
        )
    return tuple(problems)


def deploy(adapter: Adapter, request: DeployRequest) -> Deployment:
    """Write the files into the DAGs folder, the DAG's own file last. Raises DeploymentError, CompilationError."""
    assert isinstance(request.options, AirflowOptions)
    folder = _folder(request.options, request.settings)
    if isinstance(folder, Diagnostic):
        raise DeploymentError(diagnostics=[folder])
    changed = write_files(folder, {file.path: file.content for file in request.files})
    dag_id = request.pipeline.name
    installed = _installed_version()
    warning = find_untested(adapter, "Airflow", installed) if installed else None
    return Deployment(
        dag_id,
        str(folder),
        changed,
        start=f"airflow dags trigger {dag_id}",
        warnings=(warning,) if warning else (),
    )


def examine(adapter: Adapter, options: AirflowOptions, settings: Settings) -> Iterator[Check]:
    """The DAGs folder by writing to it, and the installed version."""
    installed = _installed_version()
    if installed is None:
        yield Check("airflow", "not installed here, which compiling and deploying do not need")
    else:
        yield Check("airflow", installed, find_untested(adapter, "Airflow", installed), is_warning=True)
    if options.dags_folder is None:
        yield Check("airflow: DAGs folder", "not set, so `zen deploy` has nowhere to write")
        return
    folder = _folder(options, settings)
    if isinstance(folder, Diagnostic):
        yield Check("airflow: DAGs folder", options.dags_folder, folder)
    else:
        count = sum(1 for _ in _python_files(folder))
        yield Check("airflow: DAGs folder", f"{folder}, can be written, {count} Python files")


def _installed_version() -> str | None:
    try:
        return version("apache-airflow")
    except PackageNotFoundError:
        return None


def _folder(options: AirflowOptions, settings: Settings) -> Path | Diagnostic:
    """The DAGs folder, or why it cannot be used."""
    if options.dags_folder is None:
        return Diagnostic(
            "ZEN-A104",
            "where the DAG is to go is not known",
            where=_OPTION,
            hint="write the path of Airflow's DAGs folder there ('airflow config get-value core dags_folder' says it)",
        )
    folder = ((settings.root or Path.cwd()) / options.dags_folder).expanduser()
    if not folder.is_dir():
        return Diagnostic(
            "ZEN-A104",
            f"the DAGs folder {folder} is not there",
            where=_OPTION,
            hint="correct the path, or make the folder where Airflow looks for DAGs",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Diagnostic(
            "ZEN-A104",
            f"the DAGs folder {folder} cannot be written",
            where=_OPTION,
            hint="deploy as a user who may write there",
        )
    return folder


def _find_foreign_file(own: Path, request: DeployRequest) -> Iterator[Diagnostic]:
    """The file that would be replaced, where it is not this pipeline's of this project."""
    text = _read(own)
    if text is None:
        return
    if EMITTED_BY not in text.partition("\n")[0]:
        why, hint = "it was not emitted by Zen", "rename the pipeline, or move that file away"
    else:
        owner = _project_of(own)
        if owner in ("", request.settings.project):
            return
        why, hint = f"it belongs to the project {owner!r}", "rename one of the two pipelines"
    yield Diagnostic("ZEN-A105", f"{own.name} in the DAGs folder would be replaced", str(own), why=why, hint=hint)


def _project_of(own: Path) -> str:
    """Whose DAG it is, by the manifest beside it; "" where there is none any more."""
    try:
        return read_manifest(own.with_suffix(".zen")).project
    except (ZenError, OSError):
        return ""


def _python_files(folder: Path) -> Iterator[Path]:
    """Python files and packaged DAGs, without what Zen puts beside its own."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".zip") and not any(part.endswith(".zen") for part in path.parts):
            yield path


def _dag_ids(path: Path) -> set[str]:
    """The ids of the DAGs that a file defines, as far as its text says: nothing of it is run."""
    if path.suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".py")]
                return {found for name in names for found in _ids_in(archive.read(name).decode("utf-8", "replace"))}
        except (OSError, zipfile.BadZipFile):
            return set()
    return set(_ids_in(_read(path) or ""))


def _ids_in(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
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
