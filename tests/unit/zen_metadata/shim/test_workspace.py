"""What a task needs before it may begin, and what it is told when it lacks it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from zen_core.contract.settings import Settings
from zen_core.errors import MissingInputError, ShimError
from zen_metadata.shim.workspace import Workspace, open_workspace


def test_a_remote_task_never_falls_back_to_the_embedded_stores(tmp_path: Path) -> None:
    with pytest.raises(ShimError) as caught:
        open_workspace(Settings(root=tmp_path, project="p"), remote=True)
    told = {diagnostic.where: diagnostic for diagnostic in caught.value.diagnostics}
    assert set(told) == {"ZEN_LINEAGE_URL", "ZEN_ARTIFACT_URL", "ZEN_DEPLOYMENT"}
    assert "set ZEN_LINEAGE_URL in the environment of the workers" in told["ZEN_LINEAGE_URL"].hint
    assert not (tmp_path / ".zen").exists()


def test_paths_of_one_machine_need_a_word_that_they_are_shared(tmp_path: Path) -> None:
    settings = Settings(
        lineage_url=f"sqlite:///{tmp_path / 'zen.db'}", artifact_url=str(tmp_path / "artifacts"), deployment="d"
    )
    with pytest.raises(ShimError, match="ZEN_LINEAGE_URL, ZEN_ARTIFACT_URL") as caught:
        open_workspace(settings, remote=True)
    assert "ZEN_SHARED_FILESYSTEM=true" in str(caught.value)
    open_workspace(replace(settings, shared_filesystem=True), remote=True).close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    local = Settings(root=tmp_path, project="p").with_local_defaults()
    return open_workspace(replace(local, data_root=""), remote=False)


def test_a_relative_file_needs_a_data_root(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ShimError, match="relative, and there is no data root") as caught:
        workspace.find_source("data/a.csv")
    assert "ZEN_DATA_ROOT" in str(caught.value)
    with pytest.raises(MissingInputError, match="nowhere"):
        workspace.find_source(str(tmp_path / "nowhere.csv"))
    workspace.close()


def test_the_digest_of_a_large_file_is_remembered_until_it_changes(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"a" * 1_200_000)
    source, digest = workspace.find_source(str(path))
    # Within a tick of the file system's clock, another content could have the same version.
    assert workspace.lineage.find_file_digest(source.url, source.version) is None
    monkeypatch.setattr(time, "time_ns", lambda: path.stat().st_ctime_ns + 3_000_000_000)
    assert workspace.find_source(str(path))[1] == digest
    assert workspace.lineage.find_file_digest(source.url, source.version) == digest
    path.write_bytes(b"b" * 1_200_000)
    assert workspace.find_source(str(path))[1] != digest
    workspace.close()
