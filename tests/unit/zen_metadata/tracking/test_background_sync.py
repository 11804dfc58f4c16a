from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from zen_core.contract.settings import Settings
from zen_metadata.tracking.background import start_background_sync
from zen_metadata.tracking.locks import drain_lock, drain_turn, take_file_lock
from zen_metadata.tracking.outbox import Stop
from zen_metadata.tracking.sync import find_obstacle


def test_while_one_process_is_at_work_no_other_is_started(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path).with_local_defaults()
    lock = take_file_lock(settings.state_folder / "sync.lock", wait=False)
    assert lock is not None
    try:
        assert start_background_sync(settings) is False
    finally:
        os.close(lock)


def test_while_mlflow_was_found_away_no_process_is_started(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path).with_local_defaults()
    settings.state_folder.mkdir()
    away = settings.state_folder / "sync.away"
    away.write_text("3")
    assert start_background_sync(settings) is False
    assert not (settings.state_folder / "sync.log").exists()


def test_each_projection_has_a_lock_of_its_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/zen.db"
    with (
        drain_lock(url, "churn", wait=False) as first,
        drain_lock(url, "churn", wait=False, projection="openlineage") as other,
        drain_turn(url, "churn", "mlflow", wait=True, stop=Stop(0.1)) as third,
    ):
        assert (first, other, third) == (True, True, False)


def test_a_lock_is_held_by_one_and_free_after_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/zen.db"
    with drain_lock(url, "churn", wait=True) as first, drain_lock(url, "churn", wait=False) as second:
        assert (first, second) == (True, False)
    with drain_lock(url, "churn", wait=False) as third:
        assert third is True


def test_a_shared_store_is_not_projected_to_this_machines_own_mlflow(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, lineage_url="postgresql://zen@database/zen").with_local_defaults()
    assert "no MLflow is set" in find_obstacle(settings)
    assert find_obstacle(replace(settings, mlflow_tracking_uri="http://mlflow:5000")) == ""
    assert find_obstacle(Settings(root=tmp_path).with_local_defaults()) == ""
