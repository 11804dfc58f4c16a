"""The uncommitted changes: whole, applicable, limited, and without secrets."""

from __future__ import annotations

import os
import subprocess

import pytest

from zen_core.environment.changes import LARGEST_FILE_BYTES, files_of


def test_the_patch_brings_a_clean_checkout_to_where_the_project_stood(repository, new_repository, tmp_path) -> None:
    repository.write("run.sh", "echo one\n")
    repository.write("old name.py", "gone = 1\n")
    repository.commit(features="x = 1\n" * 30, plain="no newline")
    edits = {
        "features.py": "x = 1\n" * 29 + "x = 2\n",
        "plain.py": "still none",
        "new.py": "a = 1\n\n# ümläut\r\n",
        "deep/er/without_end.py": "b = 1",
        "empty.py": "",
        "query.sql": "select 1\n",
        "a new file.py": "c = 1\n",
    }
    for name, content in edits.items():
        repository.write(name, content)
    (repository.root / "run.sh").chmod(0o755)
    (repository.root / "old name.py").unlink()
    found = repository.captured()
    assert found["dirty"]
    assert sorted(files_of(found["diff"])) == sorted([*edits, "old name.py", "run.sh"])

    repository.git("clone", "-q", str(repository.root), str(tmp_path / "again"))
    again = new_repository(tmp_path / "again")
    subprocess.run(["git", "apply", "-"], cwd=again.root, input=found["diff"].encode(), check=True)
    for name, content in edits.items():
        assert (again.root / name).read_bytes() == content.encode()
    assert not (again.root / "old name.py").exists()
    assert os.access(again.root / "run.sh", os.X_OK)
    assert again.captured()["diff"] == found["diff"]


def test_the_same_edit_is_the_same_patch_in_another_checkout(repository, new_repository, tmp_path) -> None:
    repository.commit(features="x = 1\n")
    repository.git("clone", "-q", str(repository.root), str(tmp_path / "elsewhere"))
    elsewhere = new_repository(tmp_path / "elsewhere")
    for checkout in (repository, elsewhere):
        checkout.write("features.py", "x = 2\n")
        checkout.write("new.py", "y = 1\n")
    assert repository.captured()["diff"] == elsewhere.captured()["diff"]


def test_untracked_files_that_are_no_code_of_the_project_do_not_count(repository) -> None:
    repository.commit(features="x = 1\n")
    repository.write(".gitignore", "ignored/\n")
    repository.git("add", ".gitignore")
    repository.git("commit", "-q", "-m", "ignore")
    for name in (
        "plot.png", "rows.csv", "notes.md", "ignored/a.py", ".hidden/a.py", "__pycache__/a.py", "churn.egg-info/a.py",
        "my env/pyvenv.cfg", "my env/lib/a.py", "node_modules/a/b.py", "lib/site-packages/a.py",
    ):  # fmt: skip
        repository.write(name, "1\n")
    repository.write("dags/churn.py", '"""Pipeline churn, emitted by Zen 0.1.0.\n"""\n')
    found = repository.captured()
    assert (found["dirty"], found["diff"], found.get("left_out")) == (False, "", None)


def test_secret_files_are_named_and_not_shown(repository) -> None:
    for name in (".env", "deploy/server.KEY", "credentials/db.py", "features.py"):
        repository.write(name, "1\n")
    repository.commit()
    for name in (".env", "deploy/server.KEY", "credentials/db.py"):
        repository.write(name, "hunter2\n")
    repository.write("id_rsa.py", "hunter2\n")
    found = repository.captured()
    assert found["dirty"]
    assert found["diff"] == ""
    reason = "its name says that it holds a secret"
    assert found["left_out"] == [
        {"file": name, "reason": reason} for name in (".env", "credentials/db.py", "deploy/server.KEY")
    ]


def test_what_looks_like_a_secret_is_masked_and_told(repository, monkeypatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "correct-horse")
    repository.commit(features="x = 1\n")
    repository.write("features.py", 'x = 1\npassword = "hunter2"\nurl = connect("db", "correct-horse")\n')
    found = repository.captured()
    assert found["masked"] is True
    assert "hunter2" not in str(found)
    assert "correct-horse" not in str(found)
    assert '+password = "***"\n+url = connect("db", "***")\n' in found["diff"]
    assert "index " not in found["diff"]  # git's digest of the text with the secret


def test_large_changes_are_left_out_with_their_size(repository) -> None:
    repository.commit(features="x = 1\n", data="x = 1\n")
    repository.write("features.py", "x = 2\n")
    repository.write("data.py", "x = 2\n" * LARGEST_FILE_BYTES)
    repository.write("fresh.py", "x = 2\n" * LARGEST_FILE_BYTES)
    found = repository.captured()
    assert sorted(files_of(found["diff"])) == ["features.py"]
    tracked, fresh = found["left_out"]
    assert tracked["file"] == "data.py"
    assert tracked["reason"] == "1400 kB of changes, and at most 200 kB of a file are recorded"
    assert fresh == {"file": "fresh.py", "reason": "a new file of 1200 kB"}
    repository.write("data.py", "x = 3\n" * LARGEST_FILE_BYTES)
    assert repository.captured()["left_out"][0]["digest"] != tracked["digest"]


def test_a_huge_tracked_file_is_not_even_read(repository) -> None:
    repository.write("model.bin", b"1")
    repository.commit()
    with open(repository.root / "model.bin", "wb") as file:
        file.truncate(2_000_000_000)
    assert repository.captured()["left_out"] == [{"file": "model.bin", "reason": "a file of 2000000 kB"}]


def test_many_changes_are_limited_together(repository) -> None:
    for number in range(9):
        repository.write(f"part_{number}.py", "x = 1\n" * 25_000)
    found = repository.captured()
    assert len(files_of(found["diff"])) == 5
    sixth, seventh, others = found["left_out"]
    assert (sixth["file"], seventh["file"]) == ("part_5.py", "part_6.py")
    assert sixth["reason"] == "175 kB of changes, beyond the 1000 kB that are recorded in all"
    # Not even read: there may be thousands.
    assert others == {"file": "part_7.py and 1 more", "reason": "new files beyond what is recorded in all"}


def test_binary_and_odd_files(repository, tmp_path) -> None:
    repository.write("table.bin", b"\0\1")
    repository.commit()
    repository.write("table.bin", b"\0\2")
    first = repository.captured()["diff"]
    assert "Binary files a/table.bin and b/table.bin differ" in first
    repository.write("table.bin", b"\0\3")
    assert repository.captured()["diff"] != first
    repository.write("latin.py", "# grüße".encode("latin-1"))
    (repository.root / "link.py").symlink_to(tmp_path)
    repository.write('quo"te.py', "x = 1\n")
    os.mkfifo(repository.root / "pipe.py")
    assert repository.captured()["left_out"] == [
        {"file": "latin.py", "reason": "it is no text in UTF-8"},
        {"file": "link.py", "reason": "no regular file"},
        {"file": 'quo"te.py', "reason": "its name would have to be quoted"},
    ]


@pytest.mark.parametrize("name", ["with space.py", "ümläut.py", "tab\there.py", 'quo"te.py', "back\\slash.py"])
def test_odd_names(repository, new_repository, tmp_path, name: str) -> None:
    repository.write(name, "x = 1\n")
    commit = repository.commit()
    repository.write(name, "x = 2\n")
    diff = repository.captured()["diff"]
    repository.git("clone", "-q", str(repository.root), str(tmp_path / "again"))
    subprocess.run(["git", "apply", "-"], cwd=tmp_path / "again", input=diff.encode(), check=True)
    assert (tmp_path / "again" / name).read_text() == "x = 2\n"
    assert repository.captured()["commit"] == commit
