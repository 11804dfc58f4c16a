from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest

from zen_core.contract.files import File
from zen_core.errors import ArtifactIntegrityError, OutputError
from zen_metadata.artifacts import files
from zen_metadata.artifacts.files import digest_source, find_source
from zen_metadata.artifacts.store import ArtifactStore


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text("<p>fine</p>")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "index.html").write_text("index")
    (root / "sub" / "deep" / "größe.txt").write_text("x" * 2000)
    (root / "run.sh").write_text("echo")
    (root / "run.sh").chmod(0o755)
    return root


@pytest.mark.parametrize("kind", [File, Path])
def test_a_file_is_stored_by_its_content(store: ArtifactStore, scratch: Path, report: Path, kind: type) -> None:
    stored = store.save(kind(report), scratch=scratch)
    report.unlink()
    loaded = store.load(stored, scratch=scratch)

    assert isinstance(loaded, kind)
    assert Path(loaded).name == "report.html"
    assert Path(loaded).read_text() == "<p>fine</p>"
    assert stored.digest == "sha256:" + hashlib.sha256(b"<p>fine</p>").hexdigest()


@pytest.mark.parametrize(
    ("into", "kind"),
    [
        (File, File),
        (Path, Path),
        (Annotated[Path, "page"], Path),
        (File | None, File),
        (Path | None, Path),
        (None, File),
        (str, File),
        ("File", File),
    ],
)
def test_the_reading_parameter_says_what_it_gets(
    local_store: ArtifactStore, scratch: Path, report: Path, into: object, kind: type
) -> None:
    loaded = local_store.load(local_store.save(File(report), scratch=scratch), into=into, scratch=scratch)

    assert isinstance(loaded, kind)


def test_a_loaded_file_is_the_readers_own(store: ArtifactStore, scratch: Path, report: Path) -> None:
    stored = store.save(File(report), scratch=scratch)
    with store.load(stored, scratch=scratch).open("a") as stream:
        stream.write("changed")

    assert store.load(stored, scratch=scratch).path.read_text() == "<p>fine</p>"


def test_the_name_does_not_count_and_a_source_file_has_the_same_digest(
    store: ArtifactStore, scratch: Path, report: Path
) -> None:
    first = store.save(File(report), scratch=scratch)
    source = digest_source(find_source(str(report), ""))
    second = store.save(File(report.rename(report.with_name("other.txt"))), scratch=scratch)

    assert first.digest == second.digest == source
    assert first.location == second.location


def test_a_file_that_is_handed_on(store: ArtifactStore, scratch: Path, report: Path) -> None:
    stored = store.save(File(report), scratch=scratch)

    assert store.save(store.load(stored, scratch=scratch), scratch=scratch) == stored


def test_a_file_that_is_not_there(local_store: ArtifactStore, scratch: Path) -> None:
    with pytest.raises(OutputError, match=r"returned File\('nothing\.html'\), but there is no such file") as caught:
        local_store.save(File("nothing.html"), scratch=scratch, where="output 'page' of step 'publish'")

    assert str(Path("nothing.html").absolute()) in str(caught.value)
    assert "output 'page' of step 'publish'" in str(caught.value)
    assert "current().scratch" in str(caught.value)


def test_an_address_is_no_file(local_store: ArtifactStore, scratch: Path) -> None:
    with pytest.raises(OutputError, match="which is not on this machine"):
        local_store.save(File("s3://bucket/model.bin"), scratch=scratch)


CHANGES = {
    "another file": lambda folder: (folder / "a").write_text("c"),
    "one file more": lambda folder: (folder / "c").write_text("c"),
    "one file less": lambda folder: (folder / "a").unlink(missing_ok=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_changes_while_it_is_stored(
    local_store: ArtifactStore, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    read = files.read_blocks

    def changing(path: Path) -> Iterator[memoryview]:
        yield from read(path)
        if path.name == "b":
            CHANGES[change](folder)

    monkeypatch.setattr("zen_metadata.artifacts.formats.files.read_blocks", changing)

    with pytest.raises(OutputError, match="the folder 'pages' changed while it was being stored"):
        local_store.save(folder, scratch=scratch)
    assert local_store.list() == []


def test_a_file_that_changes_while_it_is_stored(
    local_store: ArtifactStore, scratch: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = files.read_blocks

    def growing(path: Path) -> Iterator[memoryview]:
        yield from read(path)
        with path.open("a") as stream:
            stream.write("more")

    monkeypatch.setattr("zen_metadata.artifacts.formats.files.read_blocks", growing)

    with pytest.raises(OutputError, match=r"the file 'report\.html' changed while it was being stored"):
        local_store.save(File(report), scratch=scratch)
    assert local_store.list("objects") == []


@pytest.mark.parametrize("kind", [File, Path])
def test_a_folder(store: ArtifactStore, scratch: Path, folder: Path, kind: type) -> None:
    stored = store.save(kind(folder), scratch=scratch)
    loaded = Path(store.load(stored, into=kind, scratch=scratch))

    assert stored.metadata["names"] == ["empty", "index.html", "run.sh", "sub/deep/größe.txt"]
    assert loaded.name == "site"
    assert sorted(path.relative_to(loaded).as_posix() for path in loaded.rglob("*")) == [
        "empty",
        "index.html",
        "run.sh",
        "sub",
        "sub/deep",
        "sub/deep/größe.txt",
    ]
    assert (loaded / "sub/deep/größe.txt").read_text() == "x" * 2000
    assert os.access(loaded / "run.sh", os.X_OK)
    assert not (loaded / "index.html").stat().st_mode & 0o111
    (loaded / "index.html").write_text("changed")
    assert store.load(stored, scratch=scratch).__fspath__() != str(loaded)
    assert store.save(File(folder), scratch=scratch).digest == stored.digest


def test_a_folders_digest_is_that_of_its_names_and_contents(
    local_store: ArtifactStore, scratch: Path, folder: Path
) -> None:
    before = local_store.save(folder, scratch=scratch)
    assert before.digest == digest_source(find_source(str(folder), ""))

    os.utime(folder / "index.html", (1, 1))
    moved = folder.rename(folder.with_name("elsewhere"))
    same = local_store.save(moved, scratch=scratch)
    assert (same.digest, same.stored_digest) == (before.digest, before.stored_digest)

    (moved / "index.html").rename(moved / "home.html")
    renamed = local_store.save(moved, scratch=scratch)
    (moved / "run.sh").chmod(0o644)
    plain = local_store.save(moved, scratch=scratch)
    assert len({before.digest, renamed.digest, plain.digest}) == 3


def test_links_to_files_are_followed(local_store: ArtifactStore, scratch: Path, folder: Path) -> None:
    (folder / "link.html").symlink_to(folder / "index.html")

    loaded = local_store.load(local_store.save(folder, scratch=scratch), scratch=scratch)

    assert (loaded / "link.html").read_text() == "index"
    assert not (loaded / "link.html").is_symlink()


def test_what_a_folder_must_not_hold(local_store: ArtifactStore, scratch: Path, folder: Path) -> None:
    (folder / "up").symlink_to(folder)
    with pytest.raises(OutputError, match="cannot be stored") as caught:
        local_store.save(folder, scratch=scratch)
    assert "up is neither a file nor a folder of its own" in str(caught.value)

    (folder / "up").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "s"))
        with pytest.raises(OutputError, match="cannot be stored"):
            local_store.save(folder, scratch=scratch)


def test_an_altered_file_is_not_handed_out(store: ArtifactStore, scratch: Path, report: Path) -> None:
    stored = store.save(File(report), scratch=scratch)
    store.remove(stored.location)
    store.write_bytes(stored.location, b"<p>evil</p>")

    with pytest.raises(ArtifactIntegrityError):
        store.load(stored, scratch=scratch)


def test_a_folder_of_large_files_has_the_digest_of_a_source_folder(
    store: ArtifactStore, scratch: Path, folder: Path
) -> None:
    for name in ("a.bin", "sub/b.bin"):
        (folder / name).write_bytes(os.urandom(3_500_000))
    stored = store.save(folder, scratch=scratch)
    assert stored.digest == digest_source(find_source(str(folder), ""))
    assert store.save(folder, scratch=scratch) == stored
    back = store.load(stored, into=Path, scratch=scratch)
    assert isinstance(back, Path)
    assert (back / "sub" / "b.bin").read_bytes() == (folder / "sub" / "b.bin").read_bytes()
