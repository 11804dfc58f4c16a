import io
import os
import zipfile

import pytest

from zen_core.codegen.output import check_files, write_files
from zen_core.errors import CompilationError, InternalError, OutOfDateError

FILES = {"churn.py": b"x = 1\n", "churn.zen/manifest.json": b"{}\n"}


def test_files_are_written_and_what_is_unchanged_is_not_touched(tmp_path):
    assert write_files(tmp_path, FILES) == ("churn.py", "churn.zen/manifest.json")
    before = (tmp_path / "churn.py").stat().st_mtime_ns
    assert write_files(tmp_path, {**FILES, "churn.zen/manifest.json": b"[]\n"}) == ("churn.zen/manifest.json",)
    assert (tmp_path / "churn.py").stat().st_mtime_ns == before
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["churn.py", "churn.zen", "manifest.json"]


def test_written_files_are_readable_by_others_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        write_files(tmp_path, FILES)
    finally:
        os.umask(before)
    assert (tmp_path / "churn.py").stat().st_mode & 0o777 == 0o644


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "churn.zen").write_text("in the way")
    with pytest.raises(CompilationError, match="cannot be written") as caught:
        write_files(tmp_path, FILES)
    assert "churn.zen" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["churn.zen"]


def emitted(pipeline, start=""):
    return f"{start}A flow, emitted by Zen 1\n{start}Pipeline: {pipeline}\n{start}IR: sha256:0\n".encode()


@pytest.mark.parametrize(
    ("found", "whose"),
    [
        (emitted("sales", "# "), "belongs to the pipeline 'sales'"),
        (b"name: my-own\n", "is no file of Zen's"),
        (b"x: 1\n" * 200 + b"# Pipeline: churn\n", "is no file of Zen's"),
    ],
)
def test_a_file_of_somebody_else_is_not_replaced(tmp_path, found, whose):
    (tmp_path / "prefect.yaml").write_bytes(found)
    files = {"churn.py": emitted("churn"), "prefect.yaml": emitted("churn", "# ")}
    with pytest.raises(CompilationError, match=whose) as caught:
        write_files(tmp_path, files)
    (problem,) = caught.value.diagnostics
    assert "prefect.yaml" in problem.message
    assert problem.hint == f"give each pipeline a folder of its own: --out {tmp_path.as_posix()}/churn"
    assert [path.name for path in tmp_path.iterdir()] == ["prefect.yaml"]
    assert (tmp_path / "prefect.yaml").read_bytes() == found


def test_the_users_own_module_is_not_replaced_by_the_file_that_it_compiles_to(tmp_path):
    (tmp_path / "churn.py").write_text("from zen_core import pipeline\n")
    with pytest.raises(CompilationError, match=r"churn.py is no file of Zen's"):
        write_files(tmp_path, {"churn.py": emitted("churn")})


def test_an_older_file_of_the_same_pipeline_is_replaced(tmp_path):
    (tmp_path / "churn.py").write_bytes(emitted("churn") + b"old = 1\n")
    assert write_files(tmp_path, {"churn.py": emitted("churn")}) == ("churn.py",)


@pytest.mark.parametrize("path", ["../x.py", "/etc/x.py", "a/../../x"])
def test_a_path_out_of_the_folder_is_a_bug(tmp_path, path):
    with pytest.raises(InternalError, match="leads out"):
        write_files(tmp_path, {path: b""})


def test_check_accepts_what_was_written(tmp_path):
    write_files(tmp_path, FILES)
    check_files(tmp_path, FILES)


def test_check_names_every_file_that_is_missing_or_differs(tmp_path):
    write_files(tmp_path, {"churn.py": b"x = 1\ny = 2\n"})
    with pytest.raises(OutOfDateError) as caught:
        check_files(tmp_path, FILES)
    text = str(caught.value)
    assert "churn.py is not what the pipeline compiles to" in text
    assert "-y = 2" in text
    assert "churn.zen/manifest.json is missing" in text
    assert "2 problems" in text


def test_check_names_the_files_in_a_zip_that_differ(tmp_path):
    write_files(tmp_path, {"code.zip": make_zip(a="1", b="2")})
    with pytest.raises(OutOfDateError, match=r"these files in it differ: b, c"):
        check_files(tmp_path, {"code.zip": make_zip(a="1", b="3", c="4")})


def make_zip(**content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return buffer.getvalue()
