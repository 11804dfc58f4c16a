from __future__ import annotations

import datetime
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from zen_core.contract.values import digest_value
from zen_core.errors import (
    ArtifactMissingError,
    OutputError,
    StoreError,
    StoreUnavailableError,
)
from zen_metadata.artifacts import roots
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.records import ArtifactRecord

RecordOf = Callable[..., ArtifactRecord]
LARGE = bytes(range(256)) * 40_000


@pytest.mark.parametrize("value", [None, 0.5, "text", {"b": 1, "a": [1, (2, 3)]}, b"bytes", LARGE, "long" * 50_000])
def test_what_is_saved_is_loaded(store: ArtifactStore, scratch: Path, value: object, record_of: RecordOf) -> None:
    stored = store.save(value, scratch=scratch)

    assert store.load(record_of(stored), scratch=scratch) == value
    assert store.exists(stored.location)
    assert stored.location.startswith(f"objects/{stored.stored_digest[7:9]}/{stored.stored_digest[7:]}")
    assert stored.size_bytes == len(store.read_bytes(stored.location))
    assert list(scratch.iterdir()) == []


def test_an_artifact_has_the_digest_that_a_constant_has(store: ArtifactStore, scratch: Path) -> None:
    for value in (1, 1.0, True, "1", None, [1, {"a": (1,)}], b"x", {3}):
        assert store.save(value, scratch=scratch).digest == digest_value(value)


def test_a_scalar_is_carried_inline(store: ArtifactStore, scratch: Path) -> None:
    assert store.save(0.91, scratch=scratch).inline_value == 0.91
    none = store.save(None, scratch=scratch)
    assert none.has_inline_value
    assert none.inline_value is None
    assert not store.save([1], scratch=scratch).has_inline_value
    assert not store.save("x" * 2000, scratch=scratch).has_inline_value
    assert not store.save(float("nan"), scratch=scratch).has_inline_value


def test_an_inline_value_that_the_database_changed_is_not_believed(store: ArtifactStore, scratch: Path) -> None:
    stored = store.save(1.0, scratch=scratch)

    loaded = store.load(replace(stored, inline_value=1), scratch=scratch)

    assert type(loaded) is float


def test_the_order_of_a_dict_is_kept_but_does_not_count(store: ArtifactStore, scratch: Path) -> None:
    first = store.save({"b": 1, "a": 2}, scratch=scratch)
    second = store.save({"a": 2, "b": 1}, scratch=scratch)

    assert first.digest == second.digest
    assert list(store.load(first, scratch=scratch)) == ["b", "a"]


@pytest.mark.parametrize("value", [{"a": 1}, LARGE])
def test_the_same_content_is_written_once(local_store: ArtifactStore, scratch: Path, value: object) -> None:
    first = local_store.save(value, scratch=scratch)
    path = local_store.local_path(first.location)
    inode = path.stat().st_ino

    assert local_store.save(value, scratch=scratch) == first
    assert path.stat().st_ino == inode
    assert local_store.list("objects") == [first.location]
    assert local_store.list("tmp") == []


def test_writers_of_the_same_content_do_not_disturb_one_another(local_store: ArtifactStore, scratch: Path) -> None:
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(local_store.save(LARGE, scratch=scratch))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 8
    assert len(set(map(str, results))) == 1
    assert local_store.load(results[0], scratch=scratch) == LARGE


def test_an_empty_value_is_there(store: ArtifactStore, scratch: Path) -> None:
    stored = store.save(b"", scratch=scratch)

    assert stored.size_bytes == 0
    assert store.exists(stored.location)
    assert store.load(stored, scratch=scratch) == b""


def test_bytes_that_are_gone(store: ArtifactStore, scratch: Path, record_of: RecordOf) -> None:
    stored = store.save([1], scratch=scratch)
    store.remove(stored.location)
    store.remove(stored.location)

    with pytest.raises(ArtifactMissingError, match="the bytes of the artifact 'model' version 3 are gone"):
        store.load(record_of(stored), scratch=scratch)


def test_a_deleted_artifact_says_who_and_why(store: ArtifactStore, scratch: Path, record_of: RecordOf) -> None:
    when = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    deleted = record_of(store.save(1, scratch=scratch), deleted_at=when, deleted_by="ada", deleted_reason="request 17")

    with pytest.raises(ArtifactMissingError, match="deleted on 2026-03-01 by ada") as caught:
        store.load(deleted, scratch=scratch)
    assert "request 17" in str(caught.value)


def test_a_source_file_cannot_be_loaded_from_the_store(
    store: ArtifactStore, scratch: Path, record_of: RecordOf
) -> None:
    source = record_of(store.save(1, scratch=scratch), kind="source", location="data/churn.csv")

    with pytest.raises(ArtifactMissingError, match="a file outside the store"):
        store.load(source, scratch=scratch)


@pytest.mark.parametrize(
    "location", ["../secret", "objects/../../secret", "/etc/passwd", "s3://bucket/x", "C:/x", "a\\b", "", "a//b"]
)
def test_locations_outside_the_root_are_refused(store: ArtifactStore, scratch: Path, location: str) -> None:
    stored = replace(store.save([1], scratch=scratch), location=location)

    for attempt in (
        lambda: store.load(stored, scratch=scratch),
        lambda: store.exists(location),
        lambda: store.read_bytes(location),
        lambda: store.write_bytes(location, b"x"),
        lambda: store.remove(location),
        lambda: store.local_path(location),
    ):
        with pytest.raises(StoreError, match="does not lie in the artifact store"):
            attempt()


def test_files_of_the_stores_own(store: ArtifactStore) -> None:
    store.write_bytes("logs/run/one.log", b"first")
    store.write_bytes("logs/run/one.log", b"second")
    store.write_bytes("logs/two.log", b"")

    assert store.read_bytes("logs/run/one.log") == b"first"
    assert store.list("logs") == ["logs/run/one.log", "logs/two.log"]
    assert store.list("logs/") == store.list("logs")
    assert store.list("nothing") == []
    assert store.exists("logs/two.log")
    assert not store.exists("logs/three.log")
    store.remove("logs/two.log")
    assert store.list() == ["logs/run/one.log"]
    with pytest.raises(ArtifactMissingError, match=r"the bytes of logs/two\.log are gone"):
        store.read_bytes("logs/two.log")


def test_local_paths(local_store: ArtifactStore, tmp_path: Path) -> None:
    assert local_store.local_path("a/b") == tmp_path / "store/a/b"
    assert ArtifactStore(f"file://{tmp_path}/x").local_path("a") == tmp_path / "x/a"
    assert ArtifactStore("memory://x").local_path("a") is None


def test_a_relative_path_is_taken_from_where_the_process_started(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ArtifactStore("artifacts")
    monkeypatch.chdir(scratch)

    store.write_bytes("x", b"1")

    assert (tmp_path / "artifacts/x").read_bytes() == b"1"


def test_a_stored_file_cannot_be_written_by_accident(local_store: ArtifactStore, scratch: Path) -> None:
    stored = local_store.save([1], scratch=scratch)

    assert local_store.local_path(stored.location).stat().st_mode & 0o222 == 0


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from zen_metadata.artifacts import roots, serializers
from zen_metadata.artifacts.store import ArtifactStore

class Dying(bytes):
    pass

def chunks():
    yield b"x" * 1_000_000
    os.kill(os.getpid(), signal.SIGKILL)

roots.LocalRoot(sys.argv[1]).put("objects/aa/torn", chunks(), 2_000_000, None)
"""


def test_a_killed_writer_leaves_nothing_at_the_final_place(local_store: ArtifactStore, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(tmp_path / "store")], check=False)

    assert done.returncode == -9
    assert local_store.list("objects") == []
    assert len(local_store.list("tmp")) == 1


def _failing_write(error: OSError):
    def put(self, location, chunks, size_bytes, scratch, *, replace):
        raise error

    return put


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.ENOSPC, StoreUnavailableError, "cannot store an artifact: no space is left"),
        (errno.EROFS, StoreError, "the place is read-only"),
        (errno.EACCES, StoreError, "cannot store an artifact: not allowed"),
        (errno.EIO, StoreUnavailableError, "cannot store an artifact"),
    ],
)
def test_what_the_disk_refuses_is_told_in_words(
    local_store: ArtifactStore,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[StoreError],
    message: str,
) -> None:
    # A full disk cannot be had in a test, and root may write everywhere.
    monkeypatch.setattr(roots.LocalRoot, "put", _failing_write(OSError(number, os.strerror(number))))

    with pytest.raises(StoreError, match=message) as caught:
        local_store.save([1], scratch=scratch)

    assert type(caught.value) is kind
    assert "hint" in str(caught.value)


def test_a_root_that_is_a_file(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "store").write_text("here")

    with pytest.raises(StoreError, match="cannot store an artifact"):
        ArtifactStore(str(tmp_path / "store")).save([1], scratch=scratch)


def test_an_unknown_scheme() -> None:
    with pytest.raises(StoreError, match="nosuch:// is not a place that fsspec knows"):
        ArtifactStore("nosuch://bucket")


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)

    with pytest.raises(StoreError, match="s3://") as caught:
        ArtifactStore("s3://user:secret@bucket/zen")

    assert "pip install 'zen-core[s3]'" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_unreachable_remote_store_is_told_without_credentials(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    class NoCredentialsError(Exception):
        pass

    def refuse(error: Exception):
        def info(self, path, **options):
            raise error

        return info

    store = ArtifactStore("memory://key:secret@bucket")
    monkeypatch.setattr(MemoryFileSystem, "info", refuse(NoCredentialsError("Unable to locate credentials")))
    with pytest.raises(StoreError, match="the storage asks for credentials") as caught:
        store.save([1], scratch=scratch)
    assert "secret" not in str(caught.value)

    monkeypatch.setattr(MemoryFileSystem, "info", refuse(ConnectionError("https://key:secret@host is down")))
    with pytest.raises(StoreUnavailableError, match="cannot look for an artifact") as caught:
        store.exists("objects/aa")
    assert "secret" not in str(caught.value)


def test_large_values_reach_a_remote_store(scratch: Path) -> None:
    import uuid

    store = ArtifactStore(f"memory://{uuid.uuid4()}")
    value = LARGE + b"more"
    stored = store.save(value, scratch=scratch)

    assert stored.size_bytes > 8 << 20
    assert store.load(stored, scratch=scratch) == value
    assert list(scratch.iterdir()) == []


def test_several_values_are_stored_in_their_order_and_a_failure_names_its_own(
    store: ArtifactStore, scratch: Path
) -> None:
    values = [{"number": number} for number in range(20)]
    wheres = [f"element {number}" for number in range(20)]
    stored = store.save_all(values, scratch=scratch, wheres=wheres)
    assert [store.load(each, scratch=scratch) for each in stored] == values
    assert store.save_all(values, scratch=scratch, wheres=wheres) == stored
    assert store.save_all([], scratch=scratch, wheres=[]) == []
    with pytest.raises(OutputError, match="element 1"):
        store.save_all([1, Path("nowhere"), 3], scratch=scratch, wheres=wheres[:3])


def test_an_empty_value_comes_back(store: ArtifactStore, scratch: Path) -> None:
    empty = store.save(b"", scratch=scratch)
    assert store.load(empty, scratch=scratch) == b""


def test_a_bucket_that_is_not_there_is_a_refusal(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    def info(self, path, **options):
        raise FileNotFoundError("The specified bucket does not exist")

    store = ArtifactStore("memory://bucket")
    monkeypatch.setattr(MemoryFileSystem, "info", info)
    with pytest.raises(StoreError, match="cannot look for an artifact: there is no such bucket"):
        store.exists("objects/aa")


def test_values_whose_pieces_share_one_buffer_come_back_whole(store: ArtifactStore, scratch: Path) -> None:
    import numpy as np

    scattered = np.random.default_rng(0).random((600, 1200))[:, ::2]  # 2.9 MB: each piece of it is copied to a buffer
    stored = store.save(scattered, scratch=scratch)
    loaded = store.load(stored, scratch=scratch)
    assert isinstance(loaded, np.ndarray)
    assert (loaded == scattered).all()
