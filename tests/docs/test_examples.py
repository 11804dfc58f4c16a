"""The documentation's examples are run as they stand.

In a Markdown file, comments say what the block after them is:

    <!-- file: NAME -->                   the block is written to this file of a project
    <!-- hidden file: NAME … -->          the rest of the comment is
    <!-- replace: NAME: def FUNCTION -->  the block takes the place of this function in the file
    <!-- run -->, <!-- run: exit 1 -->    its `$` lines are executed there; the other lines must be printed
    <!-- output: NAME -->                 the block stands in this file, as it is

Ids, times and durations may differ, and further lines may be printed.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_MARKER = re.compile(r"<!-- (hidden file|file|replace|run|output)(?:: ([^\n]*?))?(?: -->|\n)")
_FENCE = re.compile(r"```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_VARIES = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8,64}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\b[\d.]+ m?s\b"), "TOOK"),
    (re.compile(r"[\d,]+ bytes"), "SIZE"),
    (re.compile(r" +"), " "),
)


@dataclass(frozen=True)
class Block:
    """A block with what is to be done with it."""

    kind: str
    argument: str
    text: str
    line: int


def _blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    found = []
    for marker in _MARKER.finditer(text):
        kind, argument = marker.group(1), marker.group(2) or ""
        if kind == "hidden file":
            content = text[marker.end() : text.index("-->", marker.end())]
        else:
            fence = _FENCE.search(text, marker.end())
            assert fence is not None, f"{path.name}: no block after {marker.group()}"
            assert not text[marker.end() : fence.start()].strip(), f"{path.name}: {marker.group()} stands apart"
            content = fence.group(1)
        found.append(Block(kind, argument, content, text[: marker.start()].count("\n") + 1))
    return found


PAGES = sorted(
    path for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")) if any(b.kind == "run" for b in _blocks(path))
)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    for block in _blocks(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.kind in ("file", "hidden file"):
            target = tmp_path / block.argument
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.kind == "replace":
            name, _, function = block.argument.partition(": def ")
            _replace_function(tmp_path / name, function, block.text)
        elif block.kind == "output":
            written = (tmp_path / block.argument).read_text(encoding="utf-8")
            assert block.text in written, f"{where}: {block.argument} is\n{written}"
        else:
            _run(block, tmp_path, where)


def test_readme_and_tutorial_are_among_them() -> None:
    assert {ROOT / "README.md", ROOT / "docs" / "tutorials" / "first-pipeline.md"} <= set(PAGES)


def _replace_function(path: Path, name: str, text: str) -> None:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    [node] = [item for item in ast.parse(source).body if isinstance(item, ast.FunctionDef) and item.name == name]
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    path.write_text("".join([*lines[: first - 1], text, *lines[node.end_lineno :]]), encoding="utf-8")


def _run(block: Block, project: Path, where: str) -> None:
    code = int(block.argument.removeprefix("exit ")) if block.argument else 0
    for part in block.text.split("$ ")[1:]:
        command, *expected = part.splitlines()
        done = subprocess.run(
            _resolve(command),
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
        )
        printed = done.stdout + done.stderr
        assert done.returncode == code, f"{where}: {command}: exit code {done.returncode}\n{printed}"
        lines = iter([_plain(line) for line in printed.splitlines()])
        for line in expected:
            assert _plain(line) in lines, f"{where}: {command} does not print {line!r} (in this order), but\n{printed}"


def _resolve(command: str) -> list[str]:
    program, *arguments = shlex.split(command)
    programs = {"python": sys.executable, "zen": str(Path(sys.executable).with_name("zen")), "git": "git"}
    return [programs[program], *arguments]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_"))}
    person = {f"GIT_{role}_{fact}": "joe" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")}
    git = {**person, "GIT_CONFIG_GLOBAL": os.devnull}
    return {**kept, **git, "ZEN_MLFLOW_SYNC": "off", "PYTHONDONTWRITEBYTECODE": "1"}


def _plain(line: str) -> str:
    for pattern, word in _VARIES:
        line = pattern.sub(word, line)
    return line.strip()
