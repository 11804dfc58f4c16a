"""Every page: links that lead somewhere, code that can be read, commands and options that exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from zen_core.cli.main import zen

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = sorted(
    [
        *(ROOT / name for name in TOP),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "zen_core" / "error_pages").glob("*.md"),
        *(path for path in (ROOT / "adapters").rglob("*.md") if ".pytest_cache" not in path.parts),
    ]
)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def _without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", _without_blocks(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@each_page
def test_links_lead_to_a_file_and_a_title(page: Path) -> None:
    text = _without_blocks(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in _anchors(path), f"{page.name} links to {target}"


@each_page
def test_python_and_toml_can_be_read(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in _blocks(text, "python"):
        compile(block, str(page), "exec")
    for block in _blocks(text, "toml"):
        tomllib.loads(block)


def _commands(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    # The examples of the error pages are wrong on purpose, and executed by a test of their own.
    for block in _blocks(text, "console") if page.parent.name != "error_pages" else ():
        yield from re.findall(r"^\$ (zen .+)$", block, re.MULTILINE)
    yield from re.findall(r"`(zen [a-z][^`]*)`", _without_blocks(text))


@each_page
def test_commands_and_options_exist(page: Path) -> None:
    for line in _commands(page):
        words = shlex.split(line)[1:]
        command: click.Command = zen
        while isinstance(command, click.Group) and words:
            name = words.pop(0)
            found = command.get_command(click.Context(command), name)
            assert found is not None, f"{page.name}: {line}"
            command = found
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        used = [word.partition("=")[0] for word in words if word.startswith("--")]
        assert [option for option in used if option not in known] == [], f"{page.name}: {line}"


def test_every_page_is_reached_from_the_overview() -> None:
    overview = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    decisions = (ROOT / "docs" / "explanation" / "decisions" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "README.md":
            assert page.name in overview or page.name in decisions, page.name
