"""Values in an S3 bucket: what is stored is there whole or not at all, once, whoever writes and whatever breaks."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from integration_tests.object_stores.conftest import OpenStore
from integration_tests.services.s3 import S3Server, refusal
from integration_tests.services.wire import Wire
from zen_core import File
from zen_core.errors import ArtifactIntegrityError, ArtifactMissingError, StoreUnavailableError

LARGE = np.arange(5 << 20)  # 40 MiB: five parts


def test_values_files_and_folders_come_back_and_large_ones_are_sent_in_parts(
    s3: S3Server, open_store: OpenStore, scratch: Path, tmp_path: Path
) -> None:
    bucket = s3.create_bucket()
    store = open_store(bucket)
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "sub" / "one").write_bytes(b"1" * 300_000)
    (tmp_path / "folder" / "two").write_bytes(b"2")

    large = store.save(LARGE, scratch=scratch)
    folder = store.save(File(str(tmp_path / "folder")), scratch=scratch)
    file = store.save(tmp_path / "folder" / "two", scratch=scratch)
    head = s3.client().head_object(Bucket=bucket, Key=f"team/zen/{large.location}")
    assert head["ETag"].strip('"').endswith("-6")
    assert head["ContentLength"] == large.size_bytes

    loaded = store.load(large, scratch=scratch)
    assert isinstance(loaded, np.ndarray)
    assert (loaded == LARGE).all()
    back = store.load(folder, into=Path, scratch=scratch)
    assert isinstance(back, Path)
    assert (back / "sub" / "one").read_bytes() == b"1" * 300_000
    found = store.load(file, into=Path, scratch=scratch)
    assert isinstance(found, Path)
    assert (found.name, found.read_bytes()) == ("two", b"2")

    before = s3.client().head_object(Bucket=bucket, Key=f"team/zen/{large.location}")["LastModified"]
    assert store.save(LARGE, scratch=scratch) == large
    assert s3.client().head_object(Bucket=bucket, Key=f"team/zen/{large.location}")["LastModified"] == before


def test_writers_of_the_same_content_that_both_saw_nothing_store_it_once(
    s3: S3Server, open_store: OpenStore, scratch: Path
) -> None:
    bucket = s3.create_bucket(versioned=True)
    nothing = refusal("404 Not Found", "NoSuchKey")

    def answer(data: bytes) -> bytes | None:
        return nothing(data) if data.startswith(b"HEAD ") else None

    with Wire(s3.port, answer=answer) as wire:
        store = open_store(bucket, wire.port)
        small, again = (store.save([1, 2, 3], scratch=scratch) for _ in range(2))
        large, large_again = (store.save(LARGE, scratch=scratch) for _ in range(2))
    assert (small, large) == (again, large_again)
    found = s3.client().list_object_versions(Bucket=bucket)["Versions"]
    assert sorted((version["Key"], version["Size"]) for version in found) == sorted(
        (f"team/zen/{stored.location}", stored.size_bytes) for stored in (small, large)
    )
    assert s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_store_goes_on_in_a_forked_process_and_in_many_threads(
    s3: S3Server, open_store: OpenStore, scratch: Path
) -> None:
    bucket = s3.create_bucket()
    store = open_store(bucket)
    kept = store.save("from the parent", scratch=scratch)
    process = os.fork()
    if process == 0:  # with the parent's store, whose connections and thread are not there any more
        code = 1
        try:
            code = store.load(kept, scratch=scratch) != "from the parent" or not store.save([1, 2], scratch=scratch)
        finally:
            os._exit(int(code))
    assert os.waitpid(process, 0)[1] == 0
    threads = [
        threading.Thread(target=lambda number=number: store.save({"number": number}, scratch=scratch / str(number)))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(s3.keys(bucket)) == 10


def test_truncated_and_altered_objects_are_set_aside_and_stored_anew(
    s3: S3Server, open_store: OpenStore, scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = s3.create_bucket()
    store = open_store(bucket)
    value = [b"measured" * 100]
    stored = store.save(value, scratch=scratch)
    key = f"team/zen/{stored.location}"

    s3.client().put_object(Bucket=bucket, Key=key, Body=b"x")
    assert store.state_of(stored) == "damaged"
    assert "is damaged: it has 1 bytes" in caplog.text
    assert store.save(value, scratch=scratch) == stored
    s3.client().put_object(Bucket=bucket, Key=key, Body=b"x" * stored.size_bytes)
    assert store.state_of(stored) == "whole"  # by its size
    with pytest.raises(ArtifactIntegrityError, match="are not those that were stored"):
        store.load(stored, scratch=scratch)
    assert len(s3.keys(bucket, "team/zen/corrupt/")) == 2
    assert store.save(value, scratch=scratch) == stored
    assert store.load(stored, scratch=scratch) == value


def test_an_object_that_goes_while_it_is_read_is_missing(s3: S3Server, open_store: OpenStore, scratch: Path) -> None:
    bucket = s3.create_bucket()
    stored = open_store(bucket).save(LARGE, scratch=scratch)
    blocks = 0

    def remove_then(data: bytes) -> None:
        nonlocal blocks
        if data.startswith(b"GET ") and b"ange: bytes=" in data:
            blocks += 1
            if blocks == 5:  # the second round of blocks
                s3.client().delete_object(Bucket=bucket, Key=f"team/zen/{stored.location}")

    with (
        Wire(s3.port, answer=remove_then) as wire,
        pytest.raises(ArtifactMissingError, match="are gone") as caught,
    ):
        open_store(bucket, wire.port).load(stored, scratch=scratch)
    assert "the next run of the pipeline will run the step that made it again" in str(caught.value)
    assert blocks >= 5


@pytest.mark.parametrize("fault", ["503", "500", "cut before", "cut after"])
def test_what_passes_is_tried_again(s3: S3Server, open_store: OpenStore, scratch: Path, fault: str) -> None:
    bucket = s3.create_bucket(versioned=True)
    left = 2

    def is_struck(data: bytes) -> bool:
        nonlocal left
        if not data.startswith(b"PUT ") or left == 0:
            return False
        left -= 1
        return True

    slow_down = refusal("503 Slow Down", "SlowDown") if fault == "503" else refusal("500 Error", "InternalError")

    def answer(data: bytes) -> bytes | None:
        return slow_down(data) if "cut" not in fault and is_struck(data) else None

    def cut(data: bytes) -> Literal["before", "after"] | None:
        if "cut" not in fault or not is_struck(data):
            return None
        return "before" if fault == "cut before" else "after"

    with Wire(s3.port, answer=answer, cut=cut) as wire:
        stored = open_store(bucket, wire.port).save({"fault": fault}, scratch=scratch)
    assert left == 0
    (version,) = s3.client().list_object_versions(Bucket=bucket)["Versions"]
    assert (version["Key"], version["Size"]) == (f"team/zen/{stored.location}", stored.size_bytes)


def test_an_upload_that_breaks_in_the_middle_leaves_nothing_and_can_be_made_again(
    s3: S3Server, open_store: OpenStore, scratch: Path
) -> None:
    bucket = s3.create_bucket()

    def cut(data: bytes) -> Literal["before", "after"] | None:
        return "before" if data.startswith(b"PUT ") and b"partNumber=3" in data else None

    with Wire(s3.port, cut=cut) as wire, pytest.raises(StoreUnavailableError, match="cannot store an artifact"):
        open_store(bucket, wire.port, AWS_MAX_ATTEMPTS="1").save(LARGE, scratch=scratch)
    assert s3.keys(bucket) == {}
    assert s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert list(scratch.iterdir()) == []
    stored = open_store(bucket).save(LARGE, scratch=scratch)
    assert s3.keys(bucket) == {f"team/zen/{stored.location}": stored.size_bytes}


def test_a_server_that_knows_no_conditions_is_written_to_without(
    s3: S3Server, open_store: OpenStore, scratch: Path
) -> None:
    bucket = s3.create_bucket()
    refuse = refusal("501 Not Implemented", "NotImplemented", "A header you provided is not implemented")

    def answer(data: bytes) -> bytes | None:
        return refuse(data) if b"if-none-match" in data.lower() else None

    with Wire(s3.port, answer=answer) as wire:
        stored = open_store(bucket, wire.port).save([1, 2, 3], scratch=scratch)
    assert list(s3.keys(bucket)) == [f"team/zen/{stored.location}"]
