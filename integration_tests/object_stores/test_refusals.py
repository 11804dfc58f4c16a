"""What a storage refuses is said in one clear error, with what to do and without a secret."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from integration_tests.object_stores.conftest import OpenStore
from integration_tests.services.s3 import KEY, SECRET, S3Server, refusal
from integration_tests.services.wire import Wire
from zen_core.errors import StoreError, StoreUnavailableError

ELSEWHERE = "x-amz-bucket-region: eu-west-1\r\n"
REFUSALS = {
    "unknown key": (
        refusal("403 Forbidden", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist."),
        "the storage does not accept the credentials",
        "correct or renew what the process takes them from",
    ),
    "wrong secret": (
        refusal("403 Forbidden", "SignatureDoesNotMatch", "The request signature we calculated does not match."),
        "the storage does not accept the credentials",
        "look at its clock",
    ),
    "expired": (
        refusal("400 Bad Request", "ExpiredToken", "The provided token has expired."),
        "the storage does not accept the credentials",
        "correct or renew",
    ),
    "no permission": (
        refusal("403 Forbidden", "AccessDenied", "User: team is not authorized to perform: s3:GetObject"),
        "not allowed",
        "let these credentials read, write, list and delete there",
    ),
    "another region": (
        refusal("301 Moved Permanently", "PermanentRedirect", "The bucket must be addressed elsewhere.", ELSEWHERE),
        "the bucket lies in another region",
        "AWS_DEFAULT_REGION",
    ),
    "another region signed for": (
        refusal("400 Bad Request", "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong", ELSEWHERE),
        "the bucket lies in another region",
        "AWS_DEFAULT_REGION",
    ),
}

READER = """
from zen_metadata.artifacts import ArtifactStore
try:
    ArtifactStore("s3://bucket/zen").exists("objects/aa/none")
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_storage_refuses_is_told_with_what_to_do(
    s3: S3Server, open_store: OpenStore, scratch: Path, name: str
) -> None:
    answer, what, hint = REFUSALS[name]
    with Wire(s3.port, answer=answer) as wire:
        store = open_store("some-bucket", wire.port)
        for action in (lambda: store.exists("objects/aa/none"), lambda: store.save([1], scratch=scratch), store.list):
            with pytest.raises(StoreError, match=f"cannot .*: {what}") as caught:
                action()
            assert not isinstance(caught.value, StoreUnavailableError)  # it does not pass
            assert hint in str(caught.value)
            assert KEY not in str(caught.value)
            assert SECRET not in str(caught.value)
        assert wire.round_trips < 25


def test_a_bucket_that_is_not_there_is_not_taken_for_an_empty_one(
    s3: S3Server, open_store: OpenStore, scratch: Path
) -> None:
    stored = open_store(s3.create_bucket()).save([1], scratch=scratch)
    store = open_store("not-there")
    for action in (
        lambda: store.exists(stored.location),
        lambda: store.state_of(stored),
        lambda: store.save([1], scratch=scratch),
        lambda: store.load(stored, scratch=scratch),
        store.list,
        lambda: store.files("objects"),
        lambda: store.write_bytes("spool/a.json", b"{}"),
    ):
        with pytest.raises(StoreError, match="there is no such bucket") as caught:
            action()
        assert "make the bucket, or correct artifact_url" in str(caught.value)


def test_without_credentials_they_are_asked_for(s3: S3Server, open_store: OpenStore) -> None:
    store = open_store(s3.create_bucket(), AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    with pytest.raises(StoreError, match="the storage asks for credentials") as caught:
        store.exists("objects/aa/none")
    assert "(environment, role or mounted file)" in str(caught.value)


def test_a_storage_that_does_not_answer_is_given_up(s3: S3Server) -> None:
    """With what users configure botocore and fsspec with, so that it takes a second."""
    quick = {"AWS_MAX_ATTEMPTS": "2", "FSSPEC_S3": '{"config_kwargs": {"read_timeout": 0.2}}'}
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        environment = {**os.environ, **s3.variables(silent.getsockname()[1]), **quick}
        done = subprocess.run(
            [sys.executable, "-c", READER], env=environment, capture_output=True, text=True, timeout=60
        )
    assert done.stderr == ""
    assert done.stdout.startswith("StoreUnavailableError error ZEN-M101: cannot look for an artifact")
    assert "see whether the place can be reached" in done.stdout
