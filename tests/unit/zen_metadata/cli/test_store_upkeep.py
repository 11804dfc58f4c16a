"""`zen store`: what an operator asks and does."""

import contextlib
import shutil
import sqlite3

from zen_core.testing.lineage import canonical_lineage


def change(project, *statements):
    with contextlib.closing(sqlite3.connect(project.root / ".zen" / "zen.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def test_check_tells_whose_bytes_are_gone(project):
    project.run()
    shutil.rmtree(project.root / ".zen" / "artifacts" / "objects")
    assert project.zen("store", "check").exit_code == 0
    result = project.zen("store", "check", "--bytes")
    assert result.exit_code == 4
    assert "error ZEN-M210: the bytes of 3 artifacts are gone" in result.stderr
    assert "churn/model@1" in result.stderr


def test_check_tells_what_processes_left_behind_and_is_content(project):
    project.run()
    change(
        project,
        "update zen_attempts set status = 'running', heartbeat_at = 1",
        "update zen_leases set released_at = null, expires_at = 1",
    )
    spool = project.root / ".zen" / "artifacts" / "spool" / "events"
    spool.mkdir(parents=True)
    (spool / "a.json").write_text("{}")
    found = project.json("store", "check")
    assert [notice["code"] for notice in found["notices"]] == ["ZEN-M211", "ZEN-M212", "ZEN-M213", "ZEN-M214"]
    assert found["notices"][0]["context"] == {"count": 3}


def test_a_damaged_file_is_told(project):
    project.run()
    file = project.root / ".zen" / "zen.db"
    change(project, "pragma wal_checkpoint(truncate)")
    data = bytearray(file.read_bytes())
    for start in range(8 * 4096, len(data), 4096):
        data[start : start + 64] = b"\xff" * 64
    file.write_bytes(data)
    result = project.zen("store", "check")
    assert result.exit_code == 4
    assert "damaged" in result.stderr
    assert "restore the backup" in result.stderr


def test_upgrade_of_a_store_that_is_new_has_nothing_to_do(project):
    project.run()
    document = project.json("store", "upgrade")
    assert (document["before"], document["backup"]) == (document["revision"], None)


def test_a_store_is_carried_over_with_its_lineage(project, monkeypatch):
    run = project.run()["run_id"]
    project.run("--param", "depth=13")
    exported = project.json("store", "export", "lineage.jsonl.gz")
    assert exported["rows"]["runs"] == 2
    shown = project.json("show", run)
    monkeypatch.setenv("ZEN_LINEAGE_URL", f"sqlite:///{project.root}/other/zen.db")
    imported = project.json("store", "import", "lineage.jsonl.gz")
    assert imported["changed"] == imported["rows"] == exported["rows"]
    again = project.zen("store", "import", "lineage.jsonl.gz")
    assert "has all of it already" in again.stdout
    assert canonical_lineage(project.json("show", run)) == canonical_lineage(shown)
    assert project.json("show", run) == shown
    assert project.json("store", "export", "again.jsonl.gz")["sha256"] == exported["sha256"]
    assert project.zen("store", "check", "--bytes").exit_code == 0
    assert {step["status"] for step in project.run()["steps"]} == {"cached"}


def test_export_takes_a_project_a_pipeline_or_a_time(project):
    project.run()
    assert "has 1 runs, 3 attempts, " in project.zen("store", "export", "a.gz", "--pipeline", "churn").stdout
    assert project.zen("store", "export", "a.gz", "--all-projects", "--project", "demo").exit_code == 2
    refused = project.zen("store", "export", "a.gz", "--since", "2999-01-01")
    assert refused.exit_code == 2
    assert "there is nothing to export: project demo, since 2999-01-01" in refused.stderr


def test_prune_says_first_what_it_would_remove(project):
    project.run()
    kept = project.zen("store", "prune", "--older-than", "0s")
    assert kept.exit_code == 0, kept.stderr
    assert "nothing to remove" in kept.stdout
    assert "1 older run stays: it made versions that are not deleted" in kept.stdout
    project.run("--param", "depth=13", "--no-cache")
    change(
        project,
        "update zen_artifacts set deleted_at = 1, deleted_by = 'me', deleted_reason = 'gc'",
        "update zen_outbox set done_at = 1",
    )
    told = project.zen("store", "prune", "--older-than", "0s")
    assert "would remove 2 runs" in told.stdout
    assert project.json("store", "prune", "--older-than", "0s", "--delete")["attempts"] == 5
    assert project.json("runs") == []
    assert project.zen("gc", "--older-than", "0s", "--delete").exit_code == 0, "no log of an unknown run is left"
