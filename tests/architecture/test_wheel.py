"""What a user gets: the wheel has all that is needed at run time, and nothing of the workshop."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = {path.name for path in (ROOT / "adapters").iterdir() if path.name.startswith("zen_")} | {
    "zen_core",
    "zen_metadata",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_import_roots_are_at_the_top(names: set[str]) -> None:
    assert {name.partition("/")[0] for name in names} == ROOTS


def test_every_module_is_there(names: set[str]) -> None:
    sources = {"zen_core": ROOT, "zen_metadata": ROOT / "metadata"}
    for package in ROOTS:
        folder = sources.get(package, ROOT / "adapters")
        wanted = {
            path.relative_to(folder).as_posix()
            for path in (folder / package).rglob("*.py")
            if "tests" not in path.parts
        }
        assert wanted <= names, sorted(wanted - names)


def test_templates_migrations_and_type_markers_are_there(names: set[str]) -> None:
    assert [name for name in names if name.endswith(".j2")]
    assert [name for name in names if "/migrations/versions/" in name]
    assert {"zen_core/py.typed", "zen_metadata/py.typed"} <= names
    for folder in ("zen_core/error_pages", "zen_core/cli/templates"):
        wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert wanted <= names, sorted(wanted - names)


def test_nothing_of_the_workshop_is_there(names: set[str]) -> None:
    stray = [name for name in names if {"tests", "golden", "goldens", "__pycache__", ".zen"} & set(name.split("/"))]
    assert stray == []
    assert [name for name in names if name.endswith((".db", ".pyc", ".zip"))] == []
