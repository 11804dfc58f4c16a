"""`zen store`, `zen push`."""

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest


def test_check_finds_a_store_sound(project):
    project.run()
    result = project.zen("store", "check")
    assert result.exit_code == 0, result.stderr
    assert "is sound, schema " in result.stdout
    assert "ZEN-M213  4 facts that wait to be shown by mlflow" in result.stdout
    document = project.json("store", "check", "--bytes")
    assert (document["sound"], document["problems"], document["checked_bytes"]) == (True, [], 3)
    assert [notice["code"] for notice in document["notices"]] == ["ZEN-M213"]
    assert (document["counts"]["runs"], document["counts"]["step_runs"]) == (1, 3)


def test_check_tells_what_is_wrong_with_exit_code_4(project):
    project.run()
    with contextlib.closing(sqlite3.connect(project.root / ".zen" / "zen.db")) as database, database:
        database.execute("delete from zen_runs")
    result = project.zen("store", "check")
    assert result.exit_code == 4
    assert "step runs without their run" in result.stderr
    document = json.loads(project.zen("store", "check", "--json").stdout)
    assert document["sound"] is False
    assert document["problems"][0]["code"] == "ZEN-M202"


def test_check_of_a_store_that_is_not_there(project):
    result = project.zen("store", "check")
    assert result.exit_code == 4
    assert "there is no lineage store" in result.stderr


@pytest.mark.slow
def test_upgrade_makes_a_store_where_there_is_none(project):
    document = project.json("store", "upgrade")
    assert document["revision"]
    assert (project.root / ".zen" / "zen.db").is_file()
    assert project.zen("store", "check").exit_code == 0


def test_push_uploads_a_bundle_once(project):
    project.zen("compile", f"{project.module}.py:churn", "--for", "airflow", "--out", "out")
    first = project.zen("push", "out")
    assert first.exit_code == 0, first.stderr
    assert first.stdout.startswith("churn: uploaded: ")
    assert Path(first.stdout.split(": ")[2].strip()).is_file()
    assert project.zen("push", "out").stdout.startswith("churn: already there: ")
    [bundle] = project.json("push", "out")
    assert bundle["uploaded"] is False
    assert bundle["location"] == f"code/{bundle['code_digest'].removeprefix('sha256:')}.zip"


def test_push_takes_a_stack_named_in_the_settings(project):
    (project.root / "zen.toml").write_text('project = "demo"\n[stacks.team]\nartifact_url = "shared"\n')
    project.zen("compile", f"{project.module}.py:churn", "--for", "airflow", "--out", "out")
    assert project.zen("--stack", "team", "push", "out").exit_code == 0
    assert len(list((project.root / "shared" / "code").iterdir())) == 1


def test_push_refuses_a_bundle_that_its_manifest_does_not_name(project):
    project.zen("compile", f"{project.module}.py:churn", "--for", "airflow", "--out", "out")
    shutil.copytree("out", "other")
    shutil.make_archive("other/churn.zen/code", "zip", "other/churn.zen")
    shutil.copytree("out", "other/fine")
    result = project.zen("push", "other")
    assert result.exit_code == 1
    assert "the code bundle is not the one that its manifest names" in result.stderr
    assert "other/churn.zen/code.zip" in result.stderr
    assert not (project.root / ".zen" / "artifacts" / "code").exists()


def test_push_of_a_folder_without_bundles(project):
    (project.root / "empty").mkdir()
    result = project.zen("push", "empty")
    assert result.exit_code == 2
    assert "there is no code bundle below empty" in result.stderr
