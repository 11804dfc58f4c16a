"""A store in a bucket of its own, in this process; and what a process of its own needs to reach one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import s3fs

from integration_tests.services.s3 import S3Server
from zen_metadata.artifacts.store import ArtifactStore

OpenStore = Callable[..., ArtifactStore]


@pytest.fixture
def open_store(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """Opens a store in a bucket, through a wire at `port` where one is given, with other variables."""

    def open_at(bucket: str, port: int | None = None, **variables: str) -> ArtifactStore:
        for name, value in {**s3.variables(port), **variables}.items():
            if value:
                monkeypatch.setenv(name, value)
            else:
                monkeypatch.delenv(name, raising=False)
        s3fs.S3FileSystem.clear_instance_cache()  # it knows a client by its arguments, not by the environment
        return ArtifactStore(f"s3://{bucket}/team/zen")

    return open_at


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"
