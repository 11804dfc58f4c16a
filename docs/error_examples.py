"""Runs the examples of the error pages and writes what they print into them: `python docs/error_examples.py [CODE …]`.

A page is `zen_core/error_pages/CODE.md`. In it, a comment says what the block after it is:

    <!-- file: NAME -->                   a file of the example's project
    <!-- hidden file: NAME … -->          a file that readers are not shown: the rest of the comment
    <!-- hidden run: COMMAND -->          a command that readers are not shown
    <!-- run: exit N -->                  commands, after `$ `; all other lines of the block are what they print
    <!-- raised: … -->                    the rest of the comment is Python code; the block is the error that it raises

A project stands there already: `churn.py`, `data/rows.csv` and a `zen.toml`. A test runs the examples again and
compares.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import runpy
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from zen_core.cli.main import zen
from zen_core.errors import ZenError

PAGES = Path(__file__).parent.parent / "zen_core" / "error_pages"
PROJECT = {
    "zen.toml": 'project = "churn"\n',
    "data/rows.csv": "3\n1\n4\n",
    "churn.py": """\
from typing import Annotated

from zen_core import File, pipeline, step


@step
def load(data: File) -> Annotated[list[str], "rows"]:
    return data.path.read_text().split()


@step
def train(rows: list[str], depth: int = 4) -> Annotated[dict[str, int], "model"]:
    return {"rows": len(rows), "depth": depth}


@pipeline
def churn(data: File = File("data/rows.csv"), depth: int = 4) -> None:
    train(load(data), depth)
""",
}
_MARKER = re.compile(r"<!-- (hidden file|hidden run|file|run|raised): ?([^\n]*?)(?: -->|\n)")
_BLOCK = re.compile(r"(```\w*\n)(.*?)^```$", re.DOTALL | re.MULTILINE)
_SHOWN_FOLDER = "/srv/churn"
_VARIES = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "4f5b9259-31e1-524c-8521-f71c31006839"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "17c3d36c92d5" * 5 + "17c3"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "17c3d36c92d5"),
    (re.compile(r"\b(?=\w*\d)[0-9a-f]{8}\b"), "4f5b9259"),
    (re.compile(r"\bin [\d.]+ s\b"), "in 0.01 s"),
    (re.compile(r"^\w+: started\n", re.MULTILINE), ""),  # only where a step takes a while
    (re.compile(r"^more: zen explain .*\n", re.MULTILINE), ""),
)


def with_output(page: str, folder: Path) -> str:
    """The page's text with what its examples print now.

    Args:
        page: the text as it stands.
        folder: an empty folder for the project.
    """
    for name, text in PROJECT.items():
        _write(folder / name, text)
    parts, end = [], 0
    with _in_project(folder):
        for marker in _MARKER.finditer(page):
            kind, argument = marker.groups()
            comment = page[marker.end() : page.find("-->", marker.end())]
            if kind == "hidden file":
                _write(folder / argument, comment)
            elif kind == "hidden run":
                _execute(argument, folder)
            else:
                block = _BLOCK.search(page, marker.end())
                assert block is not None, f"no block after {marker.group()}"
                if kind == "file":
                    _write(folder / argument, block.group(2))
                    continue
                printed = _raise(comment, folder) if kind == "raised" else _run(block.group(2), argument, folder)
                parts += [page[end : block.start(2)], printed]
                end = block.end(2)
    return "".join([*parts, page[end:]])


def _run(block: str, argument: str, folder: Path) -> str:
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    shown, code = [], 0
    for command in commands:
        code, printed = _execute(command.removeprefix("$ "), folder)
        shown.append(f"{command}\n{_plain(printed, folder)}")
    assert f"exit {code}" == argument, f"{commands[-1]} ends with exit code {code}\n{''.join(shown)}"
    return "".join(shown)


def _raise(code: str, folder: Path) -> str:
    _write(folder / "raises.py", code)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        runpy.run_path(str(folder / "raises.py"))
    except ZenError as error:
        return _plain(str(error), folder)
    raise AssertionError(f"nothing is raised by\n{code}")


def _execute(line: str, folder: Path) -> tuple[int, str]:
    words = shlex.split(line)
    settings = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        settings[name] = value
    with _environment(settings):
        if words[0] == "zen":
            result = CliRunner().invoke(zen, words[1:])
            return result.exit_code, result.output
        runpy.run_path(str(folder / words[1]), run_name="__main__")
        return 0, ""


def _plain(printed: str, folder: Path) -> str:
    printed = printed.replace(str(folder.resolve()), _SHOWN_FOLDER).replace(str(folder), _SHOWN_FOLDER)
    for pattern, word in _VARIES:
        printed = pattern.sub(word, printed)
    return printed.rstrip("\n") + "\n" if printed.strip() else ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _in_project(folder: Path) -> Iterator[None]:
    path = [*sys.path]
    variables = {name: None for name in os.environ if name.startswith(("ZEN_", "MLFLOW_", "PREFECT_"))}
    with contextlib.chdir(folder), _environment({**variables, "ZEN_MLFLOW_SYNC": "off"}):
        try:
            yield
        finally:
            sys.path[:] = path
            for name, module in [*sys.modules.items()]:
                if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder.resolve()):
                    del sys.modules[name]


@contextlib.contextmanager
def _environment(variables: dict[str, str | None] | dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None] | dict[str, str]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


if __name__ == "__main__":
    for path in [PAGES / f"{code}.md" for code in sys.argv[1:]] or sorted(PAGES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as temporary:
            new = with_output(text, Path(temporary))
        if new != text:
            path.write_text(new, encoding="utf-8")
            print(f"wrote {path.name}")
