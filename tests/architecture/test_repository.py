"""Files that travel: none names the machine that it was written on, or the place its packages came from."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
_LEFT_OUT = {"__pycache__", "build", "dist", "htmlcov", "mlruns", "node_modules"}
_KEPT = {".ci", ".gitignore", ".github"}
_BINARY = {".db", ".ico", ".parquet", ".png", ".pyc", ".zip"}

MACHINE_PATH = re.compile(r"(?:/home/|/Users/|C:\\+Users\\+)(?!user\b|you\b|me\b|runner\b)\w|(?<![\w.~-])/root/\w")
INDEX_ADDRESS = re.compile(
    r"pythonhosted|https?://[^\s\"'<>]*(?:/simple\b|pypi\.|artifactory|nexus|devpi)|"
    r"--(?:extra-)?index-url[ =]|--find-links[ =]|--trusted-host[ =]"
)


def _files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        keep = [name for name in folders if name not in _LEFT_OUT and (name[0] != "." or name in _KEPT)]
        folders[:] = sorted(keep)
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix not in _BINARY and (name[0] != "." or name in _KEPT):
                yield path


@pytest.fixture(scope="module")
def text_by_path() -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in _files()}


def _holding(text_by_path: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    own = Path(__file__).relative_to(ROOT).as_posix()
    return [
        f"{path}:{text[: match.start()].count(chr(10)) + 1}: {match.group()}"
        for path, text in text_by_path.items()
        if path != own and (match := pattern.search(text))
    ]


def test_there_is_something_to_look_at(text_by_path: dict[str, str]) -> None:
    assert {"README.md", "pyproject.toml", "zen_core/__init__.py", "constraints/core.txt"} <= set(text_by_path)


def test_no_file_holds_a_path_of_a_machine(text_by_path: dict[str, str]) -> None:
    assert _holding(text_by_path, MACHINE_PATH) == []
    if len(ROOT.parts) > 2:
        assert _holding(text_by_path, re.compile(rf"(?<![\w.-]){re.escape(str(ROOT))}(?![\w-])")) == []


def test_no_file_names_a_package_index(text_by_path: dict[str, str]) -> None:
    assert _holding(text_by_path, INDEX_ADDRESS) == []


def test_no_file_names_the_package_index_of_this_machine(text_by_path: dict[str, str]) -> None:
    variables = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL")
    hosts = {urlsplit(url).hostname for name in variables for url in os.environ.get(name, "").split()}
    for host in hosts - {None, "", "localhost", "127.0.0.1"}:
        assert _holding(text_by_path, re.compile(re.escape(str(host)))) == []
