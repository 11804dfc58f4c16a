"""What every projection shares: batches, when to try again, when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from zen_core.contract.settings import Settings
from zen_metadata.lineage.store import LineageStore
from zen_metadata.tracking import outbox
from zen_metadata.tracking.outbox import Patience, Stop, backoff_seconds, is_due, pending_batches

NewRun = Callable[..., Any]


def test_batches_bring_every_row_once_in_order_whatever_becomes_of_it(
    store: LineageStore, settings: Settings, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_BATCH_ROWS", 4)
    runs = [new_run(key=str(number)).do_all() for number in range(3)]
    new_run(project="pricing").do_all()
    batches = []
    for batch in pending_batches(store, "mlflow", settings.project):
        batches.append(batch)
        store.finish_outbox([batch[0].outbox_id])
        store.fail_outbox([batch[-1].outbox_id], "no")
    assert [len(batch) for batch in batches] == [4, 4, 1]
    ids = [row.outbox_id for batch in batches for row in batch]
    assert ids == sorted(set(ids))
    assert [row.run_id for row in batches[0]] == [runs[0].run_id] * 3 + [runs[1].run_id]


def test_a_refused_row_is_tried_again_when_its_age_has_doubled(
    store: LineageStore, settings: Settings, new_run: NewRun
) -> None:
    new_run().do("load")
    (row,) = store.pending_outbox()
    assert is_due(row, row.created_at)
    store.fail_outbox([row.outbox_id], "no", refused=True)
    (row,) = store.pending_outbox()
    assert not is_due(row, row.created_at + timedelta(seconds=59))
    assert is_due(row, row.created_at + timedelta(seconds=60))
    assert list(pending_batches(store, "mlflow", settings.project, only_due=True)) == []
    assert len(list(pending_batches(store, "mlflow", settings.project))) == 1


def test_a_server_that_is_away_counts_no_try(store: LineageStore, settings: Settings, new_run: NewRun) -> None:
    new_run().do("load")
    (row,) = store.pending_outbox()
    store.fail_outbox([row.outbox_id], "it is away", refused=False)
    (row,) = store.pending_outbox()
    assert row.tries == 0
    lag = store.outbox_lag(settings.project)["mlflow"]
    assert (lag.pending, lag.refused, lag.last_error, lag.oldest_at) == (1, 0, "it is away", row.created_at)


def test_the_lag_is_told_by_run_and_is_nothing_once_all_is_shown(
    store: LineageStore, settings: Settings, new_run: NewRun
) -> None:
    first, second = new_run(key="1").do_all(), new_run(key="2").do_all()
    store.finish_outbox([row.outbox_id for row in store.pending_outbox(run_id=first.run_id)])
    assert store.outbox_lag(settings.project, run_id=first.run_id) == {}
    assert store.outbox_lag(settings.project, run_id=second.run_id)["mlflow"].pending == 3
    assert store.outbox_lag("pricing") == {}


def test_a_run_is_asked_for_again_once(store: LineageStore, settings: Settings, new_run: NewRun) -> None:
    runs = [new_run(key=str(number)).do_all() for number in range(3)]
    new_run(project="pricing").do_all()
    store.finish_outbox([row.outbox_id for row in store.pending_outbox()])
    assert store.request_projection(settings.project, "mlflow", [runs[1].run_id]) == 1
    assert store.request_projection(settings.project, "mlflow", None) == 2
    assert store.request_projection(settings.project, "mlflow", None) == 0
    assert [(row.event, row.run_id) for row in store.pending_outbox()] == [
        ("again", runs[number].run_id) for number in (1, 0, 2)
    ]


def test_failures_are_spaced_out_up_to_five_minutes() -> None:
    assert [backoff_seconds(failures, 10) for failures in (1, 2, 3, 7, 1000)] == [10, 20, 40, 300, 300]
    assert backoff_seconds(3, 900) == 900


def test_patience_has_an_end() -> None:
    patience = Patience(1.0, Stop())
    started = time.monotonic()
    assert patience.wait(1)
    assert time.monotonic() - started >= 0.5
    assert not patience.wait(2)


def test_waiting_ends_when_it_is_asked_to() -> None:
    stop = Stop(after_seconds=0.05)
    stop.wait(60)
    assert stop.requested
    asked = Stop()
    assert not asked.requested
    asked.request()
    asked.wait(60)
    assert not Patience(10, asked).wait(1)
