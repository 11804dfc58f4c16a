"""Files as whoever cleans up sees them, and that none is removed that somebody stores again at the same moment."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from datetime import timedelta
from pathlib import Path

import fsspec
import pytest

from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.artifacts.stored_files import StoredFile, of_remote

LONG_AGO = 1_500_000_000


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path) if request.param == "folder" else f"memory://{uuid.uuid4().hex}")


def test_files_are_listed_with_size_and_time_and_removed_unless_they_changed(store: ArtifactStore) -> None:
    for name in ("objects/aa/one", "objects/bb/two", "logs/three"):
        store.write_bytes(name, name.encode())
    found = {file.location: file for file in store.files("objects")}
    assert {location: file.size_bytes for location, file in found.items()} == {
        "objects/aa/one": 14,
        "objects/bb/two": 14,
    }
    one, two = found["objects/aa/one"], found["objects/bb/two"]
    changed = StoredFile(two.location, two.size_bytes, (two.modified_at or 0) - 1)
    assert list(store.remove_unchanged([one, changed])) == [one]
    assert store.list() == ["logs/three", "objects/bb/two"]
    assert list(store.remove_unchanged([one])) == []  # somebody else was quicker
    assert list(store.files("nowhere")) == []


def test_what_is_stored_again_says_that_it_is_in_use(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    first = store.save([1, 2, 3], scratch=tmp_path / "scratch")
    path = tmp_path / first.location
    os.utime(path, (LONG_AGO, LONG_AGO))
    [listed] = store.files("objects")
    assert listed.modified_at == LONG_AGO
    assert store.save([1, 2, 3], scratch=tmp_path / "scratch") == first
    assert list(store.remove_unchanged([listed])) == []
    os.utime(path, (LONG_AGO, LONG_AGO))
    store.write_bytes(first.location, b"ignored")
    assert path.stat().st_mtime > LONG_AGO
    assert store.read_bytes(first.location) != b"ignored"
    assert store.keep(first.location) is True
    assert store.keep("objects/aa/other") is False


def test_storing_and_removing_the_same_content_at_once_loses_nothing(tmp_path: Path) -> None:
    store, scratch = ArtifactStore(str(tmp_path)), tmp_path / "scratch"
    location = store.save({"some": "value"}, scratch=scratch).location
    done = threading.Event()

    def remove() -> None:
        while not done.is_set():
            for file in store.files("objects"):
                if file.modified_at == LONG_AGO:
                    store.remove_unchanged([file])

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for _ in range(300):
            with contextlib.suppress(FileNotFoundError):
                os.utime(tmp_path / location, (LONG_AGO, LONG_AGO))
            store.save({"some": "value"}, scratch=scratch)
            assert store.exists(location)  # and its time is not the old one any more
    finally:
        done.set()
        thread.join()


def test_somebody_elses_old_file_is_stored_anew_where_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore(str(tmp_path))
    location = store.save([1], scratch=tmp_path / "scratch").location
    path = tmp_path / location
    utime = os.utime

    def refuse(*_: object) -> None:
        raise PermissionError(1, "not the owner")

    monkeypatch.setattr(os, "utime", refuse)
    inode = path.stat().st_ino
    store.save([1], scratch=tmp_path / "scratch")
    assert path.stat().st_ino == inode  # young enough to rely on
    utime(path, (LONG_AGO, LONG_AGO))
    store.save([1], scratch=tmp_path / "scratch")
    assert path.stat().st_mtime > LONG_AGO


def test_old_content_of_an_object_store_is_not_relied_on_but_stored_beside_itself_once(tmp_path: Path) -> None:
    store = ArtifactStore(f"memory://{uuid.uuid4().hex}")
    value = [b"x" * 100]
    first = store.save(value, scratch=tmp_path)
    assert store.save(value, scratch=tmp_path) == first
    filesystem, base = fsspec.core.url_to_fs(store.url)
    file = filesystem.store[f"{base}/{first.location}"]
    file.created -= timedelta(days=8)
    file.modified -= timedelta(days=8)
    again = store.save(value, scratch=tmp_path)
    assert again.location != first.location
    assert (again.stored_digest, again.digest) == (first.stored_digest, first.digest)
    assert store.save(value, scratch=tmp_path) == again
    assert len(store.list("objects")) == 2
    assert store.load(again, scratch=tmp_path) == store.load(first, scratch=tmp_path) == value


@pytest.mark.parametrize(
    ("facts", "seconds"),
    [
        ({"LastModified": "2026-01-01T00:00:00+00:00"}, 1_767_225_600.0),
        ({"updated": "2026-01-01T00:00:00"}, 1_767_225_600.0),
        ({"mtime": 12.5}, 12.5),
        ({"LastModified": "yesterday"}, None),
        ({}, None),
    ],
)
def test_the_time_of_a_remote_file(facts: dict[str, object], seconds: float | None) -> None:
    assert of_remote("a/b", {"size": 3, **facts}) == StoredFile("a/b", 3, seconds)
