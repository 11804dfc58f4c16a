"""A store in a folder and one at a URL; both must behave the same."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.lineage.records import ArtifactRecord


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def local_store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path / "store"))


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "local":
        return ArtifactStore(str(tmp_path / "store"))
    return ArtifactStore(f"memory://{uuid.uuid4()}")


@pytest.fixture
def record_of() -> Callable[..., ArtifactRecord]:
    """An artifact as the lineage store has it, from what was stored and other values of its fields."""

    def of(stored: object, **fields: object) -> ArtifactRecord:
        kept = {name: getattr(stored, name) for name in stored.__slots__}
        return ArtifactRecord(
            artifact_id="a", project="p", pipeline="churn", name="model", version=3, **{**kept, **fields}
        )

    return of


@pytest.fixture
def round_trip(local_store: ArtifactStore, scratch: Path) -> Callable[[object], object]:
    return lambda value: local_store.load(local_store.save(value, scratch=scratch), scratch=scratch)
