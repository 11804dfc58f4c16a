from __future__ import annotations

import hashlib
import os
import time
import uuid
from pathlib import Path

import fsspec
import pytest

from zen_core.errors import MissingInputError, StoreError
from zen_metadata.artifacts.files import SourceFile, digest_source, find_source, open_locally

CONTENT = b"a,b\n1,2\n"
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["local", "file", "remote"])
def data_root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    root = {"local": str(tmp_path), "file": f"file://{tmp_path}", "remote": f"memory://{uuid.uuid4()}"}[request.param]
    with fsspec.open(f"{root}/data/churn.csv", "wb", auto_mkdir=True) as stream:
        stream.write(CONTENT)
    return root


def rewrite(data_root: str, content: bytes) -> None:
    with fsspec.open(f"{data_root}/data/churn.csv", "wb") as stream:
        stream.write(content)


def test_a_file_below_the_data_root(data_root: str, scratch: Path) -> None:
    source = find_source("data/churn.csv", data_root)

    assert source.reference == "data/churn.csv"
    assert source.size_bytes == len(CONTENT)
    assert digest_source(source) == DIGEST
    path = open_locally(source, scratch)
    assert path.name == "churn.csv"
    assert path.read_bytes() == CONTENT
    assert find_source("data/churn.csv", data_root) == source


def test_the_version_changes_with_the_content(data_root: str) -> None:
    before = find_source("data/churn.csv", data_root)
    rewrite(data_root, b"a,b\n1,3\n")
    after = find_source("data/churn.csv", data_root)

    assert (after.url, after.size_bytes) == (before.url, before.size_bytes)
    assert after.version != before.version


def test_a_restored_modification_time_does_not_hide_a_change(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one")
    facts = path.stat()
    before = find_source("x", str(tmp_path))
    path.write_bytes(b"two")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    assert find_source("x", str(tmp_path)).version != before.version


def test_a_file_that_changed_since_it_was_looked_up(data_root: str, scratch: Path) -> None:
    source = find_source("data/churn.csv", data_root)
    rewrite(data_root, b"a,b\n1,2\n3,4\n")

    with pytest.raises(MissingInputError, match=r"'data/churn\.csv' changed while it was being read"):
        digest_source(source)
    with pytest.raises(MissingInputError, match="changed while it was being read"):
        open_locally(source, scratch)


def test_a_file_that_changed_a_moment_ago_is_not_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one tick of the file system's clock, another content of the same size would have the same version."""
    path = tmp_path / "x"
    path.write_bytes(b"one")
    now = path.stat().st_ctime_ns
    monkeypatch.setattr(time, "time_ns", lambda: now + 1_000_000_000)
    assert not find_source("x", str(tmp_path)).is_settled
    assert not find_source(str(tmp_path), "").is_settled

    monkeypatch.setattr(time, "time_ns", lambda: now + 3_000_000_000)
    assert find_source("x", str(tmp_path)).is_settled
    assert find_source(str(tmp_path), "").is_settled


@pytest.mark.parametrize("reference", ["data/nothing.csv", "data/churn.csv/below"])
def test_a_file_that_is_not_there(data_root: str, reference: str) -> None:
    with pytest.raises(MissingInputError, match=f"there is no file '{reference}'") as caught:
        find_source(reference, data_root)

    place = f"{data_root}/{reference}".removeprefix("file://")
    assert f"it was looked for at {place}" in str(caught.value)
    assert "ZEN_DATA_ROOT" in str(caught.value)


def test_a_file_that_went_away(data_root: str) -> None:
    source = find_source("data/churn.csv", data_root)
    filesystem, path = fsspec.core.url_to_fs(f"{data_root}/data/churn.csv")
    filesystem.rm_file(path)

    with pytest.raises(MissingInputError, match="there is no file"):
        digest_source(source)


def test_absolute_references_do_not_need_the_data_root(data_root: str, tmp_path: Path) -> None:
    reference = f"{data_root}/data/churn.csv"

    assert digest_source(find_source(reference, "s3://elsewhere")) == DIGEST
    with pytest.raises(MissingInputError) as caught:
        find_source(f"{tmp_path}/nothing", data_root)
    assert "data root" not in str(caught.value)


def test_no_data_root_is_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)

    assert find_source("x.csv", "").url == str(tmp_path / "x.csv")


def test_a_folder(data_root: str, scratch: Path, tmp_path: Path) -> None:
    with fsspec.open(f"{data_root}/data/more/extra.csv", "wb", auto_mkdir=True) as stream:
        stream.write(b"x")
    source = find_source("data", data_root)
    digest = digest_source(source)
    path = open_locally(source, scratch)

    assert source.size_bytes == len(CONTENT) + 1
    assert (path / "churn.csv").read_bytes() == CONTENT
    assert (path / "more/extra.csv").read_bytes() == b"x"
    # The same folder has the same digest wherever it lies.
    assert digest_source(find_source(str(path), "")) == digest
    rewrite(data_root, b"a,b\n1,3\n")
    changed = find_source("data", data_root)
    assert changed.version != source.version
    assert digest_source(changed) != digest


def test_credentials_are_not_shown() -> None:
    with pytest.raises(MissingInputError) as caught:
        find_source("memory://key:secret@bucket/nothing", "")
    assert "secret" not in str(caught.value)

    with pytest.raises(MissingInputError) as caught:
        find_source("nothing", "memory://key:secret@bucket")
    assert "secret" not in str(caught.value)


def test_a_scheme_that_nothing_opens() -> None:
    with pytest.raises(StoreError, match="nosuch:// is not a place that fsspec knows"):
        find_source("nosuch://bucket/x", "")


def test_a_file_without_a_version_is_never_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    reference = f"memory://{uuid.uuid4()}/x"
    with fsspec.open(reference, "wb") as stream:
        stream.write(b"x")
    info = MemoryFileSystem.info
    monkeypatch.setattr(
        MemoryFileSystem, "info", lambda self, path: {"name": path, "type": "file", "size": info(self, path)["size"]}
    )
    first, second = (find_source(reference, "") for _ in range(2))

    assert first.version != second.version
    assert digest_source(first) == digest_source(second)


def test_a_source_is_a_plain_record() -> None:
    assert SourceFile("a", "/a", "1", 2) == SourceFile("a", "/a", "1", 2)
