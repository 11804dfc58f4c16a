"""Upgrading: from each released schema, beside shims of the version before, two at once, interrupted and again."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, text
from sqlalchemy.engine import make_url

from tests.unit.zen_metadata.lineage.conftest import Story
from zen_core.errors import SchemaVersionError, StoreError
from zen_metadata.lineage.sql import checking, open_lineage_store, schema
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.upgrading import upgrade

RUN_ID = "6a3a7d8e-0000-4000-8000-000000000001"


@pytest.fixture
def old_url(store_url: str, tmp_path: Path) -> str:
    """The address of a store as revision 0002 made it."""
    url = store_url if make_url(store_url).get_backend_name() == "postgresql" else f"sqlite:///{tmp_path}/old/zen.db"
    (tmp_path / "old").mkdir()
    make_old(url, "0002")
    return url


def make_old(url: str, revision: str) -> None:
    """What a Zen of a released revision has left, the tables that tell its version included."""
    engine = make_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


class OldShim:
    """Writes rows as a shim of revision 0002 does: by the tables as they were when it was opened."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url)
        tables = MetaData()
        with self._engine.connect() as connection:
            tables.reflect(connection, only=lambda name, _: name.startswith("zen_"))
        self._tables = {name.removeprefix("zen_"): table for name, table in tables.tables.items()}
        self._rows = {
            name: {column.name: _some(column) for column in table.columns} for name, table in self._tables.items()
        }

    def takes(self) -> bool:
        """Whether a new process of it would take the store."""
        with self._engine.connect() as connection:
            return bool(connection.execute(text("SELECT version_num FROM zen_alembic_version")).scalar() == "0002")

    def write(self, number: int) -> None:
        """One step of a run, in one transaction."""
        ids = {"run_id": RUN_ID, "step_run_id": f"s{number}", "attempt_id": f"a{number}", "artifact_id": f"o{number}"}
        begin = "BEGIN IMMEDIATE" if self._engine.dialect.name == "sqlite" else "BEGIN"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(begin)
            for name in ("runs", "step_runs", "attempts", "artifacts", "attempt_outputs", "outbox"):
                if name == "runs" and number:
                    continue
                row = {**self._rows[name], **{key: value for key, value in ids.items() if key in self._rows[name]}}
                row.pop("outbox_id", None)
                row.update(
                    {"step": f"s{number}"}
                    if name == "step_runs"
                    else {"version": number}
                    if name == "artifacts"
                    else {}
                )
                connection.execute(self._tables[name].insert().values(row))
            connection.exec_driver_sql("COMMIT")
            connection.commit()

    def close(self) -> None:
        self._engine.dispose()


_VALUES = {"parameters": "{}", "tags": "[]", "engine": "{}", "key_parts": "{}", "metadata": "{}", "inline_value": "1"}
_VALUES |= {"project": "shop", "pipeline": "train", "kind": "value", "status": "completed", "name": "model"}


def _some(column: Any) -> Any:
    if column.nullable:
        return None
    kind = column.type.python_type
    return _VALUES.get(column.name, "x") if kind is str else False if kind is bool else 5


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_a_store_of_each_released_revision_is_upgraded(store_url: str, tmp_path: Path, revision: str) -> None:
    is_sqlite = make_url(store_url).get_backend_name() == "sqlite"
    url = f"sqlite:///{tmp_path}/released.db" if is_sqlite else store_url
    make_old(url, revision)
    with pytest.raises(SchemaVersionError, match=rf"has schema {revision}, and this version of Zen needs"):
        open_lineage_store(url).find_runs()
    done = upgrade(url)
    assert (done.before, done.after) == (revision, schema.REVISIONS[-1])
    assert checking.check(url).problems == ()
    assert upgrade(url).before == schema.REVISIONS[-1]
    if is_sqlite:
        assert done.backup == tmp_path / f"released.db.schema-{revision}"
        with closing(sqlite3.connect(done.backup)) as backup:
            assert backup.execute("SELECT version_num FROM zen_alembic_version").fetchall() == [(revision,)]
    else:
        assert done.backup is None


def test_shims_of_the_version_before_go_on_during_and_after_an_upgrade(old_url: str) -> None:
    shim = OldShim(old_url)
    shim.write(0)
    upgraded, enough = threading.Event(), threading.Event()
    failures: list[BaseException] = []
    written = [0]

    def work() -> None:
        try:
            after = 0
            while after < 5:
                written[0] += 1
                shim.write(written[0])
                after += upgraded.is_set()
                if written[0] == 5:
                    enough.set()
        except BaseException as error:
            failures.append(error)
        finally:
            enough.set()

    worker = threading.Thread(target=work)
    worker.start()
    assert enough.wait(60)
    upgrade(old_url)
    upgraded.set()
    worker.join(60)
    assert failures == []
    assert shim.takes(), "new processes of it take the store too"
    shim.close()
    assert checking.check(old_url).problems == ()
    store = open_lineage_store(old_url, create=False)
    # Nothing is lost, and what the earlier version wrote is to be projected as ever.
    rows = store.pending_outbox(projection="mlflow", limit=1_000_000)
    assert sorted(row.attempt_id or "" for row in rows) == sorted(f"a{n}" for n in range(written[0] + 1))
    assert len(store.get_step_runs(RUN_ID)) == written[0] + 1
    story = Story(store, old_url)
    story.execute(story.run(), "model", reads=(next(iter(store.get_artifacts(["o3"]).values())),))
    store.close()


def test_a_new_store_takes_shims_of_the_version_before(store: Any, store_url: str) -> None:
    shim = OldShim(store_url)
    assert shim.takes()
    shim.close()


def test_a_newer_store_that_takes_us_is_used(story: Any) -> None:
    ours = schema.REVISIONS[-1]
    story.change(
        text(f"UPDATE zen_schema SET version_num = '9999', oldest_writer = '{ours}'"),
        text("ALTER TABLE zen_runs ADD COLUMN mood TEXT DEFAULT 'fine' NOT NULL"),
    )
    other = Story(open_lineage_store(story.url), story.url)
    other.execute(other.run(), "fit")
    other.store.close()
    report = checking.check(story.url)
    assert (report.problems, report.version.revision) == ((), "9999")
    with pytest.raises(SchemaVersionError, match="which is newer"):
        upgrade(story.url)
    story.change(text("UPDATE zen_schema SET oldest_writer = '9998'"))
    with pytest.raises(SchemaVersionError, match="which is newer"):
        open_lineage_store(story.url).find_runs()


_UPGRADE = """
from zen_metadata.lineage.sql.upgrading import upgrade

def work(url):
    print(upgrade(url).before)
"""


def test_of_two_upgrades_at_once_one_does_it(old_url: str, in_processes: Callable[..., list[str]]) -> None:
    before = sorted(in_processes(_UPGRADE, [[old_url]] * 3))
    assert before == ["0002", schema.REVISIONS[-1], schema.REVISIONS[-1]]
    assert checking.check(old_url).problems == ()


_KILLED = """
import os, signal
from sqlalchemy import event
from sqlalchemy.engine import Engine
from zen_metadata.lineage.sql.upgrading import upgrade

def work(url):
    # Each child is killed before one more of the statements that change something.
    for number in range(1, 1000):
        child = os.fork()
        if child == 0:
            left = [number]

            @event.listens_for(Engine, "before_cursor_execute")
            def count(connection, cursor, statement, *rest):
                if statement.split()[0] not in ("SELECT", "PRAGMA"):
                    left[0] -= 1
                    if not left[0]:
                        os.kill(os.getpid(), signal.SIGKILL)

            upgrade(url)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            print(number - 1)
            return
        assert os.WTERMSIG(status) == signal.SIGKILL
"""


def test_an_upgrade_that_is_killed_anywhere_has_changed_nothing(
    old_url: str, in_processes: Callable[..., list[str]]
) -> None:
    shim = OldShim(old_url)
    shim.write(0)
    shim.close()
    # Were one of the killed ones to leave half of it, none of the next would come to its end.
    [killed] = in_processes(_KILLED, [[old_url]])
    assert int(killed) > 10
    assert checking.check(old_url).problems == ()
    store = open_lineage_store(old_url, create=False)
    assert len(store.get_step_runs(RUN_ID)) == 1
    store.close()


def test_nothing_is_upgraded_without_the_backup(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/zen.db"
    make_old(url, "0002")
    (tmp_path / "zen.db.schema-0002").mkdir()
    with pytest.raises(StoreError, match=r"the backup .*zen\.db\.schema-0002 of the lineage store cannot be written"):
        upgrade(url)
    with pytest.raises(SchemaVersionError, match="has schema 0002"):
        open_lineage_store(url).find_runs()
    assert upgrade(url, backup=False).backup is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zen.db", "zen.db.schema-0002"]


def test_an_attempt_that_ran_through_an_upgrade_is_completed(story: Any) -> None:
    """Its process opened the store before, and asks for its version no more."""
    run = story.run()
    step_run = story.step_run(run)
    attempt = story.attempt(step_run)
    start = story.start(step_run, attempt)
    story.change(text("ALTER TABLE zen_attempts ADD COLUMN mood TEXT DEFAULT 'fine' NOT NULL"))
    story.change(text("CREATE INDEX ix_zen_mood ON zen_attempts (mood)"))
    assert story.complete(run, step_run, attempt, start=start).versions == {"result": 1}
    assert story.store.get_step_runs(run.run_id)[0].status == "completed"
