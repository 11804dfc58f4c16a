"""A name that stands for an earlier version."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from zen_core.errors import NotFoundError
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.tables import artifacts


@pytest.fixture
def models(history):
    """Three versions of a model; the client that sees them."""
    for key in ("1", "2", "3"):
        history.complete(history.run(key))
    return history


def delete(history, version):
    engine = make_engine(history.settings.lineage_url)
    with engine.begin() as connection:
        tombstone = {"deleted_at": datetime.now(UTC), "deleted_by": "anna", "deleted_reason": "asked to be forgotten"}
        connection.execute(
            update(artifacts).where(artifacts.c.name == "model", artifacts.c.version == version).values(**tombstone)
        )
    engine.dispose()


def test_a_name_stands_for_the_version_that_it_was_rolled_back_to(models):
    assert models.client.roll_back("model", 1, reason="v3 is worse").current
    assert models.client.artifact("model").version == 1
    assert {item.version: item.current for item in models.client.artifacts("churn/model")} == {
        1: True,
        2: False,
        3: False,
    }
    assert models.store.find_version("demo", "churn", "model", None).version == 1
    assert models.client.artifact("model", 3).version == 3, "a version that is named is that version"
    assert models.client.artifact("score").version == 3, "other names stand as they stood"


def test_who_when_and_why_is_recorded(models, monkeypatch):
    monkeypatch.setenv("ZEN_USER", "anna")
    models.client.roll_back("model", 1, reason="v3 is worse")
    monkeypatch.delenv("ZEN_USER")
    models.client.roll_back("model", 2)
    second, first = models.client.rollbacks("demo/churn/model")
    assert (first.version, first.last_version, first.moved_by, first.reason) == (1, 3, "anna", "v3 is worse")
    assert (second.version, second.last_version, second.moved_by, second.reason) == (2, 3, getpass.getuser(), "")
    assert timedelta(0) <= datetime.now(UTC) - first.moved_at < timedelta(minutes=1)


def test_a_process_without_a_login_name_is_told_apart_by_zen_user_alone(models, monkeypatch):
    def no_user():
        raise OSError("no username set in the environment")

    monkeypatch.setattr("getpass.getuser", no_user)
    models.client.roll_back("model", 1)
    assert models.client.rollbacks("model")[0].moved_by == "unknown"


def test_a_version_that_is_made_later_stands_for_the_name_again(models):
    models.client.roll_back("model", 1)
    models.complete(models.run("4"))
    assert models.client.artifact("model").version == 4
    assert models.store.find_version("demo", "churn", "model", None).version == 4
    assert [item.version for item in models.client.artifacts("model") if item.current] == [4]
    models.client.roll_back("model", 3)
    assert models.client.artifact("model").version == 3


def test_rolling_back_to_what_stands_already_records_nothing(models):
    models.client.roll_back("model", 3)
    assert models.client.rollbacks("model") == []
    models.client.roll_back("model", 2)
    models.client.roll_back("model", 2)
    assert len(models.client.rollbacks("model")) == 1
    models.client.roll_back("model", 3)
    assert models.client.artifact("model").version == 3


def test_unknown_and_deleted_versions_are_refused_with_what_there_is(models):
    with pytest.raises(NotFoundError, match=r"demo/churn/model has no version 7(.|\n)*there are: 1, 2, 3"):
        models.client.roll_back("model", 7)
    delete(models, 1)
    with pytest.raises(
        NotFoundError, match=r"version 1 of demo/churn/model was deleted(.|\n)*there are: 2, 3"
    ) as caught:
        models.client.roll_back("model", 1)
    assert caught.value.diagnostics[0].why == "asked to be forgotten"
    with pytest.raises(NotFoundError, match=r"did you mean 'model'"):
        models.client.roll_back("modle", 1)
    assert models.client.rollbacks("model") == []


def test_a_version_that_is_deleted_later_leaves_the_name_to_the_newest(models):
    models.client.roll_back("model", 1)
    delete(models, 1)
    assert models.client.artifact("model").version == 3
    assert models.store.find_version("demo", "churn", "model", None).version == 3


def test_an_artifact_whose_newest_version_was_deleted_has_an_earlier_one(models):
    delete(models, 3)
    assert models.client.artifact("model").version == 2
    for version in (1, 2):
        delete(models, version)
    assert models.client.artifact("model").version == 3, "where none is left, the newest tells of its end"


def test_a_source_file_has_no_versions_to_roll_back(models):
    identifier = models.client.artifact("model").artifact_id
    assert models.client.roll_back(identifier, 3).version == 3
    with pytest.raises(NotFoundError, match=r"has no version 1(.|\n)*there are: 3"):
        models.client.roll_back(identifier, 1)
