"""A throw-away S3 server: moto's, reached over HTTP like any other."""

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from integration_tests.services.processes import Server, free_port
from integration_tests.services.rest import answers

KEY, SECRET = "testing-key", "testing-secret-7f3a"


class S3Server:
    """An S3 server in a process of its own; `create_bucket()` gives each test a bucket of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder: Path | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """The value for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.port}"

    def variables(self, port: int | None = None, **more: str) -> Mapping[str, str]:
        """What a process needs to reach it as botocore is usually told; `port` is that of a wire to it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **more,
        }

    def client(self, service: str = "s3") -> Any:
        """A client of boto's: what a test sees with it went through nothing of Zen's."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def create_bucket(self, *, versioned: bool = False) -> str:
        """A new bucket; a versioned one keeps each write, so that a second one of the same content shows."""
        name = f"zen-{uuid.uuid4().hex[:12]}"
        client = self.client()
        client.create_bucket(Bucket=name)
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def keys(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """What lies in a bucket, with its size."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="zen-s3-"))
        self._server = Server(
            "S3",
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)],
            log=self._folder / "server.log",
            environment={**os.environ, "TMPDIR": str(self._folder)},
        )
        self._server.wait_until(lambda: answers(f"{self.url}/moto-api/data.json"), timeout=120)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def refusal(status: str, code: str, message: str = "", headers: str = "") -> Callable[[bytes], bytes | None]:
    """What a wire answers in a storage's place, in S3's words; a HEAD gets the number alone, as from S3."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"

    def answer(data: bytes) -> bytes | None:
        if not data.startswith((b"HEAD ", b"GET ", b"PUT ", b"POST ", b"DELETE ")):
            return None  # the rest of a question
        told = "" if data.startswith(b"HEAD ") else body
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(told)}\r\n{headers}"
        return f"{head}Connection: close\r\n\r\n{told}".encode()

    return answer
