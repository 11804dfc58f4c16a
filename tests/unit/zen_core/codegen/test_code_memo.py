import json
import os

import pytest

from zen_core.codegen.code_memo import MEMO_FILE, CodeMemo

LONG_AGO = 1_600_000_000


def write(path, text, *, changed_at=LONG_AGO):
    path.write_text(text)
    os.utime(path, (changed_at, changed_at))


@pytest.fixture
def settled(monkeypatch):
    """Long after whatever a test writes."""
    monkeypatch.setattr("time.time_ns", lambda: 4_000_000_000 * 10**9)


def test_a_file_is_read_again_only_when_it_changed(tmp_path, settled, monkeypatch):
    source = tmp_path / "a.py"
    write(source, "import b\n")
    memo = CodeMemo(tmp_path / MEMO_FILE)
    first = memo.facts(source), memo.imports(source, "")
    memo.save()
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: pytest.fail("it was read again"))
    later = CodeMemo(tmp_path / MEMO_FILE)
    assert (later.facts(source), later.imports(source, "")) == first
    assert first[0].first_line == "import b"
    assert first[1] == ("b",)
    monkeypatch.undo()
    write(source, "import c\n")  # of the same size, and with the old time put back
    assert later.imports(source, "") == ("c",)
    assert later.facts(source) != first[0]


def test_what_was_changed_a_moment_ago_is_not_believed(tmp_path):
    source = tmp_path / "a.py"
    source.write_text("import b\n")
    memo = CodeMemo(tmp_path / MEMO_FILE)
    assert memo.imports(source, "") == ("b",)
    memo.save()
    assert json.loads((tmp_path / MEMO_FILE).read_text())["files"] == {}


def test_a_relative_import_depends_on_the_package(tmp_path, settled):
    source = tmp_path / "a.py"
    write(source, "from . import b\n")
    memo = CodeMemo()
    assert memo.imports(source, "one") == ("one", "one.b")
    assert memo.imports(source, "two") == ("two", "two.b")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 99, "files": {}}', '{"format": 1}', '{"format": 1, "files": 3}']
)
def test_a_memory_that_is_damaged_or_of_another_version_is_made_anew(tmp_path, settled, text):
    (tmp_path / MEMO_FILE).write_text(text)
    write(tmp_path / "a.py", "import b\n")
    memo = CodeMemo(tmp_path / MEMO_FILE)
    assert memo.imports(tmp_path / "a.py", "") == ("b",)
    memo.save()
    assert CodeMemo(tmp_path / MEMO_FILE).imports(tmp_path / "a.py", "") == ("b",)


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path):
    memo = CodeMemo(tmp_path / "nowhere" / MEMO_FILE)
    write(tmp_path / "a.py", "import b\n")
    assert memo.facts(tmp_path / "a.py").size_bytes == 9
    memo.save()
