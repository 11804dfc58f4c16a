"""A large project that is read for the first time is read by two processes, to the same end as by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULES = 40
FUNCTION = '''

def f{number}(values: list[float], *, scale: float = {number}.5) -> float:
    """Number {number}."""
    total = RATE * {number}
    for index, value in enumerate(values):
        total += scale * value if index % 2 else sum(item for item in values if item > {number})
    return total + {before}
'''
LOOK = """
import json, os, sys, time
from pathlib import Path
from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.code.index_memo import IndexMemo
from zen_core.compiler.fingerprint import fingerprint_steps
if "alone" in sys.argv:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
sys.path.insert(0, os.getcwd())
function = __import__("flow").reach.function
parsed, started = [], []
def listen(event, facts):
    if event == "compile" and facts[0]:
        parsed.append(event)
        time.sleep(0.05 if "slowly" in sys.argv else 0)
    elif event == "subprocess.Popen":
        started.append(event)
sys.addaudithook(listen)
python, sys.executable = sys.executable, os.environ.get("ANOTHER_PYTHON", sys.executable)
memo = IndexMemo(Path("memo.txt"))
found = fingerprint_steps({"": function}, roots=ImportRoots((Path.cwd(),)), memo=memo)[""]
memo.save()
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    left = False
else:
    left = True
print(json.dumps({"parsed": len(parsed), "started": len(started), "found": found.to_document(), "left": left}))
"""
only_with_processors = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    for number in range(MODULES):
        befores = ["0.0", *(f"f{other}(values)" for other in range(79))]
        functions = [FUNCTION.format(number=at, before=before) for at, before in enumerate(befores)]
        head = f"import m{(number + 1) % MODULES} as following\n\nRATE = {number}\n"
        tail = "\n\ndef follow(values):\n    return following.f3(values)\n"
        folder.joinpath(f"m{number}.py").write_text("".join((head, *functions, tail)))
    # What Python cannot parse is no error of ours: it is never imported.
    folder.joinpath("later.py").write_text(f"{folder.joinpath('m0.py').read_text()}\nnot Python\n")
    imports = "\n".join(f"import m{number}" for number in range(MODULES))
    total = " + ".join(f"m{number}.f79([x])" for number in range(MODULES))
    folder.joinpath("flow.py").write_text(
        f"from zen_core import step\n{imports}\n\n\n@step\ndef reach(x: float) -> float:\n"
        f"    if x > 10:\n        import later\n        later.f1([x])\n    return {total}\n"
    )
    return folder


@pytest.fixture(scope="module")
def alone(project: Path) -> dict[str, Any]:
    """What one process finds."""
    return look(project, "alone")


def look(project: Path, *arguments: str, python: Path | None = None) -> dict[str, Any]:
    project.joinpath("memo.txt").unlink(missing_ok=True)
    variables = {**os.environ, **({} if python is None else {"ANOTHER_PYTHON": str(python)})}
    command = [sys.executable, "-c", LOOK, *arguments]
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("left") is False
    _, *lines = project.joinpath("memo.txt").read_text().split("\n")
    kept = {name: (identity, json.loads(text)) for name, identity, text in (line.split("\t") for line in lines)}
    return {**found, "memo": kept}


def script(folder: Path, text: str) -> Path:
    """What is run in place of Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_one_processor_reads_everything_in_one_process(alone: dict[str, Any]) -> None:
    assert alone["started"] == 0
    assert alone["parsed"] == MODULES + 2
    assert len(alone["found"]["definitions"]) > MODULES * 80


@only_with_processors
def test_two_processes_find_what_one_does(project: Path, alone: dict[str, Any]) -> None:
    found = look(project, "slowly")
    assert found["started"] == 1
    assert found["parsed"] < alone["parsed"]
    assert found["found"] == alone["found"]
    assert found["memo"] == alone["memo"]


@only_with_processors
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("exit 1", id="it ends at once"),
        pytest.param("exec cat", id="it answers something else"),
        pytest.param("exec yes", id="it does not stop answering"),
        pytest.param('head -n 3 | {python} "$@"', id="it ends after a while"),
        pytest.param('(head -n 3; exec sleep 8) | {python} "$@"', id="it stops after a while"),
        pytest.param("kill -STOP $$", id="it was stopped"),
    ],
)
def test_where_the_other_process_fails_this_one_reads_everything(
    project: Path, alone: dict[str, Any], tmp_path: Path, text: str
) -> None:
    found = look(project, python=script(tmp_path, text.replace("{python}", sys.executable)))
    assert found["started"] == 1
    assert found["found"] == alone["found"]
    assert found["memo"] == alone["memo"]


@only_with_processors
def test_where_no_other_process_can_be_started_this_one_reads_everything(
    project: Path, alone: dict[str, Any], tmp_path: Path
) -> None:
    found = look(project, python=tmp_path / "python_that_is_missing")
    assert found["parsed"] == MODULES + 2
    assert found["found"] == alone["found"]


@only_with_processors
def test_a_file_that_changes_meanwhile_counts_as_this_process_saw_it(
    project: Path, alone: dict[str, Any], tmp_path: Path
) -> None:
    modules = {path: path.read_text() for path in project.glob("*.py")}
    edit = f"""
        read -r request
        echo 'RATE = 7' >> "$(echo "$request" | sed 's/.* "//; s/"]$//')"
        (echo "$request"; cat) | {sys.executable} "$@"
    """
    try:
        found = look(project, "slowly", python=script(tmp_path, edit))
        assert [path.read_text() != text for path, text in modules.items()].count(True) == 1
    finally:
        for path, text in modules.items():
            path.write_text(text)
    assert found["found"] == alone["found"]
    assert found["memo"] == alone["memo"]
