"""Bytes in the store that are not those which were stored: noticed, set aside, and made again."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from zen_core.errors import (
    ArtifactIntegrityError,
    ArtifactMissingError,
)
from zen_metadata.artifacts import roots, serializers
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.records import ArtifactRecord

RecordOf = Callable[..., ArtifactRecord]


def test_altered_bytes_are_noticed_before_they_are_read_and_can_be_stored_anew(
    store: ArtifactStore, scratch: Path, record_of: RecordOf
) -> None:
    stored = store.save({"a": 1}, scratch=scratch)
    store.remove(stored.location)
    store.write_bytes(stored.location, b'{"a":2}')

    with pytest.raises(ArtifactIntegrityError, match="not those that were stored") as caught:
        store.load(record_of(stored), scratch=scratch)

    assert "the artifact 'model' version 3" in caught.value.message
    assert "the next run of the pipeline will run the step that made it again" in str(caught.value)
    (aside,) = store.list("corrupt")
    assert f"the damaged bytes are kept as {aside}" in str(caught.value)
    assert store.read_bytes(aside) == b'{"a":2}'
    assert store.state_of(stored) == "damaged"
    with pytest.raises(ArtifactIntegrityError, match="'model' version 3 were damaged, and nobody has stored them anew"):
        store.load(record_of(stored), scratch=scratch)

    store.save({"a": 1}, scratch=scratch)

    assert store.state_of(stored) == "whole"
    assert store.load(stored, scratch=scratch) == {"a": 1}


@pytest.mark.parametrize("data", [b"", b'{"a":', b'{"a":1}  '])
def test_torn_bytes_are_noticed(store: ArtifactStore, scratch: Path, data: bytes) -> None:
    stored = store.save({"a": 1}, scratch=scratch)
    store.remove(stored.location)
    store.write_bytes(stored.location, data)

    with pytest.raises(ArtifactIntegrityError):
        store.load(stored, scratch=scratch)


def test_healthy_bytes_stay_where_only_the_record_is_wrong(store: ArtifactStore, scratch: Path) -> None:
    stored = store.save({"a": 1}, scratch=scratch)

    with pytest.raises(ArtifactIntegrityError, match="--refresh"):
        store.load(replace(stored, stored_digest="sha256:" + "0" * 64), scratch=scratch)

    assert store.exists(stored.location)
    assert store.list("corrupt") == []


@pytest.mark.parametrize("data", [b"", b'{"a":', b'{"a":1}  '])
def test_a_look_up_finds_bytes_of_another_size_and_tells(
    store: ArtifactStore, scratch: Path, data: bytes, caplog: pytest.LogCaptureFixture, record_of: RecordOf
) -> None:
    stored = store.save({"a": 1}, scratch=scratch)
    assert store.state_of(stored) == "whole"
    store.remove(stored.location)
    assert store.state_of(stored) == "gone"
    store.write_bytes(stored.location, data)

    assert store.state_of(record_of(stored)) == "damaged"

    (aside,) = store.list("corrupt")
    assert store.read_bytes(aside) == data
    (message,) = caplog.messages
    assert message.startswith(f"the artifact 'model' version 3 is damaged: it has {len(data)} bytes and had 7 when")
    assert f"the damaged bytes are kept as {aside}" in message
    assert store.state_of(record_of(stored)) == "damaged", "until somebody makes it again"
    assert len(caplog.messages) == 1, "told once"
    store.save({"a": 1}, scratch=scratch)
    assert store.state_of(stored) == "whole"


def test_an_empty_value_is_whole(store: ArtifactStore, scratch: Path) -> None:
    assert store.state_of(store.save(b"", scratch=scratch)) == "whole"


def test_the_right_bytes_are_not_set_aside_where_the_record_has_another_size(
    store: ArtifactStore, scratch: Path
) -> None:
    stored = store.save({"a": 1}, scratch=scratch)

    assert store.state_of(replace(stored, size_bytes=99)) == "damaged"
    assert store.list("corrupt") == []
    assert store.state_of(stored) == "whole"


def test_damaged_bytes_that_cannot_be_moved(
    local_store: ArtifactStore, scratch: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stored = local_store.save({"a": 1}, scratch=scratch)
    damage(local_store, stored.location)

    def refuse(self, location, new_location):
        raise PermissionError(errno.EACCES, "not yours")

    # Root may write everywhere.
    monkeypatch.setattr(roots.LocalRoot, "move", refuse)

    with pytest.raises(ArtifactIntegrityError, match=f"the damaged bytes are still at {stored.location}"):
        local_store.load(stored, scratch=scratch)
    assert "damaged bytes could not be moved" in caplog.text


def damage(store: ArtifactStore, location: str) -> None:
    """Change the bytes, but not their number."""
    path = store.local_path(location)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def test_readers_and_writers_of_damaged_bytes_end_with_right_ones(local_store: ArtifactStore, scratch: Path) -> None:
    value = list(range(2000))
    stored = local_store.save(value, scratch=scratch)
    wrong = []

    def read() -> None:
        try:
            if local_store.load(stored, scratch=scratch) != value:
                wrong.append("another value")
        except (ArtifactIntegrityError, ArtifactMissingError):
            pass

    def write() -> None:
        local_store.save(value, scratch=scratch)

    for _ in range(20):
        damage(local_store, stored.location)
        threads = [threading.Thread(target=target) for target in (read, write, read, write)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        local_store.state_of(stored)
        local_store.save(value, scratch=scratch)
        read()
        local_store.save(value, scratch=scratch)
        assert local_store.load(stored, scratch=scratch) == value

    assert not wrong


class Removing:
    """Reads a file that somebody removes from the store at that moment."""

    name, version, extension = "removing", 1, ".txt"

    def handles(self, value: object) -> bool:
        return isinstance(value, Removing)

    def dump(self, value: object, path: Path) -> dict:
        path.write_text("text")
        return {}

    def load(self, path: Path, metadata: object, into: object) -> object:
        path.unlink()
        return path.read_text()

    def digest(self, value: object, stored_digest: str, metadata: object) -> str:
        return stored_digest


def test_an_artifact_that_is_removed_while_it_is_read(
    local_store: ArtifactStore, scratch: Path, record_of: RecordOf
) -> None:
    removing = Removing()
    serializers.register(removing)
    try:
        stored = local_store.save(removing, scratch=scratch)
        with pytest.raises(ArtifactMissingError, match="the bytes of the artifact 'model' version 3 are gone"):
            local_store.load(record_of(stored), scratch=scratch)
    finally:
        serializers.unregister(removing)
    assert local_store.state_of(stored) == "gone"


def test_a_file_emptied_by_a_power_failure_is_not_there_and_is_written_again(
    local_store: ArtifactStore, scratch: Path
) -> None:
    stored = local_store.save({"a": 1}, scratch=scratch)
    path = local_store.local_path(stored.location)
    path.chmod(0o644)
    path.write_bytes(b"")

    assert not local_store.exists(stored.location)
    local_store.save({"a": 1}, scratch=scratch)
    assert local_store.exists(stored.location)
