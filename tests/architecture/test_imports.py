"""Who may import whom: the contracts of pyproject.toml, and what a bare interpreter shows."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import zen_core
import zen_metadata

ROOT = Path(__file__).parents[2]

HEAVY = ("alembic", "fsspec", "jinja2", "mlflow", "numpy", "pandas", "pydantic", "rich", "sqlalchemy")
"""Third-party packages that are loaded when they are needed, never by an import of Zen's front door."""


def _modules_after(code: str, *flags: str, path: Path | None = None) -> set[str]:
    """The top-level modules that are loaded when `code` has run in an interpreter of its own."""
    program = textwrap.dedent(
        f"""
        import json, sys
        before = set(sys.modules)
        sys.path[:0] = {[str(path)] if path else []!r}
        {code}
        loaded = set(sys.modules) - before
        print(json.dumps(sorted({{name.partition(".")[0] for name in loaded}})))
        """
    )
    done = subprocess.run(
        [sys.executable, *flags, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "110"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_shim_imports_where_nothing_else_is_installed(tmp_path: Path) -> None:
    for package in (zen_core, zen_metadata):
        source = Path(package.__file__ or "").parent
        shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    loaded = _modules_after("import zen_metadata.shim.run_step", "-I", "-S", path=tmp_path)
    assert {"zen_core", "zen_metadata"} <= loaded
    assert loaded - set(sys.stdlib_module_names) == {"zen_core", "zen_metadata"}


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import zen_core", set()),
        ("import zen_core.errors, zen_core.contract.manifest", set()),
        ("import zen_core.cli.main", {"click"}),
        ("from zen_core import File, current, log_metric, log_params", set()),
    ],
)
def test_the_front_door_loads_nothing_heavy(code: str, allowed: set[str]) -> None:
    assert _modules_after(code) & {*HEAVY, "click"} <= allowed


def test_authoring_a_pipeline_needs_no_store_and_no_template() -> None:
    loaded = _modules_after("from zen_core import Cache, Resources, Retry, Schedule, pipeline, step")
    assert loaded.isdisjoint({"alembic", "fsspec", "jinja2", "mlflow", "pandas", "rich", "sqlalchemy"})
