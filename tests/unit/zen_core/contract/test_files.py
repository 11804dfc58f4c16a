"""File: a path whose content is its identity."""

import os
from pathlib import Path

from zen_core import File


def test_a_file_is_a_path_where_paths_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x", encoding="utf-8")
    file = File("data/a.csv", local_path=str(tmp_path / "a.csv"))
    assert file.path == tmp_path / "a.csv"
    assert os.fspath(file) == str(tmp_path / "a.csv")
    with file.open() as stream:
        assert stream.read() == "x"
    with open(file, encoding="utf-8") as stream:
        assert stream.read() == "x"


def test_files_are_equal_when_they_name_the_same(tmp_path: Path) -> None:
    assert File("a") == File(Path("a")) == File("a", local_path=str(tmp_path))
    assert File("a") != File("b")
    assert File("a") != "a"
    assert len({File("a"), File("a"), File("b")}) == 2
    assert repr(File("a")) == "File('a')"
