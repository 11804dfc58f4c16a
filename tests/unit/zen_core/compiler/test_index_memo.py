"""What was read of a project is known to the next process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MEMO = Path(".zen", "code-index.txt")
MODULES = {
    "zen.toml": "",
    "flow.py": """
from inner import rates, words
from zen_core import pipeline, step


def twice(function):
    return function


@step
def load(value: int = 1) -> int:
    '''Words of its own.'''
    return rates.convert(value)


@twice
class Base:
    def __init_subclass__(cls):
        words.KNOWN.append(cls)


class Derived(Base, metaclass=type):
    pass


@step
def name(value: int) -> str:
    return words.say(value, Derived)


@pipeline
def flow():
    name(load())
""",
    "inner/__init__.py": "",
    "inner/rates.py": "import math as m\nfrom .words import *\nRATE: float = m.pi\n\n\ndef convert(x: 'int'):\n"
    "    return getattr(x, 'real') * RATE\n",
    "inner/words.py": "import logging\nlog = logging.getLogger('x')\nKNOWN = []\nother = KNOWN\nif m_debug := False:\n"
    "    KNOWN.append(1)\n\n\ndef say(x, kind):\n    from inner import rates as r\n    return eval('str')(x), r.RATE\n",
    "unused.py": "",
}
PRINT = """
import json, sys
from pathlib import Path
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.code.index_memo import index_memo_in
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings
settings = load_settings(Path.cwd())
built = load_pipeline("flow.py:flow", settings).build()
parsed = []
sys.addaudithook(lambda event, facts: parsed.append(facts[1]) if event == "compile" and facts[0] else None)
manifest = build_manifest(built.spec, built.functions, settings)
index_memo_in(settings.state_folder).save()
found = {name: [item.digest, item.to_document()] for name, item in manifest.fingerprints.items()}
print(json.dumps([len(parsed), found]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / ".zen").mkdir()
    return tmp_path


def look(project: Path) -> tuple[int, dict[str, Any]]:
    """How many texts were parsed for the fingerprints, and the fingerprints."""
    done = subprocess.run([sys.executable, "-c", PRINT], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parsed, found = json.loads(done.stdout)
    return parsed, found


def test_the_next_process_parses_only_what_changed(project: Path) -> None:
    parsed, found = look(project)
    assert parsed > 0
    assert look(project) == (0, found)

    words = project / "inner" / "words.py"
    words.write_text(words.read_text().replace("'str'", "'repr'"))
    parsed, edited = look(project)
    assert parsed == 1
    assert edited["name"] != found["name"]
    words.write_text(MODULES["inner/words.py"])
    assert look(project) == (1, found)


def test_what_a_step_did_not_reach_before_is_known_when_it_does(project: Path) -> None:
    rates = project / "inner" / "rates.py"
    rates.write_text(f"{rates.read_text()}\n\ndef double(x):\n    return 2 * x\n")
    _, before = look(project)

    flow = project / "flow.py"
    flow.write_text(flow.read_text().replace("rates.convert(value)", "rates.double(value)"))
    parsed, found = look(project)
    assert parsed == 1  # the edited module alone
    assert found["load"] != before["load"]
    assert look(project) == (0, found)


def test_what_is_known_makes_no_difference(project: Path) -> None:
    _, found = look(project)
    (project / MEMO).unlink()
    assert look(project)[1] == found


def test_a_module_that_this_python_cannot_parse_counts_as_its_text(project: Path) -> None:
    """It may be written for a newer one, which the step runs on."""
    flow, newer = project / "flow.py", project / "newer.py"
    flow.write_text(flow.read_text().replace("return rates", "import newer\n    return newer.f() or rates"))
    newer.write_text("def f():\n    return 1 if then 2\n")
    _, found = look(project)
    assert look(project) == (1, found)
    what = f"syntax that Python {sys.version_info[0]}.{sys.version_info[1]} cannot parse"
    assert found["load"][1]["unfollowed"] == [{"what": what, "file": "newer.py", "line": 1}]
    assert "newer.py" not in {place["file"] for place in found["name"][1]["unfollowed"]}

    newer.write_text("def f():\n    return 1 if then 3\n")
    _, edited = look(project)
    assert edited["load"][0] != found["load"][0]
    assert edited["name"] == found["name"]


@pytest.mark.parametrize("damage", ["", "another format", "{format}\nflow", "{format}\nflow\tidentity\t[]\n", b"\xff"])
def test_a_damaged_memory_is_no_error(project: Path, damage: str | bytes) -> None:
    parsed, found = look(project)
    memo = project / MEMO
    before = memo.read_text()
    is_text = isinstance(damage, str)
    memo.write_bytes(damage.format(format=before.split("\n")[0]).encode() if is_text else damage)
    assert look(project) == (parsed, found)
    assert look(project) == (0, found)


@pytest.mark.parametrize("damage", ["", "[", "[]", "[1, 2, 3, 4]", "[[[]], [], [], []]"])
def test_a_damaged_module_of_it_is_read_again(project: Path, damage: str) -> None:
    _, found = look(project)
    memo = project / MEMO
    before = memo.read_text()
    form, *lines = before.split("\n")
    parts = [line.split("\t") for line in lines]
    edited = ["\t".join((*both, damage if both[0] == "flow" else document)) for *both, document in parts]
    memo.write_text("\n".join((form, *edited)))
    assert look(project) == (1, found)
    assert look(project) == (0, found)


def zen(project: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zen_core.cli", *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_run_leaves_it_and_a_compile_uses_it(project: Path) -> None:
    (project / ".zen").rmdir()
    zen(project, "compile", "flow.py:flow", "--for", "ir", "--out", "out")
    zen(project, "compile", "flow.py:flow", "--for", "airflow", "--out", "out")
    assert not (project / ".zen").exists()
    zen(project, "run", "flow.py:flow")
    assert look(project)[0] == 0
    (project / MEMO).unlink()
    zen(project, "compile", "flow.py:flow", "--for", "airflow", "--out", "out")
    assert look(project)[0] == 0
