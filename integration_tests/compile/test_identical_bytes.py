"""The same pipeline gives the same bytes and the same code fingerprints on every Python version that Zen supports."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.conftest import ROOT, require

MINORS = ("3.11", "3.12", "3.13")
UV = ROOT / ".venvs" / "uv" / "bin" / "uv"
NEEDED = ("pydantic>=2.5,<3", "jinja2>=3.1")

COMPILE = """
import sys, json
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import flows
from zen_airflow import AirflowAdapter
from zen_core.compiler.compile import compile_pipeline
from zen_core.contract.canonical import digest_bytes
from zen_core.contract.settings import load_settings
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.cases import all_cases
from zen_core.testing.conformance.emitted import supports
from zen_core.testing.cases.build import make_step

adapter = AirflowAdapter()
settings = load_settings(Path(sys.argv[1]), environ={})
names = ["plain", "text", "matching", "grouped"]
step = lambda name: make_step(name, "load").model_copy(update={"entry_point": f"flows:{name}"})
own = PipelineSpec(name="own", steps=tuple(step(name) for name in names), source="flows.py:1")
pairs = [(own, {f"flows:{name}": getattr(flows, name) for name in names})]
pairs += [(case.spec, case.functions) for case in all_cases() if supports(adapter, case)]
for spec, functions in pairs:
    for file in compile_pipeline(spec, functions, settings, adapter=adapter).files:
        print(file.path, digest_bytes(file.content))
"""

# Syntax whose tree differs between Python versions: f-strings, docstrings, type comments, except*, match.
FLOWS = '''
def plain(x: "int" = -1, *, y=(1, 2.0, None, ...)) -> dict[str, int]:
    """Words
        that are indented."""
    return {"a": x, **{}}


def text(a, width=8):
    def inner():
        """Another
            indented one."""
    return f"{a!r:>{width}} {a=} {{}}" "b" rf"\\d{a:%Y-%m}" f"{a:{width}.{width}}{f'{a}'}"


def matching(x):
    match x:
        case [1, *rest] if rest:
            return rest
        case {"k": v, **others} | {"l": v, **others}:
            return v


async def grouped(x):
    try:
        async with x as y, x:
            return [i async for i in y], lambda *a, b=1: (c := a)
    except* (ValueError, TypeError) as error:
        raise error.__class__ from None
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS, encoding="utf-8")
    (tmp_path / "zen.toml").write_text('project = "bytes"\n', encoding="utf-8")
    (tmp_path / "compile_here.py").write_text(COMPILE, encoding="utf-8")
    return tmp_path


def test_bytes_do_not_depend_on_the_python_version_or_the_hash_seed(
    request: pytest.FixtureRequest, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    interpreters = {minor: _find_python(minor) for minor in MINORS}
    missing = [minor for minor, path in interpreters.items() if path is None]
    require(request, "compile on all Python versions", f"no Python {', '.join(missing)}" if missing else None)
    require(request, "compile on all Python versions", None if UV.exists() else "no uv: make .venvs/core/ready")
    folder = tmp_path_factory.mktemp("pythons")
    environments = {minor: _environment(folder / minor, str(path)) for minor, path in interpreters.items()}
    outputs = {
        (minor, seed): _compile(python, project, seed)
        for minor, python in environments.items()
        for seed in ("0", "4711")
    }
    reference = outputs[MINORS[0], "0"]
    assert "own.py sha256:" in reference
    for key, output in outputs.items():
        assert output == reference, key


def _environment(folder: Path, python: str) -> Path:
    """A virtual environment with the two libraries that compiling needs."""
    subprocess.run([UV, "venv", "--quiet", "--python", python, folder], check=True)
    executable = folder / "bin" / "python"
    subprocess.run([UV, "pip", "install", "--quiet", "--python", executable, *NEEDED], check=True, timeout=300)
    return executable


def _compile(python: Path, project: Path, seed: str) -> str:
    path = os.pathsep.join(str(ROOT / part) for part in ("", "adapters", "metadata"))
    done = subprocess.run(
        [python, project / "compile_here.py", project],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _find_python(minor: str) -> str | None:
    """An interpreter of this minor version that starts: on PATH, or among pyenv's."""
    for candidate in _candidates(minor):
        answer = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.stdout.strip() == minor:
            return candidate
    return None


def _candidates(minor: str) -> Iterator[str]:
    if sys.version_info[:2] == tuple(map(int, minor.split("."))):
        yield sys.executable
    yield from map(str, sorted(Path.home().glob(f".pyenv/versions/{minor}.*/bin/python")))
    if found := shutil.which(f"python{minor}"):
        yield found
