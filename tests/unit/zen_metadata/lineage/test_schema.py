"""The schema: made at once, upgraded by migrations, checked."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import UniqueConstraint, delete, inspect, text
from sqlalchemy.engine import make_url

from zen_core.errors import SchemaVersionError, StoreError
from zen_metadata.lineage.sql import checking, open_lineage_store, schema, upgrading
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.tables import artifacts, metadata, runs


@pytest.fixture
def empty_url(store_url: str, tmp_path: Path) -> str:
    """The address of a database without tables."""
    return store_url if make_url(store_url).get_backend_name() == "postgresql" else f"sqlite:///{tmp_path}/new/zen.db"


def describe(url: str) -> dict[str, Any]:
    """Tables, columns, keys and indexes, as the database tells them."""
    engine = make_engine(url)
    inspector = inspect(engine)
    told = {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
            },
            "key": inspector.get_pk_constraint(table),
            "foreign": inspector.get_foreign_keys(table),
            "unique": inspector.get_unique_constraints(table),
            "indexes": [
                {**index, "dialect_options": {key: str(value) for key, value in index["dialect_options"].items()}}
                for index in inspector.get_indexes(table)
            ],
        }
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return told


def sqlite_statements(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: re.sub(r"\s+", " ", statement).replace(" ,", ",") for name, statement in rows}


def test_a_new_store_has_what_the_migrations_make(empty_url: str, tmp_path: Path) -> None:
    store = open_lineage_store(empty_url)
    store.find_runs()
    store.close()
    assert checking.check(empty_url).problems == ()
    assert metadata.tables.keys() <= describe(empty_url).keys()


def test_migrations_equal_the_tables(tmp_path: Path) -> None:
    made, migrated = f"sqlite:///{tmp_path}/made.db", f"sqlite:///{tmp_path}/migrated.db"
    store = open_lineage_store(made)
    store.find_runs()
    store.close()
    assert upgrading.upgrade(migrated).after == schema.REVISIONS[-1]
    assert describe(made) == describe(migrated)
    # What the inspector does not tell: WITHOUT ROWID.
    clustered = [
        {name for name, statement in sqlite_statements(path).items() if statement.endswith("WITHOUT ROWID")}
        for path in (tmp_path / "made.db", tmp_path / "migrated.db")
    ]
    assert clustered[0] == clustered[1]


def test_what_refers_to_a_row_is_found_along_an_index() -> None:
    """Else each row that is deleted would have the database read the whole table that refers to it."""
    without = []
    for table in metadata.sorted_tables:
        beginnings = {index.columns[0].name for index in table.indexes} | {table.primary_key.columns[0].name}
        beginnings |= {item.columns[0].name for item in table.constraints if isinstance(item, UniqueConstraint)}
        without += [str(key.parent) for key in table.foreign_keys if key.parent.name not in beginnings]
    assert without == []


def test_all_revisions_are_known() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert tuple(revision.revision for revision in reversed(list(script.walk_revisions()))) == schema.REVISIONS


def test_upgrading_makes_a_store_that_works_and_is_sound(empty_url: str) -> None:
    assert upgrading.upgrade(empty_url).after == schema.REVISIONS[-1]
    assert upgrading.upgrade(empty_url).after == schema.REVISIONS[-1]
    assert checking.check(empty_url).problems == ()
    store = open_lineage_store(empty_url, create=False)
    assert store.find_runs() == []
    store.close()


def test_an_older_schema_names_the_command(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old = schema.REVISIONS[-1]
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "0999"))
    with pytest.raises(
        SchemaVersionError, match=rf"has schema {old}, and this version of Zen needs 0999[\s\S]*zen store upgrade"
    ):
        open_lineage_store(story.url).find_runs()
    assert [problem.code for problem in checking.check(story.url).problems] == ["ZEN-M102"]


def test_a_newer_schema_is_left_alone(story: Any) -> None:
    story.change(text("UPDATE zen_schema SET version_num = '9999', oldest_writer = '9999'"))
    with pytest.raises(
        SchemaVersionError, match=r"has schema 9999, which is newer[\s\S]*zen store upgrade[\s\S]*install"
    ):
        open_lineage_store(story.url).find_runs()
    with pytest.raises(SchemaVersionError, match="which is newer"):
        upgrading.upgrade(story.url)


def test_tables_without_a_version_are_not_touched(story: Any) -> None:
    story.change(text("DELETE FROM zen_schema"))
    with pytest.raises(SchemaVersionError, match="has tables but no schema version"):
        open_lineage_store(story.url).find_runs()


def test_the_store_shares_a_database_with_others(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    with sqlite3.connect(tmp_path / "shared.db") as connection:
        connection.execute("CREATE TABLE runs (id INTEGER)")
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('mlflow')")
    connection.close()
    store = open_lineage_store(url)
    assert store.find_runs() == []
    store.close()
    assert checking.check(url).problems == ()
    assert upgrading.upgrade(url).after == schema.REVISIONS[-1]


def test_a_sound_store_has_no_problems(story: Any) -> None:
    run = story.run()
    story.execute(run, "fit", reads=(story.execute(run, "load"),))
    assert checking.check(story.url).problems == ()


def test_rows_that_hang_in_the_air_are_told(story: Any) -> None:
    run = story.run()
    first = story.execute(run, "load")
    story.execute(run, "fit", reads=(first,))
    story.change(delete(runs), delete(artifacts).where(artifacts.c.artifact_id == first.artifact_id))
    problems = {problem.code: problem for problem in checking.check(story.url).problems}
    assert sorted(problems) == ["ZEN-M202", "ZEN-M205", "ZEN-M206"]
    assert problems["ZEN-M202"].message == "2 step runs without their run"
    assert problems["ZEN-M202"].hint.endswith("zen sync")


def test_changed_tables_are_told(story: Any) -> None:
    story.change(text("ALTER TABLE zen_runs ADD COLUMN mine TEXT"), text("DROP INDEX ix_zen_runs_started"))
    messages = [problem.message for problem in checking.check(story.url).problems]
    assert len(messages) == 2
    assert any("mine" in message for message in messages)
    assert any("ix_zen_runs_started" in message for message in messages)


def test_a_store_that_is_not_there_is_not_checked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no lineage store"):
        checking.check(f"sqlite:///{tmp_path}/zen.db")
    assert not (tmp_path / "zen.db").exists()
