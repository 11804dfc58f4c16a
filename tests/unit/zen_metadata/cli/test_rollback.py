"""`zen rollback`."""

import pytest


@pytest.fixture
def models(project):
    """A project whose model has two versions."""
    project.run()
    project.run("--param", "depth=5")
    return project


def test_a_name_is_rolled_back_and_the_lists_show_it(models):
    result = models.zen("rollback", "model", "1", "--reason", "depth 5 is worse")
    assert result.stdout.splitlines()[0] == "demo/churn/model stands for version 1, no longer for 2"
    newest, oldest = models.zen("artifacts", "model").stdout.splitlines()[1:]
    assert "current" not in newest
    assert oldest.split()[:3] == ["churn/model", "1", "current"]
    assert models.zen("rollback", "model", "1").stdout == "demo/churn/model stands for version 1 already\n"


def test_the_history_is_shown(models, monkeypatch):
    assert models.zen("rollback", "model").stdout.splitlines() == [
        "demo/churn/model stands for version 2",
        "  it was never rolled back",
    ]
    monkeypatch.setenv("ZEN_USER", "anna")
    models.zen("rollback", "model", "1", "--reason", "depth 5 is worse")
    first, head, line = models.zen("rollback", "model").stdout.splitlines()
    assert first == "demo/churn/model stands for version 1"
    assert head.split() == ["TO", "VERSION", "NEWEST", "THEN", "WHEN", "WHO", "WHY"]
    assert line.split()[:2] == ["1", "2"]
    assert line.endswith("anna  depth 5 is worse")
    document = models.json("rollback", "model")
    assert (document["name"], document["current"]) == ("demo/churn/model", 1)
    [entry] = document["rollbacks"]
    assert {key: entry[key] for key in ("version", "last_version", "moved_by", "reason")} == {
        "version": 1,
        "last_version": 2,
        "moved_by": "anna",
        "reason": "depth 5 is worse",
    }


def test_what_is_not_there_is_refused(models):
    result = models.zen("rollback", "model", "9")
    assert result.exit_code == 2
    assert "demo/churn/model has no version 9" in result.stderr
    assert "there are: 1, 2" in result.stderr
