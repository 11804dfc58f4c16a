"""What a store records for OpenLineage beside MLflow: the same facts, in the same transaction."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from zen_metadata.lineage.sql import open_lineage_store


def _rows(store: Any, projection: str) -> list[tuple[str, str, str | None, str | None]]:
    rows = store.pending_outbox(projection=projection)
    return [(row.event, row.run_id, row.step_run_id, row.attempt_id) for row in rows]


def test_each_fact_has_a_row_for_both(story: Any, store_url: str) -> None:
    with closing(open_lineage_store(store_url, openlineage=True)) as story.store:
        run = story.run()
        story.execute(run)
        story.store.end_run(run.run_id, "completed")
        mlflow, openlineage = _rows(story.store, "mlflow"), _rows(story.store, "openlineage")
    assert [row[0] for row in mlflow] == ["attempt_ended", "run_ended"]
    assert mlflow == openlineage


def test_one_is_done_without_the_other(story: Any, store_url: str) -> None:
    with closing(open_lineage_store(store_url, openlineage=True)) as story.store:
        story.store.end_run(story.run().run_id, "completed")
        story.store.finish_outbox([row.outbox_id for row in story.store.pending_outbox(projection="openlineage")])
        assert len(_rows(story.store, "mlflow")) == 1
        assert _rows(story.store, "openlineage") == []


def test_a_run_can_be_asked_for_again(story: Any) -> None:
    run = story.run()
    assert story.store.request_projection("shop", "openlineage", None) == 1
    assert _rows(story.store, "openlineage") == [("again", run.run_id, None, None)]
    assert _rows(story.store, "mlflow") == []


def test_a_store_that_is_not_asked_to_records_nothing_for_it(story: Any) -> None:
    story.store.end_run(story.run().run_id, "completed")
    assert len(_rows(story.store, "mlflow")) == 1
    assert _rows(story.store, "openlineage") == []
