"""What it costs to find out what a step's code reaches, in projects of other sizes than an example's."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Figure

MODULES, FUNCTIONS = 100, 22
REPETITIONS = 5
LIBRARIES = {
    "alembic": ("from alembic.config import Config", "len(str(Config(str(x)).get_main_option('x')))"),
    "narwhals": ("import narwhals", "len(str(narwhals.from_native(x, pass_through=True)))"),
    "sqlalchemy": ("from sqlalchemy import column, select", "len(str(select(column('a')).where(column('a') > x)))"),
}
"""What a step of theirs imports, and does."""
STEP = """\
from zen_core import step
{imports}


@step
def reach(x: float) -> float:
    return {value}
"""
FUNCTION = '''

def f{number}(x: float, values: list[float], *, depth: int = {number}) -> float:
    """Number {number}, about as long as functions with their words are in libraries.

    Args:
        x: where it begins.
        values: what is added, or taken away.
        depth: how often.

    Returns: the total.
    """
    # what is scaled
    total = SCALE * x

    for index, value in enumerate(values):
        if value > {number} and index % 2 == 0:
            total += math.sqrt(abs(value)) * depth
        else:
            total -= sum(item * 2 for item in values if item < 0)

    # what stands before it
    return total + {before}
'''
MEASURE = """
import json, sys, time
from pathlib import Path
from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.code.index_memo import index_memo_in
from zen_core.compiler.fingerprint import fingerprint_steps
from zen_core.contract.settings import load_settings
sys.path.insert(0, "")
function = __import__(sys.argv[1]).reach.function
settings = load_settings(Path.cwd())
started = time.perf_counter()
memo = index_memo_in(settings.state_folder)
found = fingerprint_steps({"": function}, roots=ImportRoots.of(settings), memo=memo)[""]
memo.save()
print(json.dumps([(time.perf_counter() - started) * 1000, len(found.definitions)]))
"""


def measure() -> list[Figure]:
    """A generated project, and libraries as if they were the project's own code."""
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        return [
            *_generated(Path(folder, "generated")),
            *(_library(Path(folder, f"with_{name}"), name, *use) for name, use in LIBRARIES.items()),
        ]


def _generated(folder: Path) -> list[Figure]:
    folder.mkdir()
    for number in range(MODULES):
        befores = ["x", *(f"f{other}(x, [])" for other in range(FUNCTIONS - 1))]
        functions = [FUNCTION.format(number=at, before=before) for at, before in enumerate(befores)]
        following = (number + 1) % MODULES
        head = f"import math\n\nimport m{following}\n\nSCALE = 0.{number + 1}\n"
        tail = f"\n\ndef follow(x: float) -> float:\n    return m{following}.f0(x, [])\n"
        folder.joinpath(f"m{number}.py").write_text("".join((head, *functions, tail)))
    for name, last in (("few", 0), ("tenth", FUNCTIONS // 10), ("every", FUNCTIONS - 1)):
        reached = range(0, MODULES, 4 if name == "few" else 1)
        imports = f"import {', '.join(f'm{number}' for number in reached)}"
        value = " + ".join(f"m{number}.f{last}(x, [])" for number in reached)
        folder.joinpath(f"{name}.py").write_text(STEP.format(imports=imports, value=value))
    lines = sum(path.read_text().count("\n") for path in folder.glob("m*.py"))
    size = f"{lines:,} lines in {MODULES} modules"
    few, count_of_few = _best(folder, "few")
    cold, count = _best(folder, "tenth")
    _look(folder, "tenth")
    edited = []
    for number in range(REPETITIONS):
        module = folder / "m7.py"
        module.write_text(module.read_text().replace("SCALE = 0.8", f"SCALE = 0.8{number}"))
        edited.append(_look(folder, "tenth")[0])
    kept = min(_look(folder, "tenth")[0] for _ in range(REPETITIONS))
    every, count_of_all = _best(folder, "every")
    return [
        Figure(f"{size}: a step that reaches {count_of_few} definitions, cold", few, "ms", 500),
        Figure(f"{size}: {count} definitions, cold", cold, "ms", 500),
        Figure(f"{size}: {count} definitions, one module edited", min(edited), "ms", 500),
        Figure(f"{size}: {count} definitions, nothing changed", kept, "ms"),
        Figure(f"{size}: all {count_of_all:,} definitions, cold", every, "ms", 500),
    ]


def _library(folder: Path, name: str, imports: str, value: str) -> Figure:
    """A library that is installed here, copied into a project."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(Path(spec.origin).parent, folder / name, ignore=ignored)
    folder.joinpath("step_of_it.py").write_text(STEP.format(imports=imports, value=value))
    lines = sum(path.read_text().count("\n") for path in folder.glob(f"{name}/**/*.py"))
    cold, count = _best(folder, "step_of_it")
    return Figure(f"{name} as the project, {lines:,} lines: {count:,} definitions, cold", cold, "ms")


def _best(folder: Path, module: str) -> tuple[float, int]:
    """Milliseconds without anything that an earlier process left, and how many definitions the step reaches."""
    found = []
    for _ in range(REPETITIONS):
        shutil.rmtree(folder / ".zen", ignore_errors=True)
        found.append(_look(folder, module))
    return min(found)


def _look(folder: Path, module: str) -> tuple[float, int]:
    folder.joinpath("zen.toml").write_text('project = "bench"\n')
    folder.joinpath(".zen").mkdir(exist_ok=True)
    command = [sys.executable, "-P", "-c", MEASURE, module]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ZEN_")}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    milliseconds, definitions = json.loads(done.stdout)
    return milliseconds, definitions
