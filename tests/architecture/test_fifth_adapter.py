"""An adapter from another distribution: found by its entry point, refused by its own table, held by the same suite."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy_adapter"
UV = ROOT / ".venvs" / "uv" / "bin" / "uv"
PIPELINE = """
from zen_core import Resources, Retry, pipeline, step


@step(retry=Retry(times=2, delay=1, backoff=3))
def load() -> int:
    return 1


@step(resources=Resources(gpu=1))
def train(value: int) -> int:
    return value


@pipeline
def churn():
    train(load())


@step
def count() -> int:
    return 1


@pipeline
def small():
    count()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the distribution is installed into."""
    if not UV.exists():
        pytest.skip("needs .venvs/uv, which `make` sets up")
    target = tmp_path_factory.mktemp("toy")
    command = [str(UV), "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(TOY)]
    subprocess.run([*command, "--build-constraints", str(ROOT / "constraints" / "core.txt")], check=True)
    return target


def run(installed: Path, *arguments: str, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """A command of Python's, with the distribution installed."""
    path = os.pathsep.join(dict.fromkeys([str(installed), *(entry for entry in sys.path if entry)]))
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def test_it_is_found_and_compiles(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "zen.toml").write_text('project = "toy"\n')
    (tmp_path / "flows.py").write_text(PIPELINE)
    run(installed, "zen_core.cli", "compile", "flows.py:small", "--for", "toy", "--out", "out", cwd=tmp_path)
    assert "A toy plan, emitted by Zen" in (tmp_path / "out" / "small.py").read_text()
    assert (tmp_path / "out" / "small.zen" / "manifest.json").is_file()
    listed = json.loads(run(installed, "zen_core.cli", "adapters", "--features", "--json", cwd=tmp_path).stdout)
    assert listed["toy"]["gpu"] == {"support": "unsupported", "reason": "the toy is too small"}


def test_what_it_lacks_is_refused_all_at_once_with_the_targets_that_have_it(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "zen.toml").write_text('project = "toy"\n')
    (tmp_path / "flows.py").write_text(PIPELINE)
    arguments = ("zen_core.cli", "compile", "flows.py:churn", "--for", "toy", "--out", "out")
    told = run(installed, *arguments, cwd=tmp_path, expect=1).stderr
    assert "adapter 'toy' cannot express retry_backoff_factor" in told
    assert "the toy cannot count" in told
    assert "adapter 'toy' cannot express gpu" in told
    assert "compile for: local, prefect" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_shipped_suite_holds_it(installed: Path, tmp_path: Path) -> None:
    suite = Path(__file__).parents[1] / "conformance" / "test_emission.py"
    arguments = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", "toy", str(suite))
    done = run(installed, "pytest", *arguments, cwd=ROOT)
    assert " passed" in done.stdout
    assert "toy-maps_and_branches" in run(installed, "pytest", "--collect-only", *arguments, cwd=ROOT).stdout
