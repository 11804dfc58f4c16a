"""The third revision of the schema: a store of an older one is upgraded with what is in it."""

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, make_url

from zen_metadata.lineage.sql import open_lineage_store, schema
from zen_metadata.lineage.sql.checking import check
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.upgrading import upgrade

RUN = (
    "INSERT INTO zen_runs (run_id, project, pipeline, deployment, orchestrator, run_key, ir_digest, code_digest,"
    " zen_version, parameters, tags, started_at, run_url, engine)"
    " VALUES ('r1', 'shop', 'train', 'local', 'local', 'k', 'sha256:ir', 'sha256:code', '0.1', '{}', '[]', 5, '', '{}')"
)
EVENT = (
    "INSERT INTO zen_outbox (project, event, run_id, created_at, tries, done_at)"
    " VALUES ('shop', 'run_ended', 'r1', 7, 0, :done_at)"
)


@pytest.fixture
def empty_url(store_url: str, tmp_path: Path) -> str:
    """The address of a database without tables."""
    return store_url if make_url(store_url).get_backend_name() == "postgresql" else f"sqlite:///{tmp_path}/old.db"


def migrate(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if revision == "-1":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def fill(url: str, revision: str) -> None:
    """A store of an old revision, with a run, a fact that was projected and one that was not."""
    engine = make_engine(url)
    with engine.begin() as connection:
        migrate(connection, revision)
        connection.execute(text(RUN))
        connection.execute(text(EVENT), [{"done_at": 9}, {"done_at": None}])
    engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_an_older_store_is_upgraded_with_its_rows(empty_url: str, revision: str) -> None:
    fill(empty_url, revision)
    assert upgrade(empty_url).after == schema.REVISIONS[-1]
    assert check(empty_url).problems == ()
    store = open_lineage_store(empty_url, create=False)
    assert [run.run_id for run in store.find_runs()] == ["r1"]
    (pending,) = store.pending_outbox()
    assert (pending.run_id, pending.event) == ("r1", "run_ended")
    assert [row.outbox_id for row in store.pending_outbox(run_id="r1")] == [pending.outbox_id]
    store.close()


def test_what_an_older_version_writes_beside_is_for_mlflow(story: Any) -> None:
    story.change(text(EVENT).bindparams(done_at=None))
    assert [row.run_id for row in story.store.pending_outbox()] == ["r1"]


def test_facts_for_another_projection_are_not_mlflows(story: Any) -> None:
    story.change(
        text(EVENT).bindparams(done_at=None),
        text("UPDATE zen_outbox SET projection = 'openlineage'"),
        text(EVENT).bindparams(done_at=None),
    )
    (mine,) = story.store.pending_outbox()
    (others,) = story.store.pending_outbox(projection="openlineage")
    assert mine.outbox_id > others.outbox_id


def test_the_revision_can_be_undone(empty_url: str) -> None:
    fill(empty_url, "0003")
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        migrate(connection, "-1")
    with engine.connect() as connection:
        assert "projection" not in {column["name"] for column in inspect(connection).get_columns("zen_outbox")}
        assert connection.execute(text("SELECT count(*) FROM zen_outbox")).scalar() == 2
    engine.dispose()
    assert upgrade(empty_url).after == schema.REVISIONS[-1]
    assert check(empty_url).problems == ()
